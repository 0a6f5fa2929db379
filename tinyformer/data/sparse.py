"""Rows that are nearly all zeros, such as the counts of words in texts: only what is not zero is kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class SparseRows:
    """N rows of a matrix: row n has ``values[i]`` in the column ``columns[i]`` for i in starts[n] … starts[n + 1] − 1.

    starts (N + 1,)    columns, values (entries,)    (the layout is known as CSR)
    """

    starts: np.ndarray
    columns: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, rows):
        """From (columns, values) of each row."""
        rows = list(rows)
        starts = np.cumsum([0, *(len(columns) for columns, _ in rows)])
        parts = [np.concatenate([np.asarray(part, kind) for part in column] or [np.zeros(0, kind)])
                 for column, kind in zip(zip(*rows) if rows else ((), ()), (np.int64, np.float32))]
        return cls(starts, *parts)

    def __len__(self):
        return len(self.starts) - 1

    @property
    def size(self):
        """How many entries there are."""
        return len(self.columns)

    @property
    def rows(self):
        """The row of each entry."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def __getitem__(self, chosen):
        """The rows of those numbers, as ``SparseRows``."""
        chosen = np.arange(len(self))[chosen]
        lengths = np.diff(self.starts)[chosen]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        places = np.arange(starts[-1]) + np.repeat(self.starts[chosen] - starts[:-1], lengths)
        return SparseRows(starts, self.columns[places], self.values[places])
