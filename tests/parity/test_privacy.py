"""Gradients of single examples and ε against Opacus, ε against Google's dp-accounting."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from tinyformer import nn, ops, optim
from tinyformer.privacy import DPOptimizer, epsilon, per_example_gradients

CASES = [(1.5, 0.1, 300, 1e-5), (0.8, 0.01, 2000, 1e-5), (3.1, 0.25, 60, 1e-5), (8.0, 0.25, 60, 1e-5),
         (20.0, 1.0, 100, 1e-5), (1.0, 1.0, 1, 1e-3), (0.5, 0.02, 50, 1e-6), (50.0, 0.02, 100, 1e-6)]


@pytest.fixture
def opacus(torch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("opacus", reason="Opacus is the oracle here, and is not installed")


@pytest.mark.parametrize("sigma, q, steps, delta", CASES)
def test_epsilon_is_dp_accountings(sigma, q, steps, delta):
    dp = pytest.importorskip("dp_accounting", reason="dp-accounting is the oracle here, and is not installed")
    from dp_accounting import pld, rdp
    event = dp.PoissonSampledDpEvent(q, dp.GaussianDpEvent(sigma))
    upper, lower = (accountant().compose(event, steps).get_epsilon(delta)
                    for accountant in (rdp.RdpAccountant, pld.PLDAccountant))
    found = epsilon(sigma, q, steps, delta)
    assert found == pytest.approx(upper, rel=1e-3) and found >= lower * (1 - 1e-3)
    assert epsilon(sigma, q, steps, delta, accountant="pld") == pytest.approx(lower, rel=1e-9)


@pytest.mark.parametrize("sigma, q, steps, delta", CASES[:-1])                # it lacks orders for the last one
def test_epsilon_is_opacus(opacus, sigma, q, steps, delta):
    from opacus.accountants import RDPAccountant
    accountant = RDPAccountant()
    accountant.history = [(sigma, q, steps)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert epsilon(sigma, q, steps, delta) == pytest.approx(accountant.get_epsilon(delta), rel=0.01)


class Ours(nn.Module):
    def __init__(self):
        self.embedding = nn.Embedding(11, 6, dtype=np.float64)
        self.first, self.norm = nn.Linear(6, 5, dtype=np.float64), nn.LayerNorm(5, dtype=np.float64)
        self.last = nn.Linear(5, 3, dtype=np.float64)

    def forward(self, ids):
        return self.last(ops.tanh(self.norm(self.first(self.embedding(ids)))).mean(axis=1))


def theirs(torch):
    class Theirs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = torch.nn.Embedding(11, 6)
            self.first, self.norm = torch.nn.Linear(6, 5), torch.nn.LayerNorm(5)
            self.last = torch.nn.Linear(5, 3)

        def forward(self, ids):
            return self.last(torch.tanh(self.norm(self.first(self.embedding(ids)))).mean(dim=1))

    return Theirs().double()


def same_models(torch):
    model, reference = Ours(), theirs(torch)
    reference.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in model.state_dict().items()})
    return model, reference


def test_gradients_are_opacus(opacus, torch, rng):
    model, reference = same_models(torch)
    ids, y = rng.integers(0, 11, (7, 4)), rng.integers(0, 3, 7)
    ids[:, 2] = ids[:, 0]
    found = per_example_gradients(lambda x, y: ops.cross_entropy(model(x), y, reduction="none"), model.parameters(),
                                  ids, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sampled = opacus.GradSampleModule(reference, loss_reduction="sum")
        torch.nn.functional.cross_entropy(sampled(torch.from_numpy(ids)), torch.from_numpy(y),
                                          reduction="sum").backward()
    expected = {name.removeprefix("_module."): p.grad_sample.numpy() for name, p in sampled.named_parameters()}
    for (name, _), g in zip(model.named_parameters(), found):
        np.testing.assert_allclose(g, expected[name], rtol=0, atol=1e-10, err_msg=name)


def test_the_clipped_step_is_opacus(opacus, torch, rng):
    """Without noise, the steps of both optimizers are equal."""
    model, reference = same_models(torch)
    parameters = list(model.parameters())
    dp = DPOptimizer(optim.SGD(parameters, lr=0.5, momentum=0.9), noise_multiplier=0.0, max_grad_norm=0.3,
                     expected_batch_size=7, rng=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from opacus.optimizers import DPOptimizer as Reference
        sampled = opacus.GradSampleModule(reference, loss_reduction="mean")
        other = Reference(torch.optim.SGD(sampled.parameters(), lr=0.5, momentum=0.9), noise_multiplier=0.0,
                          max_grad_norm=0.3, expected_batch_size=7)
        for _ in range(3):
            ids, y = rng.integers(0, 11, (7, 4)), rng.integers(0, 3, 7)
            dp.step(per_example_gradients(lambda x, y: ops.cross_entropy(model(x), y, reduction="none"), parameters,
                                          ids, y))
            other.zero_grad()
            torch.nn.functional.cross_entropy(sampled(torch.from_numpy(ids)), torch.from_numpy(y)).backward()
            other.step()
    state = reference.state_dict()
    for name, p in model.named_parameters():                # Opacus adds 1e-6 to each norm
        np.testing.assert_allclose(p.data, state[name].numpy(), rtol=0, atol=1e-5, err_msg=name)
