"""Captions say what is in the picture, as measured from its pixels."""

from __future__ import annotations

import numpy as np
import pytest

from tinyformer.data.captions import (DIGITS, PLACES, PLAIN, SIZES, SLANTS, STROKES, WORDS, Attributes, attributes,
                                      captions, held_out, measured, placed)


def bar(width=4, slope=0.0, height=20, down=0, right=0):
    """A bar whose upper end leans to the right by ``slope`` pixels a row."""
    picture = np.zeros((28, 28))
    for i in range(height):
        row = 14 - height // 2 + i + down
        left = round(14 + right - width / 2 - slope * (i - height / 2))
        picture[row, left:left + width] = 1
    return picture.reshape(1, -1)


def said(x):
    found = attributes(x)
    return (SIZES[found.size[0]], STROKES[found.stroke[0]], SLANTS[found.slant[0]], PLACES[found.place[0]])


@pytest.mark.parametrize("options, expected", [
    ({}, ("large", "thick", "upright", "in the middle")),
    ({"width": 1}, ("large", "thin", "upright", "in the middle")),
    ({"slope": 0.5}, ("large", "thick", "leaning right", "in the middle")),
    ({"slope": -0.5}, ("large", "thick", "leaning left", "in the middle")),
    ({"height": 10}, ("small", "thick", "upright", "in the middle")),
    ({"height": 10, "down": -5, "right": 6}, ("small", "thick", "upright", "at the top right")),
    ({"height": 10, "down": 5, "right": -6}, ("small", "thick", "upright", "at the bottom left")),
    ({"right": -6}, ("large", "thick", "upright", "on the left"))])
def test_attributes_of_bars(options, expected):
    assert said(bar(**options)) == expected


def test_the_width_of_a_line_is_measured():
    for width in (2, 4, 6):
        assert measured(bar(width, height=26))["stroke"][0] == pytest.approx(width, rel=0.2)


def test_an_empty_picture_has_finite_attributes():
    assert all(np.isfinite(value).all() for value in measured(np.zeros((2, 784))).values())


def test_placed_digits_differ_and_stay_inside(rng):
    x = np.repeat(bar(), 300, axis=0).astype("f")
    moved = placed(x, rng)
    assert moved.dtype == np.float32 and moved.sum(axis=1).min() > 0.25 * x[0].sum()
    found = attributes(moved)
    assert set(found.size) == {0, 1} and set(found.place) == set(range(9))


def test_full_captions_name_all_attributes_and_training_leaves_some_out(rng):
    found = Attributes(*(np.zeros(400, int) + i for i in (0, 1, 2, 4)))
    digits = np.full(400, 7)
    assert set(captions(digits, found)) == {"a small thick seven, leaning right, in the middle"}
    drawn = captions(digits, found, rng)
    assert 0.06 < np.mean([text == "the digit seven" for text in drawn]) < 0.2
    assert "a seven" in drawn and "a thick seven, in the middle" in drawn
    assert all("seven" in text for text in drawn)


def test_every_word_is_in_the_vocabulary():
    everything = " ".join([*PLAIN, *SIZES, *STROKES, *SLANTS, *PLACES, "a ,"]).split()
    assert set(everything) <= set(WORDS) and len(set(WORDS)) == len(WORDS) and len(PLAIN) == len(DIGITS) == 10


def test_each_digit_is_held_out_in_one_corner():
    place = np.arange(9)
    found = Attributes(*(np.zeros(9, int),) * 3, place)
    for digit in range(10):
        held = held_out(np.full(9, digit), found)
        assert held.sum() == 1 and PLACES[int(held.argmax())].count(" ") == 3   # "at the top left"
