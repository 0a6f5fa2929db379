"""What csrc/tinyformer.h promises of every kernel: only outputs are written; any address, any size, any number of
threads."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from tinyformer.kernels import reference

# numbers on each side, more than a vector holds; what stands there and in new outputs
GUARD, MARK = 70, 1e30


class Memory:
    """Arrays that lie ``shift`` numbers off where NumPy would put them, with guards around; the ``new`` ones are
    outputs."""

    def __init__(self, dtype, shift=0, seed=0):
        self.dtype, self.shift, self.rng = np.dtype(dtype), shift, np.random.default_rng(seed)
        self.rooms, self.inputs, self.outputs = [], [], []

    def _room(self, shape, dtype):
        n = int(np.prod(shape))
        room = np.full(n + 2 * GUARD + self.shift, MARK, dtype)
        first = GUARD + self.shift
        self.rooms.append((room, first, n))
        return room[first:first + n].reshape(shape)

    def put(self, values):
        array = self._room(np.shape(values), np.asarray(values).dtype)
        array[...] = values
        self.inputs.append((array, array.copy()))
        return array

    def normal(self, *shape):
        return self.put(self.rng.standard_normal(shape).astype(self.dtype))

    def new(self, *shape):
        self.outputs.append(self._room(shape, self.dtype))
        return self.outputs[-1]

    def change(self, *shape):
        """Numbers that the kernel changes in place."""
        array = self.new(*shape)
        array[...] = self.rng.random(shape)
        return array

    def assert_kept(self):
        for room, first, n in self.rooms:
            assert (np.delete(room, slice(first, first + n)) == room.dtype.type(MARK)).all(), "written around an array"
        for array, before in self.inputs:
            assert np.array_equal(array, before), "an input was changed"
        for array in self.outputs:
            assert not (array == array.dtype.type(MARK)).any(), "an output was left out"


def matmul(library, m, N, C):
    c = m.new(N, N)
    library.matmul(m.normal(N, C), m.normal(N, C).T, c, 0.5, 0.0, m.normal(N), m.new(N, N), m.normal(N, N))
    library.matmul(m.normal(2, N, C), m.normal(2, C, 3), m.new(2, N, 3))


def attention(library, m, N, C):
    q, k, v, do = m.normal(2, 2, N, C), m.normal(2, 1, N + 3, C), m.normal(2, 1, N + 3, 5), m.normal(2, 2, N, 5)
    bias, keep = m.normal(2, 2, N, N + 3), m.put((m.rng.random((2, 2, N, N + 3)) > 0.3).astype(m.dtype))
    o, L = m.new(2, 2, N, 5), m.new(2, 2, 2, N)
    library.attention_forward(q, k, v, bias, keep, o, L, 0.3, True)
    library.attention_backward(q, k, v, bias, keep, o, L, do, m.new(2, 2, N, C), m.new(2, 2, N + 3, C),
                               m.new(2, 2, N + 3, 5),
                               m.new(2, 2, N, N + 3), 0.3, True)


def norm(library, m, N, C):
    x, weight, y, mean, inverse = m.normal(N, C), m.normal(C), m.new(N, C), m.new(N), m.new(N)
    library.norm_forward(x, weight, m.normal(C), 1e-3, y, mean, inverse)
    library.norm_backward(x, weight, mean, inverse, m.normal(N, C), m.new(N, C), m.new(C), m.new(C))
    library.norm_forward(x, None, None, 1e-3, m.new(N, C), None, inverse)
    library.norm_backward(x, None, None, inverse, m.normal(N, C), m.new(N, C), None, None)


def softmax(library, m, N, C):
    y = m.new(N, C)
    library.softmax_forward(m.normal(N, C), y)
    library.softmax_backward(y, m.normal(N, C), m.new(N, C))


def cross_entropy(library, m, N, C):
    logits, targets, lse = m.normal(N, C), m.rng.integers(-1, C, N), m.new(N)
    library.cross_entropy_forward(logits, targets, 0.1, m.new(N), lse)
    library.cross_entropy_backward(logits, targets, 0.1, lse, m.normal(N), m.new(N, C))


def activation(library, m, N, C):
    x = m.normal(N * C)
    for kind in range(3):
        library.activation_forward(kind, x, m.new(N * C))
        library.activation_backward(kind, x, m.normal(N * C), m.new(N * C))


def dropout(library, m, N, C):
    library.dropout(m.normal(N * C), m.put(m.rng.random(N * C, dtype=np.float32)), 0.3, m.new(N * C))


def embedding_gradient(library, m, N, C):
    library.embedding_gradient(m.rng.integers(0, 7, N), m.normal(N, C), m.new(7, C))


def convolution(library, m, N, C):
    """N pictures of C channels, 7 × 6 pixels."""
    windows, weight = (2, 1, 1, 0, 1, 2), m.normal(C + 1, C, 3, 2)
    library.conv_forward(m.normal(N, C, 7, 6), weight, m.normal(C + 1), windows, m.new(N, C + 1, 4, 4))
    dy = m.normal(N, C + 1, 4, 4)
    library.conv_input_gradient(dy, weight, windows, m.new(N, C, 7, 6))
    library.conv_weight_gradient(dy, m.normal(N, C, 7, 6), windows, m.new(C + 1, C, 3, 2))


def max_pool(library, m, N, C):
    indices = np.empty((N, C, 4, 4), np.int64)
    library.max_pool_forward(m.normal(N, C, 7, 6), 3, 2, (2, 1, 1, 0, 1, 2), m.new(N, C, 4, 4), indices)
    library.max_pool_backward(m.normal(N, C, 4, 4), indices, m.new(N, C, 7, 6))


def lstm(library, m, N, C):
    gates, weight = m.change(4, N, 4 * C), m.normal(4 * C, C)
    h, c = m.change(5, N, C), m.change(5, N, C)
    library.lstm_forward(gates, weight, None, False, h, c)
    library.lstm_backward(gates, c, weight, None, False, m.normal(4, N, C), m.new(4, N, 4 * C), m.change(N, C),
                          m.change(N, C))


def block_step(library, m, N, C):
    D, F, room = C, C + 3, 5
    for past in (0, room - 1):
        keys, values = m.change(N, 2, room, D), m.change(N, 2, room, D)
        before = keys.copy(), values.copy()
        weights = tuple(m.normal(*shape)
                        for shape in ((2 * D,), (2 * D,), (6 * D, 2 * D), (6 * D,), (2 * D, 2 * D), (2 * D,), (2 * D,),
                                                       (2 * D,), (F, 2 * D), (F,), (2 * D, F), (2 * D,)))
        library.block_step(m.change(N, 2 * D), keys, values, past, weights, 1e-3)
        for array, was in zip((keys, values), before):
            assert np.array_equal(np.delete(array, past, axis=2),
                                  np.delete(was, past, axis=2)), "another place was written"
    library.block_step(m.change(N, 2 * D), keys, values, 0, weights, 1e-3, np.arange(N) % room)
    library.block_step(m.change(N, 2 * D), m.change(N, 2, room, D), m.change(N, 2, room, D), 2,
                       tuple(w if w.ndim == 2 else None for w in weights), 1e-3)


def adamw(library, m, N, C):
    library.adamw([(m.change(n), m.normal(n), m.change(n), m.change(n), 0.1, 0.01, 0.9, 0.99, 1e-8, 0.1, 0.01)
                   for n in (N * C, 3, N)])


def sum_of_squares(library, m, N, C):
    m.new()[...] = library.sum_of_squares([m.normal(N * C), m.normal(3), m.normal(N)])


EVERY = [matmul, attention, norm, softmax, cross_entropy, activation, dropout, embedding_gradient, convolution,
         max_pool, lstm, block_step, adamw, sum_of_squares]
every_kernel = pytest.mark.parametrize("kernel", EVERY, ids=[kernel.__name__ for kernel in EVERY])
# One number; a piece of rows ± 1; widths around the vectors of each instruction set.
SIZES = [(1, 1), (3, 2), (2, 3), (5, 4), (3, 5), (7, 7), (4, 8), (3, 9), (9, 15), (2, 16), (13, 17), (63, 31), (64, 32),
         (65, 33)]


def results(kernel, library, N, C, dtype, shift=0):
    memory = Memory(dtype, shift)
    kernel(library, memory, N, C)
    memory.assert_kept()
    return memory.outputs


def assert_same(got, expected):
    assert all(np.array_equal(a, b) for a, b in zip(got, expected, strict=True))


@every_kernel
@pytest.mark.parametrize("dtype", "fd")
def test_nothing_but_the_outputs_is_written_at_any_address(isa, kernel, dtype):
    for N, C in SIZES:
        expected = results(kernel, isa.library, N, C, dtype)
        for shift in (1, 2, 5):
            assert_same(results(kernel, isa.library, N, C, dtype, shift), expected)


@every_kernel
def test_both_bindings_reach_the_same_kernel(binding, kernel):
    from tinyformer import _native
    assert_same(results(kernel, binding.library, 20, 30, "f"), results(kernel, _native, 20, 30, "f"))


@every_kernel
@pytest.mark.parametrize("N, C", [(0, 0), (0, 5), (5, 0)])
def test_sizes_without_entries(binding, kernel, N, C):
    if kernel is cross_entropy and C == 0:
        with pytest.raises(ValueError, match="a length is negative"):           # a loss needs a class
            binding.library.cross_entropy_forward(np.empty((N, 0), "f"), np.empty(N, np.int64), 0.0, np.empty(N, "f"),
                                                  np.empty(N, "f"))
    elif kernel is norm and C == 0:
        memory = Memory("f")                                                    # a mean of nothing is left alone
        binding.library.norm_forward(memory.new(N, 0), None, None, 1e-3, memory.new(N, 0), None, np.empty(N, "f"))
        memory.assert_kept()
    else:
        results(kernel, binding.library, N, C, "f")


@every_kernel
@pytest.mark.parametrize("dtype", "fd")
def test_the_same_bits_for_any_number_of_threads(isa, kernel, dtype):
    N, C = (150, 40) if kernel is attention else (70, 9) if kernel is convolution else (300, 120)
    isa.library.set_num_threads(1)
    alone = results(kernel, isa.library, N, C, dtype)
    for n in (2, 3, 8):
        isa.library.set_num_threads(n)
        assert_same(results(kernel, isa.library, N, C, dtype), alone)


# ------------------------------------------------------------------------------------------------ NaN and infinities

def with_values(rng, shape, dtype, *values):
    """Normal numbers, each of ``values`` in a row of its own."""
    x = rng.standard_normal(shape).astype(dtype)
    for row, value in enumerate(values):
        x[2 * row, rng.integers(shape[1])] = value
    return x


@pytest.mark.parametrize("dtype", "fd")
@pytest.mark.parametrize("name, more", [
    ("layer_norm", (None, None, 1e-5)), ("rms_norm", (None, 1e-5)), ("softmax", ()), ("gelu", ()), ("gelu_tanh", ()),
    ("silu", ()), ("cross_entropy", (np.arange(12) % 5, 0.0)), ("cross_entropy", (np.arange(12) % 5, 0.1)),
    ("linear", (np.ones((3, 19)), np.ones(3))),
    ("dropout", (np.linspace(0, 0.99, 12 * 19, dtype="f").reshape(12, 19), 0.5))])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_nan_and_infinities_come_out_where_the_reference_has_them(isa, rng, name, more, dtype):
    x = with_values(rng, (12, 19), dtype, np.nan, np.inf, -np.inf, 0.0, 1e30, -1e30)
    if name == "softmax":
        x[11] = -np.inf
    more = [m.astype(dtype) if isinstance(m, np.ndarray) and m.dtype == np.float64 else m for m in more]
    got, expected = getattr(isa, name)(x, *more), getattr(reference, name)(x, *more)
    if isinstance(got, tuple):
        dy = with_values(rng, got[0].shape, dtype, 1, 1, 1, np.nan,
                         np.inf) if got[0].ndim == 2 else np.ones_like(got[0])
        gradients, wanted = (back[1](dy) for back in (got, expected))
        pairs = [(got[0], expected[0]),
                 *(zip(gradients, wanted) if isinstance(wanted, tuple) else [(gradients, wanted)])]
    else:
        pairs = [(got, expected)]
    for a, b in pairs:
        if b is not None:
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_nan_and_infinities_in_what_is_summed_or_moved(isa, rng):
    dy = with_values(rng, (12, 19), "f", np.nan, np.inf, -np.inf)
    places = np.arange(12) % 5
    got, expected = isa.embedding_gradient(places, dy, 6), reference.embedding_gradient(places, dy, 6)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    for value in (np.nan, np.inf):
        assert np.isnan(isa.sum_of_squares([np.array([1, value], "f")])) == np.isnan(value)

    def moved(module):
        theta, m, v = (np.full(20, 0.5, "f") for _ in range(3))
        module.adamw([(theta, dy.reshape(-1)[:20].copy(), m, v, 0.1, 0.01, 0.9, 0.99, 1e-8, 0.1, 0.01)])
        return theta, m, v

    for got, expected in zip(moved(isa), moved(reference)):
        np.testing.assert_allclose(got, expected, rtol=1e-4)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_infinite_scores(isa, rng):
    q, k, v = rng.standard_normal((3, 1, 1, 30, 8)).astype("f")
    q[0, 0, 3], k[0, 0, 7, 0] = np.nan, np.inf
    got, expected = isa.attention(q, k, v)[0], reference.attention(q, k, v)[0]
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5, equal_nan=True)
    assert np.isnan(got[0, 0, 3]).all() and not np.isnan(got).all()             # a score of −inf only hides a key


# ------------------------------------------------------------------------------------------------ the environment

def test_the_environment_chooses_the_instruction_set(isa):
    code = ("import numpy as np; from tinyformer.kernels import native; a = "
            "np.random.default_rng(0).standard_normal((40, 50)); "
            "print(native.library.isa(), native.matmul(a, a.T).tobytes().hex())")
    name, a = isa.library.isa(), np.random.default_rng(0).standard_normal((40, 50))
    out = subprocess.run([sys.executable, "-c", code], env={**os.environ, "TINYFORMER_ISA": name}, text=True,
                         capture_output=True,
                         check=True).stdout
    assert out.split() == [name, isa.matmul(a, a.T).tobytes().hex()]
