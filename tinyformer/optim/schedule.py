"""Learning-rate schedules: the learning rate as a function of the step number."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..number_checks import check_integer, check_number
from .optimizer import Optimizer, register

if TYPE_CHECKING:
    from typing_extensions import Self

SCHEDULES: dict[str, type[Schedule]] = {}               # by the name that recipes give in train.schedule


class Schedule:
    """Base of all schedules: counts steps and gives every group of the optimizer the rate ``at(count)``.

    The schedule sets the rate of the first step when it is made, and the rate of the next step at each ``step()``:

    >>> optimizer.step(); schedule.step()

    optimizer       its groups get the rate times their "lr_scale"
    max_lr          the rate that the schedule starts from or rises to; by default the one that the optimizer was made
                    with
    count           steps so far. The rate depends on nothing else, so the count is the whole state.

    A subclass defines ``at``. With ``class Mine(Schedule, recipe="mine")`` and ``from_recipe`` recipes can name it:
    ``train.schedule = "mine"``.

    Raises TypeError or ValueError unless max_lr is a finite number of at least 0.
    """

    def __init_subclass__(cls, recipe: str | None = None, **options: Any) -> None:
        super().__init_subclass__(**options)
        if recipe is not None:
            register(SCHEDULES, recipe, cls)

    def __init__(self, optimizer: Optimizer, max_lr: float | None = None) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(self).__name__}: optimizer is a {type(optimizer).__name__}, expected an Optimizer")
        self.optimizer = optimizer
        self.max_lr = check_number(self, "max_lr", optimizer.defaults["lr"] if max_lr is None else max_lr, at_least=0)
        self.count = 0
        self._set()

    @classmethod
    def from_recipe(cls, optimizer: Optimizer, settings: Any) -> Self:
        """The schedule that a recipe's [train] section describes: max_steps, warmup_steps, lr and min_lr."""
        raise NotImplementedError(f"{cls.__name__} does not say how to make it from a recipe")

    def at(self, n: int) -> float:
        """The rate of step ``n`` = 0, 1, …"""
        raise NotImplementedError(f"{type(self).__name__} does not define its rate")

    @property
    def lr(self) -> float:
        """The current rate."""
        return float(self.at(self.count))

    def step(self) -> None:
        """Set the rate of the next step."""
        self.count += 1
        self._set()

    def state_dict(self) -> dict[str, Any]:
        """The state of the schedule, fit for JSON."""
        return {"schedule": type(self).__name__, "count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from ``state`` and set its rate. Raises ValueError if the state belongs to another schedule."""
        mine = self.state_dict()
        if set(state) != set(mine) or state["schedule"] != mine["schedule"]:
            raise ValueError(f"load_state_dict: this state does not fit {type(self).__name__}: "
                             f"it is {state!r}, expected one like {mine!r}")
        check_integer(self, "count", state["count"], at_least=0)
        vars(self).update((name, value) for name, value in state.items() if name != "schedule")
        self._set()

    def _set(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr * group["lr_scale"]

    def _checked_min_lr(self, min_lr: float) -> float:
        return check_number(self, "min_lr", min_lr, at_least=0, at_most=self.max_lr)


class _WarmUp(Schedule):
    """Linear warm-up, then from ``max_lr`` down to ``min_lr`` at ``total_steps``, and constant after.

        η(n) = max_lr (n + 1) / (warmup_steps + 1)              n < warmup_steps
        η(n) = min_lr + remaining(r) (max_lr − min_lr)          remaining(0) = 1, remaining(1) = 0
        r = (n − warmup_steps) / (total_steps − warmup_steps), at most 1
    """

    def __init__(self, optimizer: Optimizer, warmup_steps: int, total_steps: int, max_lr: float | None = None,
                 min_lr: float = 0.0) -> None:
        self.total_steps = check_integer(self, "total_steps", total_steps, at_least=0)
        self.warmup_steps = check_integer(self, "warmup_steps", warmup_steps, 0, self.total_steps)
        self.min_lr = check_number(self, "min_lr", min_lr, at_least=0)
        super().__init__(optimizer, max_lr)
        self._checked_min_lr(self.min_lr)

    @classmethod
    def from_recipe(cls, optimizer: Optimizer, settings: Any) -> Self:
        """From ``lr`` down to ``min_lr`` at ``max_steps``; the warm-up never takes longer than the run."""
        steps = settings.max_steps
        return cls(optimizer, min(settings.warmup_steps, steps), steps, settings.lr, settings.min_lr)

    def at(self, n: int) -> float:
        """The rate of step ``n`` = 0, 1, …"""
        if n < self.warmup_steps:
            return self.max_lr * (n + 1) / (self.warmup_steps + 1)
        if n >= self.total_steps:
            return self.min_lr
        r = (n - self.warmup_steps) / (self.total_steps - self.warmup_steps)
        return self.min_lr + self.remaining(r) * (self.max_lr - self.min_lr)

    def remaining(self, r: float) -> float:
        """The part of max_lr − min_lr that is left after the part ``r`` of the descent, 0 ≤ r ≤ 1."""
        raise NotImplementedError(f"{type(self).__name__} does not define its descent")


class CosineSchedule(_WarmUp, recipe="cosine"):
    """Linear warm-up, then half a cosine wave down to ``min_lr`` at ``total_steps``, and constant after.

        η(n) = max_lr (n + 1) / (warmup_steps + 1)              n < warmup_steps
        η(n) = min_lr + ½ (1 + cos π r) (max_lr − min_lr)       r = (n − warmup_steps) / (total_steps − warmup_steps)

    Raises TypeError or ValueError unless 0 ≤ warmup_steps ≤ total_steps are integers and 0 ≤ min_lr ≤ max_lr.

    Source: Loshchilov and Hutter (2017), equation 5, without restarts; the warm-up is that of nanoGPT's published
    recipe; book (5.6).
    """

    def remaining(self, r: float) -> float:
        """½ (1 + cos π r)."""
        return 0.5 * (1 + math.cos(math.pi * r))


class LinearSchedule(_WarmUp, recipe="linear"):
    """Linear warm-up, then a straight line down to ``min_lr`` at ``total_steps``, and constant after.

        η(n) = max_lr (n + 1) / (warmup_steps + 1)              n < warmup_steps
        η(n) = min_lr + (1 − r) (max_lr − min_lr)               r = (n − warmup_steps) / (total_steps − warmup_steps)

    Raises TypeError or ValueError unless 0 ≤ warmup_steps ≤ total_steps are integers and 0 ≤ min_lr ≤ max_lr.

    Source: the decay of Devlin et al. (2019), appendix A.2.
    """

    def remaining(self, r: float) -> float:
        """1 − r."""
        return 1 - r


class InverseSquareRootSchedule(Schedule, recipe="inverse-sqrt"):
    """Linear warm-up over ``warmup_steps``, then a decay with the inverse square root of the step.

        η(n) = max_lr min((n + 1) / w, √(w / (n + 1)))      w = warmup_steps, an integer of at least 1

    The published form, C^{−1/2} min((n + 1)^{−1/2}, (n + 1) w^{−3/2}) for a model of width C, is this one with the
    max_lr of ``of_width``.   Source: Vaswani et al. (2017), equation 3.
    """

    def __init__(self, optimizer: Optimizer, warmup_steps: int, max_lr: float | None = None) -> None:
        self.warmup_steps = check_integer(self, "warmup_steps", warmup_steps, at_least=1)
        super().__init__(optimizer, max_lr)

    @classmethod
    def from_recipe(cls, optimizer: Optimizer, settings: Any) -> Self:
        """Up to ``lr`` over ``warmup_steps``, which are at least 1 and at most ``max_steps``."""
        return cls(optimizer, max(min(settings.warmup_steps, settings.max_steps), 1), settings.lr)

    @staticmethod
    def of_width(C: int, warmup_steps: int) -> float:
        """(C w)^{−1/2}: the highest rate as published, for a model of width ``C``."""
        return (C * warmup_steps) ** -0.5

    def at(self, n: int) -> float:
        """The rate of step ``n`` = 0, 1, …"""
        return self.max_lr * min((n + 1) / self.warmup_steps, math.sqrt(self.warmup_steps / (n + 1)))


class StepSchedule(Schedule):
    """The rate falls by a factor γ every ``step_size`` steps.   η(n) = max_lr γ^⌊n / step_size⌋.

    Raises TypeError or ValueError unless step_size is an integer of at least 1 and 0 < gamma ≤ 1.
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, max_lr: float | None = None) -> None:
        self.step_size = check_integer(self, "step_size", step_size, at_least=1)
        self.gamma = check_number(self, "gamma", gamma, above=0, at_most=1)
        super().__init__(optimizer, max_lr)

    def at(self, n: int) -> float:
        """The rate of step ``n`` = 0, 1, …"""
        return self.max_lr * self.gamma ** (n // self.step_size)


class ExponentialSchedule(Schedule):
    """The rate falls by a factor γ every step.   η(n) = max_lr γⁿ.

    Raises TypeError or ValueError unless 0 < gamma ≤ 1.
    """

    def __init__(self, optimizer: Optimizer, gamma: float, max_lr: float | None = None) -> None:
        self.gamma = check_number(self, "gamma", gamma, above=0, at_most=1)
        super().__init__(optimizer, max_lr)

    def at(self, n: int) -> float:
        """The rate of step ``n`` = 0, 1, …"""
        return self.max_lr * self.gamma ** n


class ReduceOnPlateau(Schedule):
    """The rate falls by ``factor`` when the loss has not improved for more than ``patience`` measurements.

        η = max(min_lr, max_lr factorᵏ),   k reductions so far

    >>> schedule.step(validation_loss)

    A loss has improved when it is below the best so far times (1 − threshold); NaN is no improvement. As in PyTorch,
    each reduction resets the count of measurements without improvement, but not the best loss.

    Raises TypeError or ValueError unless 0 < factor < 1, patience is an integer of at least 0, 0 ≤ threshold < 1 and
    0 ≤ min_lr ≤ max_lr.
    """

    def __init__(self, optimizer: Optimizer, factor: float = 0.1, patience: int = 10, threshold: float = 1e-4,
                 min_lr: float = 0.0, max_lr: float | None = None) -> None:
        self.factor = check_number(self, "factor", factor, above=0, below=1)
        self.patience = check_integer(self, "patience", patience, at_least=0)
        self.threshold = check_number(self, "threshold", threshold, at_least=0, below=1)
        self.min_lr = check_number(self, "min_lr", min_lr, at_least=0)
        self.best: float | None = None
        self.bad = 0
        super().__init__(optimizer, max_lr)
        self._checked_min_lr(self.min_lr)

    def at(self, n: int) -> float:
        """The rate after ``n`` reductions."""
        return max(self.min_lr, self.max_lr * self.factor ** n)

    def step(self, loss: float) -> None:  # type: ignore[override]
        """Record a measured loss and set the rate of the next steps."""
        if loss < (math.inf if self.best is None else self.best * (1 - self.threshold)):
            self.best, self.bad = float(loss), 0
        else:
            self.bad += 1
        if self.bad > self.patience:
            self.bad = 0
            self.count += 1
        self._set()

    def state_dict(self) -> dict[str, Any]:
        """The state of the schedule, fit for JSON: the reductions, the best loss and the measurements since then."""
        return {**super().state_dict(), "best": self.best, "bad": self.bad}
