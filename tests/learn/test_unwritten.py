"""Entries that an answer never writes: the check must refuse them, whatever the memory holds."""

import numpy as np
import pytest

from tinyformer.learn import EXERCISES, grade
from tinyformer.sandbox import unwritten_is_nan

ROLLOUT, MAX_POOL, PROTOTYPE = (EXERCISES[name] for name in ("rollout", "max_pool", "prototype"))


def lucky(weights):
    """Never writes the result: NumPy hands out the memory of the array that was freed last."""
    right = ROLLOUT.function(weights)
    shape = right.shape
    del right
    return np.empty(shape)                                  # the line that it must name


def test_the_right_numbers_in_freed_memory_are_not_an_answer():
    weights = ROLLOUT.draw()[0]
    assert np.array_equal(lucky(weights), ROLLOUT.function(weights))    # else this test could not fail
    verdict = grade(ROLLOUT, lucky)
    assert verdict.code == "forward" and "nan at [0, 0]" in verdict.message
    assert "return np.empty(shape)" in verdict.message and "every entry" in verdict.hint


@pytest.mark.parametrize("allocate", (lambda x: np.empty(x.shape), lambda x: np.empty_like(x)))
def test_a_gradient_with_an_unwritten_part(allocate):
    def max_pool(x):
        y, vjp = MAX_POOL.function(x)

        def partly(dy):
            right, dx = vjp(dy), allocate(x)
            dx[right != 0] = right[right != 0]
            return dx
        return y, partly
    verdict = grade(MAX_POOL, max_pool)
    assert verdict.code == "nonfinite" and "An array of np.empty has arbitrary entries" in verdict.message


def test_indices_that_are_not_written():
    def prototype(z, y):
        order = np.empty(len(y), int)
        order[1:] = np.arange(1, len(y))
        return PROTOTYPE.function(z[order], y)
    verdict = grade(PROTOTYPE, prototype)
    assert not verdict.ok and "order = np.empty(len(y), int)" in verdict.message


def test_an_array_that_is_written_everywhere_passes():
    def rollout(weights):
        flow = np.empty(weights.shape[2:])
        flow[...] = ROLLOUT.function(weights)
        return flow
    assert grade(ROLLOUT, rollout).ok


def test_nan_of_another_origin_is_not_explained_by_empty():
    verdict = grade(ROLLOUT, lambda weights: np.log(-ROLLOUT.function(weights)))
    assert not verdict.ok and "np.empty" not in verdict.message


def test_numpy_is_as_before():
    before = np.empty, np.empty_like
    with pytest.raises(ZeroDivisionError), unwritten_is_nan() as lines:
        assert np.isnan(np.empty(3)).all() and np.isnan(np.empty_like([1.0], dtype=complex)).all()
        assert np.empty(2, np.int8).tolist() == [127, 127] and np.empty(2, bool).shape == (2,)
        assert len(lines) == 2
        raise ZeroDivisionError
    assert (np.empty, np.empty_like) == before
