"""Attributions: against closed forms, brute force and the axioms that they promise; the model stays as it was."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer import explain, nn, ops
from tinyformer.explain import (input_x_gradient, integrated_gradients, layer_relevance, occlusion, saliency,
                                shapley_values, smooth_grad, token_attributions)

N, D, K = 3, 6, 4
METHODS = {
    "saliency": saliency, "input_x_gradient": input_x_gradient,
    "smooth_grad": lambda f, x, **how: smooth_grad(f, x, n_samples=2, rng=0, **how),
    "integrated_gradients": lambda f, x, **how: integrated_gradients(f, x, n_steps=3, **how)[0],
    "occlusion": lambda f, x, **how: occlusion(f, x, 2, **how), "shapley_values": shapley_values,
}
each_method = pytest.mark.parametrize("name", METHODS)


def network(bias=True, activation=nn.Tanh, dtype=np.float64):
    return nn.Sequential(nn.Linear(D, 8, bias=bias), activation(), nn.Dropout(0.5),
                         nn.Linear(8, K, bias=bias)).to(dtype)


@pytest.fixture
def x(rng):
    return rng.normal(size=(N, D))


# ------------------------------------------------------------------------------------------------ values

def test_a_linear_function(rng, x):
    """Every method knows the answer: w for the gradients, w (x − x′) for the attributions."""
    w, start = rng.normal(size=D), rng.normal(size=D)

    def f(t):
        return (t * w).sum(axis=1)

    np.testing.assert_allclose(saliency(f, x), np.abs(np.tile(w, (N, 1))))
    np.testing.assert_allclose(saliency(f, x, absolute=False), np.tile(w, (N, 1)))
    np.testing.assert_allclose(smooth_grad(f, x, n_samples=3), np.tile(w, (N, 1)))
    np.testing.assert_allclose(input_x_gradient(f, x), w * x)
    for method in ("gausslegendre", "riemann_middle", "riemann_trapezoid"):
        found, gap = integrated_gradients(f, x, start, n_steps=2, method=method)
        np.testing.assert_allclose(found, w * (x - start))
        np.testing.assert_allclose(gap, 0, atol=1e-12)
    np.testing.assert_allclose(occlusion(f, x, 1, baseline=start), w * (x - start))
    np.testing.assert_allclose(shapley_values(f, x, start), w * (x - start), atol=1e-12)
    np.testing.assert_allclose(shapley_values(f, x, start, n_samples=2), w * (x - start), atol=1e-12)


def test_the_numeric_gradient(rng, x):
    model = network()
    target, h = rng.integers(0, K, N), 1e-6
    found = saliency(model, x, target, absolute=False)
    model.eval()
    for i in range(D):
        step = np.eye(D)[i] * h
        change = (model(x + step).data - model(x - step).data)[np.arange(N), target] / (2 * h)
        np.testing.assert_allclose(found[:, i], change, rtol=0, atol=1e-8)


def test_integrated_gradients_of_a_cubic(x):
    """∫ 3 (α x)² dα x = x³; Gauss–Legendre is exact with 2 points, the others have their known errors."""
    def f(t):
        return (t * t * t).sum(axis=1)

    np.testing.assert_allclose(integrated_gradients(f, x, n_steps=2)[0], x ** 3)
    for method, factor in (("riemann_middle", 1 - 1 / (4 * 10 ** 2)), ("riemann_trapezoid", 1 + 1 / (2 * 9 ** 2))):
        found, gap = integrated_gradients(f, x, n_steps=10, method=method)
        np.testing.assert_allclose(found, factor * x ** 3)
        np.testing.assert_allclose(gap, (factor - 1) * (x ** 3).sum(axis=1))


def test_completeness(x):
    model = network()
    for baseline in (None, 0.5, x[::-1].copy(), x[0]):
        found, gap = integrated_gradients(model, x, baseline, 1, n_steps=64)
        start = np.zeros_like(x) if baseline is None else np.broadcast_to(baseline, x.shape)
        model.eval()
        moved = (model(x).data - model(start.copy()).data)[:, 1]
        np.testing.assert_allclose(found.sum(axis=1), moved, rtol=0, atol=1e-6)
        np.testing.assert_allclose(gap, found.sum(axis=1) - moved, rtol=0, atol=1e-12)
    off = input_x_gradient(model, x, 1).sum(axis=1) - (model(x).data - model(np.zeros_like(x)).data)[:, 1]
    assert np.abs(off).max() > 1e-2                         # where gradient × input breaks


def test_euler(x):
    model = network(bias=False, activation=nn.ReLU)
    np.testing.assert_allclose(input_x_gradient(model, x, 2).sum(axis=1), model.eval()(x).data[:, 2])


def test_smooth_grad_draws_from_its_generator(x):
    model, stdev = network(), 0.3
    rng = np.random.default_rng(7)
    noisy = [x + rng.normal(0, stdev, x.shape) for _ in range(4)]
    expected = np.mean([saliency(model, one, 1, absolute=False) for one in noisy], axis=0)
    np.testing.assert_allclose(smooth_grad(model, x, 1, n_samples=4, stdev=stdev, rng=7), expected)
    np.testing.assert_allclose(smooth_grad(model, x, 1, n_samples=1, stdev=0), saliency(model, x, 1, absolute=False))


def test_occlusion_counts_every_window(rng):
    x = rng.normal(size=(2, 5, 3))
    w = rng.normal(size=(5, 3))

    def f(t):
        return ((t * w).sum(axis=(1, 2))).tanh()

    def fall(t0, t1, c0, c1):
        hidden = x.copy()
        hidden[:, t0:t1, c0:c1] = 0.5
        return f(tfm.tensor(x)).data - f(tfm.tensor(hidden)).data

    found = occlusion(f, x, (2, 2), baseline=0.5)
    for t, c in np.ndindex(5, 3):
        windows = [fall(i, i + 2, j, j + 2) for i in range(4) for j in range(2) if i <= t < i + 2 and j <= c < j + 2]
        np.testing.assert_allclose(found[:, t, c], np.mean(windows, axis=0), atol=1e-12)
    steps = occlusion(f, x, 2)                              # time steps with all channels
    np.testing.assert_allclose(steps, occlusion(f, x, (2, 3)), atol=1e-12)
    assert (steps == steps[:, :, :1]).all()
    row = rng.normal(size=(2, 4))
    whole = occlusion(lambda t: t.sum(axis=1), row, 4)
    np.testing.assert_allclose(whole, np.tile(row.sum(axis=1)[:, None], 4))


def test_shapley_values_by_all_orders(rng):
    x, start, model = rng.normal(size=(2, 2, 2)), rng.normal(size=(2, 2)), nn.Linear(4, 3, dtype=np.float64)

    def f(t):
        return model(t.reshape(2, 4)).tanh()

    expected = np.zeros((2, 4))
    orders = list(itertools.permutations(range(4)))
    for order in orders:
        now = np.broadcast_to(start, x.shape).reshape(2, 4).copy()
        for i in order:
            before = f(tfm.tensor(now)).data[:, 1]
            now[:, i] = x.reshape(2, 4)[:, i]
            expected[:, i] += (f(tfm.tensor(now)).data[:, 1] - before) / len(orders)
    found, error = shapley_values(f, x, start, 1, return_error=True)
    np.testing.assert_allclose(found.reshape(2, 4), expected, atol=1e-12)
    assert not error.any()
    sampled, error = shapley_values(f, x, start, 1, n_samples=400, rng=0, return_error=True)
    assert (np.abs(sampled - found) < 4 * error + 1e-12).all() and 0 < error.max() < 0.1
    moved = f(tfm.tensor(x)).data[:, 1] - f(tfm.tensor(np.tile(start, (2, 1, 1)))).data[:, 1]
    for values in (found, sampled, shapley_values(f, x, start, 1, n_samples=1)):
        np.testing.assert_allclose(values.sum(axis=(1, 2)), moved, atol=1e-12)
    assert np.isnan(shapley_values(f, x, start, 1, n_samples=1, return_error=True)[1]).all()


def test_shapley_values_of_a_product_are_shared():
    x = np.array([[2.0, 3.0, 5.0]])
    np.testing.assert_allclose(shapley_values(lambda t: t[:, 0] * t[:, 1] + t[:, 2], x), [[3, 3, 5]])
    assert math.isclose(shapley_values(lambda t: t.data.sum(axis=1), np.ones((1, 16)))[0, 5], 1)
    with pytest.raises(ValueError, match="17 entries in each example, expected at most 16"):
        shapley_values(lambda t: t.sum(axis=1), np.ones((1, 17)))


def test_relevance_is_gradient_times_input_without_biases(x):
    model = network(bias=False, activation=nn.ReLU)
    target = np.array([0, 3, 1])
    found = layer_relevance(model, x, target)
    np.testing.assert_allclose(found, input_x_gradient(model, x, target), atol=1e-12)
    np.testing.assert_allclose(found.sum(axis=1), model.eval()(x).data[np.arange(N), target])


def test_the_z_rule_by_hand(rng):
    """One linear layer with biases: R_i = Σ_j x_i W_ji / z_j R_j, in two layers."""
    W1, b1, W2, b2 = rng.normal(size=(3, 2)), rng.normal(size=3), rng.normal(size=(1, 3)), rng.normal(size=1)
    model = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU(), nn.Linear(3, 1))).to(np.float64)
    model.load_state_dict({"0.weight": W1, "0.bias": b1, "1.1.weight": W2, "1.1.bias": b2})
    x = rng.normal(size=(1, 2))
    for epsilon in (0.0, 0.25):
        def part(a, W, b, R, epsilon=epsilon):
            z = W @ a + b
            return sum(a * W[j] * R[j] / (z[j] + (epsilon if z[j] >= 0 else -epsilon)) for j in range(len(z)))
        h = np.maximum(W1 @ x[0] + b1, 0)
        score = W2 @ h + b2
        expected = part(x[0], W1, b1, part(h, W2, b2, score))
        np.testing.assert_allclose(layer_relevance(model, x, 0, epsilon)[0], expected)
    with pytest.raises(TypeError, match="no rule for Tanh, expected nn.Sequential of Linear"):
        layer_relevance(nn.Sequential(nn.Linear(2, 3), nn.Tanh()), x, 0)


# ------------------------------------------------------------------------------------------------ nothing changes

@each_method
def test_gradients_modes_and_parameters_stay(name, x):
    model = network().train()
    model[2].eval()
    parameters = {key: value.copy() for key, value in model.state_dict().items()}
    model(x).sum().backward()
    gradients = [p.grad for p in model.parameters()]
    kept, leaf = [g.copy() for g in gradients], tfm.tensor(x, requires_grad=True)
    outer = (leaf * 2.0)
    outer.retain_grad()
    METHODS[name](lambda t: model(t * outer.detach() + 0.0 * outer), x, target=1)
    METHODS[name](model, leaf, target=1)
    METHODS[name](model.forward, leaf, target=np.array([1, 2, 3]))
    assert leaf.grad is None and outer.grad is None
    assert all(p.grad is g and (g == k).all() for p, g, k in zip(model.parameters(), gradients, kept))
    assert [part.training for _, part in model.named_modules()] == [True, True, True, False, True]
    assert all((model.state_dict()[key] == value).all() for key, value in parameters.items())
    model.zero_grad()
    METHODS[name](model, x, target=1)
    assert all(p.grad is None for p in model.parameters())
    outer.sum().backward()                                  # the caller's graph is whole
    np.testing.assert_array_equal(leaf.grad, np.full(x.shape, 2.0))


@each_method
def test_after_an_error_the_model_is_as_before(name, x):
    model = network().train()
    with pytest.raises(ValueError, match="expected classes from 0 to 3"):
        METHODS[name](model, x, target=4)
    assert all(part.training for _, part in model.named_modules())


@each_method
@pytest.mark.parametrize("dtype", (np.float32, np.float64))
def test_shape_and_type_are_those_of_x(name, dtype, rng):
    x = rng.normal(size=(2, 4)).astype(dtype)
    layer = nn.Linear(4, 3, dtype=dtype)
    found = METHODS[name](layer, x, target=np.array([0, 2]))
    assert type(found) is np.ndarray and found.shape == x.shape and found.dtype == dtype
    again = METHODS[name](lambda t: layer(t)[:, 1], tfm.tensor(x))
    np.testing.assert_allclose(again[0], METHODS[name](layer, x, target=1)[0], atol=1e-6)
    assert METHODS[name](layer, x[:0], target=1).shape == (0, 4)


def test_examples_do_not_mix(rng):
    """Row n alone gives what the batch gives, with a mask that f holds for the whole batch."""
    x, mask = rng.normal(size=(3, 4)), rng.random((3, 4)) > 0.3
    layer = nn.Linear(4, 2, dtype=np.float64)
    for name in set(METHODS) - {"smooth_grad"}:
        whole = METHODS[name](lambda t: ops.where(mask, layer(t * mask)[:, :1] * t, 0.0).sum(axis=1).tanh(), x)
        for n in range(3):
            one = METHODS[name](lambda t, n=n: ops.where(mask[n:n + 1], layer(t * mask[n:n + 1])[:, :1] * t, 0.0
                                                         ).sum(axis=1).tanh(), x[n:n + 1])
            np.testing.assert_allclose(whole[n], one[0], atol=1e-12)


# ------------------------------------------------------------------------------------------------ bad input

@each_method
@pytest.mark.parametrize("target, message", [
    (None, "target is missing: f returns 4 scores"), (4, "expected classes from 0 to 3"), (-1, "from 0 to 3"),
    (1.0, "expected an integer"), (True, "expected an integer"), ("1", "expected an integer"),
    (np.array([0, 1]), "an array of 3 integers"), (np.array([[0, 1, 2]]), "an array of 3 integers")])
def test_a_target_that_does_not_fit(name, target, message, x):
    with pytest.raises(ValueError, match=f"^{name}: target is .*{message}|^{name}: {message}"):
        METHODS[name](network(), x, target=target)


@each_method
def test_scores_that_do_not_fit(name, x):
    with pytest.raises(ValueError, match="expected None: f returns one score"):
        METHODS[name](lambda t: t.sum(axis=1), x, target=0)
    with pytest.raises(ValueError, match=r"f returned the shape \(2, 6\) for 3 examples"):
        METHODS[name](lambda t: t[:2], x, target=0)
    with pytest.raises(TypeError, match="f returned tuple, expected a Tensor of scores"):
        METHODS[name](lambda t: (t, t), x, target=0)
    with pytest.raises(TypeError, match=rf"{name}: f is a int, expected a function or a model that maps x \(N, …\)"):
        METHODS[name](3, x, target=0)
    with pytest.raises(TypeError, match=f"{name}: x is int64, expected float32 or float64"):
        METHODS[name](network(), np.ones((2, D), int), target=0)
    with pytest.raises(ValueError, match="single number"):
        METHODS[name](network(), np.float64(1), target=0)


@pytest.mark.parametrize("name", ("integrated_gradients", "occlusion", "shapley_values"))
def test_a_baseline_that_does_not_fit(name, x):
    with pytest.raises(ValueError, match=rf"{name}: baseline has shape \(5,\), expected a number, the shape \(3, 6\)"):
        METHODS[name](network(), x, baseline=np.zeros(5), target=0)
    with pytest.raises(TypeError, match=f"{name}: baseline is"):
        METHODS[name](network(), x, baseline="zeros", target=0)


def test_gradients_must_reach_x(x):
    for f in (lambda t: tfm.tensor(t.data.sum(axis=1)), lambda t: network()(t.data)[:, 0]):
        with pytest.raises(ValueError, match="saliency: no gradient reaches x"):
            saliency(f, x)
    with pytest.raises(TypeError, match="saliency: f returned ndarray, expected a Tensor"):
        saliency(lambda t: t.data.sum(axis=1), x)
    with tfm.no_grad(), pytest.raises(RuntimeError, match="call it outside of no_grad"):
        saliency(network(), x, 0)


@pytest.mark.parametrize("call, message", [
    (lambda x: integrated_gradients(network(), x, target=0, method="simpson"),
     "method is 'simpson', expected one of gausslegendre, riemann_middle, riemann_trapezoid"),
    (lambda x: integrated_gradients(network(), x, target=0, method=[]), r"method is \[\], expected one of gauss"),
    (lambda x: token_attributions(network(), x, 0, method=[]), r"method is \[\], expected one of integrated-"),
    (lambda x: integrated_gradients(network(), x, target=0, n_steps=0), "n_steps is 0, expected an integer"),
    (lambda x: integrated_gradients(network(), x, target=0, n_steps=1, method="riemann_trapezoid"), "of at least 2"),
    (lambda x: smooth_grad(network(), x, 0, n_samples=0), "n_samples is 0"),
    (lambda x: smooth_grad(network(), x, 0, stdev=-1), "stdev is -1"),
    (lambda x: occlusion(network(), x, 7, 0), "window is 7, expected an integer from 1 to 6"),
    (lambda x: occlusion(network(), x, 0, 0), "window is 0"),
    (lambda x: occlusion(network(), x, (1, 1), 0), "expected 1 sizes, one for each axis of an example"),
    (lambda x: occlusion(lambda t: t.sum(axis=(1, 2, 3)), np.ones((1, 2, 2, 2)), 2), "expected 3 sizes"),
    (lambda x: shapley_values(network(), x, target=0, n_samples=0), "n_samples is 0"),
    (lambda x: layer_relevance(network(activation=nn.ReLU), x, 0, epsilon=-1), "epsilon is -1"),
])
def test_options_out_of_range(call, message, x):
    with pytest.raises(ValueError, match=message):
        call(x)


def test_advice_for_a_name():
    with pytest.raises(AttributeError, match="did you mean saliency"):
        explain.saliancy
