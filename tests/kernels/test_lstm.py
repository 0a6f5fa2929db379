"""The compiled LSTM against its NumPy twin in float64: sizes, lengths, directions, layouts, instruction sets and
threads."""

from __future__ import annotations

import numpy as np
import pytest

from tinyformer.kernels import reference

RTOL = {"f": 2e-5, "d": 1e-12}

# 0 and 1, the tiles of every instruction set ± 1 (6, 8, 14 rows; 8 to 48 columns), more rows than a thread takes, and
# more gates than a block of k (384).
SIZES = [(0, 3, 4), (1, 1, 1), (3, 0, 5), (4, 2, 0), (2, 5, 7), (3, 7, 8), (3, 9, 15), (2, 13, 16), (2, 14, 17),
         (3, 15, 31),
         (2, 17, 33), (5, 33, 12), (2, 6, 97), (3, 40, 130), (2, 3, 400)]


def draw(rng, T, B, H, dtype, lengths):
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in ((T, B, 4 * H), (B, H), (B, H), (4 * H, H))]
    arrays[3] /= max(1, H) ** 0.5
    return arrays, rng.integers(0, T + 1, B) if lengths else None


def both(module, arrays, lengths, reverse, cotangents):
    """(h, c, da, dh0, dc0)."""
    a, *rest = arrays
    (h, c), vjp = module.lstm(a.copy(), *rest, lengths, reverse)
    return h, c, *vjp(*cotangents)


def assert_twins(module, rng, T, B, H, dtype, lengths, reverse):
    arrays, lengths = draw(rng, T, B, H, dtype, lengths)
    cotangents = [rng.standard_normal(shape).astype(dtype) for shape in ((T, B, H), (B, H), (B, H))]
    got = both(module, arrays, lengths, reverse, cotangents)
    wide = [a.astype("d") for a in arrays]
    expected = both(reference, wide, lengths, reverse, [dy.astype("d") for dy in cotangents])
    for what, one, other in zip(("h", "c", "da", "dh0", "dc0"), got, expected):
        assert one.shape == other.shape and one.dtype == dtype, what
        np.testing.assert_allclose(one, other, rtol=RTOL[dtype],
                                   atol=RTOL[dtype] * max(1, np.abs(other).max(initial=0)),
                                   err_msg=what)


@pytest.mark.parametrize("dtype", "fd")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("lengths", (False, True))
@pytest.mark.parametrize("reverse", (False, True))
def test_every_instruction_set(isa, rng, size, dtype, lengths, reverse):
    assert_twins(isa, rng, *size, dtype, lengths, reverse)


@pytest.mark.parametrize("lengths", (False, True))
@pytest.mark.parametrize("reverse", (False, True))
def test_both_bindings(binding, rng, lengths, reverse):
    assert_twins(binding, rng, 4, 6, 10, "f", lengths, reverse)


@pytest.mark.parametrize("size", [(6, 70, 40), (5, 9, 100), (4, 16, 64)])
def test_the_same_bits_for_any_number_of_threads(binding, rng, size):
    arrays, lengths = draw(rng, *size, "f", True)
    T, B, H = size
    cotangents = [rng.standard_normal(shape).astype("f") for shape in ((T, B, H), (B, H), (B, H))]
    binding.library.set_num_threads(1)
    alone = both(binding, arrays, lengths, False, cotangents)
    for n in (2, 3, 5, 16):
        binding.library.set_num_threads(n)
        for got, want in zip(both(binding, arrays, lengths, False, cotangents), alone):
            assert np.array_equal(got, want)


def test_a_sequence_does_not_depend_on_its_neighbors(binding, rng):
    arrays, _ = draw(rng, 5, 21, 30, "f", False)
    (h, c), _ = binding.lstm(arrays[0].copy(), *arrays[1:])
    a, h0, c0, W = arrays
    (h_alone, _), _ = binding.lstm(a[:, 3:4].copy(), h0[3:4], c0[3:4], W)
    assert np.array_equal(h[:, 3:4], h_alone)


@pytest.mark.parametrize("dtype", "fd")
def test_any_layout_and_alignment(binding, rng, dtype):
    """Strided, reversed and misaligned arrays give what whole ones give, and keep what they hold."""
    arrays, _ = draw(rng, 4, 5, 6, dtype, False)
    cotangents = [rng.standard_normal(shape).astype(dtype) for shape in ((4, 5, 6), (5, 6), (5, 6))]
    expected = both(binding, arrays, None, False, cotangents)

    def strided(x):
        room = np.full(tuple(2 * n + 1 for n in x.shape[::-1]), np.nan, dtype)
        view = room[tuple(slice(2 * n, 0, -2) for n in x.shape[::-1])].T
        view[...] = x
        return view

    def misaligned(x):
        view = np.frombuffer(bytearray(x.nbytes + 1), np.uint8)[1:].view(dtype).reshape(x.shape)
        view[...] = x
        return view

    for odd in (strided, misaligned):
        kept = [odd(x) for x in (*arrays[1:], *cotangents)]
        (h, c), vjp = binding.lstm(odd(arrays[0]), *kept[:3])
        for got, want in zip((h, c, *vjp(*kept[3:])), expected):
            assert np.array_equal(got, want)
        for one, other in zip(kept, (*arrays[1:], *cotangents)):
            assert np.array_equal(one, other)


@pytest.mark.parametrize("size", [(3, 5, 7), (2, 14, 33), (2, 17, 16)])
def test_nothing_is_written_beyond_the_outputs(isa, rng, size):
    """Each output between two borders of bytes that must stay."""
    T, B, H = size
    (a, h0, c0, W), lengths = draw(rng, T, B, H, "f", True)
    border = 64

    def guarded(shape):
        room = np.full(int(np.prod(shape)) + 2 * border, 7, "f")
        return room, room[border:-border].reshape(shape)

    rooms, (gates, h, c, da, dh,
            dc) = zip(*map(guarded, ((T, B, 4 * H), (T + 1, B, H), (T + 1, B, H), (T, B, 4 * H), (B, H),
                                     (B, H))))
    gates[...], h[0], c[0], dh[...], dc[...] = a, h0, c0, h0, c0
    isa.library.lstm_forward(gates, W, lengths, False, h, c)
    isa.library.lstm_backward(gates, c, W, lengths, False, np.ones((T, B, H), "f"), da, dh, dc)
    for room in rooms:
        assert (room[:border] == 7).all() and (room[-border:] == 7).all()
    assert np.isfinite(da).all() and not (da[lengths.min():, lengths.argmin()]).any()


def test_nan_stays_in_its_sequence_and_infinite_gates_are_shut_or_open(binding, rng):
    (a, h0, c0, W), _ = draw(rng, 3, 6, 9, "f", False)
    a[1, 2, 4] = np.nan
    a[:, 4, :9], a[:, 4, 9:18], a[:, 4, 18:27], a[:, 4, 27:] = -np.inf, np.inf, 0.5, np.inf
    (h, c), _ = binding.lstm(a, h0, c0, W)
    assert np.isnan(h[2:, 2]).any() and np.isfinite(np.delete(h, 2, axis=1)).all()
    assert np.array_equal(c[3, 4], c0[4])                                       # nothing in, all kept


def test_what_does_not_fit_is_refused(binding):
    library, gates, W = binding.library, np.zeros((3, 2, 8), "f"), np.zeros((8, 2), "f")
    h, c = np.zeros((2, 4, 2, 2), "f")
    with pytest.raises(ValueError, match="lstm: an argument is out of range"):
        library.lstm_forward(gates, W, np.array([1, 4]), False, h, c)
    with pytest.raises(ValueError, match="lstm: an argument is out of range"):
        library.lstm_forward(gates, W, np.array([-1, 3]), False, h, c)
    with pytest.raises(ValueError, match="lengths has shape"):
        library.lstm_forward(gates, W, np.array([1]), False, h, c)
    with pytest.raises(TypeError, match="lengths is int32, expected int64"):
        library.lstm_forward(gates, W, np.array([1, 2], np.int32), False, h, c)
    with pytest.raises(ValueError, match="gates do not have the shape"):
        library.lstm_forward(np.zeros((3, 2, 7), "f"), W, None, False, h, c)
    with pytest.raises(ValueError, match="weight has shape"):
        library.lstm_forward(gates, W.T.copy(), None, False, h, c)
    with pytest.raises(ValueError, match="h has shape"):
        library.lstm_forward(gates, W, None, False, h[:3], c)
    with pytest.raises(TypeError, match="c is float64"):
        library.lstm_forward(gates, W, None, False, h, c.astype("d"))
    with pytest.raises(ValueError, match="dy has shape"):
        library.lstm_backward(gates, c, W, None, False, h[:3, :1], np.empty_like(gates), h[0].copy(), c[0].copy())


def test_other_types_are_left_to_the_reference(binding, rng):
    (a, h0, c0, W), _ = draw(rng, 2, 3, 4, "d", False)
    (h, _), _ = binding.lstm(a.astype(np.longdouble), h0.astype(np.longdouble), c0.astype(np.longdouble),
                             W.astype(np.longdouble))
    (expected, _), _ = binding.lstm(a, h0, c0, W)
    assert h.dtype == np.longdouble
    np.testing.assert_allclose(h, expected, rtol=1e-12)
