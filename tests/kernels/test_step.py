"""The rest of a training step: each compiled kernel against its NumPy twin in float64."""

from __future__ import annotations

import numpy as np
import pytest

from tinyformer import kernels
from tinyformer.kernels import backend, reference
from tinyformer.kernels.special import normal

RTOL = {"f": 2e-5, "d": 1e-12}
SIZES = [(1, 1), (3, 7), (5, 16), (2, 17), (70, 33), (300, 65), (513, 128)]


def wide(value):
    """What a kernel was given, in float64."""
    return value.astype(np.float64) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value


def assert_twins(module, name, args, dys):
    """The values and, for functions with a vjp, the gradients from the cotangents ``dys`` of each."""
    got, expected = getattr(module, name)(*args), getattr(reference, name)(*map(wide, args))
    dtype = next(a.dtype for a in args if isinstance(a, np.ndarray) and a.dtype.kind == "f")
    if not isinstance(got, tuple):
        return assert_near(got, expected, dtype)
    assert_near(got[0], expected[0], dtype)
    gradients, wanted = got[1](dys), expected[1](wide(dys))
    if not isinstance(gradients, tuple):
        gradients, wanted = (gradients,), (wanted,)
    for gradient, want in zip(gradients, wanted, strict=True):
        assert (gradient is None) == (want is None)
        if want is not None:
            assert_near(gradient, want, dtype)


def assert_near(got, want, dtype):
    assert got.shape == want.shape and got.dtype == dtype
    np.testing.assert_allclose(got, want, rtol=RTOL[dtype.char],
                               atol=RTOL[dtype.char] * max(1, np.abs(want).max(initial=0)))


def array(rng, shape, dtype):
    """Not in one piece: a kernel has to see to that itself."""
    return rng.standard_normal((*shape[:-1], 2 * shape[-1])).astype(dtype)[..., ::2]


@pytest.mark.parametrize("dtype", "fd")
@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("with_weight, with_bias", [(False, False), (True, False), (True, True)])
def test_norms(isa, rng, shape, dtype, with_weight, with_bias):
    x, dy = array(rng, shape, dtype) * 3 + 2, array(rng, shape, dtype)
    weight, bias = (array(rng, shape[1:], dtype) if wanted else None for wanted in (with_weight, with_bias))
    assert_twins(isa, "layer_norm", (x.astype(dtype), weight, bias, 1e-3), dy)
    if not with_bias:
        assert_twins(isa, "rms_norm", (x.astype(dtype), weight, 1e-5), dy)


@pytest.mark.parametrize("dtype", "fd")
@pytest.mark.parametrize("shape", [*SIZES, (2, 3, 40)])
def test_softmax(isa, rng, shape, dtype):
    x = array(rng, shape, dtype) * 5
    x[rng.random(shape) < 0.1] = -np.inf
    x[0] = -np.inf                                                              # nothing to choose from: zeros
    assert_twins(isa, "softmax", (x.astype(dtype),), array(rng, shape, dtype))


@pytest.mark.parametrize("dtype", "fd")
@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropy(isa, rng, shape, dtype, smoothing):
    logits = (array(rng, shape, dtype) * 5).astype(dtype)
    targets = rng.integers(-1, shape[1], shape[0])
    assert_twins(isa, "cross_entropy", (logits, targets, smoothing), array(rng, shape[:1], dtype))


@pytest.mark.parametrize("dtype", "fd")
@pytest.mark.parametrize("name", ["gelu", "gelu_tanh", "silu"])
def test_activations(isa, rng, name, dtype):
    x = np.concatenate([np.linspace(-100, 100, 999), rng.standard_normal(20001), [0, 1e-30, -1e-30, 1e4]]).astype(dtype)
    assert_twins(isa, name, (x,), array(rng, x.shape, dtype))
    assert_twins(isa, name, (array(rng, (3, 4, 5), dtype),), array(rng, (3, 4, 5), dtype))


@pytest.mark.parametrize("dtype", "fd")
def test_gelu_is_accurate_in_its_tail_too(isa, dtype):
    x = np.linspace(-12 if dtype == "f" else -36, 12, 5001).astype(dtype)
    (y, vjp), wide_x = isa.gelu(x), x.astype(np.float64)
    cdf, density = normal(wide_x)
    # e^{−x²/2} magnifies the rounding of x² by x²/2
    units = np.finfo(dtype).eps * (6 + wide_x ** 2)
    assert (np.abs(y - wide_x * cdf) <= units * np.abs(wide_x) * cdf).all()
    assert (np.abs(vjp(np.ones_like(x)) - (cdf + wide_x * density)) <= units * (cdf + np.abs(wide_x) * density)).all()


@pytest.mark.parametrize("dtype", "fd")
@pytest.mark.parametrize("with_bias", [False, True])
def test_linear(isa, rng, dtype, with_bias):
    x, weight, bias = array(rng, (130, 40), dtype), array(rng, (70, 40),
                                                          dtype), array(rng, (70,), dtype) if with_bias else None
    assert_twins(isa, "linear", (x, weight, bias), None)
    assert_twins(isa, "linear_gelu", (x, weight, bias), array(rng, (130, 70), dtype))


@pytest.mark.parametrize("dtype", "fd")
def test_dropout_drops_the_same(isa, rng, dtype):
    x, draws = array(rng, (300, 70), dtype), rng.random((300, 70), dtype=np.float32)
    draws[0, 0] = np.float32(0.3)                                               # exactly at the border: it stays
    y, vjp = isa.dropout(x, draws, 0.3)
    expected, expected_vjp = reference.dropout(x, draws, 0.3)
    assert np.array_equal(y, expected) and np.array_equal(vjp(x), expected_vjp(x))


@pytest.mark.parametrize("dtype", "fd")
@pytest.mark.parametrize("V, C, N", [(1, 1, 3), (65, 128, 500), (10, 70, 0), (7, 0, 4), (300, 130, 90)])
def test_embedding_gradient(isa, rng, dtype, V, C, N):
    indices = rng.integers(0, V, N).astype(np.int32)
    assert_twins(isa, "embedding_gradient", (indices, rng.standard_normal((N, C)).astype(dtype), V), None)


@pytest.mark.parametrize("dtype", "fd")
@pytest.mark.parametrize("B, H, D, F, past",
                         [(1, 1, 1, 1, 0), (1, 4, 32, 512, 20), (3, 2, 5, 7, 9), (1, 3, 16, 50, 300),
                          (20, 2, 8, 33, 64), (2, 12, 64, 3072, 40), (5, 3, 130, 500, 6)])
@pytest.mark.parametrize("with_biases", [False, True])
def test_block_step(isa, rng, dtype, B, H, D, F, past, with_biases):
    C, room = H * D, past + 3
    shapes = [(C,), (C,), (3 * C, C), (3 * C,), (C, C), (C,), (C,), (C,), (F, C), (F,), (C, F), (C,)]
    weights = tuple((rng.standard_normal(shape) / np.sqrt(shape[-1] if len(shape) == 2 else 1)).astype(dtype)
                    if with_biases or i % 2 == 0 else None for i, shape in enumerate(shapes))
    x, (keys, values) = rng.standard_normal((B, C)).astype(dtype), rng.standard_normal((2, B, H, room, D)).astype(dtype)
    expected_keys, expected_values = wide(keys), wide(values)
    got = isa.block_step(array(rng, x.shape, dtype) * 0 + x, keys, values, past, weights, 1e-4)
    expected = reference.block_step(wide(x), expected_keys, expected_values, past, tuple(map(wide, weights)), 1e-4)
    for one, want in ((got, expected), (keys, expected_keys), (values, expected_values)):
        assert_near(one, want, x.dtype)


@pytest.mark.parametrize("dtype", "fd")
@pytest.mark.parametrize("B, H, D, F", [(1, 1, 1, 1), (5, 4, 32, 70), (17, 3, 5, 7)])
def test_block_step_of_rows_of_different_lengths_is_each_row_alone(isa, rng, dtype, B, H, D, F):
    C, room = H * D, 40
    weights = tuple((rng.standard_normal(shape) / np.sqrt(C)).astype(dtype)
                    for shape in ((C,), (C,), (3 * C, C), (3 * C,), (C, C), (C,), (C,), (C,), (F, C), (F,), (C, F),
                                  (C,)))
    x, (keys, values) = rng.standard_normal((B, C)).astype(dtype), rng.standard_normal((2, B, H, room, D)).astype(dtype)
    past = rng.integers(0, room, B)
    past[0] = room - 1
    for library in (isa, reference):
        k, v = keys.copy(), values.copy()
        got = library.block_step(x, k, v, past, weights, 1e-4)
        for b in range(B):
            rows = [array[b:b + 1].copy() for array in (keys, values)]
            one = library.block_step(x[b:b + 1], *rows, int(past[b]), weights, 1e-4)
            assert_near(got[b:b + 1], one, x.dtype)
            assert_near(k[b:b + 1], rows[0], x.dtype)
            assert_near(v[b:b + 1], rows[1], x.dtype)


def test_block_step_of_weights_in_another_layout_is_the_references(binding, rng):
    C = 6
    weights = tuple(rng.standard_normal(shape)
                    for shape in ((C,), (C,), (3 * C, C), (3 * C,), (C, C), (C,), (C,), (C,), (9, C), (9,),
                                                             (C, 9), (C,)))
    x, caches = rng.standard_normal((2, C)), rng.standard_normal((4, 2, 2, 4, 3))
    turned = tuple(np.asfortranarray(weight) for weight in weights)
    np.testing.assert_allclose(binding.block_step(x, caches[0], caches[1], 0, turned, 1e-5),
                               reference.block_step(x, caches[2], caches[3], 0, weights, 1e-5), rtol=1e-12)
    np.testing.assert_allclose(caches[0, :, :, 0], caches[2, :, :, 0], rtol=1e-12)


def test_adamw_moves_all_as_the_reference_does(isa, rng):
    def parameters():
        rng = np.random.default_rng(1)
        result = []
        for i, (shape, dtype) in enumerate([((3,), "f"), ((100, 301), "f"), ((0, 4), "f"), ((), "d"), ((40, 50), "d"),
                                            ((9, 8), "f")]):
            arrays = [np.asarray(rng.standard_normal(shape), dtype) for _ in range(4)]
            arrays[3] *= arrays[3]
            if i == 5:
                arrays = [np.asfortranarray(a) for a in arrays]
            result.append((*arrays, 0.1 + i, 0.01 * i, 0.9, 0.99, 1e-8, 0.1, 0.01))
        return result

    got, expected = parameters(), parameters()
    isa.adamw(got)
    reference.adamw(expected)
    for one, other in zip(got, expected):
        for a, b in zip(one[:4], other[:4]):
            np.testing.assert_allclose(a, b, rtol=2e-5 if a.dtype == np.float32 else 1e-12,
                                       atol=1e-5 if a.dtype == np.float32 else 0)


def test_sum_of_squares(isa, rng):
    arrays = [rng.standard_normal(shape).astype(dtype)
              for shape, dtype in [((3,), "f"), ((200, 301), "f"), ((5, 5), "d"), ((0,), "f")]]
    assert np.isclose(isa.sum_of_squares(arrays), sum(np.square(a, dtype="d").sum() for a in arrays), rtol=1e-12)
    assert isa.sum_of_squares([]) == 0
    assert isa.sum_of_squares([np.full(20, 1e30, "f")]) == pytest.approx(2e61)
    assert np.isnan(isa.sum_of_squares([np.array([1, np.nan])]))


@pytest.mark.parametrize("name, args", [
    ("layer_norm", (np.ones((3, 4), "f"), np.ones(4, "f"), None, 1e-5)),
    ("rms_norm", (np.ones((3, 4), "f"), None, 1e-5)),
    ("softmax", (np.ones((3, 4), "f"),)), ("cross_entropy", (np.ones((3, 4), "f"), np.array([0, 3, -1]), 0.1)),
    ("gelu", (np.ones((3, 4), "f"),)), ("gelu_tanh", (np.ones((3, 4), "f"),)), ("silu", (np.ones((3, 4), "f"),)),
    ("linear_gelu", (np.ones((3, 4), "f"), np.ones((2, 4), "f"), None)),
    ("dropout", (np.ones((3, 4), "f"), np.linspace(0, 0.9, 12, dtype="f").reshape(3, 4), 0.5))])
def test_both_bindings_agree(binding, rng, name, args):
    value, vjp = getattr(binding, name)(*args)
    expected, expected_vjp = getattr(reference, name)(*args)
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)
    dy = rng.standard_normal(value.shape).astype("f")
    gradients, wanted = vjp(dy), expected_vjp(dy)
    for gradient, want in zip(gradients, wanted) if isinstance(gradients, tuple) else [(gradients, wanted)]:
        assert (gradient is None and want is None) or np.allclose(gradient, want, rtol=1e-4, atol=1e-5)


def test_what_does_not_fit_is_refused(binding):
    x, library = np.ones((3, 4), "f"), binding.library
    with pytest.raises(ValueError, match="cross_entropy: an argument is out of range"):
        library.cross_entropy_forward(x, np.array([0, 4, 1]), 0.0, np.empty(3, "f"), np.empty(3, "f"))
    with pytest.raises(ValueError, match="embedding_gradient: an argument is out of range"):
        library.embedding_gradient(np.array([0, 5, 1]), x, np.empty((5, 4), "f"))
    with pytest.raises(ValueError, match="y has shape"):
        library.softmax_forward(x, np.empty((3, 5), "f"))
    with pytest.raises(ValueError, match="x is not contiguous"):
        library.softmax_forward(np.ones((3, 8), "f")[:, ::2], np.empty((3, 4), "f"))
    with pytest.raises(TypeError, match="weight is float64"):
        library.norm_forward(x, np.ones(4), None, 1e-5, np.empty_like(x), None, np.empty(3, "f"))
    weights = tuple(np.ones(shape, "f")
                    for shape in ((4,), (4,), (12, 4), (12,), (4, 4), (4,), (4,), (4,), (5, 4), (5,), (4, 5), (4,)))
    cache = np.ones((3, 2, 7, 2), "f")
    with pytest.raises(ValueError, match="block_step: an argument is out of range"):
        library.block_step(x, cache, cache.copy(), 7, weights, 1e-5)
    with pytest.raises(ValueError, match="block_step: an argument is out of range"):
        library.block_step(x, cache, cache.copy(), 0, weights, 1e-5, np.array([0, 7, 1]))
    with pytest.raises(ValueError, match="pasts has shape"):
        library.block_step(x, cache, cache.copy(), 0, weights, 1e-5, np.array([0, 1]))
    with pytest.raises(ValueError, match="out's bias has shape"):
        library.block_step(x, cache, cache.copy(), 0, (*weights[:-1], np.ones(5, "f")), 1e-5)
    with pytest.raises(ValueError, match="values has shape"):
        library.block_step(x, cache, np.ones((3, 2, 6, 2), "f"), 0, weights, 1e-5)
    with pytest.raises(ValueError, match="block_step: an array is missing"):
        library.block_step(x, cache, cache.copy(), 0, (None, None, None, *weights[3:]), 1e-5)
    with pytest.raises(ValueError, match="not twelve weights"):
        library.block_step(x, cache, cache.copy(), 0, weights[1:], 1e-5)
    with pytest.raises(ValueError, match="m is not laid out as theta"):
        library.adamw([(x, x.copy(), np.ones(3, "f"), x.copy(), *[0.1] * 7)])


def test_a_backend_without_a_function_leaves_it_to_the_reference(monkeypatch, rng):
    class Little:
        matmul = staticmethod(np.matmul)

    monkeypatch.setattr(backend, "_live", ("little", Little))
    x = rng.standard_normal((3, 4))
    assert np.array_equal(kernels.softmax(x)[0], reference.softmax(x)[0])
