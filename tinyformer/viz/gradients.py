"""Vanishing and exploding gradients of recurrent layers, measured and drawn."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import Tensor
from .figure import BLUE, GRAY, GREEN, ORANGE, new_figure, save_figure

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ..nn import GRU, LSTM, RNN


def state_gradients(layer: RNN | GRU | LSTM, x: ArrayLike) -> NDArray[Any]:
    """‖∂h_T/∂s_t‖₂ for t = 0 … T: how strongly the last output h_T depends on the state s_t after time t.

    layer   ``nn.RNN``, ``nn.GRU`` or ``nn.LSTM`` of one layer and one direction; s_t is h_t, in an LSTM (h_t, c_t)
    x       (T, I), one sequence

    Returns an array (T + 1,), the largest singular value of each Jacobian; the last one is 1. Raises ValueError for a
    layer or an ``x`` of another form.

    The backward pass multiplies by one Jacobian a step: in an RNN by diag(1 − h²) Wₕ, so the norm is at most ‖Wₕ‖ to
    the power T − t. With ‖Wₕ‖ < 1 the gradient vanishes; with ‖Wₕ‖ > 1 it may explode, and ``optim.clip_grad_norm_``
    bounds its effect on a step of the optimizer. In an LSTM, the gradient along the cell state is multiplied only by
    the forget gates.

    Source: Bengio et al. (1994); clipping: Pascanu et al. (2013).
    """
    if layer.num_layers != 1 or layer.bidirectional or layer.batch_first:
        raise ValueError("state_gradients: expected one layer in one direction, "
                         "whose first axis is time (not batch_first)")
    if np.ndim(x) != 2:
        raise ValueError(f"state_gradients: x has shape {np.shape(x)}, expected (T, I)")
    H, dtype = layer.hidden_size, layer.weight_ih_l0.dtype
    # A copy of the sequence for each unit k of h_T. Copy k gets the upstream gradient e_k, so that one backward pass
    # makes a row of every Jacobian.
    copies = np.repeat(np.asarray(x, dtype)[:, None], H, axis=1)                # (T, H, I)
    states = [tuple(Tensor(np.zeros((1, H, H), dtype), requires_grad=True) for _ in range(layer.states))]
    for x_t in copies:
        before = states[-1] if layer.states > 1 else states[-1][0]
        _, after = layer(x_t[None], before)
        states.append(after if layer.states > 1 else (after,))
        for part in states[-1]:
            part.retain_grad()
    states[-1][0].backward(np.eye(H, dtype=dtype)[None])
    rows = [[np.zeros((1, H, H), dtype) if part.grad is None else part.grad for part in state] for state in states]
    return np.array([np.linalg.norm(np.concatenate(parts, axis=-1)[0], 2) for parts in rows])


def draw_state_gradients(norms: Mapping[str, ArrayLike], path: str | os.PathLike[str],
                         title: str = "How far back the gradient reaches") -> None:
    """Draw {name: the result of ``state_gradients``} into the PNG file ``path``.

    The picture shows one curve for each name: the norm, on a logarithmic scale, over the number of steps back from the
    end. A falling curve is a vanishing gradient, a rising one an exploding gradient.
    """
    figure = new_figure(7, 4.2)
    axes = figure.add_subplot()
    for (name, values), color in zip(norms.items(), (BLUE, ORANGE, GREEN, GRAY)):
        values = np.asarray(values)
        axes.semilogy(np.arange(len(values))[::-1], np.maximum(values, np.finfo(float).tiny), color=color, label=name)
    axes.set(xlabel="steps back from the end, T − t", ylabel="‖∂h_T/∂s_t‖", title=title)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    save_figure(figure, path)
