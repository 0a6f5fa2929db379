"""What a formula does not depend on, its kernel does not depend on: an offset that cancels, a scale that divides out.

Every backend is compared with NumPy in float64 on the same float32 numbers. Where the formula is invariant, the error
may not grow with the offset or the scale.
"""

from __future__ import annotations

import numpy as np
import pytest

from tinyformer.kernels import reference

from .conftest import load

OFFSETS = (0, 1e4, -1e5, 1e6, 1e7)


@pytest.fixture(params=["numpy", "native", "cffi"])
def backend(request):
    return reference if request.param == "numpy" else load(f"tinyformer.kernels.{request.param}")


def grid(rng, *shape):
    """Numbers that keep all their digits beside an offset of 10⁷."""
    return rng.integers(-3, 4, shape).astype("f")


def double(arrays):
    return [a.astype("d") if isinstance(a, np.ndarray) and a.dtype == np.float32 else a for a in arrays]


def assert_near(got, expected, tolerance=2e-6):
    got, expected = np.asarray(got, "d"), np.asarray(expected, "d")
    scale = np.abs(expected).max(initial=0)
    assert np.abs(got - expected).max(initial=0) <= tolerance * scale, np.abs(got - expected).max() / scale


def same_as_in_double(function, arguments, cotangent, tolerance=2e-6):
    value, vjp = function(*arguments)
    expected, expected_vjp = getattr(reference, function.__name__)(*double(arguments))
    assert_near(value, expected, tolerance)
    gradients, wanted = vjp(cotangent), expected_vjp(cotangent.astype("d"))
    for one, other in zip(*((g if isinstance(g, tuple) else (g,)) for g in (gradients, wanted)), strict=True):
        if other is not None:
            assert_near(one, other, tolerance)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("offset", [*OFFSETS, 1e20, 3e38, -3e38])
def test_cross_entropy_of_logits_with_an_offset(backend, rng, offset, smoothing):
    logits = grid(rng, 9, 37) + np.float32(offset)
    same_as_in_double(backend.cross_entropy, (logits, rng.integers(0, 37, 9), smoothing), np.ones(9, "f"))


def test_cross_entropy_of_logits_far_apart(backend):
    logits = np.array([[1e38, -1e38, 0, 1e38]] * 40, "f").T.copy()              # each row one number
    same_as_in_double(backend.cross_entropy, (logits, np.zeros(4, np.int64), 0.1), np.ones(4, "f"))
    logits = np.array([[1e38, 1e37, 0, 9e37]], "f")
    same_as_in_double(backend.cross_entropy, (logits, np.array([3]), 0.5), np.ones(1, "f"))


@pytest.mark.parametrize("offset", OFFSETS)
def test_softmax_of_scores_with_an_offset_and_of_a_gradient_with_one(backend, rng, offset):
    x, dy = grid(rng, 9, 37), grid(rng, 9, 37)
    same_as_in_double(backend.softmax, (x + np.float32(offset),), dy)
    same_as_in_double(backend.softmax, (x,), dy + np.float32(offset), 1e-5)


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("offset", OFFSETS)
def test_attention_with_an_offset_in_the_scores(backend, rng, offset, is_causal):
    q, k, v, do = grid(rng, 2, 3, 70, 8), grid(rng, 2, 3, 70, 8), grid(rng, 2, 3, 70, 8), grid(rng, 2, 3, 70, 8)
    bias = np.full((2, 3, 70, 70), offset, "f")
    attention_as_in_double(backend, (q, k, v, bias), do, slice(None), is_causal)
    # the same, from the products; the gradient of q[..., 0] sums large numbers
    q[..., 0], k[..., 0] = 1, offset
    attention_as_in_double(backend, (q, k, v), do, slice(1, None), is_causal)


def attention_as_in_double(backend, arrays, do, columns, is_causal):
    value, vjp = backend.attention(*arrays, is_causal=is_causal)
    expected, expected_vjp = reference.attention(*double(arrays), is_causal=is_causal)
    assert_near(value, expected, 4e-6)
    for got, want in zip(vjp(do), expected_vjp(do.astype("d"))):
        if want is not None:
            assert_near(got[..., columns], want[..., columns], 4e-6)


@pytest.mark.parametrize("x", [1e10, 1e19, 1e30, 3e38])
def test_activations_far_out(backend, x):
    for name in ("gelu", "gelu_tanh", "silu"):
        values, vjp = getattr(backend, name)(np.array([x, -x] * 20, "f"))
        assert_near(values, np.array([x, 0] * 20, "f"))
        assert_near(vjp(np.ones(40, "f")), np.array([1, 0] * 20))


@pytest.mark.parametrize("size", [1e-30, 1e-19, 1e-10, 1, 1e10, 1e19, 1e30])
def test_the_gradients_norm(backend, size):
    assert backend.sum_of_squares([np.full(1000, size,
                                           "f")]) == pytest.approx(1000 * float(np.float32(size)) ** 2, rel=1e-6)


@pytest.mark.parametrize("size", [1e-18, 1e-6, 1, 1e15, 1e20])
def test_adamw_divides_the_gradients_scale_out(backend, size):
    theta, m, v = np.zeros(40, "f"), np.zeros(40, "f"), np.zeros(40, "f")
    g = np.full(40, size, "f")
    backend.adamw([(theta, g, m, v, 0.1, 0, 0.9, 0.999, 0, 0.1, 0.001)])
    assert_near(theta, np.full(40, -0.1), 1e-5)


@pytest.mark.parametrize("name", ["layer_norm", "rms_norm"])
@pytest.mark.parametrize("size", [1e-30, 1e-18, 1, 1e18, 1e30])
def test_norms_divide_the_scale_out(backend, rng, name, size):
    x, weight, dy = rng.standard_normal((9, 37)).astype("f") * np.float32(size), grid(rng, 37), grid(rng, 9, 37)
    given = (x, weight, weight) if name == "layer_norm" else (x, weight)
    same_as_in_double(getattr(backend, name), (*given, 0.0), dy, 1e-5)


@pytest.mark.parametrize("offset", OFFSETS)
def test_layer_norm_of_rows_with_an_offset(backend, rng, offset):
    x, weight, dy = grid(rng, 9, 37) + np.float32(offset), grid(rng, 37), grid(rng, 9, 37)
    same_as_in_double(backend.layer_norm, (x, weight, weight, 1e-5), dy, 1e-5)


@pytest.mark.parametrize("size", [1e-30, 1e-12, 1e-6, 1e-3, 1, 30])
def test_lstm_of_small_and_of_saturated_states(backend, rng, size):
    """tanh of a small number has all the digits of that number: its error is relative to it, not to 1."""
    T, B, H = 5, 3, 8
    a, h0, c0 = (rng.standard_normal(shape).astype("f") * np.float32(size) for shape in ((T, B, 4 * H), (B, H), (B, H)))
    weight, dy = (rng.standard_normal(shape).astype("f") for shape in ((4 * H, H), (T, B, H)))
    zero = np.zeros((B, H), "f")
    (h, c), vjp = backend.lstm(a.copy(), h0, c0, weight)
    (wanted_h, wanted_c), wanted_vjp = reference.lstm(*double((a, h0, c0, weight)))
    assert_near(h, wanted_h)
    assert_near(c, wanted_c)
    for got, wanted in zip(vjp(dy, zero, zero), wanted_vjp(*double((dy, zero, zero)))):
        assert_near(got, wanted, 2e-5 if size == 30 else 2e-6)              # saturated gates: 1 − σ has few digits


@pytest.mark.parametrize("n", [100, 10_000, 300_000])
def test_the_gradient_of_a_row_that_occurs_often(backend, rng, n):
    indices = np.where(np.arange(n) % 7 == 0, 2, 0)
    dy = 1 + rng.random((n, 3), dtype=np.float32)
    expected = np.stack([dy[indices == v].astype("d").sum(axis=0) for v in range(4)])
    assert_near(backend.embedding_gradient(indices, dy, 4), expected, 1e-6)
