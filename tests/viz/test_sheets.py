"""Sheets of pictures: where each picture lies, and a PNG file that other programs read."""

from __future__ import annotations

import numpy as np
import pytest

from tinyformer.viz import draw_pictures, picture_sheet
from tinyformer.viz.sheets import gray_png


@pytest.mark.parametrize("shape", ((5, 3, 4), (5, 1, 3, 4)))
def test_each_picture_lies_in_its_row_and_column(rng, shape):
    pictures = rng.random(shape)
    sheet = picture_sheet(pictures, columns=2)
    assert sheet.shape == (3 * 5 + 2, 2 * 6 + 2) and sheet.dtype == np.uint8
    for i, picture in enumerate(pictures.reshape(5, 3, 4)):
        top, left = 2 + i // 2 * 5, 2 + i % 2 * 6
        np.testing.assert_array_equal(sheet[top:top + 3, left:left + 4], np.round(255 * picture))
    assert (sheet[:2] == 128).all() and (sheet[-5:, -6:] == 128).all()          # the gaps, and the place of a sixth


def test_the_sheet_is_about_square_and_values_are_cut():
    assert picture_sheet(np.zeros((9, 2, 2))).shape == (14, 14)
    assert picture_sheet([[[-1.0, 2.0]]])[2, 2:4].tolist() == [0, 255]


def test_other_programs_read_the_file(tmp_path, rng):
    from matplotlib.image import imread
    pictures = rng.random((3, 1, 5, 7))
    draw_pictures(pictures, tmp_path / "sheet.png", columns=3, scale=2)
    read = imread(tmp_path / "sheet.png")
    expected = picture_sheet(pictures, 3)
    assert read.shape == (2 * expected.shape[0], 2 * expected.shape[1])
    np.testing.assert_allclose(read[::2, ::2] * 255, expected, atol=0.01)
    np.testing.assert_array_equal(read[::2, ::2], read[1::2, 1::2])
    assert gray_png(expected).startswith(b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize("pictures, message", (
    (np.zeros((2, 3)), r"shape \(2, 3\), expected \(N, 1, height, width\)"), (np.zeros((2, 3, 4, 4)), "expected"),
    (np.zeros((0, 4, 4)), "not empty"), (np.full((1, 2, 2), np.nan), "not finite")))
def test_bad_pictures(pictures, message):
    with pytest.raises(ValueError, match=f"picture_sheet: .*{message}"):
        picture_sheet(pictures)


def test_bad_files(tmp_path):
    with pytest.raises(ValueError, match="expected a name that ends in .png"):
        draw_pictures(np.zeros((1, 2, 2)), tmp_path / "sheet.gif")
    with pytest.raises(ValueError, match="columns is 0"):
        draw_pictures(np.zeros((1, 2, 2)), tmp_path / "sheet.png", columns=0)
    assert not list(tmp_path.iterdir())
