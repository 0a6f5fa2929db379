"""Sparse matrices, such as the counts of words in texts: only entries that are not zero are stored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass
class SparseRows:
    """N rows of a matrix in the layout CSR.

    Row n has ``values[i]`` in column ``columns[i]`` for i = starts[n] … starts[n + 1] − 1.

    starts (N + 1,)    columns, values (entries,)
    """

    starts: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: NDArray[np.float32]

    @classmethod
    def of(cls, rows: Iterable[tuple[ArrayLike, ArrayLike]]) -> SparseRows:
        """The matrix with the (columns, values) of each row."""
        rows = list(rows)
        starts = np.cumsum([0, *(len(columns) for columns, _ in rows)])
        parts = [np.concatenate([np.asarray(part, kind) for part in column] or [np.zeros(0, kind)])
                 for column, kind in zip(zip(*rows) if rows else ((), ()), (np.int64, np.float32))]
        return cls(starts, *parts)

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def size(self) -> int:
        """The number of entries."""
        return len(self.columns)

    @property
    def rows(self) -> NDArray[np.int64]:
        """The row of each entry, (entries,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def __getitem__(self, chosen: Any) -> SparseRows:
        """The rows that ``chosen``, indices or a slice, selects."""
        chosen = np.arange(len(self))[chosen]
        lengths = np.diff(self.starts)[chosen]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        places = np.arange(starts[-1]) + np.repeat(self.starts[chosen] - starts[:-1], lengths)
        return SparseRows(starts, self.columns[places], self.values[places])
