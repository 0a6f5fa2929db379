"""Federated averaging: clients train on their own examples, and a server averages their weights.

    wₖ ← E steps of SGD from w on the examples of client k         w ← Σₖ (nₖ/n) wₖ

The clients run one after the other in one process. Under ``mpiexec``, process r runs the clients r, r + size, …, and
all processes compute the same mean: the result has the same bits. Source: McMahan et al. (2017); book (18.13).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import rng as randomness
from ..files import replace_file
from ..number_checks import check_integer, check_number
from ..optim import SGD
from ..privacy import epsilon
from ..viz.rounds import draw_rounds
from ..writes import write
from .averaging import masked, unmasked_sum, weighted_mean
from .ranks import gather_rows, rank, size
from .splits import split_clients

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..models.pretrained import Pretrained

__all__ = ["Federation", "federated_averaging"]


@dataclass
class Federation:
    """How a federation trains.

    clients         K, the number of clients
    split           who holds which examples, see ``split_clients``
    local_steps     E, the steps of SGD that a client makes in a round
    local_batch     examples in one of these steps; 0: all that the client has
    mu              μ of FedProx: the loss of a client gets ½ μ ‖w − w_server‖² (Li et al. 2020); 0: FedAvg
    secure          the server sees only the sum of the clients' weights, under masks
    noise_multiplier, max_update_norm    σ and C of differential privacy for clients: each update wₖ − w is clipped to
                    the norm C, the mean is over equal weights, and gets noise σC/K. σ = 0: not private.
    delta           the δ for which ε is computed
    """

    clients: int = 10
    split: str = "iid"
    local_steps: int = 5
    local_batch: int = 32
    mu: float = 0.0
    secure: bool = False
    noise_multiplier: float = 0.0
    max_update_norm: float = 1.0
    delta: float = 1e-5

    def __post_init__(self) -> None:
        self.clients = check_integer(self, "clients", self.clients, at_least=1)
        self.local_steps = check_integer(self, "local_steps", self.local_steps, at_least=1)
        self.local_batch = check_integer(self, "local_batch", self.local_batch, at_least=0)
        self.mu = check_number(self, "mu", self.mu, at_least=0)
        self.noise_multiplier = check_number(self, "noise_multiplier", self.noise_multiplier, at_least=0)
        self.max_update_norm = check_number(self, "max_update_norm", self.max_update_norm, above=0)
        self.delta = check_number(self, "delta", self.delta, above=0, below=1)


@dataclass
class Outcome:
    """What ``federated_averaging`` returns: the model, and a record of each round with its validation figures."""

    model: Pretrained
    records: list[dict[str, Any]] = field(default_factory=list)


def federated_averaging(recipe: Any, federation: Federation, rounds: int, folder: str | Path | None = None,
                        report: Callable[[str], None] = print,
                        begin: Callable[[], None] = lambda: None) -> Outcome:
    """Train the model of ``recipe`` by ``rounds`` rounds of federated averaging, with plain SGD at ``train.lr``.

    folder      where the model, its recipe, metrics.jsonl and the picture rounds.png go; None: nowhere
    report      is given a line after each round
    begin       is called before the first round, once all settings are known to fit

    ValueError for a model without a list of examples, such as a language model on one text, and as
    ``split_clients``.
    """
    rounds = check_integer("federated_averaging", "rounds", rounds, at_least=0)
    task = recipe.task(recipe.data)
    N = task.number_of_examples()
    config = recipe.model_config(**task.sizes())
    task.check(config)
    randomness.seed(recipe.train.seed)
    model = recipe.model_class(config)
    task.prepare(model)
    labels = getattr(task.train, "y", None)
    if labels is None and federation.split != "iid":
        raise ValueError(f"split_clients: split is {federation.split!r}, but the examples of the task {task.name!r} "
                         f"have no classes; expected iid")
    shards = split_clients(np.zeros(N) if labels is None else labels, federation.clients, federation.split,
                           np.random.default_rng([recipe.train.seed, 2]))
    outcome, leads = Outcome(model), rank() == 0
    begin()
    for turn in range(1, rounds + 1):
        loss = _round(model, task, recipe.train, federation, shards, turn)
        figures = task.measure(model)
        outcome.records.append({"step": turn, "train_loss": loss, "lr": recipe.train.lr, **figures})
        if leads:
            said = ", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in figures.items())
            report(f"round {turn}: {said}{_cost(federation, turn)}")
    if folder is not None and leads:
        _save(outcome, recipe, task, Path(folder), federation)
    return outcome


def _round(model: Pretrained, task: Any, train: Any, how: Federation, shards: list[NDArray[np.int64]],
           turn: int) -> float:
    """One round; returns the mean of the clients' losses, weighted by their sizes."""
    before, counts = flat(model), [len(shard) for shard in shards]
    rows, losses = [], []
    for k in range(rank(), how.clients, size()):
        unflatten(model, before)
        rng = np.random.default_rng([train.seed, turn, k])
        randomness.seed(int(rng.integers(2 ** 31)))                             # dropout
        batches = (task.select(model, chosen, rng) for chosen in minibatches(shards[k], how.local_batch, rng))
        losses.append(local_training(model, batches, how.local_steps, train.lr, how.mu))
        rows.append(flat(model))
    width = len(before)
    own = np.array(rows, before.dtype).reshape(len(rows), width)
    gathered = gather_rows(np.concatenate([own, np.array(losses, before.dtype)[:, None]], axis=1), how.clients)
    rows = [row[:width] for row in gathered]
    noise = np.random.default_rng([train.seed, turn, how.clients])
    if how.noise_multiplier:
        counts_in_mean = [1] * how.clients                  # equal weights: no client moves the mean by more than C/K
        rows = [before + clip(row - before, how.max_update_norm) for row in rows]
    else:
        counts_in_mean = counts
    mean = _secure_mean(rows, counts_in_mean, train.seed, turn) if how.secure else weighted_mean(rows, counts_in_mean)
    if how.noise_multiplier:
        scale = how.noise_multiplier * how.max_update_norm / how.clients
        mean = mean + scale * noise.standard_normal(width)
    unflatten(model, mean)
    return float(np.average(gathered[:, width], weights=counts))


def _secure_mean(rows: list[NDArray[Any]], counts: list[int], seed: int, turn: int) -> NDArray[Any]:
    shares = [count / sum(counts) for count in counts]
    sent = [masked(row.astype(np.float64) * share, k, len(rows), seed * 1_000_003 + turn)
            for k, (row, share) in enumerate(zip(rows, shares))]
    return unmasked_sum(sent)


def clip(update: NDArray[Any], norm: float) -> NDArray[Any]:
    """``update``, shortened to the length ``norm`` if it is longer."""
    return update * min(1.0, norm / max(float(np.linalg.norm(update)), 1e-30))


def minibatches(shard: NDArray[np.int64], size: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Yield the indices of batches without end: whole shuffled passes, or all of ``shard`` each time if size is 0."""
    while True:
        if not size:
            yield shard
            continue
        order = rng.permutation(shard)
        for start in range(0, len(order), size):
            yield order[start:start + size]


def local_training(model: Pretrained, batches: Iterator[tuple[Any, Any]], steps: int, lr: float,
                   mu: float = 0.0) -> float:
    """What a client does in a round: ``steps`` steps of SGD. Returns the mean of the losses.

    With μ, each gradient gets μ (w − w_server), which pulls the client back to where the round began.
    """
    optimizer, total = SGD(model.parameters(), lr=lr), 0.0
    start = [p.data.copy() for p in model.parameters()] if mu else []
    model.train()
    for _ in range(steps):
        loss = model.loss(*next(batches))                                       # type: ignore[attr-defined]
        if not math.isfinite(loss.item()):
            raise FloatingPointError(f"the loss of a client is {loss.item()}; try a lower train.lr")
        loss.backward()
        for p, w in zip(model.parameters(), start):
            if p.grad is not None:
                p.grad = p.grad + mu * (p.data - w)
        optimizer.step()
        optimizer.zero_grad()
        total += loss.item() / steps
    return total


def averaged(model: Pretrained) -> list[NDArray[Any]]:
    """The arrays that are averaged: parameters, and buffers of floating-point numbers."""
    return [array for array in model.state_dict().values() if array.dtype.kind == "f"]


def flat(model: Pretrained) -> NDArray[Any]:
    """All averaged arrays as one vector."""
    return np.concatenate([array.ravel() for array in averaged(model)])


def unflatten(model: Pretrained, vector: NDArray[Any]) -> None:
    """Write ``vector`` into the arrays that ``flat`` joined."""
    start = 0
    for array in averaged(model):
        write(array, vector[start:start + array.size].reshape(array.shape).astype(array.dtype))
        start += array.size


def _cost(how: Federation, rounds: int) -> str:
    if not how.noise_multiplier:
        return ""
    cost = epsilon(how.noise_multiplier, 1.0, rounds, how.delta)
    return f"; epsilon {cost:.2f} at delta {how.delta:g} for each client"


def _save(outcome: Outcome, recipe: Any, task: Any, folder: Path, how: Federation) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / "recipe.toml", recipe.to_toml())
    task.save(folder)
    outcome.model.save_pretrained(folder)
    replace_file(folder / "metrics.jsonl", "".join(json.dumps(record) + "\n" for record in outcome.records))
    if outcome.records:
        draw_rounds({f"{how.clients} clients, {how.split}": outcome.records}, folder / "rounds.png", recipe.name)
