"""What attention has read already."""

from __future__ import annotations

import numpy as np

from ..memory import check_fits


class KVCache:
    """The keys and values of the positions read so far, for each attention layer, so that no position is computed twice.

    room        positions that there will be at most
    """

    def __init__(self, room):
        self.room = room
        self.length = 0                     # positions that every layer has seen
        self.state = None                   # of a recurrent model, arrays (L, B, H), in place of all that
        self._layers = {}                   # layer: [keys, values, how many are filled]
        self._fixed = {}                    # layer: (keys, values) of a memory

    def extend(self, layer, k, v):
        """Append k and v (B, H, T, D) of ``layer``; returns all of its keys and values (B, H, past + T, D)."""
        keys, values, past = self.reserve(layer, *k.shape, k.dtype)
        end = past + k.shape[2]
        keys[:, :, past:end], values[:, :, past:end] = k, v
        return keys[:, :, :end], values[:, :, :end]

    def tokens(self, model, ids):
        """All ids (B, past + T) that ``model`` has read, with ``ids`` (B, T) appended: for one that looks back at the tokens
        themselves, which are then its keys, of one head and width 1."""
        ids = ids[:, None, :, None]
        return self.extend(model, ids, ids)[0][:, 0, :, 0]

    def reserve(self, layer, B, H, T, D, dtype):
        """Arrays (B, H, room, D) for keys and values of ``layer``, and how many positions of them are filled. T more,
        which count as filled from now on, are for the caller to write."""
        if layer not in self._layers:
            self._layers[layer] = [np.empty((B, H, self.room, D), dtype), np.empty((B, H, self.room, D), dtype), 0]
        keys, values, past = self._layers[layer]
        self._layers[layer][2] = past + T
        return keys, values, past

    def fixed(self, layer, compute):
        """The keys and values of ``layer`` that do not grow, those of an encoder's output: ``compute()``, called once."""
        if layer not in self._fixed:
            self._fixed[layer] = compute()
        return self._fixed[layer]

    def advance(self, T):
        """T more positions have been through all layers."""
        self.length += T

    def pick(self, rows):
        """Go on with ``rows`` of the batch, in this order; a row may come several times."""
        for layer, (keys, values, past) in self._layers.items():
            self._layers[layer] = [_picked(keys, rows, past), _picked(values, rows, past), past]
        self.state = self.state and tuple(h[:, rows] for h in self.state)
        self._fixed = {layer: (keys[rows], values[rows]) for layer, (keys, values) in self._fixed.items()}


def _picked(array, rows, past):
    """A new array of ``rows``, of which the first ``past`` positions alone are worth copying."""
    new = np.empty((len(rows), *array.shape[1:]), array.dtype)
    new[:, :, :past] = array[rows, :, :past]
    return new


def check_memory(model, B, tokens, room):
    """A ValueError, with the sizes, if a generation cannot fit into the memory of this machine.

    B, tokens       texts, and the length of each in the end: 8 bytes a token
    room            positions in the cache of each: 4 · ``config.cache_width`` bytes, of the models that have one
    """
    check_fits("generate: the text", {"tokens": 8 * B * tokens,
                                      "the cache of keys and values": 4 * B * room * getattr(model.config, "cache_width", 0)},
               "use a smaller max_new_tokens, or fewer texts at a time")


def for_decoding(model):
    """What to call for the tokens of one generation: ``model``, or the faster form of it that its ``for_decoding`` gives."""
    return model.for_decoding() if hasattr(model, "for_decoding") else model
