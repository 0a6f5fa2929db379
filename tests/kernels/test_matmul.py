"""The compiled matrix product against float64, within the error that its contract allows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from tinyformer.kernels import reference

# 0 and 1, the tiles of every instruction set ± 1 (6, 8, 14 rows; 8 to 48 columns), and beyond a chunk of rows.
LENGTHS = [0, 1, 2, 5, 6, 7, 8, 9, 12, 13, 14, 15, 16, 17, 24, 31, 32, 33, 48, 65, 113]
UNIT = {"f": 2.0 ** -24, "d": 2.0 ** -53}


def operand(rng, rows, columns, dtype, kind):
    """An array (rows, columns) that lies in memory in one of several ways."""
    if kind == "transposed":
        return rng.standard_normal((columns, rows)).astype(dtype).T
    if kind == "spaced":
        return rng.standard_normal((2 * rows, 3 * columns)).astype(dtype)[::2, ::3]
    if kind == "reversed":
        return rng.standard_normal((rows, columns)).astype(dtype)[::-1, ::-1]
    if kind == "repeated":
        return np.broadcast_to(rng.standard_normal((1, columns)).astype(dtype), (rows, columns))
    if kind == "overlapping":                               # each row starts one entry after the last
        line = rng.standard_normal(rows + columns).astype(dtype)
        return np.lib.stride_tricks.as_strided(line, (rows, columns), (line.itemsize, line.itemsize))
    return rng.standard_normal((rows, columns)).astype(dtype)


KINDS = ["plain", "transposed", "spaced", "reversed", "repeated", "overlapping"]


def assert_close(c, a, b, start=0.0):
    wide = np.float64 if c.dtype == np.float32 else np.longdouble
    a, b = a.astype(wide), b.astype(wide)
    bound = (a.shape[-1] + 2) * UNIT[c.dtype.char] * (np.abs(a) @ np.abs(b)) + start
    assert (np.abs(c - a @ b) <= bound).all()


@settings(max_examples=150)
@given(st.sampled_from(LENGTHS), st.sampled_from(LENGTHS), st.sampled_from([*LENGTHS, 384, 385, 800]),
       st.sampled_from(KINDS), st.sampled_from(KINDS), st.sampled_from("fd"))
def test_any_shape_in_any_layout(M, N, K, kind_a, kind_b, dtype):
    rng = np.random.default_rng(M + 1000 * N + 1000000 * K)
    module = pytest.importorskip("tinyformer.kernels.native", exc_type=ImportError)
    a, b = operand(rng, M, K, dtype, kind_a), operand(rng, K, N, dtype, kind_b)
    c = module.matmul(a, b)
    assert c.shape == (M, N) and c.dtype == a.dtype
    assert_close(c, a, b)


@pytest.mark.parametrize("dtype", "fd")
@pytest.mark.parametrize("kinds", [("plain", "plain"), ("plain", "transposed"), ("transposed", "plain"),
                                   ("transposed", "transposed")])
@pytest.mark.parametrize("shape", [(1, 1, 1), (15, 33, 7), (64, 64, 64), (768, 65, 128), (130, 1030, 400),
                                   (57, 4200, 3)])
def test_every_instruction_set(isa, rng, shape, kinds, dtype):
    M, N, K = shape
    a, b = operand(rng, M, K, dtype, kinds[0]), operand(rng, K, N, dtype, kinds[1])
    assert_close(isa.matmul(a, b), a, b)


@pytest.mark.parametrize("shapes", [((5, 7), (7, 3)), ((7,), (7, 3)), ((5, 7), (7,)), ((7,), (7,)),
                                    ((2, 3, 5, 7), (7, 4)),
                                    ((2, 3, 5, 7), (2, 1, 7, 4)), ((3, 5, 7), (2, 1, 7, 4)), ((7,), (2, 3, 7, 4)),
                                    ((2, 1, 2, 1, 2, 1, 5, 7), (7, 4)), ((0, 5, 7), (0, 7, 4)), ((2, 0, 5, 7), (7, 4))])
def test_leading_axes_and_vectors_as_in_numpy(binding, rng, shapes):
    a, b = (rng.standard_normal(shape) for shape in shapes)
    expected = reference.matmul(a, b)
    got = binding.matmul(a, b)
    assert np.shape(got) == np.shape(expected) and np.allclose(got, expected, rtol=1e-13, atol=1e-13)


def test_integers_are_left_to_numpy(binding):
    a = np.arange(6).reshape(2, 3)
    assert np.array_equal(binding.matmul(a, a.T), a @ a.T)


@pytest.mark.parametrize("K", [40, 800])                                        # 800: three blocks of k
@pytest.mark.parametrize("size", [2, 7, 70])
def test_the_epilogue(binding, rng, size, K):
    x, W, b, r, start = (rng.standard_normal(shape).astype("f") for shape in
                         ((size, K), (size, K), (size,), (size, size), (size, size)))
    # both as dot products want them, for size 2
    x, W = x / np.float32(K ** 0.5), W.T
    u64 = 0.5 * (x.astype("d") @ W) + 2.0 * start + b
    c, u = start.copy(), np.empty_like(start)
    binding.library.matmul(x, W, c, 0.5, 2.0, b)
    assert np.allclose(c, u64, atol=2e-5)
    c = start.copy()
    binding.library.matmul(x, W, c, 0.5, 2.0, b, u, r)
    gelu = u64 * 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (u64 + 0.044715 * u64 ** 3)))
    assert np.allclose(u, u64, atol=2e-5) and np.allclose(c, gelu + r, atol=2e-5)
    c = r.copy()
    # in place: what was there is the residual
    binding.library.matmul(x, W, c, residual=c)
    assert np.allclose(c, x.astype("d") @ W + r, atol=2e-5)
    c = r.copy()
    binding.library.matmul(x, W, c, 0.5, 2.0, b, u, c)
    u64 += 2.0 * (r - start)
    assert np.allclose(u, u64, atol=2e-5)
    assert np.allclose(c, u64 * 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (u64 + 0.044715 * u64 ** 3))) + r, atol=2e-5)


@pytest.mark.parametrize("K", [10, 1000])
def test_beta_zero_does_not_read_and_alpha_beta_scale(binding, rng, K):
    a, b, start = (rng.standard_normal(shape).astype("f") for shape in ((30, K), (K, 50), (30, 50)))
    c = np.full((30, 50), np.nan, "f")
    binding.library.matmul(a, b, c)
    assert_close(c, a, b)
    c = start.copy()
    binding.library.matmul(a, b, c, -2.0, 1.0)
    assert np.allclose(c, start - 2 * (a.astype("d") @ b), atol=1e-3)


def test_no_terms_give_the_start_and_the_bias(binding, rng):
    c, bias = np.full((3, 5), 7.0, "f"), rng.standard_normal(5).astype("f")
    binding.library.matmul(np.empty((3, 0), "f"), np.empty((0, 5), "f"), c, 1.0, 2.0, bias)
    assert np.array_equal(c, np.broadcast_to(14 + bias, (3, 5)))


@pytest.mark.parametrize("shape", [(1, 1, 1), (13, 65, 20), (15, 33, 500), (300, 66, 40)])
def test_nothing_is_written_around_the_result(isa, rng, shape):
    M, N, K = shape
    room = np.full(M * (N + 3) + 200, 1e30, "f")
    c = room[100:100 + M * (N + 3)].reshape(M, N + 3)[:, :N]                    # rows three entries apart
    a, b = rng.standard_normal((M, K)).astype("f"), rng.standard_normal((K, N)).astype("f")
    isa.library.matmul(a, b, c)
    assert_close(c, a, b)
    c[:] = 1e30
    assert (room == np.float32(1e30)).all()


def test_addresses_between_vectors(isa, rng):
    memory = rng.standard_normal(20000).astype("f")
    for shift in range(1, 16):
        a, b = memory[shift:shift + 33 * 40].reshape(33,
                                                     40), memory[5000 + shift:5000 + shift + 40 * 70].reshape(40, 70)
        assert_close(isa.matmul(a, b), a, b)


def test_addresses_between_numbers(binding, rng):
    memory = rng.standard_normal(33 * 40).astype("f")
    shifted = np.frombuffer(b"x" + memory.tobytes(), np.float32, offset=1).reshape(33, 40)
    assert not shifted.flags.aligned
    assert np.array_equal(binding.matmul(shifted, shifted.T), binding.matmul(shifted.copy(), shifted.copy().T))
    with pytest.raises(ValueError, match="a is not aligned"):
        binding.library.matmul(shifted, shifted.T, np.empty((33, 33), "f"))


@pytest.mark.parametrize("dtype", "fd")
def test_nan_and_infinity_go_where_they_belong(isa, rng, dtype):
    a, b = rng.standard_normal((40, 50)).astype(dtype), rng.standard_normal((50, 70)).astype(dtype)
    a[3, 7], a[20, 0], b[9, 69] = np.nan, np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        assert np.allclose(isa.matmul(a, b), a.astype("d") @ b.astype("d"), atol=1e-4, equal_nan=True)


def test_what_does_not_fit_is_named(binding):
    a, c = np.ones((3, 4), "f"), np.empty((3, 3), "f")
    call = binding.library.matmul
    with pytest.raises(TypeError, match="b is float64, expected the type of the first"):
        call(a, np.ones((4, 3)), c)
    with pytest.raises(TypeError, match="expected float32 or float64"):
        call(np.ones((3, 4), int), a.T, c)
    with pytest.raises(TypeError, match="native byte order"):
        call(a.astype(">f4"), a.T, c)
    with pytest.raises(ValueError, match="do not have the shapes"):
        call(a, a, c)
    with pytest.raises(ValueError, match="would share memory"):
        call(a, a.T, np.empty((3, 6), "f")[:, ::2])
    with pytest.raises(ValueError, match="would share memory"):
        call(a, a.T, np.lib.stride_tricks.as_strided(c, (3, 3), (4, 4)))
    with pytest.raises(ValueError, match="bias has shape"):
        call(a, a.T, c, bias=np.ones(4, "f"))
    with pytest.raises(ValueError, match="residual is not laid out as c"):
        call(a, a.T, c, residual=np.empty((3, 6), "f")[:, :3])
    frozen = c.copy()
    frozen.setflags(write=False)
    with pytest.raises(ValueError, match="c is read-only"):
        call(a, a.T, frozen)
