"""What attention weights tell: rollout over the layers, and which heads repeat what followed before.

>>> from tinyformer.viz import watch_attention
>>> with watch_attention(model) as maps:
...     model(ids)
>>> rollout(maps.stacked())                     # (B, T, T)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..number_checks import check_integer

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def rollout(weights: ArrayLike) -> NDArray[np.float64]:
    """How much each output depends on each input through all layers: (…, T, T) from weights (L, …, H, T, T).

        A_l = ½ (mean over heads of P_l) + ½ I, each row divided by its sum
        R_l = A_l R_{l−1},  R_0 = I,  returns R_L

    ½ I is the residual connection, which carries a token past the attention. Row t sums to 1: the shares of the inputs
    in the output at t. The method ignores everything between the layers (the matrices of the values, the MLP). Raises
    ValueError for weights of another shape.

    Source: Abnar & Zuidema (2020), "Quantifying attention flow in transformers"; book (17.8).
    """
    weights = _self_attention("rollout", weights)
    one = np.eye(weights.shape[-1])
    flow = one
    for layer in weights.mean(axis=-3) / 2 + one / 2:
        flow = layer / layer.sum(axis=-1, keepdims=True) @ flow
    return flow


def induction_scores(weights: ArrayLike, period: int) -> NDArray[np.float64]:
    """The induction score of each head, (L, H), from the weights (L, B, H, T, T) on texts of this ``period``.

        score = mean over texts and over t ≥ period of  P[t, t − period + 1]

    The texts are a random sequence of ``period`` tokens, repeated. The token at t occurred at t − period before, and an
    induction head attends to its successor then, which is the token to predict next. 1 is a perfect induction head; a
    head that attends to all earlier tokens equally scores about 1/t. Raises ValueError unless T > period ≥ 2.

    Source: Olsson et al. (2022), "In-context learning and induction heads"; book (17.9).
    """
    weights = _self_attention("induction_scores", weights)
    if weights.ndim != 5:
        raise ValueError(f"induction_scores: weights have shape {weights.shape}, expected (L, B, H, T, T)")
    T = weights.shape[-1]
    period = check_integer("induction_scores", "period", period, 2, T - 1)
    later = np.arange(period, T)
    return weights[..., later, later - period + 1].mean(axis=(1, 3))


def _self_attention(owner: str, weights: ArrayLike) -> NDArray[np.float64]:
    weights = np.asarray(weights, np.float64)
    if weights.ndim < 4 or 0 in weights.shape or weights.shape[-1] != weights.shape[-2]:
        raise ValueError(f"{owner}: weights have shape {weights.shape}, "
                         "expected (L, …, H, T, T), the self-attention of L layers")
    return weights
