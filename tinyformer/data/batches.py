"""Batches of examples that lie in arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..number_checks import check_integer
from ..rng import generator

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Batches:
    """Pairs (or longer tuples) of rows of ``arrays``, ``size`` rows at a time. Each ``for`` loop over it is one epoch.

    arrays      arrays or lists with N rows each: the inputs (N, …) and the targets (N, …)
    size        rows in a batch, an integer from 1; the last batch of an epoch may have fewer
    shuffle     True draws a new order for each epoch; False, for validation, keeps the order of the rows
    rng         a ``numpy.random.Generator`` or an integer seed; None: the generator that ``tinyformer.seed`` sets

    Raises ValueError for arrays without rows or with unequally many, and for a size below 1; TypeError for a tuple of
    arrays, such as ``dataset.train``, that is not unpacked.

    >>> for x, y in Batches(images, labels, size=32): ...
    >>> for x, y in Batches(*dataset.train, size=32): ...
    >>> len(Batches(images, labels, size=32))       # ⌈N / 32⌉
    """

    def __init__(self, *arrays: ArrayLike, size: int, shuffle: bool = True,
                 rng: np.random.Generator | int | None = None):
        if any(isinstance(array, tuple) and any(hasattr(part, "shape") for part in array) for array in arrays):
            raise TypeError("Batches: an argument is a tuple of arrays, expected the arrays; write "
                            "Batches(*dataset.train, size=32)")
        self.arrays: tuple[NDArray[Any], ...] = tuple(np.asarray(array) for array in arrays)
        if not arrays or any(array.ndim == 0 for array in self.arrays):
            raise ValueError("Batches: expected one or more arrays with a row for each example")
        lengths = {len(array) for array in self.arrays}
        if len(lengths) > 1:
            raise ValueError(f"Batches: the arrays have {' and '.join(str(len(array)) for array in self.arrays)} "
                             "rows, expected equally many")
        if 0 in lengths:
            raise ValueError("Batches: the arrays have no rows, expected at least one")
        self.size, self.shuffle = check_integer("Batches", "size", size, 1), shuffle
        self._rng = None if rng is None else generator(rng)

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        return -(-len(self.arrays[0]) // self.size)

    def __iter__(self) -> Iterator[tuple[NDArray[Any], ...]]:
        n = len(self.arrays[0])
        order = generator(self._rng).permutation(n) if self.shuffle else np.arange(n)
        for start in range(0, n, self.size):
            chosen = order[start:start + self.size]
            yield tuple(array[chosen] for array in self.arrays)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{array.dtype} {array.shape}" for array in self.arrays)
        return f"Batches({shapes}; {len(self)} of {self.size})"
