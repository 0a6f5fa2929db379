from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tinyformer.autograd import Tensor
from tinyformer.ops import scaled_dot_product_attention as attention


def normal(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def qkv(*lead, H=2, G=2, T=3, S=4, D=5, E=6):
    return normal((*lead, H, T, D)), normal((*lead, G, S, D), 1), normal((*lead, G, S, E), 2)


def by_loops(q, k, v, mask, is_causal, scale):
    """One query at a time; ``mask`` as something to add."""
    H, T, D = q.shape
    group, S = H // len(k), k.shape[1]
    out = np.zeros((H, T, v.shape[-1]))
    for h in range(H):
        for t in range(T):
            s = [-np.inf if is_causal and j > t else scale * q[h, t] @ k[h // group, j] + mask[h, t, j]
                 for j in range(S)]
            if max(s, default=-np.inf) > -np.inf:
                p = np.exp(np.array(s) - max(s))
                out[h, t] = p / p.sum() @ v[h // group]
    return out


@given(st.integers(1, 2), st.integers(1, 3), st.integers(0, 4), st.integers(0, 4), st.booleans(),
       st.sampled_from([None, 0.3]), st.sampled_from(["none", "boolean", "additive", "both"]))
def test_is_its_definition(G, group, T, S, is_causal, scale, kind):
    q, k, v = qkv(H=G * group, G=G, T=T, S=S)
    allowed = np.random.default_rng(3).random((T, S)) < 0.6
    mask = {"none": None, "boolean": allowed, "additive": normal((1, T, S), 4),
            "both": np.where(allowed, normal((G * group, T, S), 4), -np.inf)}[kind]
    added = np.zeros((1, T, S)) if mask is None else np.where(mask, 0, -np.inf) if mask.dtype == bool else mask
    out, vjp = attention.raw(q, k, v, mask, is_causal=is_causal, scale=scale)
    expected = by_loops(q, k, v, np.broadcast_to(added, (G * group, T, S)), is_causal, 5 ** -0.5 if scale is None
                        else scale)
    np.testing.assert_allclose(out, expected, atol=1e-12)
    gradients = vjp(normal(out.shape, 5))
    assert [g.shape for g in gradients[:3]] == [q.shape, k.shape, v.shape]
    assert all(np.isfinite(g).all() for g in gradients if g is not None)


def test_a_query_that_may_look_nowhere_gives_zeros_and_gets_none():
    q, k, v = (Tensor(a, requires_grad=True) for a in qkv(2))
    mask = np.ones((3, 4), bool)
    mask[1] = False
    with np.errstate(all="raise"):
        out = attention(q, k, v, mask)
        out.backward(normal(out.shape))
    assert (out.data[:, :, 1] == 0).all() and (out.data[:, :, 0] != 0).all()
    assert (q.grad[:, :, 1] == 0).all() and (q.grad[:, :, 0] != 0).all()
    assert np.isfinite(k.grad).all() and np.isfinite(v.grad).all()


def test_the_future_has_no_part():
    q, k, v = (Tensor(a, requires_grad=True) for a in qkv(T=4))
    out = attention(q, k, v, is_causal=True)
    out.backward(np.where(np.arange(4)[:, None] == 1, normal(out.shape), 0))    # of query 1 alone
    assert (k.grad[:, 2:] == 0).all() and (v.grad[:, 2:] == 0).all() and (v.grad[:, :2] != 0).all()
    np.testing.assert_allclose(out.data[:, 0], v.data[:, 0], atol=1e-12)


def test_causal_with_unequal_lengths_is_aligned_at_the_first_key():
    q, k, v = qkv(T=2, S=4)
    long = attention.raw(q, k, v, is_causal=True)[0]
    np.testing.assert_allclose(long, attention.raw(q, k[:, :2], v[:, :2], is_causal=True)[0], atol=1e-12)


def test_one_head_may_come_without_its_axis():
    q, k, v = qkv(H=1, G=1)
    mask = normal((3, 4), 3)
    out, vjp = attention.raw(q[0], k[0], v[0], mask)
    with_axis, vjp_axis = attention.raw(q, k, v, mask)
    np.testing.assert_array_equal(out, with_axis[0])
    for a, b in zip(vjp(normal(out.shape)), vjp_axis(normal(out.shape)[None])):
        np.testing.assert_allclose(a, b[0], atol=1e-12)


def test_large_scores():
    q, k, v = (a.astype(np.float32) for a in qkv())
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        out, vjp = attention.raw(1e4 * q, k, v)
        assert all(np.isfinite(g).all() for g in vjp(out)[:3])
    assert np.isfinite(out).all() and out.dtype == np.float32


def test_dropout_is_seeded_and_keeps_the_mean():
    q, k, v = qkv(G=2, S=300)
    out = attention.raw(q, k, np.ones_like(v), dropout_p=0.3, rng=0)[0]
    assert not np.allclose(out, 1) and abs(out.mean() - 1) < 0.1
    np.testing.assert_array_equal(out, attention.raw(q, k, np.ones_like(v), dropout_p=0.3, rng=0)[0])


@pytest.mark.parametrize("change, error, words", [
    (dict(q=np.ones((2, 3, 4))), ValueError, "expected q and k of one width"),
    (dict(v=np.ones((2, 3, 6))), ValueError, "k and v of one length"),
    (dict(q=np.ones((3, 3, 5))), ValueError, "q has 3 heads, k 2 and v 2: expected"),
    (dict(q=np.ones(5)), ValueError, r"q has shape \(5,\), expected \(…, heads, length, width\)"),
    (dict(mask=np.ones((4, 4), bool)), ValueError,
     r"mask has shape \(4, 4\), expected one that broadcasts to \(2, 3, 4\)"),
    (dict(mask=np.ones((3, 4), int)), TypeError, "mask is int64, expected bool or float64"),
])
def test_errors(change, error, words):
    arguments = {**dict(zip("qkv", qkv())), "mask": None, **change}
    with pytest.raises(error, match="scaled_dot_product_attention: .*" + words):
        attention(*(Tensor(a) if name != "mask" else a for name, a in arguments.items()))
