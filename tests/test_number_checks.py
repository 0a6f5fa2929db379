"""The checks of numeric options: what they accept, what they refuse, and in which words."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from tinyformer.number_checks import check_fraction, check_integer, check_number

NO_NUMBERS = [True, False, np.True_, "3", None, [1], (1.0,), 1j, np.ones(1), np.array(1.0), object()]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: type(value).__name__)
def test_what_is_no_number_is_a_type_error(value):
    for check in (check_integer, check_number, check_fraction):
        with pytest.raises(TypeError, match=r"Layer: size is .*, expected "):
            check("Layer", "size", value)


@pytest.mark.parametrize("value", [1.0, 1.5, math.nan, np.float32(2), Fraction(1, 2)])
def test_fractions_are_no_integers(value):
    with pytest.raises(TypeError, match="Layer: size is .*, expected an integer of at least 1"):
        check_integer("Layer", "size", value, at_least=1)


@pytest.mark.parametrize("check, value, expected", [
    (lambda v: check_integer("Layer", "x", v, at_least=1), 0, "an integer of at least 1"),
    (lambda v: check_integer("Layer", "x", v, at_most=3), 4, "an integer of at most 3"),
    (lambda v: check_integer("Layer", "x", v, -2, 1), 2, "an integer from -2 to 1"),
    (lambda v: check_number("Layer", "x", v), math.inf, "a finite number"),
    (lambda v: check_number("Layer", "x", v), -10 ** 400, "a finite number"),
    (lambda v: check_number("Layer", "x", v, finite=False), math.nan, "a number"),
    (lambda v: check_number("Layer", "x", v, at_least=0), -1e-300, "a finite number of at least 0"),
    (lambda v: check_number("Layer", "x", v, above=0), 0, "a finite number above 0"),
    (lambda v: check_number("Layer", "x", v, above=0, at_most=0.5), 0.6, "a finite number above 0 and at most 0.5"),
    (lambda v: check_number("Layer", "x", v, at_least=0, below=1), 1.0, "a finite number of at least 0 and below 1"),
    (lambda v: check_fraction("Layer", "x", v), 1.5, "0 ≤ x ≤ 1"),
    (lambda v: check_fraction("Layer", "x", v), math.nan, "0 ≤ x ≤ 1"),
    (lambda v: check_fraction("Layer", "x", v), -math.inf, "0 ≤ x ≤ 1"),
])
def test_what_is_out_of_range_is_a_value_error(check, value, expected):
    with pytest.raises(ValueError) as error:
        check(value)
    assert str(error.value) == f"Layer: x is {value!r}, expected {expected}"


def test_the_number_comes_back_as_one_of_pythons():
    class Layer:
        pass

    for value in (3, np.int64(3), np.uint8(3)):
        assert type(check_integer(Layer(), "size", value, 1, 3)) is int
    for value in (0.5, 1, np.float32(0.5), np.int64(1), Fraction(1, 2)):
        assert type(check_number(Layer(), "eps", value, above=0, at_most=1)) is float
        assert type(check_fraction(Layer(), "p", value)) is float
    assert check_number("Layer", "threshold", math.inf, finite=False) == math.inf
    with pytest.raises(ValueError, match="^Layer: p is 2, expected"):
        check_fraction(Layer(), "p", 2)
