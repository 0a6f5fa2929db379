"""Layer-wise relevance propagation: a score is handed back through a ReLU network, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import nn
from ..autograd import Tensor
from ..number_checks import check_number
from .scores import checked_input, chosen, score_gradient

if TYPE_CHECKING:
    from ..typing import Array, TensorLike

SAME = (nn.ReLU, nn.Dropout, nn.Identity)                   # relevance passes through unchanged
LINEAR = (nn.Linear, nn.Flatten)


def layer_relevance(network: nn.Module, x: TensorLike, target: Any = None, epsilon: float = 0.0) -> Array:
    """The relevance of each entry of x for the score of a ReLU network. Shape and type of x.

        R_L = score c,      R_i = x_i Σ_j W_ji R_j / (z_j + ε sign z_j),   z = W x + b      for each linear layer
        ReLU passes R on unchanged

    network     nn.Sequential of Linear, ReLU, Flatten, Dropout and Identity, also nested; or a model that holds one as
                ``layers``, such as MLP
    x           array or Tensor (N, …) of floating-point numbers
    target      None for scores (N,); a class, or classes (N,), for scores (N, classes)
    epsilon     ε: 0 is the z-rule, where 0/0 counts as 0; a small positive number is the ε-rule

    Without biases and with ε = 0, the relevances of each layer add up to the score, and are gradient × input. Biases
    and ε keep a part of the relevance. Equals Captum's ``LRP`` with its ε-rule. Raises TypeError for other layers.

    Source: Bach et al. (2015), "On pixel-wise explanations … by layer-wise relevance propagation"; book (17.5).
    """
    owner = "layer_relevance"
    x = checked_input(owner, x)
    epsilon = check_number(owner, "epsilon", epsilon, at_least=0)
    layers, inputs = _layers(network), [x]
    for layer in layers:                                    # dropout is none: this is evaluation
        inputs.append(inputs[-1] if isinstance(layer, nn.Dropout) else layer(Tensor(inputs[-1])).data)
    scores = inputs.pop()
    chosen(owner, scores, target, len(x))                   # raises if it does not fit
    relevance = scores.copy()
    if target is not None:
        relevance[:] = 0
        rows = np.arange(len(x))
        relevance[rows, target] = scores[rows, target]
    for layer, entered, left in zip(reversed(layers), reversed(inputs), [scores, *inputs[:0:-1]]):
        if isinstance(layer, SAME):
            continue
        stable = left + np.where(left < 0, -epsilon, epsilon).astype(left.dtype)
        share = np.divide(relevance, stable, out=np.zeros_like(relevance), where=stable != 0)
        relevance = entered * _transposed(layer, entered, share)                # x ⊙ Wᵀ share
    return relevance


def _transposed(layer: nn.Module, x: Array, dy: Array) -> Array:
    """The gradient of x from the gradient ``dy`` of ``layer(x)``."""
    return score_gradient("layer_relevance", lambda t: (layer(t) * dy).reshape(len(x), -1).sum(axis=1), x, None)


def _layers(network: Any) -> list[Any]:
    """The layers of a network in their order, without containers; TypeError for one that has no rule."""
    network = network if isinstance(network, nn.Sequential) else getattr(network, "layers", network)
    if isinstance(network, nn.Sequential):
        return [layer for part in network for layer in _layers(part)]
    if not isinstance(network, (*SAME, *LINEAR)):
        raise TypeError(f"layer_relevance: no rule for {type(network).__name__}, expected nn.Sequential of Linear, "
                        "ReLU, Flatten, Dropout and Identity")
    return [network]
