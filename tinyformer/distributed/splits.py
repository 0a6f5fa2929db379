"""Which client of a federation holds which examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..number_checks import check_integer
from ..rng import generator

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ..typing import RNGLike

__all__ = ["split_clients"]


def split_clients(labels: ArrayLike, clients: int, split: str = "iid", rng: RNGLike = None) -> list[NDArray[np.int64]]:
    """The indices of the examples of each client; each example belongs to one client.

    labels      the class of each example, integers (N,); for "iid" anything of length N
    split       "iid": at random, in equal numbers
                "by-class": sorted by class and cut into two pieces for each client, so that most clients see two
                classes (McMahan et al. 2017)
                "dirichlet:A": the shares of each class are drawn from a Dirichlet distribution with parameter A > 0;
                the smaller A, the more the clients differ

    ValueError for an unknown split and for a client without examples.
    """
    labels, rng = np.asarray(labels), generator(rng)
    N, clients = len(labels), check_integer("split_clients", "clients", clients, at_least=1)
    kind, _, number = str(split).partition(":")
    if kind == "iid" and not number:
        parts = np.array_split(rng.permutation(N), clients)
    elif kind == "by-class" and not number:
        pieces = np.array_split(np.argsort(labels, kind="stable"), 2 * clients)
        order = rng.permutation(2 * clients)
        parts = [np.concatenate([pieces[a], pieces[b]]) for a, b in order.reshape(clients, 2)]
    elif kind == "dirichlet" and (alpha := _positive(number)):
        owners = np.empty(N, np.int64)
        for label in np.unique(labels):
            places = rng.permutation(np.flatnonzero(labels == label))
            ends = np.round(np.cumsum(rng.dirichlet(np.full(clients, alpha))) * len(places)).astype(int)
            owners[places] = np.searchsorted(ends, np.arange(len(places)), side="right").clip(max=clients - 1)
        parts = [np.flatnonzero(owners == k) for k in range(clients)]
    else:
        raise ValueError(f"split_clients: split is {split!r}, expected iid, by-class, or dirichlet:A with a number A "
                         f"above 0, such as dirichlet:0.3")
    empty = next((k for k, part in enumerate(parts) if not len(part)), None)
    if empty is not None:
        raise ValueError(f"split_clients: client {empty} of {clients} has no examples of the {N:,}, expected at least "
                         f"one for each; take fewer clients, another seed, or a split that is more even")
    return [np.sort(part) for part in parts]


def _positive(text: str) -> float | Any:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < np.inf else None
