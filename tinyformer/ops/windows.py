"""The options of convolutions and poolings, checked and brought into one form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..arrays import expect_floating
from ..number_checks import check_integer

if TYPE_CHECKING:
    from ..kernels.convolution import Pair
    from ..typing import Array


def pair(owner: Any, name: str, value: Any, at_least: int) -> Pair:
    """An integer, for rows and columns alike, or two of them, as two Python integers of at least ``at_least``.

    Raises ValueError or TypeError, in the name of ``owner``.
    """
    both = value if isinstance(value, (tuple, list)) else (value, value)
    numbers = tuple(check_integer(owner, name, one, at_least) for one in both)
    if len(numbers) != 2:
        operation = owner if isinstance(owner, str) else type(owner).__name__
        raise ValueError(f"{operation}: {name} is {value!r}, expected an integer, or one for rows and one for columns")
    return numbers


def pictures(operation: str, x: Array) -> Array:
    """x as (N, C, H, W); a picture alone, (C, H, W), becomes a batch of one. Raises ValueError or TypeError."""
    expect_floating(operation, x=x)
    if x.ndim not in (3, 4):
        raise ValueError(f"{operation}: x has shape {x.shape}, expected (N, C, H, W), or (C, H, W) for one picture")
    return x if x.ndim == 4 else x[None]


def fitting(operation: str, x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair,
            ceil_mode: bool = False) -> Pair:
    """How many windows fit into x with ``padding`` pixels more, top and bottom or left and right together.

    ``ceil_mode`` counts a last window that sticks out, if it begins within the picture or the padding before it.
    Raises ValueError if not even one fits.
    """
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, kernel)]
    sizes = [n + p for n, p in zip(x.shape[2:], padding)]
    counts = []
    for n, span, s, p, size in zip(sizes, spans, stride, padding, x.shape[2:]):
        count = (n - span + (s - 1 if ceil_mode else 0)) // s + 1
        counts.append(count - 1 if ceil_mode and (count - 1) * s >= size + p // 2 else count)
    if min(counts) < 1:
        raise ValueError(f"{operation}: the kernel spans {spans[0]} × {spans[1]} pixels, but x has shape {x.shape}, "
                         f"with its padding {sizes[0]} × {sizes[1]} pixels: expected at least the size of the kernel")
    return counts[0], counts[1]
