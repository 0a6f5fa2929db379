"""What the mask of attention hides contributes nothing, on every backend: not even a NaN or an infinite number."""

from __future__ import annotations

import numpy as np
import pytest

from tinyformer import nn, ops, tensor
from tinyformer.kernels import reference
from tinyformer.ops.attention import watcher

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
    # nothing is asked of those that do see it
    do[:, :, [t for t in range(T) if t not in rows]] = 0
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
    # no query sees it: nothing may be damaged
    if kind == "bias":
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


# ------------------------------------------------------------------------------------------------ the weights
# themselves

def masks(kind, dtype):
    allowed = seen(kind)
    return {"causal": {"is_causal": True}, "bias": {"mask": allowed},
            "added": {"mask": np.where(allowed, dtype(0), dtype(-np.inf))}}[kind]


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("kind", ["causal", "bias", "added"])
@pytest.mark.parametrize("wild", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["k", "v", "both"])
def test_weights_that_are_returned_or_watched(rng, where, wild, kind):
    """Forward, and backward from the outputs and from the weights, of rows that may not see the last key."""
    q, do = rng.standard_normal((2, 2, 4, T, 6))
    k, v = rng.standard_normal((2, 2, 2, T, 6))
    dw, rows = rng.standard_normal((2, 4, T, T)), [t for t in range(T) if not seen(kind)[t, -1]]
    for dy in (do, dw):
        dy[:, :, [t for t in range(T) if t not in rows]] = 0
    options = masks(kind, np.float64)
    (clean, clean_w), clean_vjp = ops.attention_with_weights.raw(q, k, v, **options)
    clean_dq = clean_vjp((do, dw))[0]
    k, v = k.copy(), v.copy()
    for array in {"k": [k], "v": [v], "both": [k, v]}[where]:
        array[:, :, -1] = wild
    (out, w), vjp = ops.attention_with_weights.raw(q, k, v, **options)
    np.testing.assert_allclose(out[:, :, rows], clean[:, :, rows], atol=1e-12)
    np.testing.assert_allclose(w[:, :, rows], clean_w[:, :, rows], atol=1e-12)
    assert (w[:, :, rows, -1] == 0).all()
    dw[..., -1] = np.nan                                    # what comes from a hidden key, such as from 0 · NaN above
    np.testing.assert_allclose(vjp((do, dw))[0][:, :, rows], clean_dq[:, :, rows], atol=1e-12)
    watched = []
    token = watcher.set(lambda weights: watched.append(weights.copy()))
    try:
        ops.scaled_dot_product_attention(q, k, v, **options)
        ops.attention_with_weights(q, k, v, dropout_p=0.5, rng=0, **options)
    finally:
        watcher.reset(token)
    for weights in watched:                                 # before dropout
        np.testing.assert_allclose(weights[:, :, rows], clean_w[:, :, rows], atol=1e-12)
    assert len(watched) == 2


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("need_weights", [True, False])
def test_padding_of_a_layer_may_hold_anything(rng, need_weights):
    layer = nn.MultiheadAttention(8, 2, batch_first=True, dtype=np.float64)
    x, padding = rng.standard_normal((2, 5, 8)), np.zeros((2, 5), bool)
    padding[:, 3:] = True

    def run(memory):
        query = tensor(x[:, :3], requires_grad=True)
        y, weights = layer(query, memory, memory, key_padding_mask=padding, need_weights=need_weights)
        loss = (y * y).sum() if weights is None else (y * y).sum() + (weights * weights).sum()
        loss.backward()
        return y.data, query.grad

    expected = run(x)
    wild = x.copy()
    wild[:, 3:] = np.nan
    for found, right in zip(run(wild), expected):
        np.testing.assert_allclose(found, right, atol=1e-12)
