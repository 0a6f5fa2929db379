"""The cache of keys and values, and how a generation uses a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..memory import check_fits

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from ..typing import Array


class KVCache:
    """The keys and values of the positions read so far, for each attention layer.

    No position is computed twice.

    room        the largest number of positions
    length      the number of positions that every layer has read
    state       of a recurrent model instead: arrays (L, B, H)
    """

    def __init__(self, room: int) -> None:
        self.room = room
        self.length = 0
        self.state: tuple[Array, ...] | None = None
        self._layers: dict[Any, Any] = {}   # layer: [keys, values, number of filled positions]
        self._fixed: dict[Any, tuple[Array, Array]] = {}        # layer: (keys, values) of an encoder's output

    def extend(self, layer: Any, k: Array, v: Array) -> tuple[Array, Array]:
        """Append k and v (B, H, T, D) of ``layer``. Returns all its keys and values (B, H, past + T, D)."""
        B, H, T, D = k.shape
        keys, values, past = self.reserve(layer, B, H, T, D, k.dtype)
        end = past + T
        keys[:, :, past:end], values[:, :, past:end] = k, v
        return keys[:, :, :end], values[:, :, :end]

    def tokens(self, model: Any, ids: Array) -> Array:
        """All ids (B, past + T) that ``model`` has read, with ``ids`` (B, T) appended.

        This serves models that read the tokens themselves again. The ids are stored as keys of one head of width 1.
        """
        ids = ids[:, None, :, None]
        return self.extend(model, ids, ids)[0][:, 0, :, 0]

    def reserve(self, layer: Any, B: int, H: int, T: int, D: int, dtype: DTypeLike) -> tuple[Array, Array, int]:
        """(keys, values, past): arrays (B, H, room, D) of ``layer``, and the number of positions that are filled.

        The caller writes T more positions, which count as filled from now on.
        """
        if layer not in self._layers:
            self._layers[layer] = [np.empty((B, H, self.room, D), dtype), np.empty((B, H, self.room, D), dtype), 0]
        keys, values, past = self._layers[layer]
        self._layers[layer][2] = past + T
        return keys, values, past

    def mask(self, T: int, S: int) -> Array | None:
        """Which of S positions each of the last T may attend to, (T, S); None if that is all."""
        return np.tri(T, S, S - T, dtype=bool) if T > 1 else None               # the last attends to all

    def layers(self) -> Iterator[tuple[Any, tuple[Array, Array]]]:
        """(layer, (keys, values)) for each attention layer, arrays (B, H, room, D)."""
        for layer, (keys, values, _) in self._layers.items():
            yield layer, (keys, values)

    def fixed(self, layer: Any, compute: Callable[[], tuple[Array, Array]]) -> tuple[Array, Array]:
        """The keys and values of an encoder's output, which do not grow: ``compute()``, called once for each layer."""
        if layer not in self._fixed:
            self._fixed[layer] = compute()
        return self._fixed[layer]

    def advance(self, T: int) -> None:
        """Count T more positions as read by all layers."""
        self.length += T

    def pick(self, rows: Array) -> None:
        """Continue with ``rows`` of the batch, in this order. A row may occur several times."""
        for layer, (keys, values, past) in self._layers.items():
            self._layers[layer] = [_picked(keys, rows, past), _picked(values, rows, past), past]
        self.state = self.state and tuple(h[:, rows] for h in self.state)
        self._fixed = {layer: (keys[rows], values[rows]) for layer, (keys, values) in self._fixed.items()}


def _picked(array, rows, past):
    """A new array of ``rows``. Only the first ``past`` positions are copied."""
    new = np.empty((len(rows), *array.shape[1:]), array.dtype)
    new[:, :, :past] = array[rows, :, :past]
    return new


def check_memory(model: Any, B: int, tokens: int, room: int) -> None:
    """Raise a ValueError, with the sizes, if a generation cannot fit into the memory of this machine.

    B, tokens       the number of texts and the final length of each, at 8 bytes for each token
    room            the positions in the cache of each text, at 4 · ``config.cache_width`` bytes, for models that have
                    it
    """
    width = getattr(model.config, "cache_width", 0)
    check_fits("generate: the text", {"tokens": 8 * B * tokens, "the cache of keys and values": 4 * B * room * width},
               "use a smaller max_new_tokens, or fewer texts at a time")


def for_decoding(model: Any) -> Any:
    """The model that one generation calls: ``model``, or the faster form that ``model.for_decoding()`` returns."""
    return model.for_decoding() if hasattr(model, "for_decoding") else model
