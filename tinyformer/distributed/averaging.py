"""The mean of the clients' weights, and masks under which a server sees their sum alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["masked", "unmasked_sum", "weighted_mean"]

FRACTION_BITS = 32                                          # of fixed-point numbers; 31 bits are left for their sum


def weighted_mean(rows: Sequence[NDArray[Any]], counts: Sequence[int]) -> NDArray[Any]:
    """Σₖ nₖ wₖ / Σₖ nₖ of the clients' weights wₖ, summed in their order.   Book (18.13).

    The same bits as Flower's ``aggregate``.
    """
    return reduce(np.add, [row * count for row, count in zip(rows, counts)]) / sum(counts)


def masked(values: NDArray[Any], client: int, clients: int, seed: int) -> NDArray[np.uint64]:
    """What ``client`` sends instead of ``values``: fixed-point numbers plus a mask for each other client, modulo 2⁶⁴.

        v + Σ_{j>k} r_kj − Σ_{j<k} r_jk        book (18.14)

    The clients j and k agree on a mask r_kj that the server does not know; here it follows from the ``seed`` of the
    round. Each masked array is uniform. In the sum of all, the masks cancel exactly.   Source: Bonawitz et al. (2017).
    """
    limit = 2.0 ** (62 - FRACTION_BITS) / clients
    if not np.abs(values).max(initial=0) < limit:
        raise ValueError(f"masked: values reach {np.abs(values).max():.3g}, expected less than {limit:.3g}, so that "
                         f"their sum fits into 64 bits")
    sent = np.round(values.astype(np.float64) * 2.0 ** FRACTION_BITS).astype(np.int64).view(np.uint64)
    for other in range(clients):
        if other != client:
            pair = np.random.default_rng([seed, min(client, other), max(client, other)])
            mask = pair.integers(0, 2 ** 64, values.shape, np.uint64)
            sent = sent + mask if other > client else sent - mask
    return sent


def unmasked_sum(rows: Sequence[NDArray[np.uint64]]) -> NDArray[np.float64]:
    """The sum of the values of all clients from what they sent."""
    return reduce(np.add, rows).view(np.int64) / 2.0 ** FRACTION_BITS
