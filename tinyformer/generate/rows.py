"""A cache of keys and values for texts of different lengths, which come and go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .cache import KVCache

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from ..typing import Array

LEAST = 256                 # positions that a cache has room for at first


class RowCache:
    """As ``KVCache``, for N texts that have read different numbers of positions: a row for each.

    Models with ``reads_rows`` take it: they read one new position of all rows in one call, (N, 1). The N texts are the
    first rows of arrays that have room for ``most``, so no step copies them.

    most        the largest number of rows
    length      (N,), the number of positions that every layer has read of each row
    """

    def __init__(self, most: int) -> None:
        self.most, self.room = most, LEAST
        self.length: NDArray[np.int64] = np.zeros(0, np.int64)
        self._layers: dict[Any, list[Array]] = {}           # layer: [keys, values], each (most, H, room, D)

    def __len__(self) -> int:
        return len(self.length)

    def add(self, text: KVCache) -> int:
        """Append a row: what ``text``, a cache of one row, holds. Returns the row's number."""
        row, read = len(self.length), text.length
        if row == self.most:
            raise ValueError(f"RowCache: all {self.most} rows are taken")
        self._make_room(read + 1)
        for layer, arrays in text.layers():
            for mine, one in zip(self._arrays(layer, *arrays[0].shape[1::2], arrays[0].dtype), arrays):
                mine[row, :, :read] = one[0, :, :read]
        self.length = np.append(self.length, read)
        return row

    def remove(self, row: int) -> None:
        """Drop a row. The last row takes its number."""
        last = len(self.length) - 1
        if row != last:
            read = self.length[last]
            for arrays in self._layers.values():
                for array in arrays:
                    array[row, :, :read] = array[last, :, :read]
            self.length[row] = read
        self.length = self.length[:last].copy()

    def reserve(self, layer: Any, B: int, H: int, T: int, D: int, dtype: DTypeLike) -> tuple[Array, Array, Array]:
        """(keys, values, past) of ``layer``: arrays (N, H, room, D), and the numbers of positions (N,).

        The caller writes one more position into each row.
        """
        if T != 1 or B != len(self.length):
            raise ValueError(f"RowCache: {T} positions of {B} rows, expected 1 of each of {len(self.length)}")
        keys, values = self._arrays(layer, H, D, dtype)
        return keys[:B], values[:B], self.length

    def extend(self, layer: Any, k: Array, v: Array) -> tuple[Array, Array]:
        """Append k and v (N, H, 1, D). Returns keys and values (N, H, S, D), S that of the longest row."""
        keys, values, past = self.reserve(layer, *k.shape, k.dtype)
        rows, S = np.arange(len(past)), past.max() + 1
        keys[rows, :, past], values[rows, :, past] = k[:, :, 0], v[:, :, 0]
        return keys[:, :, :S], values[:, :, :S]

    def mask(self, T: int, S: int) -> Array:
        """(N, 1, 1, S), True at the positions of each row."""
        return (np.arange(S) <= self.length[:, None])[:, None, None]

    def advance(self, T: int) -> None:
        """Count T more positions of each row as read by all layers."""
        self.length += T
        self._make_room(int(self.length.max(initial=0)) + 1)

    def _arrays(self, layer, H, D, dtype):
        if layer not in self._layers:
            # zeros: masked scores come from positions that were never written
            self._layers[layer] = [np.zeros((self.most, H, self.room, D), dtype) for _ in range(2)]
        return self._layers[layer]

    def _make_room(self, positions):
        """Double the room until ``positions`` fit."""
        if positions <= self.room:
            return
        before = self.room
        while self.room < positions:
            self.room *= 2
        for layer, arrays in self._layers.items():
            most, H, _, D = arrays[0].shape
            self._layers[layer] = [np.zeros((most, H, self.room, D), array.dtype) for array in arrays]
            for new, old in zip(self._layers[layer], arrays):
                new[:len(self.length), :, :before] = old[:len(self.length)]
