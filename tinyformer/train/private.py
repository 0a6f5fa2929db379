"""Private training in a recipe: Poisson batches, clipped and noisy steps, and the ε that they have cost so far."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import nn
from ..files import read_text, replace_file
from ..optim import ReduceOnPlateau
from ..privacy import ACCOUNTANTS, DPOptimizer, epsilon_of_history, gradient_factors, noise_multiplier_for
from .loop import ADVICE, Step
from .settings import check_settings, setting

if TYPE_CHECKING:
    from ..models.pretrained import Pretrained
    from ..optim import Optimizer, Schedule
    from .recipe import Recipe
    from .tasks import Task

FILE = "privacy.json"


@dataclass
class PrivacySettings:
    """The section [privacy] of a recipe. Training is private with a noise_multiplier above 0.

    A target_epsilon alone gives the noise_multiplier. With a noise_multiplier of 0, nothing is private.
    """

    noise_multiplier: float | None = setting(
        None, "Standard deviation of the noise in units of max_grad_norm; 0: not private. "
              "If it is not set, target_epsilon gives the noise.", at_least=0)
    max_grad_norm: float = setting(1.0, "Bound on the norm of the gradient of each example. "
                                        "It replaces train.clip in private training.", above=0)
    delta: float = setting(1e-5, "The δ for which ε holds; less than 1 divided by the number of training examples.",
                           above=0, below=1)
    target_epsilon: float = setting(math.inf, "The ε after train.max_steps steps, from which the noise is computed; "
                                              "inf: no target.", above=0, finite=False)
    accountant: str = setting("rdp", "How ε is computed. pld gives a smaller bound than rdp, and needs dp-accounting.",
                              one_of=ACCOUNTANTS)

    @property
    def active(self) -> bool:
        """Whether the training is private."""
        if self.noise_multiplier is None:
            return self.target_epsilon < math.inf
        return self.noise_multiplier > 0

    def check(self) -> None:
        """ValueError for a setting that cannot be used."""
        check_settings("privacy", self)
        if self.noise_multiplier and self.target_epsilon < math.inf:
            raise ValueError(f"privacy.target_epsilon: got {self.target_epsilon:g}, and a noise_multiplier of "
                             f"{self.noise_multiplier:g}; expected one of them, since the noise is solved for the "
                             f"target; target_epsilon=inf is no target")


class PrivateTraining:
    """What a private run has in place of ordinary steps. Each training example is in a batch with probability q.

    history     [[noise multiplier, sampling rate, steps]] of each part of the run, from which ε follows
    drawn       the size of the last batch
    """

    def __init__(self, recipe: Recipe, task: Task, model: Pretrained, optimizer: Optimizer):
        train, self.settings = recipe.train, recipe.privacy
        _check_model(model)
        N = task.number_of_examples()
        if train.batch_size > N:
            raise ValueError(f"train.batch_size: got {train.batch_size:,}, expected at most {N:,}, the number of "
                             f"training examples: the sampling rate is batch_size / {N:,}, and at most 1")
        if self.settings.delta >= 1 / N:
            raise ValueError(f"privacy.delta: got {self.settings.delta:g}, expected less than 1/{N} = {1 / N:.3g} for "
                             f"{N:,} training examples: publishing one of them whole would have that δ")
        if train.accumulate > 1:
            raise ValueError(f"train.accumulate: got {train.accumulate}, expected 1 in private training, "
                             f"where a batch is drawn as a whole")
        if getattr(recipe.data, "mix_up", 0):
            raise ValueError("data.mix_up: it averages pairs of examples, so that one of them is in two gradients; "
                             "expected 0 in private training")
        self.task, self.model, self.N, self.rate = task, model, N, train.batch_size / N
        noise = self.settings.noise_multiplier or noise_multiplier_for(
            self.settings.target_epsilon, self.rate, train.max_steps, self.settings.delta, self.settings.accountant)
        self.optimizer = DPOptimizer(optimizer, noise_multiplier=noise, max_grad_norm=self.settings.max_grad_norm,
                                     expected_batch_size=train.batch_size,
                                     rng=np.random.default_rng([train.seed, 1]))
        self.history: list[list[Any]] = []
        self.drawn, self._loss = 0, 0.0

    def steps(self, schedule: Schedule | None, rng: np.random.Generator, start: int, max_steps: int) -> Iterator[Step]:
        """As ``training_steps``, with Poisson batches drawn by ``rng``. An empty batch repeats the last loss."""
        for step in range(start + 1, max_steps + 1):
            lr = self.optimizer.param_groups[0]["lr"]
            x, y = self.task.select(self.model, np.flatnonzero(rng.random(self.N) < self.rate), rng)
            self.drawn = len(y)
            gradients = gradient_factors(self.model, x, y, self.optimizer.parameters)
            if not np.isfinite(gradients.losses).all():
                raise FloatingPointError(f"step {step}: the loss of an example is not finite; {ADVICE}")
            self._loss = float(gradients.losses.mean()) if self.drawn else self._loss
            self.optimizer.step(gradients)
            norm = math.sqrt(sum(float(np.vdot(p.grad, p.grad)) for p in self.optimizer.parameters
                                 if p.grad is not None))
            if schedule is not None and not isinstance(schedule, ReduceOnPlateau):
                schedule.step()
            self.model.zero_grad()
            self._count_step()
            yield Step(step, self._loss, lr, norm, x.size)

    def _count_step(self) -> None:
        now = [self.optimizer.noise_multiplier, self.rate]
        if not self.history or self.history[-1][:2] != now:
            self.history.append([*now, 0])
        self.history[-1][2] += 1

    # -- what it has cost

    def epsilon(self) -> float:
        """The ε of all steps so far. It holds for every model of the run, also for the best one."""
        return epsilon_of_history([tuple(part) for part in self.history], self.settings.delta,
                                  self.settings.accountant)

    def figures(self) -> dict[str, Any]:
        """The cost so far, as ``evaluate`` reports it."""
        return {"epsilon": self.epsilon(), "delta": self.settings.delta,
                "noise_multiplier": self.optimizer.noise_multiplier, "max_grad_norm": self.settings.max_grad_norm,
                "sample_rate": self.rate, "steps": sum(part[2] for part in self.history),
                "accountant": self.settings.accountant, "sampling": "Poisson"}

    def save(self, folder: Path) -> None:
        """Write the figures into ``folder``."""
        replace_file(folder / FILE, json.dumps(self.figures(), indent=1) + "\n")

    # -- checkpoints; the optimizer's own state is saved with the run

    def state(self) -> dict[str, Any]:
        """The history, and the state of the noise, fit for JSON."""
        return {"history": self.history, "rng": self.optimizer.state_dict()["rng"], "loss": self._loss}

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from what ``state()`` returned.

        ValueError if the noise was solved for another number of steps: more of them would cost more than the target.
        """
        history = [list(part) for part in state["history"]]
        noise = self.optimizer.noise_multiplier
        if self.settings.target_epsilon < math.inf and history and history[-1][:2] != [noise, self.rate]:
            raise ValueError(f"its noise {history[-1][0]:.4g} was solved for privacy.target_epsilon and the steps of "
                             f"that run, but these settings need {noise:.4g}; expected the same settings, or "
                             f"privacy.target_epsilon=inf privacy.noise_multiplier={history[-1][0]!r}")
        self.optimizer.rng.bit_generator.state = state["rng"]
        self.history, self._loss = history, float(state["loss"])


def _check_model(model: Pretrained) -> None:
    """ValueError for a model whose training uses examples in other ways than by their clipped gradients."""
    if hasattr(model, "prepare"):
        raise ValueError(f"the model cannot be trained privately: a {type(model).__name__} is trained by counting, "
                         f"without noise, before its first step; expected a model that is trained in steps alone")
    if broken := next((name for name, layer in model.named_modules()
                       if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d))), None):
        raise ValueError(f"the model cannot be trained privately: its layer {broken} is a batch norm, which mixes "
                         f"the examples of a batch, so that clipping one example bounds nothing; expected a model "
                         f"without batch norm")


def saved_figures(folder: Path) -> dict[str, Any] | None:
    """What a private run has written about its cost into ``folder``; None if there is no such file.

    ValueError, which names the file, if it is damaged.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        found = json.loads(read_text(path))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("epsilon"), float):
        raise ValueError(f"{path}: damaged, expected the figures of a private training")
    return found


def in_words(figures: dict[str, Any]) -> str:
    """The cost in one line."""
    return (f"epsilon {figures['epsilon']:.2f} at delta {figures['delta']:g} "
            f"({figures['accountant'].upper()} accountant, {figures['sampling']} sampling at rate "
            f"{figures['sample_rate']:.3g}, noise {figures['noise_multiplier']:.3g}, {figures['steps']:,} steps)")
