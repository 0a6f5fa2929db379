"""Which text belongs to a picture, and which picture to a text: how often the nearest one is right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def distinct(texts: Sequence[str]) -> tuple[list[str], NDArray[np.int64]]:
    """(each text once, the place (N,) of each of the N texts among them)."""
    found: dict[str, int] = {}
    places = np.array([found.setdefault(text, len(found)) for text in texts], np.int64)
    return list(found), places


def retrieval(similarity: NDArray[Any], owner: NDArray[np.int64],
              asked: NDArray[np.bool_] | None = None) -> dict[str, float]:
    """How often the nearest one is right, in both directions.

        "to_text"       of the pictures, each among all M texts
        "to_picture"    of their texts, each among all N pictures; any picture with this text is right
        "at_1"          the mean of both

    similarity      (N, M)
    owner           (N,), the place of each picture's text
    asked           (N,), True at the pictures that count; by default all
    """
    rows = np.ones(len(owner), bool) if asked is None else asked
    to_text = float((similarity.argmax(axis=1) == owner)[rows].mean())
    texts = np.unique(owner[rows])
    to_picture = float((owner[similarity[:, texts].argmax(axis=0)] == texts).mean())
    return {"to_text": to_text, "to_picture": to_picture, "at_1": (to_text + to_picture) / 2}


def nearest(x: NDArray[Any], known: NDArray[Any], k: int = 1) -> NDArray[np.int64]:
    """The places (N, k) of the ``k`` rows of ``known`` (M, D) nearest to each row of x (N, D), nearest first."""
    squares = (known * known).sum(axis=1) - 2 * (x @ known.T)                   # ‖x‖² changes no order
    return np.argsort(squares, axis=1, kind="stable")[:, :k]


def majority(labels: NDArray[Any]) -> NDArray[Any]:
    """The most frequent label of each row of ``labels`` (N, k), the smallest of several."""
    return np.array([np.bincount(row).argmax() for row in labels])
