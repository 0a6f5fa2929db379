"""A picture file as the pixels that a classifier of digits reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..number_checks import check_integer

if TYPE_CHECKING:
    from numpy.typing import NDArray

INK = 0.1               # pixels above this, of 1, belong to the digit


def read_picture(path: str | Path, side: int = 28) -> tuple[NDArray[np.float32], list[str]]:
    """The PNG file ``path`` as (pixels, notes): pixels (side, side) with ink 1 on paper 0, and what was done to it.

    Colors become gray. Transparent pixels become white, or black if the ink contrasts more with black. Whether the
    writing is dark on light is found by the edge of the picture, which is taken for paper. A picture of side × side
    pixels stays as it is. Any other is treated as those of MNIST were: the ink is cut out, scaled so that its longer
    side is 20/28 of ``side``, and laid with its center of mass in the middle.

    Raises FileNotFoundError, and ValueError for a file that is no PNG picture or has no ink.   Source: LeCun and others
    (1998), §III.A.
    """
    side = check_integer("read_picture", "side", side, at_least=1)
    path, notes = Path(path), []
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; expected a PNG picture")
    gray = _gray(path)
    edge = np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])
    if np.median(edge) > 0.5:
        gray = 1 - gray
        notes.append("dark on light, so black and white were exchanged")
    else:
        notes.append("light on dark, as the training pictures are")
    if np.ptp(gray) < INK:
        raise ValueError(f"{path}: the picture shows nothing: its brightness is almost the same everywhere; "
                         "expected a digit")
    if gray.shape != (side, side):
        notes.append(f"{gray.shape[1]} × {gray.shape[0]} pixels, so the ink was cut out and scaled to {side} × {side}")
        gray = _centered(gray - gray.min(), side)
    return gray.astype(np.float32), notes


def _gray(path):
    """Brightness in 0…1, (height, width)."""
    if path.read_bytes()[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError(f"{path}: not a PNG picture")
    from matplotlib.image import imread
    try:
        pixels: Any = np.asarray(imread(path), dtype=np.float64)
    except Exception as error:                              # of the decoder, which has no class of its own
        raise ValueError(f"{path}: the picture is damaged: {error}") from None
    if pixels.max(initial=0) > 1:                           # 16 bits of gray come as they are
        pixels /= 65535
    if pixels.ndim == 2:
        return pixels
    gray, alpha = pixels[..., :3] @ np.array([0.299, 0.587, 0.114]), pixels[..., 3] if pixels.shape[2] == 4 else 1.0
    return max((gray * alpha + paper * (1 - alpha) for paper in (1, 0)), key=np.ptp)        # white if both show as much


def _centered(ink, side):
    """The ink scaled by the mean over areas, so that its center of mass lies in the middle of (side, side)."""
    rows, columns = np.flatnonzero((ink > INK).any(axis=1)), np.flatnonzero((ink > INK).any(axis=0))
    ink = ink[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]
    scale = side * 20 / 28 / max(ink.shape)
    height, width = (min(side, max(1, round(n * scale))) for n in ink.shape)
    small = _areas(ink.shape[0], height) @ ink @ _areas(ink.shape[1], width).T
    small /= small.max()
    page = np.zeros((side, side))
    centers = [np.average(np.arange(n), weights=small.sum(axis=axis)) for n, axis in ((height, 1), (width, 0))]
    top, left = (int(np.clip(round((side - 1) / 2 - center), 0, side - n))
                 for center, n in zip(centers, (height, width)))
    page[top:top + height, left:left + width] = small
    return page


def _areas(n, m):
    """(m, n): row i is the mean over the part of n pixels that pixel i of m covers."""
    edges = np.arange(m + 1) * n / m
    low = np.maximum(edges[:-1, None], np.arange(n))
    high = np.minimum(edges[1:, None], np.arange(1, n + 1))
    return np.maximum(high - low, 0) * m / n
