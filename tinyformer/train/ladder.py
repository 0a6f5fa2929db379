"""A ladder of language models on one text: uniform, n-grams, networks.

All are evaluated on the same split, and each rung has its number of parameters and the seconds of its training.

    loss(uniform) > loss(unigram) > loss(bigram) > … > loss(Transformer)        what we expect; exceptions are reported
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..models import NGram, NGramConfig, load_model
from ..models.ngram_counts import Counts
from . import scores
from .checkpoint import checkpoints, load_checkpoint
from .losses import evaluate_loss, uniform_loss
from .locked import FolderLock
from .recipe import load_recipe
from .run import train

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from .tasks import Task

ORDERS = range(1, 7)
COUNTED = {1: "unigram", 2: "bigram"}


@dataclass(frozen=True)
class Ladder:
    """The rungs of a ladder.

    networks    (name, recipe) of each network, from the bottom
    counted     the n of the n-grams that are rungs
    seeds       trainings of each network
    part        the split of the task on which all are evaluated
    unit, nats  the unit of the loss, and its size in nats
    note        related published results
    """

    about: str
    networks: tuple
    counted: tuple
    seeds: int
    part: str
    unit: str
    nats: float
    note: str = ""


LADDERS = {
    "names": Ladder("Names, each a separate text", (
        ("MLP", "mlp-names"), ("RNN", "rnn-names"), ("GRU", "gru-names"), ("LSTM", "lstm-names"),
        ("Transformer", "gpt-names")),
        counted=(1, 2), seeds=3, part="test", unit="nats per character", nats=1.0,
        note="the networks have the widths and depths of makemore (Karpathy, 2022), so the Transformer is by far the "
             "largest: an LSTM of as many parameters is better than it. makemore's bigram has 2.476, "
             "on a list of names of its own"),
    "shakespeare": Ladder("Tiny Shakespeare", (
        ("MLP", "mlp-shakespeare"), ("LSTM", "lstm-shakespeare"), ("GPT", "shakespeare-char-cpu-best")),
        counted=tuple(ORDERS), seeds=1, part="validation", unit="bits per character", nats=math.log(2)),
}


def climb(name: str, folder: Path, seeds: int | None = None, given: Iterable[Path] = ()) -> dict[str, Any]:
    """The ladder ``name`` with all its figures; see ``report``.

    Networks that are not trained yet are trained into ``folder``.

    seeds       trainings of each network, from the seeds 1, 2, …; by default those of the ladder
    given       folders of runs, each used instead of training its recipe

    ValueError for a run in ``given`` whose recipe is not in the ladder.
    """
    ladder = LADDERS[name]
    given = {load_recipe(run / "recipe.toml").name: run for run in given}
    if strange := set(given) - {recipe for _, recipe in ladder.networks}:
        raise ValueError(f"a run of the recipe {min(strange)} is no rung of the ladder {name}, expected one of "
                         f"{', '.join(recipe for _, recipe in ladder.networks)}")
    recipe = load_recipe(ladder.networks[0][1])
    task = recipe.task(recipe.data)
    rungs = counted_rungs(task, getattr(task, ladder.part))
    with FolderLock(folder):
        for rung, recipe_name in ladder.networks:
            rungs.append(_network(rung, recipe_name, getattr(task, ladder.part), folder / recipe_name,
                                  range(1, (seeds or ladder.seeds) + 1), given.get(recipe_name)))
    return report(name, rungs, task.describe())


def counted_rungs(task: Task, judged: Any) -> list[dict[str, Any]]:
    """The uniform distribution and the n-grams of ``ORDERS``, evaluated on ``judged``.

    Smoothing is modified Kneser–Ney.
    """
    V = task.sizes()["vocab_size"]
    rungs = [rung("uniform", "guess", [uniform_loss(V)], 0, 0.0)]
    for n in ORDERS:
        began = time.perf_counter()
        model = NGram(NGramConfig(V, n)).fit(Counts(task.train, n, V))
        seconds = time.perf_counter() - began
        rungs.append({**rung(COUNTED.get(n, f"{n}-gram"), "counted", [evaluate_loss(model, judged)],
                             model.num_parameters(), seconds), "n": n})
    return rungs


def _network(name: str, recipe_name: str, judged: Any, folder: Path, seeds: Iterable[int],
             given: Path | None) -> dict[str, Any]:
    losses, seconds = [], []
    for seed in seeds if given is None else (None,):
        place = given or folder / f"seed-{seed}"
        if given is None:
            recipe = load_recipe(recipe_name, [f"train.seed={seed}"])
            train(recipe, place, resume=_was_begun(recipe, place / "recipe.toml"))
        model = load_model(place)
        losses.append(evaluate_loss(model, judged))
        seconds.append(load_checkpoint(checkpoints(place / "checkpoints")[-1])[1]["seconds"])
    return {**rung(name, "network", losses, model.num_parameters(), sum(seconds) / len(seconds)), "recipe": recipe_name}


def _was_begun(recipe, path):
    """Whether the recipe in the file ``path`` says the same.

    What it promises (its minutes, its loss) may have changed.
    """
    begun = load_recipe(path) if path.is_file() else None
    return begun is not None and (begun.data, begun.model, begun.train) == (recipe.data, recipe.model, recipe.train)


def rung(name, kind, losses, parameters, seconds):
    """One rung: its losses in nats, one for each seed."""
    return {"name": name, "kind": kind, "nats": losses, "parameters": parameters, "seconds": round(seconds, 2)}


def report(name: str, rungs: list[dict[str, Any]], data: str = "") -> dict[str, Any]:
    """{ladder, unit, part, data, note, rungs, kneser_ney, findings}.

    A rung has its ``loss`` in the ladder's unit, the mean over the seeds, and their standard deviation ``sd`` (None
    for one); ``kneser_ney`` is the best n-gram.
    """
    ladder = LADDERS[name]
    for step in rungs:
        losses = [nats / ladder.nats for nats in step["nats"]]
        step["loss"], step["sd"] = sum(losses) / len(losses), scores.spread(losses)["sd"] if len(losses) > 1 else None
    best = min((step for step in rungs if step["kind"] == "counted"), key=lambda step: step["loss"])
    shown = [step for step in rungs if step.get("n") is None or step["n"] in ladder.counted]
    return {"ladder": name, "about": ladder.about, "unit": ladder.unit, "part": ladder.part, "data": data,
            "note": ladder.note, "rungs": shown, "kneser_ney": best, "findings": findings(shown, best)}


def findings(rungs: list[dict[str, Any]], best: dict[str, Any]) -> list[str]:
    """The exceptions, a sentence each.

    They are rungs whose loss is not below that of the rung before, or not by more than the sum of the standard
    deviations, and networks with a higher loss than the ``best`` n-gram.
    """
    said = []
    for lower, upper in zip(rungs, rungs[1:]):
        gap, spread = lower["loss"] - upper["loss"], (lower["sd"] or 0) + (upper["sd"] or 0)
        if gap <= 0:
            said.append(f"{upper['name']} is no better than {lower['name']}: "
                        f"{upper['loss']:.3f} against {lower['loss']:.3f}")
        elif gap <= spread:
            said.append(f"{upper['name']} and {lower['name']} do not separate: "
                        f"{gap:.3f} apart, their spreads reach {spread:.3f}")
    lost = [step["name"] for step in rungs if step["kind"] == "network" and step["loss"] >= best["loss"]]
    if lost:
        said.append(f"{', '.join(lost)} LOSE{'S' * (len(lost) == 1)} to counting: "
                    f"Kneser-Ney with n = {best['n']} has {best['loss']:.3f}")
    return said
