"""The CUDA kernels against the NumPy reference in float64, on the processor: csrc/cuda/shim.h plays the graphics card.

With TINYFORMER_CUDA_LIBRARY=…/_cuda.….so the same tests run on a card. ``test_cuda_shim`` runs them over kernels with
mistakes.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from tinyformer.gradcheck import check
from tinyformer.kernels import backend, reference

UNIT = {"f": 2.0 ** -24, "d": 2.0 ** -53}
BOUND = {"f": 4e-6, "d": 1e-13}
ORDERS = [0, 1, 7]                  # in which the threads of a block run: forward, backward, shuffled


@pytest.fixture(scope="session")
def cuda(cuda_library):
    """The two products of the library, with the functions of ``Compiled``."""
    cffi = pytest.importorskip("tinyformer.kernels.cffi", reason="the C++ kernels were not built", exc_type=ImportError)
    from tinyformer.kernels.compiled import Compiled
    cffi.ffi.cdef("void shim_order(int order); void shim_present(int present);")
    kernels = Compiled(cffi.Products(cffi.ffi.dlopen(cuda_library)))
    # a card has an order of its own
    kernels.order = getattr(kernels.library.C, "shim_order", lambda order: None)
    return kernels


def laid_out(rng, shape, dtype):
    """Random numbers in a random layout: axes in any order in memory, with gaps, backwards, one of them perhaps
    repeated."""
    axes = rng.permutation(len(shape))
    steps = rng.choice([1, 1, 1, 2, -1, -2], len(shape))
    memory = rng.standard_normal([shape[axis] * abs(steps[axis]) for axis in axes]).astype(dtype)
    array = memory[tuple(slice(None, None, steps[axis]) for axis in axes)].transpose(np.argsort(axes))
    if len(shape) and rng.random() < 0.2:
        axis = rng.integers(len(shape))
        array = np.broadcast_to(array.take([0], axis) if shape[axis] else array, shape)
    assert array.shape == tuple(shape)
    return array


# ------------------------------------------------------------------------------------------------ matrix product

def assert_product(c, a, b):
    wide = np.float64 if c.dtype == np.float32 else np.longdouble
    a, b = a.astype(wide), b.astype(wide)
    assert (np.abs(c - a @ b) <= (a.shape[-1] + 2) * UNIT[c.dtype.char] * (np.abs(a) @ np.abs(b))).all()


# A tile is 64 wide, 32 in double, and sums are taken 16 terms at a time.
@settings(max_examples=40)
@given(st.sampled_from([0, 1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 97]),
       st.sampled_from([0, 1, 3, 16, 31, 33, 63, 64, 65, 129]),
       st.sampled_from([0, 1, 2, 15, 16, 17, 33, 50]), st.sampled_from([(), (2,), (2, 0), (1, 3)]),
       st.sampled_from("fd"),
       st.sampled_from(ORDERS))
def test_matmul_of_any_shape_in_any_layout(cuda, M, N, K, lead, dtype, order):
    rng = np.random.default_rng(M + 1000 * N + 1000000 * K)
    a, b = laid_out(rng, (*lead, M, K), dtype), laid_out(rng, (*lead, K, N), dtype)
    cuda.order(order)
    c = cuda.matmul(a, b)
    assert c.shape == (*lead, M, N) and c.dtype == a.dtype
    assert_product(c, a, b)


def test_the_axes_before_broadcast(cuda, rng):
    a, b = rng.standard_normal((3, 1, 5, 7)), rng.standard_normal((2, 7, 4))
    assert np.allclose(cuda.matmul(a, b), a @ b, rtol=1e-13, atol=1e-13)
    assert np.allclose(cuda.matmul(a, b[0, :, 0]), a @ b[0, :, 0], rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("dtype", "fd")
def test_the_epilogue(cuda, rng, dtype):
    x, W, bias, r, start = (rng.standard_normal(shape).astype(dtype)
                            for shape in ((40, 70), (70, 33), (33,), (40, 33), (40, 33)))
    u64 = 0.5 * (x.astype("d") @ W) + 2.0 * start + bias
    bound = {"f": 2e-5, "d": 1e-12}[dtype]
    c, u = start.copy(), np.empty_like(start)
    cuda.library.matmul(x, W, c, 0.5, 2.0, bias)
    assert np.abs(c - u64).max() < bound
    c = start.copy()
    cuda.library.matmul(x, W, c, 0.5, 2.0, bias, u, r)
    gelu = u64 * 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (u64 + 0.044715 * u64 ** 3)))
    assert np.abs(u - u64).max() < bound and np.abs(c - gelu - r).max() < bound
    c = r.copy()
    # in place: what was there is the residual
    cuda.library.matmul(x, W, c, residual=c)
    assert np.abs(c - x.astype("d") @ W - r).max() < bound


def test_nothing_is_written_around_the_result_and_beta_zero_reads_nothing(cuda, rng):
    room = np.full((2, 70, 40), 1e30, "f")
    c = room[:, 2:68, 3:36]                                                     # rows and matrices that do not touch
    c[:] = np.nan
    a, b = rng.standard_normal((2, 66, 20)).astype("f"), rng.standard_normal((20, 33)).astype("f")
    cuda.library.matmul(a, np.broadcast_to(b, (2, 20, 33)), c)
    assert_product(c, a, b)
    c[:] = 1e30
    assert (room == np.float32(1e30)).all()


def test_nan_and_infinity_go_where_they_belong(cuda, rng):
    a, b = rng.standard_normal((40, 50)), rng.standard_normal((50, 70))
    a[3, 7], a[20, 0], b[9, 69] = np.nan, np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        assert np.allclose(cuda.matmul(a, b), a @ b, equal_nan=True)


# ------------------------------------------------------------------------------------------------ attention

def attention_case(rng, B, H, G, T, S, D, E, dtype, bias, keep):
    q, k, v, do = (laid_out(rng, shape, dtype) for shape in ((B, H, T, D), (B, G, S, D), (B, G, S, E), (B, H, T, E)))
    mask = drops = None
    if bias:
        mask = rng.standard_normal((B, 1, T, S)).astype(dtype)
        mask[rng.random(mask.shape) < 0.3] = -np.inf
        mask[:, :, T // 2] = -np.inf                                            # a query that sees nothing
    if keep:
        drops = ((rng.random((B, H, T, S)) > 0.3) / 0.7).astype(dtype)
    return q, k, v, mask, drops, do


def assert_attention(cuda, arrays, bound, **options):
    *inputs, do = arrays
    options = {"scale": 1 / np.sqrt(max(inputs[0].shape[-1], 1)), **options}
    out, vjp = cuda.attention(*inputs, **options)
    expected, expected_vjp = reference.attention(*(None if a is None else a.astype("d") for a in inputs), **options)
    for got, want in [(out, expected), *zip(vjp(do), expected_vjp(do.astype("d")))]:
        assert (got is None) == (want is None)
        if got is not None:
            assert got.shape == want.shape and got.dtype == do.dtype
            assert (np.abs(got - want) <= bound * np.maximum(1, np.abs(want))).all()


@settings(max_examples=25)
@given(st.integers(0, 2), st.sampled_from([(1, 1), (2, 1), (4, 2)]), st.sampled_from([1, 2, 31, 33]),
       st.sampled_from([0, 1, 32, 33]), st.sampled_from([0, 1, 5, 17]), st.sampled_from([0, 1, 8, 33]), st.booleans(),
       st.booleans(), st.booleans(), st.sampled_from(ORDERS))
def test_attention_of_any_shape_in_any_layout(cuda, B, heads, T, S, D, E, bias, keep, is_causal, order):
    arrays = attention_case(np.random.default_rng(T + 100 * S), B, *heads, T, S, D, E, "d", bias, keep)
    cuda.order(order)
    assert_attention(cuda, arrays, BOUND["d"], is_causal=is_causal)


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("shape", [(1, 2, 1, 65, 66, 17, 20), (1, 1, 1, 20, 130, 70, 3)])
def test_attention_in_float32(cuda, rng, shape, is_causal):
    assert_attention(cuda, attention_case(rng, *shape, "f", True, True), BOUND["f"], is_causal=is_causal)


def test_numeric_gradient(cuda, rng):
    q, k, v, bias = (rng.standard_normal(shape) for shape in ((1, 2, 3, 2), (1, 1, 4, 2), (1, 1, 4, 1), (1, 2, 3, 4)))
    report = check(lambda *inputs: cuda.attention(*inputs, scale=0.7), q, k, v, bias)
    assert report.ok, str(report)


def test_a_query_that_sees_nothing_gives_zeros(cuda, rng):
    q, k, v = rng.standard_normal((3, 1, 1, 4, 8)).astype("f")
    bias = np.zeros((4, 4), "f")
    bias[2] = -np.inf
    out, vjp = cuda.attention(q, k, v, bias)
    assert (out[0, 0, 2] == 0).all() and np.isfinite(out).all()
    dq, dk, dv, ds = vjp(np.ones_like(out))
    assert (dq[0, 0, 2] == 0).all() and (ds[0, 0, 2] == 0).all() and all(np.isfinite(d).all() for d in (dq, dk, dv, ds))


def test_large_scores_do_not_overflow(cuda, rng):
    q, k, v, _, _, do = attention_case(rng, 1, 1, 1, 10, 70, 8, 8, "f", False, False)
    out, _ = cuda.attention(q * 300, k, v, scale=0.3)
    expected, _ = reference.attention(*(a.astype("d") for a in (q * 300, k, v)), scale=0.3)
    assert np.isfinite(out).all() and np.abs(out - expected).max() < 1e-3      # scores of ±1000 carry errors of 1e-4


def test_nan_stays_in_its_row(cuda, rng):
    q, k, v = rng.standard_normal((3, 1, 1, 40, 8)).astype("f")
    q[0, 0, 5] = np.nan
    out, _ = cuda.attention(q, k, v, is_causal=True)
    assert np.isnan(out[0, 0, 5]).all() and np.isfinite(np.delete(out[0, 0], 5, axis=0)).all()


def test_gradients_may_have_gaps_around_them(cuda, rng):
    q, k, v, do = rng.standard_normal((4, 1, 2, 9, 6))
    o, L = np.empty_like(q), np.empty((2, 1, 2, 9))
    cuda.library.attention_forward(q, k, v, None, None, o, L, 1.0, True)
    room = np.full((3, 1, 12, 4, 8), 1e30)
    dq, dk, dv = (r[:, 2:11, 1:3, 1:7].swapaxes(1, 2) for r in room)
    cuda.library.attention_backward(q, k, v, None, None, o, L, do, dq, dk, dv, None, 1.0, True)
    _, vjp = reference.attention(q, k, v, is_causal=True)
    for got, want in zip((dq, dk, dv), vjp(do)):
        assert np.allclose(got, want, rtol=1e-12, atol=1e-12)
        got[:] = 1e30
    assert (room == 1e30).all()


def test_threads_in_any_order_give_the_same_bits(cuda, rng):
    arrays = attention_case(rng, 1, 1, 1, 33, 40, 20, 18, "d", True, True)
    results = []
    for order in ORDERS:
        cuda.order(order)
        out, vjp = cuda.attention(*arrays[:5], is_causal=True)
        results.append([out, *vjp(arrays[5]), cuda.matmul(arrays[0][0, 0], arrays[1][0, 0].T)])
    for other in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(results[0], other))


def test_what_does_not_fit_is_named(cuda):
    a = np.ones((3, 4), "f")
    with pytest.raises(ValueError, match="would share memory"):
        cuda.library.matmul(a, a.T, np.empty((3, 6), "f")[:, ::2])
    q = np.ones((1, 2, 3, 4), "f")
    with pytest.raises(ValueError, match="heads do not fit"):
        cuda.library.attention_forward(q[:, :1], q, q, None, None, q[:, :1].copy(), np.empty((2, 1, 1, 3), "f"), 1.0,
                                       False)


# ------------------------------------------------------------------------------------------------ the backend

@pytest.fixture
def choose(monkeypatch):
    """``backend.use("cuda")``, imported again; afterward the earlier backend is in use again."""
    live = backend.info()["live"]
    monkeypatch.delitem(sys.modules, "tinyformer.kernels.cuda", raising=False)
    yield lambda: backend.use("cuda")
    backend.use(live)
    monkeypatch.delitem(sys.modules, "tinyformer.kernels.cuda", raising=False)


def assert_the_processor_goes_on(choose, why):
    live = backend.info()["live"]
    with pytest.raises(RuntimeError, match=f"backend: cuda is not available: {why}"):
        choose()
    assert backend.info()["live"] == live
    assert backend.info()["backends"]["cuda"].startswith(f"CUDA: {why}")


def test_without_the_library_it_is_said_how_to_build_it(cuda, choose, monkeypatch):
    monkeypatch.delenv("TINYFORMER_CUDA_LIBRARY", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert_the_processor_goes_on(choose,
                                 "tinyformer._cuda was not built; with nvcc on PATH, installing with TINYFORMER_CUDA=1")


def test_without_a_card_the_processor_goes_on(cuda, cuda_library, choose, monkeypatch):
    if not hasattr(cuda.library.C, "shim_present"):
        pytest.skip("a card is there")
    monkeypatch.setenv("TINYFORMER_CUDA_LIBRARY", cuda_library)
    cuda.library.C.shim_present(False)
    try:
        assert_the_processor_goes_on(choose, "no CUDA device")
    finally:
        cuda.library.C.shim_present(True)


SCRIPT = """
import numpy as np, tinyformer as tfm
from tinyformer.models import GPT, GPTConfig
tfm.seed(0)
model = GPT(GPTConfig(vocab_size=11, block_size=8, n_layer=1, n_head=2, n_embd=8))
ids = np.arange(16).reshape(2, 8) % 11
loss = model.loss(ids, (ids + 1) % 11)
loss.backward()
print(tfm.backend.info()["backends"]["cuda"])
print(float(loss.data), *(float(np.abs(p.grad).sum()) for p in model.parameters()))
"""


def test_a_model_computes_the_same_there(cuda_library, cuda):
    def run(name):
        environment = {**os.environ, "TINYFORMER_BACKEND": name, "TINYFORMER_CUDA_LIBRARY": cuda_library}
        out = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, text=True, capture_output=True,
                             check=True,
                             encoding="utf-8")
        state, numbers = out.stdout.splitlines()
        return state, np.array(numbers.split(), float)

    (state, found), (_, expected) = run("cuda"), run("native")
    assert state.startswith("CUDA (") and state.endswith(": live")
    assert np.allclose(found, expected, rtol=1e-4, atol=1e-5)
