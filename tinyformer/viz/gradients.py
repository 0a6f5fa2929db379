"""How far back a recurrent layer learns: vanishing and exploding gradients, measured and drawn."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor
from .figure import BLUE, GREEN, GREY, ORANGE, new_figure, save_figure


def state_gradients(layer, x):
    """‖∂h_T/∂s_t‖₂ for t = 0 … T: how much the last output h_T still feels of the state s_t after time t.

    layer   ``nn.RNN``, ``nn.GRU`` or ``nn.LSTM`` of one layer and one direction; s_t is h_t, in an LSTM (h_t, c_t)
    x       (T, I), one sequence
    returns (T + 1,), the largest singular value of each Jacobian; the last is 1

    Each step multiplies by a Jacobian: in an RNN by diag(1 − h²) Wₕ, so the norm is at most that of Wₕ to the power T − t.
    Below 1 it vanishes; above, it may explode, and ``optim.clip_grad_norm_`` bounds what it does to a step of the optimiser.
    In an LSTM the cell's way back is multiplied by the forget gates alone.

    Source: Bengio et al. (1994); clipping: Pascanu et al. (2013).
    """
    if layer.num_layers != 1 or layer.bidirectional or layer.batch_first:
        raise ValueError("state_gradients: expected one layer in one direction, whose first axis is time (not batch_first)")
    if np.ndim(x) != 2:
        raise ValueError(f"state_gradients: x has shape {np.shape(x)}, expected (T, I)")
    H, dtype = layer.hidden_size, layer.weight_ih_l0.dtype
    # A copy of the sequence for each unit k of h_T; copy k is given the gradient e_k, so that one backward pass makes a row of
    # every Jacobian.
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


def draw_state_gradients(norms, path, title="How far back the gradient reaches"):
    """Draw {name: ``state_gradients``} over the steps back from the end, on a logarithmic scale, into the PNG file ``path``."""
    figure = new_figure(7, 4.2)
    axes = figure.add_subplot()
    for (name, values), colour in zip(norms.items(), (BLUE, ORANGE, GREEN, GREY)):
        axes.semilogy(np.arange(len(values))[::-1], np.maximum(values, np.finfo(float).tiny), color=colour, label=name)
    axes.set(xlabel="steps back from the end, T − t", ylabel="‖∂h_T/∂s_t‖", title=title)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    save_figure(figure, path)
