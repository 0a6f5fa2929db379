"""DPOptimizer: clipping over all parameters together, noise, the expected batch, and a state that resumes the noise."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tinyformer import optim
from tinyformer.models import MLP, MLPConfig
from tinyformer.nn import Parameter
from tinyformer.privacy import DPOptimizer, clipped_sum, gradient_factors


def parameters():
    return [Parameter(np.zeros((2, 3))), Parameter(np.zeros(4))]


def private(params=None, optimizer=None, **options):
    given = {"noise_multiplier": 0.0, "max_grad_norm": 2.0, "expected_batch_size": 4.0, "rng": 0, **options}
    return DPOptimizer(optimizer or optim.SGD(params or parameters(), lr=1.0), **given)


def test_each_example_is_clipped_over_all_parameters(rng):
    params = parameters()
    gradients = [rng.normal(size=(5, *p.shape)) * np.array([0.1, 1, 2, 0, 50]).reshape(5, *(1,) * p.ndim)
                 for p in params]
    private(params).step(gradients)
    norms = [np.sqrt(sum((g[n] ** 2).sum() for g in gradients)) for n in range(5)]
    assert norms[0] < 2 < norms[1]
    for p, g in zip(params, gradients):
        expected = sum(g[n] * min(1, 2 / max(norms[n], 1e-300)) for n in range(5)) / 4
        np.testing.assert_allclose(p.grad, expected, rtol=1e-12)
        np.testing.assert_allclose(p.data, -expected, rtol=1e-12)


def test_factors_give_the_same_step(rng):
    models = [MLP(MLPConfig(7, 3, n_hidden=6)).to(np.float64) for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    x, y = rng.normal(size=(9, 7)), rng.integers(0, 3, 9)
    for model, form in zip(models, (lambda found: found, lambda found: found.arrays())):
        params = list(model.parameters())
        private(params, noise_multiplier=1.0, max_grad_norm=0.5).step(form(gradient_factors(model, x, y, params)))
    for first, second in zip(*(model.parameters() for model in models)):
        np.testing.assert_allclose(first.data, second.data, rtol=0, atol=1e-12)


def test_the_noise_has_the_size_that_is_promised():
    p = Parameter(np.zeros(200_000))
    DPOptimizer(optim.SGD([p], lr=1.0), noise_multiplier=1.5, max_grad_norm=2.0, expected_batch_size=10,
                rng=0).step([np.zeros((0, 200_000))])       # an empty batch: the noise alone
    assert p.grad.std() == pytest.approx(1.5 * 2 / 10, rel=0.01) and abs(p.grad.mean()) < 0.003


def test_any_optimizer_and_its_schedule():
    for kind in (optim.SGD, optim.AdamW, optim.Adagrad):
        params = parameters()
        dp = private(optimizer=kind(params, lr=0.1), noise_multiplier=1.0)
        schedule = optim.CosineSchedule(dp.optimizer, warmup_steps=0, total_steps=10)
        dp.step([np.ones((3, *p.shape)) for p in params])
        schedule.step()
        assert params[0].data.any() and dp.param_groups[0]["lr"] < 0.1
        dp.zero_grad()
        assert params[0].grad is None


def test_the_state_resumes_the_noise_to_the_bit():
    def step(dp):
        dp.step([np.ones((3, *p.shape)) for p in dp.parameters])

    first = private(optimizer=optim.AdamW(parameters(), lr=0.1), noise_multiplier=1.0, rng=np.random.default_rng(3))
    step(first)
    state = first.state_dict()
    saved = json.loads(json.dumps({name: value for name, value in state.items() if name != "arrays"}))
    saved["arrays"] = {name: array.copy() for name, array in state["arrays"].items()}
    weights = [p.data.copy() for p in first.parameters]
    step(first)
    second = private(optimizer=optim.AdamW([Parameter(w) for w in weights], lr=0.1), noise_multiplier=1.0, rng=99)
    second.load_state_dict(saved)
    step(second)
    for p, q in zip(first.parameters, second.parameters):
        assert np.array_equal(p.data, q.data)


def test_a_state_that_does_not_fit_changes_nothing():
    dp = private(rng=5)
    state = dp.state_dict()
    for bad in ({**state, "rng": "x"}, {**state, "rng": {"bit_generator": "PCG64"}}, {**state, "steps": [1]},
                {name: value for name, value in state.items() if name != "rng"}):
        with pytest.raises(ValueError, match="load_state_dict"):
            dp.load_state_dict(bad)
    assert dp.state_dict() == state


def test_frozen_parameters_stay():
    params = parameters()
    params[1].requires_grad = False
    private(params, noise_multiplier=1.0).step([np.ones((3, *p.shape)) for p in params])
    assert params[0].data.any() and not params[1].data.any()


@pytest.mark.parametrize("name, value", [("noise_multiplier", -1.0), ("noise_multiplier", np.inf),
                                         ("max_grad_norm", 0.0), ("expected_batch_size", 0)])
def test_numbers_out_of_range(name, value):
    with pytest.raises(ValueError, match=f"DPOptimizer: {name} is"):
        private(**{name: value})


def test_other_misuse():
    with pytest.raises(TypeError, match="optimizer is a list, expected one such as"):
        DPOptimizer([], noise_multiplier=1.0, max_grad_norm=1.0, expected_batch_size=1)
    dp = private()
    for gradients in ([np.ones((3, 2, 3))], [np.ones((3, 2, 3)), np.ones((2, 4))], [np.ones((2, 3)), np.ones(4)]):
        with pytest.raises(ValueError, match=r"expected \(B, \*shape\) for the parameters"):
            dp.step(gradients)
    with pytest.raises(FloatingPointError, match="example 1 of the batch is not finite"):
        clipped_sum([np.array([[1.0], [np.nan]])], 1.0)


@pytest.mark.parametrize("kind", [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_the_noise_of_every_generator_resumes_from_json(kind):
    params, others = parameters(), parameters()
    first, second = (private(p, noise_multiplier=1.0, rng=np.random.Generator(kind(seed)))
                     for p, seed in ((params, 1), (others, 2)))
    second.load_state_dict(json.loads(json.dumps({**second.state_dict(), "rng": first.state_dict()["rng"]})))
    for dp in (first, second):
        dp.step([np.zeros((0, *p.shape)) for p in params])
    assert all(np.array_equal(p.grad, q.grad) for p, q in zip(params, others))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_gradients_of_another_type_become_the_parameters(dtype):
    param = Parameter(np.zeros(2, np.float32))
    private([param]).step([np.array([[3, 4], [0, 1]], dtype)])
    assert param.grad.dtype == np.float32
    np.testing.assert_allclose(param.grad, [0.3, 0.65], rtol=1e-6)


def test_large_gradients_are_clipped_though_their_squares_overflow():
    (total,) = clipped_sum([np.full((1, 4), 1e25, np.float32)], 2.0)
    np.testing.assert_allclose(total, [1, 1, 1, 1], rtol=1e-6)
