"""Optimizers, schedules and clipping against PyTorch's, step for step."""

from __future__ import annotations

import numpy as np
import pytest

from tinyformer import optim
from tinyformer.autograd import Tensor

SHAPES = ((5, 4), (4,), (2, 3, 2), ())
STEPS = 25


def pair(torch, rng, dtype=np.float64):
    """The same parameters for both."""
    arrays = [np.asarray(rng.standard_normal(shape), dtype) for shape in SHAPES]
    return ([Tensor(a.copy(), requires_grad=True) for a in arrays],
            [torch.tensor(a, requires_grad=True) for a in arrays])


def give_gradients(torch, ours, theirs, rng, step):
    """The same gradients to both, of sizes from 0.01 to 100; now and then none for one parameter."""
    for i, (p, q) in enumerate(zip(ours, theirs)):
        if (step + i) % 7 == 3:
            p.grad = q.grad = None
        else:
            p.grad = np.asarray(rng.standard_normal(p.shape) * 10.0 ** rng.integers(-2, 3), p.dtype)
            q.grad = torch.tensor(p.grad)


def assert_same(ours, theirs, tolerance):
    for p, q in zip(ours, theirs):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-12), (np.float32, 1e-5)])
@pytest.mark.parametrize("name, options", [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.1, "betas": (0.9, 0.99), "weight_decay": 0.3}),
    ("AdamW", {"lr": 0.1, "betas": (0.0, 0.5), "eps": 0.1, "weight_decay": 0.0}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.1, "alpha": 0.8, "eps": 1e-3, "weight_decay": 0.1, "momentum": 0.5}),
    ("RMSprop", {"lr": 0.01, "eps": 1e-2, "centered": True}),
    ("RMSprop", {"lr": 0.01, "eps": 1e-2, "centered": True, "momentum": 0.9, "weight_decay": 0.1}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-3}),
])
def test_optimizers(torch, rng, name, options, dtype, tolerance):
    ours, theirs = pair(torch, rng, dtype)
    mine, its = getattr(optim, name)(ours, **options), getattr(torch.optim, name)(theirs, **options)
    for step in range(STEPS):
        give_gradients(torch, ours, theirs, rng, step)
        mine.step()
        its.step()
        if dtype == np.float64 or step == 0:                    # float32 may drift apart, a rounding each step
            assert_same(ours, theirs, tolerance)
    assert_same(ours, theirs, tolerance * (1 if dtype == np.float64 else 10))


def test_the_state_is_pytorchs(torch, rng):
    """The arrays of our state bear the names and values of PyTorch's."""
    for name, options in (("SGD", {"momentum": 0.9}), ("AdamW", {}), ("RMSprop", {"momentum": 0.5, "centered": True}),
                          ("Adagrad", {"initial_accumulator_value": 0.1})):
        ours, theirs = pair(torch, rng)
        mine, its = getattr(optim, name)(ours, lr=0.1, **options), getattr(torch.optim, name)(theirs, lr=0.1, **options)
        for _ in range(3):
            give_gradients(torch, ours, theirs, rng, step=4)      # one at which none is left out
            mine.step()
            its.step()
        arrays = mine.state_dict()["arrays"]
        expected = {f"{i}.{key}": value.numpy() for i, state in its.state_dict()["state"].items()
                    for key, value in state.items() if key != "step"}
        assert set(arrays) == set(expected) and arrays
        for key, value in expected.items():
            np.testing.assert_allclose(arrays[key], value, rtol=1e-12, atol=1e-12)


def test_groups(torch, rng):
    ours, theirs = pair(torch, rng)
    groups = lambda p: [{"params": p[:1], "weight_decay": 0.2}, {"params": p[1:], "lr": 0.02, "betas": (0.5, 0.9)}]
    mine, its = optim.AdamW(groups(ours), lr=0.1), torch.optim.AdamW(groups(theirs), lr=0.1)
    for step in range(STEPS):
        give_gradients(torch, ours, theirs, rng, step)
        mine.step()
        its.step()
        assert_same(ours, theirs, 1e-12)


SCHEDULES = {
    "cosine": (lambda o: optim.CosineSchedule(o, 0, 20, min_lr=0.05),
               lambda s, o: s.CosineAnnealingLR(o, T_max=20, eta_min=0.05), 20),
    "linear": (lambda o: optim.LinearSchedule(o, 0, 20, min_lr=0.05),
               lambda s, o: s.LinearLR(o, start_factor=1.0, end_factor=0.1, total_iters=20), STEPS),
    "warm-up": (lambda o: optim.LinearSchedule(o, 9, 9, min_lr=0.5),
                lambda s, o: s.LinearLR(o, start_factor=0.1, end_factor=1.0, total_iters=9), STEPS),
    "step": (lambda o: optim.StepSchedule(o, 4, gamma=0.3), lambda s, o: s.StepLR(o, step_size=4, gamma=0.3), STEPS),
    "exponential": (lambda o: optim.ExponentialSchedule(o, 0.9), lambda s, o: s.ExponentialLR(o, gamma=0.9), STEPS),
}


@pytest.mark.parametrize("ours, theirs, steps", SCHEDULES.values(), ids=SCHEDULES)
def test_schedules(torch, ours, theirs, steps):
    mine = optim.SGD([Tensor(np.zeros(2), requires_grad=True)], lr=0.5)
    its = torch.optim.SGD([torch.zeros(2, requires_grad=True)], lr=0.5)
    schedule, reference = ours(mine), theirs(torch.optim.lr_scheduler, its)
    for _ in range(steps + 1):
        np.testing.assert_allclose(mine.param_groups[0]["lr"], its.param_groups[0]["lr"], rtol=1e-12)
        mine.step(), its.step()
        schedule.step(), reference.step()


@pytest.mark.parametrize("seed", range(5))
def test_reduce_on_plateau(torch, seed):
    rng = np.random.default_rng(seed)
    mine = optim.SGD([Tensor(np.zeros(2), requires_grad=True)], lr=0.5)
    its = torch.optim.SGD([torch.zeros(2, requires_grad=True)], lr=0.5)
    options = {"factor": 0.6, "patience": int(rng.integers(0, 4)), "threshold": 0.05, "min_lr": 0.01}
    schedule, reference = optim.ReduceOnPlateau(mine,
                                                **options), torch.optim.lr_scheduler.ReduceLROnPlateau(its, **options)
    rates = set()
    for n in range(60):
        loss = 1 / (1 + 0.1 * n) + 0.1 * rng.standard_normal() if n != 7 else float("nan")
        schedule.step(loss), reference.step(loss)
        np.testing.assert_allclose(mine.param_groups[0]["lr"], its.param_groups[0]["lr"], rtol=1e-12)
        rates.add(schedule.lr)
    assert len(rates) > 3


@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-12), (np.float32, 1e-5)])
@pytest.mark.parametrize("max_norm", [1e-3, 1.0, 1e4])
def test_clipping(torch, rng, max_norm, dtype, tolerance):
    for step in range(4):
        ours, theirs = pair(torch, rng, dtype)
        give_gradients(torch, ours, theirs, rng, step)
        norm, expected = optim.clip_grad_norm_(ours, max_norm), torch.nn.utils.clip_grad_norm_(theirs, max_norm)
        np.testing.assert_allclose(norm, expected.item(), rtol=tolerance)
        for p, q in zip(ours, theirs):
            assert (p.grad is None) == (q.grad is None)
            if p.grad is not None:
                np.testing.assert_allclose(p.grad, q.grad.numpy(), rtol=tolerance)

        optim.clip_grad_value_(ours, 0.5 * max_norm)
        torch.nn.utils.clip_grad_value_(theirs, 0.5 * max_norm)
        for p, q in zip(ours, theirs):
            if p.grad is not None:
                np.testing.assert_allclose(p.grad, q.grad.numpy(), rtol=tolerance)
