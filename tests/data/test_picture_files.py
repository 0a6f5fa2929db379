"""A PNG file becomes pixels as the training pictures have them."""

import numpy as np
import pytest
from matplotlib.image import imsave

from tinyformer.data import read_picture


def stroke():
    """A slanted stroke with gray edges, centered, light on dark."""
    picture = np.zeros((28, 28))
    for row in range(4, 24):
        picture[row, 9 + row // 4:12 + row // 4] = (0.5, 1.0, 0.6)
    return picture


def test_a_picture_of_the_right_size_stays(tmp_path):
    imsave(tmp_path / "a.png", stroke(), cmap="gray", vmin=0, vmax=1)
    pixels, notes = read_picture(tmp_path / "a.png")
    assert pixels.dtype == np.float32 and np.abs(pixels - stroke()).max() < 0.005
    assert notes == ["light on dark, as the training pictures are"]


def test_dark_on_light_is_found_out_and_said(tmp_path):
    imsave(tmp_path / "a.png", 1 - stroke(), cmap="gray", vmin=0, vmax=1)
    pixels, notes = read_picture(tmp_path / "a.png")
    assert np.abs(pixels - stroke()).max() < 0.005
    assert notes == ["dark on light, so black and white were exchanged"]


@pytest.mark.parametrize("dark", [False, True])
def test_other_sizes_are_brought_to_the_size_and_place_of_the_training_pictures(tmp_path, dark):
    large = np.pad(np.kron(stroke(), np.ones((5, 5))), ((30, 3), (2, 90)))
    imsave(tmp_path / "a.png", 1 - large if dark else large, cmap="gray", vmin=0, vmax=1)
    pixels, notes = read_picture(tmp_path / "a.png")
    assert pixels.shape == (28, 28) and np.abs(pixels - stroke()).mean() < 0.03 and pixels.max() == 1
    assert notes[1] == "232 × 173 pixels, so the ink was cut out and scaled to 28 × 28"
    small, _ = read_picture(tmp_path / "a.png", side=14)
    assert small.shape == (14, 14) and np.flatnonzero(small.any(axis=1)).size == 10       # 20/28 of the side


def test_colors_become_gray_and_transparency_paper(tmp_path):
    rgba = np.zeros((28, 28, 4))
    rgba[..., 0], rgba[..., 3] = 0.2, stroke()                                  # dark red on nothing
    imsave(tmp_path / "a.png", rgba)
    pixels, notes = read_picture(tmp_path / "a.png")
    assert notes[0].startswith("dark on light") and np.abs(pixels - 0.94 * stroke()).max() < 0.01


@pytest.mark.parametrize("shade, ink", [(1.0, 1.0), (0.9, 0.9), (0.0, 1.0)])
def test_ink_on_transparent_paper_shows_whatever_its_brightness(tmp_path, shade, ink):
    rgba = np.full((28, 28, 4), shade)
    rgba[..., 3] = stroke()
    imsave(tmp_path / "a.png", rgba)
    assert np.abs(read_picture(tmp_path / "a.png")[0] - ink * stroke()).max() < 0.01


def test_a_light_card_with_transparent_corners_is_dark_on_light(tmp_path):
    rgba = np.stack([1 - stroke()] * 3 + [np.ones((28, 28))], axis=-1)
    rgba[:2, :2, 3] = 0
    imsave(tmp_path / "a.png", rgba)
    assert np.abs(read_picture(tmp_path / "a.png")[0] - stroke()).max() < 0.01


@pytest.mark.parametrize("content, message", [
    (b"BM not a picture", "a.png: not a PNG picture"), (b"\x89PNG\r\n\x1a\n broken", "a.png: the picture is damaged")])
def test_what_is_no_picture_is_refused(tmp_path, content, message):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_picture(tmp_path / "a.png")


@pytest.mark.parametrize("shade", [0.0, 0.4, 1.0])
def test_a_picture_without_ink_is_refused(tmp_path, shade):
    imsave(tmp_path / "a.png", np.full((28, 28), shade), cmap="gray", vmin=0, vmax=1)
    with pytest.raises(ValueError, match="a.png: the picture shows nothing"):
        read_picture(tmp_path / "a.png")


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing.png: no such file; expected a PNG picture"):
        read_picture(tmp_path / "nothing.png")
