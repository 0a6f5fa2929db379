"""The adaptive optimizers' first two steps, worked by hand on θ = 1 with gradients 2 and −1, rate 0.1."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinyformer import optim
from tinyformer.autograd import Tensor

# Adam with β = (½, ¾): m = 1, then −0; v = 1, then 1. m̂ = 2, −0; v̂ = 4, 1/(7/16).
# With decay 0.5 in the gradient g = 2.5, so m̂ = g and v̂ = g²: the first step is 0.1 whatever g.


@pytest.mark.parametrize("kind, options, first, second", [
    (optim.Adam, {"betas": (0.5, 0.75), "eps": 0.0}, 0.9, 0.9),
    (optim.Adam, {"betas": (0.5, 0.75), "eps": 2.0}, 1 - 0.1 * 2 / (2 + 2), 0.95),
    (optim.Adam, {"betas": (0.5, 0.75), "eps": 0.0, "weight_decay": 0.5}, 0.9, None),
    (optim.AdamW, {"betas": (0.5, 0.75), "eps": 0.0, "weight_decay": 0.5}, 0.95 - 0.1, 0.85 * 0.95),
    # v = 0.25·4 = 1, then 0.75 + 0.25 = 1
    (optim.RMSprop, {"alpha": 0.75, "eps": 0.0}, 1 - 0.1 * 2 / 1, 0.8 + 0.1),
    # b = 2, then 1 − 1 = 0
    (optim.RMSprop, {"alpha": 0.75, "eps": 0.0, "momentum": 0.5}, 0.8, 0.8),
    # a = 0.5, v − a² = 0.75; then a = 0.125, v − a² = 1 − 1/64
    (optim.RMSprop, {"alpha": 0.75, "eps": 0.0, "centered": True}, 1 - 0.2 / math.sqrt(0.75),
     1 - 0.2 / math.sqrt(0.75) + 0.1 / math.sqrt(63 / 64)),
    # s = 4, then 5
    (optim.Adagrad, {"eps": 0.0}, 0.9, 0.9 + 0.1 / math.sqrt(5)),
    (optim.Adagrad, {"eps": 0.0, "lr_decay": 1.0, "initial_accumulator_value": 5.0}, 1 - 0.2 / 3,
     1 - 0.2 / 3 + 0.05 / math.sqrt(10)),
])
def test_two_steps_by_hand(kind, options, first, second):
    theta = Tensor(np.array([1.0]), requires_grad=True)
    optimizer = kind([theta], lr=0.1, **{"weight_decay": 0.0, **options})
    for g, expected in ((2.0, first), (-1.0, second)):
        theta.grad = np.array([g])
        optimizer.step()
        if expected is not None:
            np.testing.assert_allclose(theta.data, expected, rtol=1e-14)


def test_the_second_step_of_adam_takes_the_bias_away():
    """β = (½, ¾), gradients 2 and 2: both running means are the gradient's own once their bias is gone."""
    theta = Tensor(np.array([1.0]), requires_grad=True)
    optimizer = optim.Adam([theta], lr=0.1, betas=(0.5, 0.75), eps=0.0)
    for expected in (0.9, 0.8):
        theta.grad = np.array([2.0])
        optimizer.step()
        np.testing.assert_allclose(theta.data, expected, rtol=1e-14)


def test_scratch_is_shared_between_parameters_of_all_shapes(rng):
    """The memory that the rule computes in serves the next parameter: a large one after a small one, in both types."""
    shapes = [((2,), np.float32), ((5, 4), np.float32), ((), np.float64), ((3, 3), np.float64), ((0, 4), np.float32)]
    together = [Tensor(np.asarray(rng.standard_normal(s), t), requires_grad=True) for s, t in shapes]
    alone = [Tensor(p.data.copy(), requires_grad=True) for p in together]
    one, many = optim.AdamW(together, lr=0.1), [optim.AdamW([p], lr=0.1) for p in alone]
    for _ in range(3):
        for p, q in zip(together, alone):
            p.grad = q.grad = np.asarray(rng.standard_normal(p.shape), p.dtype)
        for optimizer in (one, *many):
            optimizer.step()
    for p, q in zip(together, alone):
        np.testing.assert_array_equal(p.data, q.data)


def test_a_transposed_parameter_is_moved_in_place(rng):
    base = rng.standard_normal((4, 3))
    straight, turned = Tensor(base.copy(), requires_grad=True), Tensor(base.T.copy().T, requires_grad=True)
    optimizer = optim.AdamW([straight, turned], lr=0.1)
    straight.grad = turned.grad = rng.standard_normal((4, 3))
    optimizer.step()
    assert np.abs(turned.data - base).min() > 0.05
    np.testing.assert_array_equal(straight.data, turned.data)
