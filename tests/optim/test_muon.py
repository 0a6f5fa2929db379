"""Muon: its orthogonal step against a decomposition, its rule by hand, and its groups."""

from __future__ import annotations

import numpy as np
import pytest

from tinyformer import nn, optim
from tinyformer.autograd import Tensor
from tinyformer.optim.muon import A, B, C, STEPS, orthogonalize


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3), (1, 5), (5, 1)])
def test_orthogonalize_maps_singular_values_and_leaves_their_vectors(rng, shape):
    matrix = rng.normal(size=shape)
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    s = s / np.linalg.norm(matrix)
    for _ in range(STEPS):
        s = A * s + B * s**3 + C * s**5
    np.testing.assert_allclose(orthogonalize(matrix), u * s @ vt, atol=1e-6)        # 1e-7 keeps a zero matrix from 0/0
    assert (0.6 < s).all() and (s < 1.3).all()


def test_orthogonalize_keeps_the_type_and_a_zero_matrix():
    assert orthogonalize(np.zeros((3, 2), np.float32)).dtype == np.float32
    assert not orthogonalize(np.zeros((3, 2), np.float32)).any()


def test_two_steps_by_the_rule(rng):
    start, g1, g2 = rng.normal(size=(3, 6, 4))
    theta = Tensor(start.copy(), requires_grad=True)
    optimizer = optim.Muon([theta], lr=0.1, momentum=0.9, weight_decay=0.5)
    m, expected = 0, start
    for g in (g1, g2):
        theta.grad = g
        optimizer.step()
        m = 0.9 * m + 0.1 * g
        expected = expected * (1 - 0.05) - 0.1 * np.sqrt(6 / 4) * orthogonalize(0.9 * m + 0.1 * g)
        np.testing.assert_allclose(theta.data, expected, rtol=1e-12)


def test_groups_of_a_model_and_what_moves_them(rng):
    model = nn.Sequential(nn.Embedding(7, 4), nn.Linear(4, 3), nn.LayerNorm(3))
    hidden = [module.weight for _, module in model.named_modules() if isinstance(module, nn.Linear)]
    groups = optim.param_groups_for_muon(model.parameters(), hidden, lr=0.05, weight_decay=0.2)
    assert [len(group["params"]) for group in groups] == [1, 1, 3]
    optimizer = optim.Muon(groups, lr=3e-3)
    optim.CosineSchedule(optimizer, 0, 10, 3e-3)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.05, 3e-3, 3e-3])

    twin = nn.Sequential(nn.Embedding(7, 4), nn.Linear(4, 3), nn.LayerNorm(3))
    twin.load_state_dict(model.state_dict())
    adamw = optim.AdamW(optim.param_groups_by_decay(twin.parameters(), 0.2), lr=3e-3)
    for p, q in zip(model.parameters(), twin.parameters()):
        p.grad = q.grad = rng.normal(size=p.shape).astype(np.float32)
    optimizer.step()
    adamw.step()
    for (name, p), q in zip(model.named_parameters(), twin.parameters()):
        assert np.array_equal(p.data, q.data) == (name != "1.weight"), name


def test_state_goes_on_bit_for_bit(rng):
    def run(steps, optimizer):
        for _ in range(steps):
            for p in optimizer.param_groups[0]["params"]:
                p.grad = np.sin(p.data * 3)
            optimizer.step()

    start = rng.normal(size=(5, 3)).astype(np.float32)
    whole, half = Tensor(start.copy(), True), Tensor(start.copy(), True)
    run(6, optim.Muon([whole]))
    first = optim.Muon([half])
    run(3, first)
    second = optim.Muon([half])
    second.load_state_dict(first.state_dict())
    run(3, second)
    assert np.array_equal(whole.data, half.data)


def test_a_vector_is_refused_with_the_way_out():
    with pytest.raises(ValueError, match=r"Muon: a parameter has shape \(3,\), expected a matrix; .*'use_muon': False"):
        optim.Muon([Tensor(np.ones(3), requires_grad=True)])
