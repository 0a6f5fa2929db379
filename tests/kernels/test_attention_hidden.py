"""What the mask of attention hides contributes nothing, on every backend: not even a NaN or an infinite number."""

from __future__ import annotations

import numpy as np
import pytest

from tinyformer.kernels import reference

from .conftest import load

T = 20


@pytest.fixture(params=["reference", "native", "cffi"])
def backend(request):
    return reference if request.param == "reference" else load(f"tinyformer.kernels.{request.param}")


def seen(kind):
    """(T, T): True where a query may look. The last key is seen by the last query alone, or by none."""
    allowed = np.tri(T, dtype=bool)
    if kind == "bias":
        allowed[:, -1] = False
        allowed[3] = False                                                      # a query that sees nothing
    return allowed


def attend(backend, kind, q, k, v):
    bias = None if kind == "causal" else np.where(seen(kind), q.dtype.type(0), q.dtype.type(-np.inf))
    return backend.attention(q, k, v, bias, is_causal=kind == "causal", scale=0.5)


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("groups", [4, 2])
@pytest.mark.parametrize("kind", ["causal", "bias"])
@pytest.mark.parametrize("wild", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["k", "v"])
def test_a_hidden_key_or_value(backend, rng, where, wild, kind, groups):
    q, do = rng.standard_normal((2, 2, 4, T, 6)).astype("f")
    k, v = rng.standard_normal((2, 2, groups, T, 6)).astype("f")
    rows = [t for t in range(T) if not seen(kind)[t, -1]]
    do[:, :, [t for t in range(T) if t not in rows]] = 0                        # nothing is asked of those that do see it
    clean, clean_vjp = attend(reference, kind, q, k, v)
    (k if where == "k" else v)[:, :, -1] = wild
    out, vjp = attend(backend, kind, q, k, v)
    np.testing.assert_allclose(out[:, :, rows], clean[:, :, rows], atol=1e-6)
    if kind == "causal" and np.isnan(wild):
        assert np.isnan(out[:, :, -1]).any()                                    # the last query does see it
    if kind == "bias":
        assert (out[:, :, 3] == 0).all()
    got, want = vjp(do)[:3], clean_vjp(do)[:3]
    np.testing.assert_allclose(got[0][:, :, rows], want[0][:, :, rows], atol=2e-6)
    if kind == "bias":                                                          # no query sees it: nothing may be damaged
        for i in (1, 2):
            np.testing.assert_allclose(got[i], want[i], atol=2e-6)


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("kind", ["causal", "bias"])
def test_a_query_that_is_nan_reaches_no_key_that_it_does_not_see(backend, rng, kind):
    q, k, v, do = rng.standard_normal((4, 1, 2, T, 6)).astype("f")
    _, clean_vjp = attend(reference, kind, q, k, v)
    q[:, :, 5] = np.nan
    _, vjp = attend(backend, kind, q, k, v)
    for got, want in zip(vjp(do)[1:3], clean_vjp(do)[1:3]):
        np.testing.assert_allclose(got[:, :, 6:], want[:, :, 6:], atol=2e-6)
        assert np.isnan(got[:, :, :6]).all()
