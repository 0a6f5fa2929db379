"""What pictures share: colors, names on axes, and writing the file."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..files import replace_file

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

# Distinct for color-blind readers (Okabe and Ito).
BLUE, ORANGE, GRAY, GREEN = "#0072B2", "#D55E00", "#6b6b6b", "#009E73"
SERIES = (BLUE, ORANGE, GREEN, "#CC79A7", "#56B4E9", "#E69F00", "#000000")


def new_figure(width: float, height: float) -> Figure:
    """A matplotlib figure of ``width`` × ``height`` inches, made without pyplot.

    It needs no window system, and leaves no state that a notebook's own plots would see.
    """
    from matplotlib.figure import Figure
    return Figure(figsize=(width, height), layout="constrained")


def label_axis(axis: Axis, drawn: Sequence[tuple[str, str | None]], turned: float = 0, step: int = 1) -> None:
    """Write the names ``drawn``, as ``fonts.labels`` returns them, at 0, 1, … on ``axis``; every ``step``-th one.

    Names of several characters are turned by ``turned`` degrees.
    """
    from matplotlib.font_manager import FontProperties
    axis.set_ticks(range(0, len(drawn), step), [text for text, _ in drawn[::step]])
    for tick, (text, font) in zip(axis.get_ticklabels(), drawn[::step]):
        tick.set_parse_math(False)                          # a $ is a $
        tick.set_rotation(turned if len(text) > 1 else 0)
        if font is not None:
            tick.set_fontproperties(FontProperties(fname=font, size=tick.get_fontsize()))


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write ``figure`` into the PNG file ``path``, whole or not at all.

    Raises ValueError if the name does not end in .png.
    """
    if Path(path).suffix.lower() != ".png":
        raise ValueError(f"{path}: a picture is a PNG file, expected a name that ends in .png")
    replace_file(path, png(figure))


def png(figure: Figure) -> bytes:
    """The bytes of ``figure`` as a PNG file."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    return picture.getvalue()
