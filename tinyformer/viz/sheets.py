"""Sheets of gray pictures, written as PNG files without a plotting library."""

from __future__ import annotations

import math
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import plain_array
from ..files import replace_file
from ..number_checks import check_integer

GAP, LINE = 2, 128                                          # pixels between two pictures, and their gray


def picture_sheet(pictures: ArrayLike, columns: int | None = None) -> NDArray[np.uint8]:
    """Pictures (N, 1, height, width) or (N, height, width), 0 black … 1 white, side by side in one picture, row by row.

    columns     by default as many as make the sheet about square

    ValueError for another shape and for entries that are not finite; values beyond 0…1 are cut.
    """
    pictures = plain_array("picture_sheet", pictures)
    if pictures.ndim == 4 and pictures.shape[1] == 1:
        pictures = pictures[:, 0]
    if pictures.ndim != 3 or not pictures.size:
        raise ValueError(f"picture_sheet: pictures have shape {pictures.shape}, expected (N, 1, height, width) or "
                         f"(N, height, width), not empty")
    if not np.isfinite(pictures).all():
        raise ValueError("picture_sheet: a picture holds a number that is not finite")
    n, height, width = pictures.shape
    columns = math.ceil(math.sqrt(n)) if columns is None else check_integer("picture_sheet", "columns", columns, 1)
    rows = math.ceil(n / columns)
    sheet = np.full((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP), LINE, np.uint8)
    for i, picture in enumerate((pictures.clip(0, 1) * 255).round().astype(np.uint8)):
        top, left = GAP + i // columns * (height + GAP), GAP + i % columns * (width + GAP)
        sheet[top:top + height, left:left + width] = picture
    return sheet


def draw_pictures(pictures: ArrayLike, path: str | os.PathLike[str], columns: int | None = None,
                  scale: int = 2) -> None:
    """Write a ``picture_sheet`` into the PNG file ``path``, whole or not at all; each pixel becomes scale × scale.

    Raises ValueError if the name does not end in .png.
    """
    if Path(path).suffix.lower() != ".png":
        raise ValueError(f"{path}: a picture is a PNG file, expected a name that ends in .png")
    scale = check_integer("draw_pictures", "scale", scale, at_least=1)
    replace_file(path, gray_png(picture_sheet(pictures, columns).repeat(scale, axis=0).repeat(scale, axis=1)))


def gray_png(picture: NDArray[Any]) -> bytes:
    """The bytes of a PNG file of ``picture``, uint8 (height, width).

    A chunk is its length, its type, its data and their CRC. Each row of pixels begins with its filter, 0 for none.

    Source: the PNG specification, third edition (W3C, 2025).
    """
    height, width = picture.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)              # 8 bits a pixel, gray
    rows = np.pad(picture.astype(np.uint8), ((0, 0), (1, 0))).tobytes()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
