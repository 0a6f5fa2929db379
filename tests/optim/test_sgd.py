"""SGD's first two steps, worked by hand on θ = 1 with gradients 2 and −1, rate 0.1."""

from __future__ import annotations

import numpy as np
import pytest

from tinyformer import optim
from tinyformer.autograd import Tensor


@pytest.mark.parametrize("options, first, second", [
    # θ₁ = 1 − 0.1·2;  θ₂ = θ₁ + 0.1
    ({}, 0.8, 0.9),
    # v = 2, then 0.5·2 − 1 = 0
    ({"momentum": 0.5}, 0.8, 0.8),
    # v = 2 whole at the first step, then 0.5·2 − 0.75 = 0.25
    ({"momentum": 0.5, "dampening": 0.25}, 0.8, 0.775),
    # g + 0.5 v: 2 + 1 = 3, then −1 + 0
    ({"momentum": 0.5, "nesterov": True}, 0.7, 0.8),
    # g = 2 + 0.5·1 = 2.5;  −1 + 0.5·0.75 = −0.625
    ({"weight_decay": 0.5}, 0.75, 0.8125),
])
def test_two_steps_by_hand(options, first, second):
    theta = Tensor(np.array([1.0]), requires_grad=True)
    optimizer = optim.SGD([theta], lr=0.1, **options)
    for g, expected in ((2.0, first), (-1.0, second)):
        theta.grad = np.array([g])
        optimizer.step()
        np.testing.assert_allclose(theta.data, expected, rtol=1e-14)
