"""Batches without end, for ``fit``: from an iterable that is read again and again, or from a function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from .. import rng as randomness
from ..autograd import Tensor

END = object()


class Stream:
    """``stream()`` returns the next batch as a tuple; after the last batch of an epoch comes the first of the next one.

    batches     an iterable, read once per epoch; a function that returns an iterator for each epoch (a generator
                function); or a function that returns one batch
    """

    def __init__(self, batches: Iterable[Any] | Callable[[], Any]):
        refuse_data("batches", batches)
        self._function = not hasattr(batches, "__iter__")
        if self._function and not callable(batches):
            raise TypeError(f"fit: batches is a {type(batches).__name__}, "
                            "expected an iterable of batches or a function")
        self._batches: Any = batches
        self._left: Iterator[Any] | None = None             # what is left of this epoch
        self._position = 0                                  # how many batches of it were taken
        self._random: Any = None                            # the generator's state at its start

    def __call__(self) -> tuple:
        if self._left is None:
            self._position, self._random = 0, randomness.generator().bit_generator.state
            found = self._batches() if self._function else iter(self._batches)
            if not isinstance(found, Iterator):
                return as_tuple(found)
            self._left = found
        batch = next(self._left, END)
        if batch is not END:
            self._position += 1
            return as_tuple(batch)
        if not self._position:
            raise ValueError("fit: batches is empty, expected at least one batch")
        if self._left is self._batches:
            raise ValueError(f"fit: batches ended after {self._position}; a generator can be read only once, so give a "
                             f"list, a data.Batches, or the generator function itself")
        self._left = None
        return self()

    def state(self) -> dict[str, Any]:
        """Where in its epoch the stream is, fit for JSON."""
        return {"position": self._position, "random": self._random}

    def load_state(self, state: dict[str, Any]) -> None:
        """Begin the epoch as ``state`` says and skip the batches that were taken.

        The generator of tinyformer stays as it is.
        """
        if not state["position"]:
            return
        generator = randomness.generator().bit_generator
        now, generator.state = generator.state, state["random"]
        for _ in range(state["position"]):
            self()
        generator.state = now


def refuse_data(name: str, batches: Any) -> None:
    """TypeError if ``batches`` is an array or a tuple of arrays: its rows would be taken for batches."""
    if isinstance(batches, (np.ndarray, Tensor)) or isinstance(batches, tuple) and all(
            isinstance(part, (np.ndarray, Tensor)) for part in batches):
        raise TypeError(f"fit: {name} is the data itself, expected batches of the data, such as data.Batches(x, y, "
                        f"size=32), or [(x, y)] for one batch")


def as_tuple(batch: Any) -> tuple:
    """A batch as the arguments of a loss: a tuple or list is taken apart, anything else is one argument."""
    return tuple(batch) if isinstance(batch, (tuple, list)) else (batch,)


def examples_in(batch: tuple) -> int:
    """The number of rows of the first array of a batch; 1 for one that has no rows."""
    shape = getattr(batch[0], "shape", None)
    return (shape[0] if shape else 1) if shape is not None else len(batch[0]) if hasattr(batch[0], "__len__") else 1
