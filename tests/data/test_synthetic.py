import numpy as np
import pytest

import tinyformer as tfm
from tinyformer.data import synthetic

TASKS = ("xor", "spirals", "gaussians", "digits", "copy", "reverse", "sort", "add")


@pytest.mark.parametrize("task", TASKS)
def test_the_same_generator_gives_the_same_examples(task):
    make = getattr(synthetic, task)
    for one, other in zip(make(50, 3), make(50, np.random.default_rng(3))):
        np.testing.assert_array_equal(one, other)
        assert len(one) == 50
    assert not np.array_equal(make(50, 3)[0], make(50, 4)[0])
    tfm.seed(5)
    first = make(50)[0]
    tfm.seed(5)
    np.testing.assert_array_equal(first, make(50)[0])
    assert all(len(part) == 0 for part in make(0, 1))


def test_digits_are_pictures_of_what_their_labels_say():
    x, y = synthetic.digits(400, 0, noise=0)
    assert x.shape == (400, 784) and x.dtype == np.float32 and y.dtype == np.int64 and set(y) == set(range(10))
    assert set(np.unique(x)) == {0, 1}
    for picture, digit in zip(x.reshape(-1, 28, 28), y):
        ink = picture[picture.any(axis=1)][:, picture.any(axis=0)]                  # the glyph alone
        rows = ink[ink.shape[0] // 10::ink.shape[0] // 5][:5]
        dots = rows[:, ink.shape[1] // 6::ink.shape[1] // 3][:, :3]
        assert "".join(str(int(dot)) for dot in dots.ravel()) == synthetic.FONT[digit]
    noisy, _ = synthetic.digits(400, 0, noise=0.2)
    assert (noisy - x).std() == pytest.approx(0.2, rel=0.01)


def test_gaussians():
    x, y = synthetic.gaussians(4000, 0, modes=6, radius=3, noise=0.2)
    assert x.dtype == np.float32 and x.shape == (4000, 2) and set(y) == set(range(6))
    centers = np.stack([x[y == k].mean(axis=0) for k in range(6)])
    angle = np.pi / 3 * np.arange(6)
    np.testing.assert_allclose(centers, 3 * np.stack([np.cos(angle), np.sin(angle)], axis=1), atol=0.05)
    assert (x - centers[y]).std() == pytest.approx(0.2, rel=0.05)


def test_xor():
    x, y = synthetic.xor(2000, 0)
    assert x.dtype == np.float32 and x.shape == (2000, 2) and y.dtype == np.int64
    high = x > 0.5
    assert (y == (high[:, 0] != high[:, 1])).all()
    assert 0.45 < y.mean() < 0.55
    fit = np.linalg.lstsq(np.c_[x, np.ones(2000)], y, rcond=None)[0]           # the best line knows nothing
    assert np.abs(fit[:2]).max() < 0.1


@pytest.mark.parametrize("arms", [2, 3])
def test_spirals_turn_back_into_their_arms(arms):
    x, y = synthetic.spirals(2000, 0, arms=arms, turns=1.5, noise=0)
    radius, angle = np.hypot(*x.T), np.arctan2(x[:, 1], x[:, 0])
    place = (angle / (2 * np.pi) - 1.5 * radius) * arms
    np.testing.assert_array_equal(np.rint(place) % arms, y)
    assert x.dtype == np.float32 and radius.max() <= 1 + 1e-6
    assert abs((radius < np.sqrt(0.5)).mean() - 0.5) < 0.05                     # half of the points on half of the area
    noisy, _ = synthetic.spirals(2000, 0, arms=arms, turns=1.5, noise=0.1)
    assert 0.08 < (noisy - x).std() < 0.12


def test_sequences():
    x, y = synthetic.copy(100, 0, length=7, symbols=4)
    assert x.shape == (100, 7) and x.dtype == np.int64 and set(x.ravel().tolist()) == {0, 1, 2, 3}
    np.testing.assert_array_equal(x, y)
    assert not np.shares_memory(x, y)
    for task in (synthetic.reverse, synthetic.sort):
        same, y = task(100, 0, length=7, symbols=4)
        np.testing.assert_array_equal(same, x)
        for row, answer in zip(x.tolist(), y.tolist()):
            assert answer == (row[::-1] if task is synthetic.reverse else sorted(row))


def test_add():
    x, y = synthetic.add(300, 0, digits=3)
    assert x.shape == (300, 7) and y.shape == (300, 4)
    for row, answer in zip(x.tolist(), y.tolist()):
        a, b = "".join(map(str, row[:3])), "".join(map(str, row[4:]))
        assert row[3] == synthetic.PLUS
        assert int("".join(map(str, answer[::-1]))) == int(a) + int(b)
    assert x[:, 0].max() == 9 and y[:, 3].max() == 1
