"""The compiled convolution and max pooling against their NumPy twins: sizes, windows, groups, instruction sets,
threads."""

from __future__ import annotations

import numpy as np
import pytest

from tinyformer.kernels import compiled, reference
from tinyformer.kernels.convolution import Windows

TOLERANCE = {"f": 3e-5, "d": 1e-12}

# (N, C, H, W), (O, kh, kw), stride, padding, dilation, groups. LeNet's two; more and fewer channels than a tile has
# rows; strides that leave pixels out, that skip whole planes, and that do not; one window; more than 16 pictures.
CASES = [((3, 1, 28, 28), (6, 5, 5), (1, 1), (2, 2), (1, 1), 1),
         ((2, 6, 14, 14), (16, 5, 5), (1, 1), (0, 0), (1, 1), 1),
         ((2, 15, 9, 8), (33, 3, 3), (1, 1), (1, 1), (1, 1), 1), ((2, 8, 9, 9), (8, 3, 3), (2, 2), (1, 1), (1, 1), 8),
         ((1, 4, 11, 13), (6, 2, 3), (3, 4), (2, 0), (1, 1), 2), ((2, 3, 12, 10), (5, 3, 2), (2, 3), (3, 2), (2, 3), 1),
         ((2, 3, 5, 4), (7, 5, 4), (1, 1), (0, 0), (1, 1), 1), ((37, 2, 6, 6), (3, 1, 1), (1, 1), (0, 0), (1, 1), 1),
         ((2, 2, 7, 7), (70, 2, 2), (5, 5), (1, 1), (3, 3), 1), ((1, 2, 1, 40), (3, 1, 7), (1, 2), (0, 3), (1, 1), 1)]


@pytest.fixture(autouse=True)
def all_sizes_are_compiled(monkeypatch):
    monkeypatch.setattr(compiled, "FEW_WINDOWS", 0)


def draw(rng, case, dtype):
    (N, C, H, W), (O, *kernel), stride, padding, dilation, groups = case
    out = tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, p, d, k, s in zip((H, W), padding, dilation, kernel,
                                                                              stride))
    shapes = (N, C, H, W), (O, C // groups, *kernel), (O,), (N, O, *out)
    return [rng.standard_normal(s).astype(dtype) for s in shapes], Windows(stride, padding, dilation, groups), out


def products(module, x, weight, bias, dy, windows):
    return (module.conv2d(x, weight, windows, dy.shape[2:], bias),
            module.conv2d_input_gradient(dy, weight, windows, x.shape[2:]),
            module.conv2d_weight_gradient(dy, x, windows, weight.shape[2:]))


def assert_twins(module, rng, case, dtype):
    arrays, windows, _ = draw(rng, case, dtype)
    expected = products(reference, *(a.astype("d") for a in arrays), windows)
    for what, got, want in zip(("y", "dx", "dW"), products(module, *arrays, windows), expected):
        assert got.shape == want.shape and got.dtype == dtype, what
        np.testing.assert_allclose(got, want, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * np.abs(want).max(),
                                   err_msg=what)


@pytest.mark.parametrize("dtype", "fd")
@pytest.mark.parametrize("case", CASES)
def test_every_instruction_set(isa, rng, case, dtype):
    assert_twins(isa, rng, case, dtype)


@pytest.mark.parametrize("case", CASES[:5])
def test_both_bindings(binding, rng, case):
    assert_twins(binding, rng, case, "f")


@pytest.mark.parametrize("case", CASES)
def test_max_pooling_is_the_reference_to_the_bit(isa, rng, case):
    """With ties, NaN and windows that meet no pixel."""
    for dtype in "fd":
        (x, weight, *_), windows, out = draw(rng, case, dtype)
        x, kernel = np.where(rng.random(x.shape) < 0.05, np.nan, np.round(x)).astype(dtype), weight.shape[2:]
        got, want = isa.max_pool2d(x, kernel, windows, out), reference.max_pool2d(x, kernel, windows, out)
        for one, other in zip(got, want):
            np.testing.assert_array_equal(one, other)
        dy = rng.integers(-3, 4, got[0].shape).astype(dtype)                    # sums without rounding
        np.testing.assert_array_equal(isa.max_pool2d_gradient(dy, got[1], x.shape[2:]),
                                      reference.max_pool2d_gradient(dy, want[1], x.shape[2:]))


@pytest.mark.parametrize("case", [((70, 6, 14, 14), (16, 5, 5), (1, 1), (0, 0), (1, 1), 1),
                                  ((33, 4, 20, 20), (6, 3, 3), (2, 2), (1, 1), (1, 1), 2)])
def test_the_same_bits_for_any_number_of_threads(binding, rng, case):
    arrays, windows, _ = draw(rng, case, "f")
    binding.library.set_num_threads(1)
    alone = products(binding, *arrays, windows)
    for n in (2, 3, 5, 16):
        binding.library.set_num_threads(n)
        for got, want in zip(products(binding, *arrays, windows), alone):
            assert np.array_equal(got, want)


def test_a_picture_does_not_depend_on_its_neighbors(binding, rng):
    (x, weight, bias, dy), windows, _ = draw(rng, CASES[1], "f")
    y, dx, _ = products(binding, x, weight, bias, dy, windows)
    y_alone, dx_alone, _ = products(binding, x[1:], weight, bias, dy[1:], windows)
    assert np.array_equal(y[1:], y_alone) and np.array_equal(dx[1:], dx_alone)


def test_pictures_without_pixels(binding):
    windows = Windows((1, 1), (2, 2), (1, 1))
    for shape in ((0, 2, 5, 5), (2, 2, 0, 5)):
        x, weight, out = np.ones(shape, "f"), np.ones((3, 2, 2, 2), "f"), (shape[2] + 3, shape[3] + 3)
        dy = np.ones((shape[0], 3, *out), "f")
        for got, want in zip(products(binding, x, weight, np.ones(3, "f"), dy, windows),
                             products(reference, x, weight, np.ones(3, "f"), dy, windows)):
            np.testing.assert_array_equal(got, want)


def test_wrong_numbers_are_refused(binding):
    x, weight, y = np.ones((1, 2, 4, 4), "f"), np.ones((3, 2, 2, 2), "f"), np.ones((1, 3, 3, 3), "f")
    for windows in ((0, 1, 0, 0, 1, 1), (1, 1, -1, 0, 1, 1), (1, 1, 0, 0, 1, 0)):
        with pytest.raises(ValueError, match="conv: an argument is out of range"):
            binding.library.conv_forward(x, weight, None, windows, y)
    with pytest.raises(ValueError, match="windows six numbers"):
        binding.library.conv_forward(x, weight, None, (1, 1, 0, 0), y)
    with pytest.raises(ValueError, match="different numbers of pictures"):
        binding.library.conv_forward(np.ones((2, 2, 4, 4), "f"), weight, None, (1, 1, 0, 0, 1, 1), y)
    with pytest.raises(ValueError, match="max_pool: an argument is out of range"):
        binding.library.max_pool_backward(x, np.full((1, 2, 4, 4), 16), x.copy())
