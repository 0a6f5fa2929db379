"""Learning-rate schedules: the rate as a function of the step's number."""

from __future__ import annotations

import math

from .optimizer import Optimizer


class Schedule:
    """Base of all schedules: counts steps and gives every group of the optimiser the rate ``at(count)``.

    It sets the rate of the first step when it is made, and that of the next one at each ``step()``:

    >>> optimizer.step(); schedule.step()

    optimizer       whose groups are given the rate, times their "lr_scale"
    max_lr          the rate that the schedule is built on; by default the one that the optimiser was made with
    lr              the rate that stands now

    The rate depends on nothing but the count, so the count is the whole state.
    """

    def __init__(self, optimizer, max_lr=None):
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(self).__name__}: optimizer is a {type(optimizer).__name__}, expected an Optimizer")
        self.optimizer = optimizer
        self.max_lr = optimizer.defaults["lr"] if max_lr is None else max_lr
        self._expect("max_lr", self.max_lr, 0 <= self.max_lr < math.inf, "a finite number of at least 0")
        self.count = 0
        self._set()

    def at(self, n):
        """The rate of step ``n`` = 0, 1, …"""
        raise NotImplementedError(f"{type(self).__name__} does not say what its rate is")

    @property
    def lr(self):
        return float(self.at(self.count))

    def step(self):
        """Set the rate of the next step."""
        self.count += 1
        self._set()

    def state_dict(self):
        """Where the schedule stands, fit for JSON."""
        return {"schedule": type(self).__name__, "count": self.count}

    def load_state_dict(self, state):
        """Stand where ``state`` says and set the rate there. Raises ValueError if it is another schedule's."""
        mine = self.state_dict()
        if set(state) != set(mine) or state["schedule"] != mine["schedule"]:
            raise ValueError(f"load_state_dict: this state does not fit {type(self).__name__}: it is {state!r}, "
                             f"expected one like {mine!r}")
        vars(self).update((name, value) for name, value in state.items() if name != "schedule")
        self._set()

    def _set(self):
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr * group["lr_scale"]

    def _expect(self, name, value, right, expected):
        if not right:
            raise ValueError(f"{type(self).__name__}: {name} is {value!r}, expected {expected}")


class _WarmUp(Schedule):
    """Up in a straight line over ``warmup_steps``, then down from ``max_lr`` to ``min_lr`` until ``total_steps``, and level.

        η(n) = max_lr (n + 1) / (warmup_steps + 1)              n < warmup_steps
        η(n) = min_lr + down(r) (max_lr − min_lr)               down(0) = 1, down(1) = 0
        r = (n − warmup_steps) / (total_steps − warmup_steps), at most 1
    """

    def __init__(self, optimizer, warmup_steps, total_steps, max_lr=None, min_lr=0.0):
        self._expect("warmup_steps", warmup_steps, 0 <= warmup_steps <= total_steps,
                     f"a number from 0 to total_steps, which is {total_steps}")
        self.warmup_steps, self.total_steps, self.min_lr = warmup_steps, total_steps, min_lr
        super().__init__(optimizer, max_lr)
        self._expect("min_lr", min_lr, 0 <= min_lr <= self.max_lr, f"a number from 0 to max_lr, which is {self.max_lr}")

    def at(self, n):
        if n < self.warmup_steps:
            return self.max_lr * (n + 1) / (self.warmup_steps + 1)
        if n >= self.total_steps:
            return self.min_lr
        r = (n - self.warmup_steps) / (self.total_steps - self.warmup_steps)
        return self.min_lr + self.down(r) * (self.max_lr - self.min_lr)

    def down(self, r):
        """How much of the way from ``min_lr`` to ``max_lr`` is left when the part ``r`` of the descent is done."""
        raise NotImplementedError


class CosineSchedule(_WarmUp):
    """A line up over ``warmup_steps``, then half a cosine wave down to ``min_lr`` at ``total_steps``, and level after that.

        η(n) = max_lr (n + 1) / (warmup_steps + 1)              n < warmup_steps
        η(n) = min_lr + ½ (1 + cos π r) (max_lr − min_lr)       r = (n − warmup_steps) / (total_steps − warmup_steps)

    Source: Loshchilov and Hutter (2017), equation 5, without restarts; the warm-up is that of nanoGPT's published recipe;
    book (5.6).
    """

    def down(self, r):
        return 0.5 * (1 + math.cos(math.pi * r))


class LinearSchedule(_WarmUp):
    """A line up over ``warmup_steps``, then a line down to ``min_lr`` at ``total_steps``, and level after that.

        η(n) = max_lr (n + 1) / (warmup_steps + 1)              n < warmup_steps
        η(n) = min_lr + (1 − r) (max_lr − min_lr)               r = (n − warmup_steps) / (total_steps − warmup_steps)

    Source: the decay of Devlin et al. (2019), appendix A.2.
    """

    def down(self, r):
        return 1 - r


class InverseSquareRootSchedule(Schedule):
    """A line up over ``warmup_steps``, then down with the root of the step.

        η(n) = max_lr min((n + 1) / w, √(w / (n + 1)))      w = warmup_steps

    The published form, C^{−1/2} min((n + 1)^{−1/2}, (n + 1) w^{−3/2}) for a model of width C, is this with the max_lr that
    ``of_width`` gives.   Source: Vaswani et al. (2017), equation 3.
    """

    def __init__(self, optimizer, warmup_steps, max_lr=None):
        self._expect("warmup_steps", warmup_steps, warmup_steps >= 1, "a whole number of at least 1")
        self.warmup_steps = warmup_steps
        super().__init__(optimizer, max_lr)

    @staticmethod
    def of_width(C, warmup_steps):
        """(C w)^{−1/2}: the highest rate as published."""
        return (C * warmup_steps) ** -0.5

    def at(self, n):
        return self.max_lr * min((n + 1) / self.warmup_steps, math.sqrt(self.warmup_steps / (n + 1)))


class StepSchedule(Schedule):
    """Down by a factor γ every ``step_size`` steps.   η(n) = max_lr γ^⌊n / step_size⌋."""

    def __init__(self, optimizer, step_size, gamma=0.1, max_lr=None):
        self._expect("step_size", step_size, step_size >= 1, "a whole number of at least 1")
        self._expect("gamma", gamma, 0 < gamma <= 1, "a number above 0, at most 1")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, max_lr)

    def at(self, n):
        return self.max_lr * self.gamma ** (n // self.step_size)


class ExponentialSchedule(Schedule):
    """Down by a factor γ every step.   η(n) = max_lr γⁿ."""

    def __init__(self, optimizer, gamma, max_lr=None):
        self._expect("gamma", gamma, 0 < gamma <= 1, "a number above 0, at most 1")
        self.gamma = gamma
        super().__init__(optimizer, max_lr)

    def at(self, n):
        return self.max_lr * self.gamma ** n


class ReduceOnPlateau(Schedule):
    """Down by a ``factor`` when the loss has not fallen for more than ``patience`` measurements.

        η = max(min_lr, max_lr factorᵏ),   k how often that has happened

    >>> schedule.step(validation_loss)

    A loss has fallen when it is under the best so far times (1 − threshold); NaN has not. As in PyTorch the count of bad
    measurements begins anew after each reduction, the best stays.
    """

    def __init__(self, optimizer, factor=0.1, patience=10, threshold=1e-4, min_lr=0.0, max_lr=None):
        self._expect("factor", factor, 0 < factor < 1, "a number above 0 and under 1")
        self._expect("patience", patience, patience >= 0, "a whole number of at least 0")
        self.factor, self.patience, self.threshold, self.min_lr = factor, patience, threshold, min_lr
        self.best, self.bad = None, 0
        super().__init__(optimizer, max_lr)
        self._expect("min_lr", min_lr, 0 <= min_lr <= self.max_lr, f"a number from 0 to max_lr, which is {self.max_lr}")

    def at(self, n):
        """The rate after ``n`` reductions."""
        return max(self.min_lr, self.max_lr * self.factor ** n)

    def step(self, loss):
        """Take note of a measured loss, and set the rate of the next steps."""
        if loss < (math.inf if self.best is None else self.best * (1 - self.threshold)):
            self.best, self.bad = float(loss), 0
        else:
            self.bad += 1
        if self.bad > self.patience:
            self.bad = 0
            self.count += 1
        self._set()

    def state_dict(self):
        return {**super().state_dict(), "best": self.best, "bad": self.bad}
