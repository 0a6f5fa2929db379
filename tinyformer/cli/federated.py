"""tinyformer federated RECIPE"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer


def command(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(
        metavar="RECIPE", help="The name of a recipe, or a .toml file. Its train.lr is the rate of SGD without "
                                "momentum.")],
    clients: Annotated[int, typer.Option(metavar="K", help="The number of clients.")] = 10,
    rounds: Annotated[int, typer.Option(metavar="R", help="The number of rounds; 0 writes the initial model.")] = 20,
    split: Annotated[str, typer.Option(
        metavar="SPLIT", help="The examples of each client: iid (at random), by-class (two classes for each client), "
                              "or dirichlet:A (the smaller A, the more the clients differ).")] = "iid",
    local_steps: Annotated[int, typer.Option(metavar="E", help="Steps of each client in a round.")] = 5,
    local_batch: Annotated[Optional[int], typer.Option(
        metavar="B", help="Examples in a step of a client; 0: all of its examples. Default: train.batch_size.")] = None,
    out: Annotated[Optional[Path], typer.Option(
        metavar="DIR", file_okay=False, help="The folder of the result. Default: runs/RECIPE-federated.")] = None,
    mu: Annotated[float, typer.Option(
        metavar="MU", help="FedProx: strength of the pull towards the server's weights; 0: FedAvg.")] = 0.0,
    secure: Annotated[bool, typer.Option(
        "--secure", help="The server sees only the sum of the clients' weights, under masks that cancel.")] = False,
    noise_multiplier: Annotated[float, typer.Option(
        metavar="SIGMA", help="Differential privacy for clients: noise on the mean of their clipped updates, in units "
                              "of --max-update-norm; 0: none.")] = 0.0,
    max_update_norm: Annotated[float, typer.Option(
        metavar="C", help="With noise: bound on the norm of a client's update.")] = 1.0,
    delta: Annotated[float, typer.Option(metavar="DELTA", help="With noise: the delta of the printed epsilon.")] = 1e-5,
    settings: Annotated[Optional[list[str]], typer.Option(
        "--set", metavar="section.key=value …", help="Change settings of the recipe, such as train.lr=0.05.")] = None,
) -> None:
    """Train by federated averaging.

    Each client trains on its own examples, and a server averages their weights. Clients run in this process, or
    with `mpiexec -n 4 tinyformer federated …` in several, with the same results. The folder gets the model,
    recipe.toml, metrics.jsonl and rounds.png, accuracy against rounds.
    """
    from ..distributed import Federation, federated_averaging, rank
    from ..train import load_recipe
    from ..train.locked import FolderLock
    from ..train.recipe import RecipeError
    from ..train.run import set_aside
    if strange := [word for word in context.args if "=" not in word]:
        raise RecipeError(f"got {strange[0]} besides {recipe}; expected one recipe")
    chosen = load_recipe(recipe, [*(settings or ()), *context.args])            # all but the first after --set
    if chosen.model_class.trained_by_counting:
        raise RecipeError(f"{chosen.name}: the model {chosen.model['architecture']!r} is trained by counting; "
                          f"expected one that is trained in steps")
    local_batch = chosen.train.batch_size if local_batch is None else local_batch
    federation = Federation(clients, split, local_steps, local_batch, mu, secure, noise_multiplier, max_update_norm,
                            delta)
    folder = out or Path("runs") / f"{Path(recipe).stem}-federated"
    if rank():                                              # the first process writes and prints
        federated_averaging(chosen, federation, rounds)
        return
    with FolderLock(folder) as held:
        outcome = federated_averaging(chosen, federation, rounds, folder, begin=lambda: set_aside(held))
    _show(outcome, folder)


def _show(outcome: object, folder: Path) -> None:
    """Print the figures of the last model on the test split."""
    from ..train import evaluate
    found = evaluate(folder)
    name = next(name for name in ("accuracy", "val_loss", "exact_match") if name in found)
    print(f"\n{name.replace('_', ' ')} {found[name]:.4f} after {len(outcome.records)} rounds · {folder}")
