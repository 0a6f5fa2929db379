"""What pictures share: colours, and the way to the disk."""

from __future__ import annotations

import io
from pathlib import Path

from ..files import replace_file

BLUE, ORANGE, GREY, GREEN = "#0072B2", "#D55E00", "#6b6b6b", "#009E73"     # told apart by the colour-blind too (Okabe and Ito)
SERIES = (BLUE, ORANGE, GREEN, "#CC79A7", "#56B4E9", "#E69F00", "#000000")


def new_figure(width, height):
    """A figure of ``width`` × ``height`` inches by the object-oriented interface: no window system is asked for, and no state
    is left for a notebook's own plots."""
    from matplotlib.figure import Figure
    return Figure(figsize=(width, height), layout="constrained")


def save_figure(figure, path):
    """Write ``figure`` into the PNG file ``path``, whole or not at all."""
    if Path(path).suffix.lower() != ".png":
        raise ValueError(f"{path}: a picture is a PNG file, expected a name that ends in .png")
    replace_file(path, png(figure))


def png(figure):
    """The bytes of ``figure`` as a PNG file."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    return picture.getvalue()
