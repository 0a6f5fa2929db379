"""Sums over all paths of the states of a hidden Markov model, and the best path.

    forward     α_t(j) = P(x₁…x_t, s_t = j)       = B(j, x_t) Σᵢ α_{t−1}(i) A(i, j),    α₁(j) = π(j) B(j, x₁)
    backward    β_t(i) = P(x_{t+1}…x_T | s_t = i) = Σⱼ A(i, j) B(j, x_{t+1}) β_{t+1}(j),    β_T(i) = 1
    Viterbi     as forward, with the maximum in place of the sum

All functions use logarithms and handle N sequences together:

    start (K,)    transition (K, K), from the row's state to the column's    emitted (N, T, K): ln B(·, x_t)
    there (N, T)  booleans, False after the end of a sequence

Source: Baum et al. (1970); Viterbi (1967); Rabiner, "A tutorial on hidden Markov models" (1989).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..typing import Array


def log_sum(x: Array, axis: int) -> Array:
    """ln Σ e^x along ``axis``; −∞ where every x is −∞."""
    return np.logaddexp.reduce(x, axis=axis)


def forward(start: Array, transition: Array, emitted: Array, there: Array) -> Array:
    """ln α: (N, T, K). The last value of a sequence repeats after its end."""
    alpha = np.empty(emitted.shape)
    alpha[:, 0] = start + emitted[:, 0]
    for t in range(1, emitted.shape[1]):
        step = log_sum(alpha[:, t - 1, :, None] + transition, axis=1) + emitted[:, t]
        alpha[:, t] = np.where(there[:, t, None], step, alpha[:, t - 1])
    return alpha


def backward(transition: Array, emitted: Array, there: Array) -> Array:
    """ln β: (N, T, K); 0 from the last position of a sequence on."""
    beta = np.zeros(emitted.shape)
    for t in range(emitted.shape[1] - 2, -1, -1):
        step = log_sum(transition + (emitted[:, t + 1] + beta[:, t + 1])[:, None], axis=2)
        beta[:, t] = np.where(there[:, t + 1, None], step, 0)
    return beta


def expected(start: Array, transition: Array, emitted: Array, there: Array) -> tuple[Array, Array]:
    """(γ (N, T, K), Σ over all steps of P(s_{t−1} = i, s_t = j | x) (K, K)).   γ_t(k) = P(s_t = k | x) = α β / P(x)

    Raises ValueError for a sequence that no path emits.
    """
    alpha, beta = forward(start, transition, emitted, there), backward(transition, emitted, there)
    likelihood = log_sum(alpha[:, -1], axis=1)
    if not np.isfinite(likelihood).all():
        raise ValueError(f"hmm: sequence {np.flatnonzero(~np.isfinite(likelihood))[0]} is impossible for the model: "
                         "no path of states emits it")
    gamma = np.exp(alpha + beta - likelihood[:, None, None]) * there[:, :, None]
    steps = np.zeros(transition.shape)
    for t in range(1, emitted.shape[1]):
        arriving = emitted[:, t] + beta[:, t] - likelihood[:, None]                             # (N, K)
        steps += np.exp(alpha[:, t - 1, :, None] + transition + arriving[:, None])[there[:, t]].sum(axis=0)
    return gamma, steps


def viterbi(start: Array, transition: Array, emitted: Array, there: Array) -> tuple[Array, Array]:
    """(the most likely path of states, (N, T), constant after the end of its sequence; ln P(x, path), (N,))."""
    best = start + emitted[:, 0]                                                                # (N, K)
    # after the end: constant
    origin = np.broadcast_to(np.arange(len(start)), emitted.shape).copy()
    for t in range(1, emitted.shape[1]):
        ways = best[:, :, None] + transition                                                    # (N, from, to)
        origin[:, t] = np.where(there[:, t, None], ways.argmax(axis=1), origin[:, t])
        best = np.where(there[:, t, None], ways.max(axis=1) + emitted[:, t], best)
    paths = np.zeros_like(there, np.int64)
    paths[:, -1] = best.argmax(axis=1)
    rows = np.arange(len(paths))
    for t in range(paths.shape[1] - 1, 0, -1):
        paths[:, t - 1] = origin[rows, t, paths[:, t]]
    return paths, best.max(axis=1)
