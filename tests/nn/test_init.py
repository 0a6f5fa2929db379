import math

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer.nn import init


def uniform_within(array, bound):
    """The entries fill ±bound evenly: mean, variance bound²/3 and extremes, each within five standard errors."""
    n = array.size
    assert abs(array.mean()) < 5 * bound / math.sqrt(3 * n)
    assert array.var() == pytest.approx(bound ** 2 / 3, rel=5 * math.sqrt(0.8 / n))
    assert np.abs(array).max() <= bound * (1 + 1e-6) and np.abs(array).max() > bound * (1 - 20 / n)


def normal_with(array, std):
    """Mean, variance and the fourth moment of a normal distribution, each within five standard errors."""
    n = array.size
    assert abs(array.mean()) < 5 * std / math.sqrt(n)
    assert array.var() == pytest.approx(std ** 2, rel=5 * math.sqrt(2 / n))
    assert np.mean(array ** 4) == pytest.approx(3 * std ** 4, rel=5 * math.sqrt(96 / 9 / n))


@pytest.mark.parametrize("name, options, bound", [
    ("uniform_", {"a": -0.3, "b": 0.3}, 0.3),
    ("xavier_uniform_", {}, math.sqrt(6 / 500)), ("xavier_uniform_", {"gain": 2.0}, 2 * math.sqrt(6 / 500)),
    ("kaiming_uniform_", {}, math.sqrt(6 / 100)), ("kaiming_uniform_", {"a": math.sqrt(5)}, 0.1),
    ("kaiming_uniform_", {"mode": "fan_out"}, math.sqrt(6 / 400))])
def test_uniform_rules(name, options, bound):
    w = tfm.tensor(np.full((400, 100), np.nan, np.float32))
    assert getattr(init, name)(w, **options) is w and w.dtype == np.float32
    uniform_within(w.data, bound)


@pytest.mark.parametrize("name, options, std", [
    ("normal_", {}, 1), ("normal_", {"std": 0.02}, 0.02), ("xavier_normal_", {}, math.sqrt(2 / 500)),
    ("kaiming_normal_", {}, math.sqrt(2 / 100)),
    ("kaiming_normal_", {"a": 1.0, "mode": "fan_out"}, math.sqrt(1 / 400))])
def test_normal_rules(name, options, std):
    w = tfm.tensor(np.full((400, 100), np.nan, np.float32))
    normal_with(getattr(init, name)(w, **options).data, std)


def test_constants():
    w = tfm.tensor(np.full((2, 3), np.nan, np.float32))
    for fill, value in ((init.ones_, 1), (init.zeros_, 0), (lambda w: init.constant_(w, 2.5), 2.5)):
        np.testing.assert_array_equal(fill(w).data, np.full((2, 3), value))


def test_the_generator_decides():
    def draw(rng=None):
        return init.normal_(tfm.tensor(np.zeros(5)), rng=rng).data

    tfm.seed(3)
    a, b = draw(), draw()
    assert (a != b).all()
    tfm.seed(3)
    np.testing.assert_array_equal(draw(), a)
    np.testing.assert_array_equal(draw(rng=4), draw(rng=np.random.default_rng(4)))


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"shape \(3,\) has no fan-in"):
        init.xavier_uniform_(tfm.tensor(np.zeros(3)))
    with pytest.raises(ValueError, match="mode is 'fan', expected 'fan_in' or 'fan_out'"):
        init.kaiming_normal_(tfm.tensor(np.zeros((3, 2))), mode="fan")
    assert init.fans(tfm.tensor(np.zeros((4, 3, 5)))) == (15, 20)
