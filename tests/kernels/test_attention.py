"""Compiled attention, forward and backward, against the NumPy reference in float64."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from tinyformer.gradcheck import check
from tinyformer.kernels import reference

BOUND = {"f": 4e-6, "d": 1e-13}


def case(rng, B=1, H=2, G=1, T=5, S=7, D=4, E=3, dtype="f", bias=False, keep=False, is_causal=False):
    """(arrays, options): q, k, v, bias, keep, do. Heads lie inside of positions, as a model has them."""
    def heads(n, length, width):
        return rng.standard_normal((B, length, n, width)).astype(dtype).swapaxes(1, 2)

    q, k, v, do = heads(H, T, D), heads(G, S, D), heads(G, S, E), heads(H, T, E)
    mask = drops = None
    if bias:
        mask = rng.standard_normal((B, 1, T, S)).astype(dtype)
        mask[rng.random(mask.shape) < 0.3] = -np.inf
        mask[:, :, T // 2:][:, :, :1] = -np.inf                                         # a query that sees nothing
    if keep:
        drops = ((rng.random((B, H, T, S)) > 0.3) / 0.7).astype(dtype)
    return (q, k, v, mask, drops, do), {"is_causal": is_causal, "scale": 1 / np.sqrt(max(D, 1))}


def assert_agrees(module, arrays, options, bound):
    *inputs, do = arrays
    out, vjp = module.attention(*inputs, **options)
    wide = [None if a is None else a.astype(np.float64) for a in arrays]
    expected, expected_vjp = reference.attention(*wide[:-1], **options)
    pairs = [(out, expected), *zip(vjp(do), expected_vjp(wide[-1]))]
    for got, want in pairs:
        assert (got is None) == (want is None)
        if got is not None:
            assert got.shape == want.shape and got.dtype == do.dtype
            # Sums over many queries grow with their number; the bound is for entries of about one.
            assert (np.abs(got - want) <= bound * np.maximum(1, np.abs(want))).all()


@settings(max_examples=80)
@given(st.integers(0, 2), st.sampled_from([(1, 1), (2, 1), (6, 2), (3, 3)]), st.sampled_from([0, 1, 13, 14, 29, 65]),
       st.sampled_from([0, 1, 15, 32, 33, 129]), st.sampled_from([1, 3, 16, 33]), st.sampled_from([1, 5, 32]),
       st.booleans(), st.booleans(), st.booleans())
def test_any_shape(B, heads, T, S, D, E, bias, keep, is_causal):
    module = pytest.importorskip("tinyformer.kernels.native", exc_type=ImportError)
    rng = np.random.default_rng(T + 100 * S)
    arrays, options = case(rng, B, *heads, T, S, D, E, "d", bias, keep, is_causal)
    assert_agrees(module, arrays, options, BOUND["d"])


@pytest.mark.parametrize("dtype", "fd")
@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("shape", [(2, 4, 4, 64, 64, 32, 32), (1, 4, 2, 130, 150, 17, 20), (1, 1, 1, 300, 290, 64, 64)])
def test_every_instruction_set(isa, rng, shape, is_causal, dtype):
    arrays, options = case(rng, *shape, dtype=dtype, is_causal=is_causal)
    assert_agrees(isa, arrays, options, BOUND[dtype])


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("keep", [False, True])
def test_both_bindings(binding, rng, bias, keep):
    arrays, options = case(rng, 2, 4, 2, 40, 50, 8, 6, "f", bias, keep, True)
    assert_agrees(binding, arrays, options, BOUND["f"])


def test_numeric_gradient(binding, rng):
    (q, k, v, bias, _, _), options = case(rng, 1, 2, 1, 6, 9, 3, 2, "d")
    bias = rng.standard_normal((1, 1, 6, 9))
    report = check(lambda q, k, v, bias: _summed(binding.attention(q, k, v, bias, **options)), q, k, v, bias)
    assert report.ok, str(report)


def _summed(result):
    out, vjp = result

    def back(do):
        dq, dk, dv, ds = vjp(do)
        return dq, dk, dv, ds.sum(axis=(0, 1), keepdims=True)

    return out, back


def test_any_strides(binding, rng):
    # (B, T, which, H, D), as a linear layer gives it
    memory = rng.standard_normal((2, 40, 3, 3, 16))
    q, k, v = (memory[:, :, i].swapaxes(1, 2) for i in range(3))
    options = {"is_causal": True, "scale": 0.25}
    do = rng.standard_normal((2, 3, 16, 40)).swapaxes(-1, -2)
    assert_agrees(binding, (q, k, v, None, None, do), options, 1e-13)
    assert_agrees(binding, (q[:, :, ::-1, ::2], k[..., ::-2], v[..., ::-1], None, None, do), options, 1e-13)
    assert_agrees(binding, (q, np.broadcast_to(k[:, :, :1], k.shape), v, None, None, do), options, 1e-13)


@pytest.mark.parametrize("lead", [(), (2, 3)])
def test_other_numbers_of_leading_axes(binding, rng, lead):
    q, k, v = rng.standard_normal((3, *lead, 2, 5, 4))
    assert_agrees(binding, (q, k, v, rng.standard_normal((5, 5)), None, rng.standard_normal(q.shape)), {}, 1e-13)


def test_a_query_that_sees_nothing_gives_zeros(binding, rng):
    q, k, v = rng.standard_normal((3, 1, 1, 4, 8)).astype("f")
    bias = np.zeros((4, 4), "f")
    bias[2] = -np.inf
    out, vjp = binding.attention(q, k, v, bias)
    assert (out[0, 0, 2] == 0).all() and np.isfinite(out).all()
    dq, dk, dv, ds = vjp(np.ones_like(out))
    assert (dq[0, 0, 2] == 0).all() and (ds[0, 0, 2] == 0).all() and all(np.isfinite(d).all() for d in (dq, dk, dv, ds))


def test_large_scores_do_not_overflow(isa, rng):
    arrays, options = case(rng, 1, 1, 1, 40, 300, 8, 8, "f")
    arrays[0][:] *= 300
    out, _ = isa.attention(*arrays[:5], **options)
    expected, _ = reference.attention(*(None if a is None else a.astype("d") for a in arrays[:5]), **options)
    assert np.isfinite(out).all() and np.abs(out - expected).max() < 1e-3      # scores of ±1000 carry errors of 1e-4


def test_nan_stays_in_its_row(isa, rng):
    q, k, v = rng.standard_normal((3, 1, 1, 40, 8)).astype("f")
    q[0, 0, 5] = np.nan
    out, _ = isa.attention(q, k, v, is_causal=True)
    assert np.isnan(out[0, 0, 5]).all() and np.isfinite(np.delete(out[0, 0], 5, axis=0)).all()
    q[0, 0, 5], v[0, 0, 30] = 0, np.nan
    out, _ = isa.attention(q, k, v, is_causal=True)
    assert np.isfinite(out[0, 0, :14]).all() and np.isnan(out[0, 0, 30:]).all()


def test_a_boolean_mask_makes_no_square_matrix(binding, rng):
    T, D = 1500, 16
    q, k, v = rng.standard_normal((3, 1, 2, T, D)).astype("f")
    tracemalloc.start()
    out, vjp = binding.attention(q, k, v, is_causal=True, bias_gradient=False)
    vjp(out)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * q.nbytes                                                  # a score matrix would be 90 times one


def test_what_does_not_fit_is_named(binding):
    q = np.ones((1, 2, 3, 4), "f")
    o, L = np.empty_like(q), np.empty((2, 1, 2, 3), "f")
    call = binding.library.attention_forward
    with pytest.raises(ValueError, match="k has shape"):
        call(q, q[..., :3], q, None, None, o, L, 1.0, False)
    with pytest.raises(ValueError, match="heads do not fit"):
        call(q[:, :1], q, q, None, None, o[:, :1], L[:, :, :1].copy(), 1.0, False)
    with pytest.raises(TypeError, match="v is float64"):
        call(q, q, q.astype("d"), None, None, o, L, 1.0, False)
    with pytest.raises(ValueError, match="would share memory"):
        call(q, q, q, None, None, np.lib.stride_tricks.as_strided(o, o.shape, (0, 0, 16, 4)), L, 1.0, False)
    with pytest.raises(ValueError, match="bias has shape"):
        call(q, q, q, np.ones((3, 3), "f"), None, o, L, 1.0, False)
