"""Schedules at their corners, and their state."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from tinyformer import optim
from tinyformer.autograd import Tensor


def optimizer(lr=1.0, groups=1):
    params = [Tensor(np.zeros(2), requires_grad=True) for _ in range(groups)]
    return optim.SGD([{"params": [p], "lr": lr / 2 ** i} for i, p in enumerate(params)], lr=lr)


def rates(schedule, n):
    """The rates of the first n steps, as the optimizer sees them."""
    seen = []
    for _ in range(n):
        seen.append(schedule.optimizer.param_groups[0]["lr"])
        assert schedule.lr == seen[-1]
        schedule.step()
    return seen


def test_cosine_with_warm_up():
    schedule = optim.CosineSchedule(optimizer(7.0), warmup_steps=3, total_steps=7, max_lr=1.0, min_lr=0.2)
    middle = 0.2 + 0.8 * 0.5 * (1 + math.sqrt(0.5))         # a quarter of the way: cos 45°
    late = 0.2 + 0.8 * 0.5 * (1 - math.sqrt(0.5))
    np.testing.assert_allclose(rates(schedule, 9), [0.25, 0.5, 0.75, 1.0, middle, 0.6, late, 0.2, 0.2], rtol=1e-14)


def test_linear_with_warm_up():
    schedule = optim.LinearSchedule(optimizer(1.0), 1, 5, min_lr=0.2)
    np.testing.assert_allclose(rates(schedule, 7), [0.5, 1.0, 0.8, 0.6, 0.4, 0.2, 0.2], rtol=1e-14)


@pytest.mark.parametrize("kind", [optim.CosineSchedule, optim.LinearSchedule])
def test_without_warm_up_the_first_rate_is_the_highest_and_warm_up_may_be_all(kind):
    assert rates(kind(optimizer(), 0, 4), 1) == [1.0]
    np.testing.assert_allclose(rates(kind(optimizer(), 3, 3, min_lr=0.1), 5), [0.25, 0.5, 0.75, 0.1, 0.1])


def test_inverse_square_root():
    np.testing.assert_allclose(rates(optim.InverseSquareRootSchedule(optimizer(7.0), 4, max_lr=2.0), 16),
                               [0.5, 1.0, 1.5, 2.0, *(2 * math.sqrt(4 / n) for n in range(5, 17))], rtol=1e-14)


def test_inverse_square_root_as_published():
    """C^−½ min(n^−½, n w^−1.5), n from 1."""
    highest = optim.InverseSquareRootSchedule.of_width(512, 10)
    found = rates(optim.InverseSquareRootSchedule(optimizer(), 10, highest), 30)
    np.testing.assert_allclose(found, [512 ** -0.5 * min(n ** -0.5, n * 10 ** -1.5) for n in range(1, 31)], rtol=1e-14)
    with pytest.raises(ValueError, match="InverseSquareRootSchedule: warmup_steps is 0, expected an integer"):
        optim.InverseSquareRootSchedule(optimizer(), 0)


def test_steps():
    np.testing.assert_allclose(rates(optim.StepSchedule(optimizer(), 2, gamma=0.1), 6), [1, 1, 0.1, 0.1, 0.01, 0.01])


def test_exponential():
    np.testing.assert_allclose(rates(optim.ExponentialSchedule(optimizer(2.0), 0.5), 4), [2, 1, 0.5, 0.25])


def test_plateau_waits_for_its_patience_and_counts_again_from_zero():
    schedule = optim.ReduceOnPlateau(optimizer(), factor=0.5, patience=1, threshold=0.1, min_lr=0.2)
    losses = [1.0, 0.95, 0.89, 0.9, math.nan, 0.89, 0.89, 0.5, 0.5, 0.5, 0.5, 0.5]
    # 0.95 is not under 0.9; 0.89 is. Then two bad ones: reduce. Two more: reduce. 0.5 is good; two bad ones: min_lr.
    expected = [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.25, 0.2, 0.2, 0.2]
    seen = []
    for loss in losses:
        schedule.step(loss)
        seen.append(schedule.optimizer.param_groups[0]["lr"])
    np.testing.assert_allclose(seen, expected)


def test_groups_keep_the_ratio_of_their_rates():
    schedule = optim.CosineSchedule(optimizer(1.0, groups=3), 0, 10, max_lr=0.8, min_lr=0.1)
    for _ in range(11):
        np.testing.assert_allclose([group["lr"] for group in schedule.optimizer.param_groups],
                                   [schedule.lr, schedule.lr / 2, schedule.lr / 4])
        schedule.step()
    assert schedule.lr == 0.1


MAKERS = {
    "cosine": lambda o: optim.CosineSchedule(o, 2, 9, min_lr=0.1),
    "linear": lambda o: optim.LinearSchedule(o, 2, 9, min_lr=0.1),
    "step": lambda o: optim.StepSchedule(o, 3),
    "exponential": lambda o: optim.ExponentialSchedule(o, 0.9),
    "plateau": lambda o: optim.ReduceOnPlateau(o, patience=1),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_goes_on_after_a_saved_state(make):
    losses = iter(np.random.default_rng(0).random(40))

    def go(schedule, n):
        seen = []
        for _ in range(n):
            schedule.step(*[next(losses)] * isinstance(schedule, optim.ReduceOnPlateau))
            seen.append(schedule.optimizer.param_groups[0]["lr"])
        return seen

    first = make(optimizer())
    state = json.loads(json.dumps(first.state_dict(), allow_nan=False))
    make(optimizer()).load_state_dict(state)                            # before the first step as well
    go(first, 4)
    state = json.loads(json.dumps(first.state_dict(), allow_nan=False))
    second = make(optimizer())
    second.load_state_dict(state)
    assert second.optimizer.param_groups[0]["lr"] == first.lr
    draws = list(losses)
    losses = iter(draws)
    straight = go(first, 8)
    losses = iter(draws)
    assert go(second, 8) == straight
    assert len(set(straight)) > 1


def test_a_restored_optimizer_does_not_shift_the_schedule():
    """The schedule is built on the rate that the optimizer was made with, not on its rate when it is restored."""
    source = optimizer()
    schedule = optim.ExponentialSchedule(source, 0.5)
    rates(schedule, 3)
    target = optimizer()
    target.load_state_dict(source.state_dict())
    assert target.param_groups[0]["lr"] == 0.125
    restored = optim.ExponentialSchedule(target, 0.5)
    restored.load_state_dict(schedule.state_dict())
    assert restored.lr == 0.125


@pytest.mark.parametrize("make, kind, message", [
    (lambda o: optim.CosineSchedule(o, 5, 4), ValueError,
     "CosineSchedule: warmup_steps is 5, expected an integer from 0 to 4"),
    (lambda o: optim.CosineSchedule(o, -1, 4), ValueError, "warmup_steps is -1"),
    (lambda o: optim.LinearSchedule(o, 0, 4, max_lr=0.1, min_lr=0.2), ValueError,
     "LinearSchedule: min_lr is 0.2, expected"),
    (lambda o: optim.LinearSchedule(o, 0, 4, max_lr=math.nan), ValueError, "max_lr is nan, expected a finite number"),
    (lambda o: optim.StepSchedule(o, 0), ValueError, "StepSchedule: step_size is 0, expected an integer of at least 1"),
    (lambda o: optim.ExponentialSchedule(o, 1.5), ValueError,
     "gamma is 1.5, expected a finite number above 0 and at most 1"),
    (lambda o: optim.ReduceOnPlateau(o, factor=1.0), ValueError, "ReduceOnPlateau: factor is 1.0"),
    (lambda o: optim.ReduceOnPlateau(o, patience=-1), ValueError, "patience is -1"),
    (lambda o: optim.StepSchedule([o], 1), TypeError, "StepSchedule: optimizer is a list, expected an Optimizer"),
])
def test_errors(make, kind, message):
    with pytest.raises(kind, match=message):
        make(optimizer())


def test_the_state_of_another_schedule_is_refused():
    schedule = optim.StepSchedule(optimizer(), 1)
    for state in (optim.ExponentialSchedule(optimizer(), 0.5).state_dict(), {"schedule": "StepSchedule"}):
        with pytest.raises(ValueError, match="load_state_dict: this state does not fit StepSchedule"):
            schedule.load_state_dict(state)
