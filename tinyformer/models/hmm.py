"""Hidden Markov model: a chain of states that nobody sees, each of which emits a token that everybody sees.

    P(x, s) = π(s₁) Π_t A(s_{t−1}, s_t) Π_t B(s_t, x_t)

Sums over all paths of states are taken one step at a time, in logarithms, for all sequences at once:

    forward     α_t(j) = P(x₁…x_t, s_t = j)   = B(j, x_t) Σᵢ α_{t−1}(i) A(i, j)
    backward    β_t(i) = P(x_{t+1}…x_T | s_t = i) = Σⱼ A(i, j) B(j, x_{t+1}) β_{t+1}(j)
    Viterbi     the same as forward, with the maximum for the sum

Source: Baum et al. (1970); Viterbi (1967); Rabiner, "A tutorial on hidden Markov models" (1989).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..rng import generator
from .pretrained import Pretrained


@dataclass(frozen=True)
class HMMConfig:
    """K = n_states, V = vocab_size."""

    n_states: int
    vocab_size: int

    def __post_init__(self):
        for name in ("n_states", "vocab_size"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"HMMConfig: {name} is {value!r}, expected a whole number of at least 1")


class HMM(Pretrained):
    """``HMM(config).fit(sequences)`` finds states by itself; ``fit_tagged(sequences, states)`` is told them.

    log_start       ln π (K,)
    log_transition  ln A (K, K), from the row's state to the column's
    log_emission    ln B (K, V)

    All start at random, every row a distribution. ``sequences`` is a list of ids, integers (T,), T ≥ 1 each.
    """

    architecture, Config = "hmm", HMMConfig

    def __init__(self, config, rng=None):
        self.config = config
        K, V, rng = config.n_states, config.vocab_size, generator(rng)
        self.register_buffer("log_start", np.log(rng.dirichlet(np.full(K, 10.0))))
        self.register_buffer("log_transition", np.log(rng.dirichlet(np.full(K, 10.0), K)))
        self.register_buffer("log_emission", np.log(rng.dirichlet(np.full(V, 10.0), K)))

    # -- what is known of the states of a sequence

    def _emissions(self, x):
        """ln B(·, x_t): (N, T, K)."""
        return self.log_emission.T[x]

    def _forward(self, x, there):
        """ln α: (N, T, K); after the end of a sequence its last one goes on."""
        emitted = self._emissions(x)
        alpha = np.empty(emitted.shape)
        alpha[:, 0] = self.log_start + emitted[:, 0]
        for t in range(1, x.shape[1]):
            step = _log_sum(alpha[:, t - 1, :, None] + self.log_transition, axis=1) + emitted[:, t]
            alpha[:, t] = np.where(there[:, t, None], step, alpha[:, t - 1])
        return alpha

    def _backward(self, x, there):
        """ln β: (N, T, K); 0 from the last place of a sequence on."""
        emitted = self._emissions(x)
        beta = np.zeros(emitted.shape)
        for t in range(x.shape[1] - 2, -1, -1):
            step = _log_sum(self.log_transition + (emitted[:, t + 1] + beta[:, t + 1])[:, None], axis=2)
            beta[:, t] = np.where(there[:, t + 1, None], step, 0)
        return beta

    def log_likelihood(self, sequences):
        """ln P(x) of each sequence, over all paths: (N,). −∞ for an impossible one."""
        return _log_sum(self._forward(*self._padded(sequences))[:, -1], axis=1)

    def posteriors(self, sequences):
        """P(s_t = k | x) for each sequence: a list of (T, K), whose rows sum to one.   γ = α β / P(x)"""
        x, there = self._padded(sequences)
        gamma, _ = self._expected(x, there)
        return [rows[:n] for rows, n in zip(gamma, there.sum(axis=1))]

    def _expected(self, x, there):
        """(γ (N, T, K), Σ over all steps of P(s_{t−1} = i, s_t = j | x) (K, K))."""
        alpha, beta = self._forward(x, there), self._backward(x, there)
        likelihood = _log_sum(alpha[:, -1], axis=1)
        if not np.isfinite(likelihood).all():
            raise ValueError(f"hmm: sequence {np.flatnonzero(~np.isfinite(likelihood))[0]} is impossible for the model: "
                             f"no path of states emits it")
        gamma = np.exp(alpha + beta - likelihood[:, None, None]) * there[:, :, None]
        steps, emitted = np.zeros(self.log_transition.shape), self._emissions(x)
        for t in range(1, x.shape[1]):
            arriving = emitted[:, t] + beta[:, t] - likelihood[:, None]                         # (N, K)
            steps += np.exp(alpha[:, t - 1, :, None] + self.log_transition + arriving[:, None])[there[:, t]].sum(axis=0)
        return gamma, steps

    def viterbi(self, sequences):
        """(the likeliest path of states of each sequence, a list of (T,); ln P(x, path) of each, (N,))."""
        x, there = self._padded(sequences)
        emitted = self._emissions(x)
        best = self.log_start + emitted[:, 0]                                                   # (N, K)
        origin = np.broadcast_to(np.arange(self.config.n_states), emitted.shape).copy()         # past the end: stay
        for t in range(1, x.shape[1]):
            ways = best[:, :, None] + self.log_transition                                       # (N, from, to)
            origin[:, t] = np.where(there[:, t, None], ways.argmax(axis=1), origin[:, t])
            best = np.where(there[:, t, None], ways.max(axis=1) + emitted[:, t], best)
        paths = np.empty(x.shape, np.int64)
        paths[:, -1] = best.argmax(axis=1)
        rows = np.arange(len(x))
        for t in range(x.shape[1] - 1, 0, -1):
            paths[:, t - 1] = origin[rows, t, paths[:, t]]
        return [path[:n] for path, n in zip(paths, there.sum(axis=1))], best.max(axis=1)

    # -- learning

    def fit(self, sequences, iterations=300, tolerance=1e-7):
        """Baum–Welch: expect the states from the model, then count as if they had been seen, and again.

            π(k) ∝ Σ γ₁(k)      A(i, j) ∝ Σ_t P(s_{t−1} = i, s_t = j | x)      B(k, v) ∝ Σ_{t: x_t = v} γ_t(k)

        The likelihood never falls; where it leads depends on the start, and it may rest on a plain for dozens of iterations.
        Stops when it rises by less than ``tolerance`` a token. Returns ln P of all sequences before each iteration.
        """
        x, there = self._padded(sequences)
        history = []
        for _ in range(iterations):
            history.append(float(_log_sum(self._forward(x, there)[:, -1], axis=1).sum()))
            if len(history) > 1 and history[-1] - history[-2] < tolerance * there.sum():
                break
            gamma, steps = self._expected(x, there)
            emissions = np.stack([np.bincount(x[there], weights=gamma[there][:, k], minlength=self.config.vocab_size)
                                  for k in range(self.config.n_states)])
            self._take_counts(gamma[:, 0].sum(axis=0), steps, emissions)
        return history

    def fit_tagged(self, sequences, states, k=1.0):
        """Count states that are known, a list like ``sequences``; ``k`` is added to every count of what may happen."""
        K, V = self.config.n_states, self.config.vocab_size
        x, there = self._padded(sequences)
        tags, tagged = _pad(states, K, "state")
        if tagged.shape != there.shape or (tagged != there).any():
            raise ValueError("hmm: the sequences and their states differ in number or lengths")
        if not 0 <= k < math.inf:
            raise ValueError(f"hmm: k is {k}, expected a finite number of at least 0")
        both = there[:, 1:]
        steps = np.bincount(tags[:, :-1][both] * K + tags[:, 1:][both], minlength=K * K).reshape(K, K)
        emissions = np.bincount(tags[there] * V + x[there], minlength=K * V).reshape(K, V)
        self._take_counts(np.bincount(tags[:, 0], minlength=K) + k, steps + k, emissions + k)
        return self

    def _take_counts(self, start, steps, emissions):
        """Make the counts distributions. A state that never came keeps what it had."""
        for name, counts in (("log_start", start), ("log_transition", steps), ("log_emission", emissions)):
            total = counts.sum(axis=-1, keepdims=True)
            with np.errstate(divide="ignore", invalid="ignore"):
                setattr(self, name, np.where(total > 0, np.log(counts / total), getattr(self, name)))

    def sample(self, T, rng=None):
        """(ids (T,), states (T,)) drawn from the model."""
        rng = generator(rng)
        states = np.empty(T, np.int64)
        for t in range(T):
            log_p = self.log_transition[states[t - 1]] if t else self.log_start
            states[t] = _draw(log_p, rng)
        return np.array([_draw(self.log_emission[state], rng) for state in states], np.int64), states

    def _padded(self, sequences):
        return _pad(sequences, self.config.vocab_size, "id")


def _pad(sequences, limit, what):
    """(x integers (N, T), there booleans (N, T)): sequences of different lengths as one array, False after their ends."""
    arrays = [np.asarray(ids) for ids in sequences]
    if not arrays:
        raise ValueError("hmm: no sequences, expected at least one")
    for i, ids in enumerate(arrays):
        if ids.ndim != 1 or not ids.size:
            raise ValueError(f"hmm: sequence {i} has shape {ids.shape}, expected (T,) with T ≥ 1; "
                             f"one sequence goes into a list")
        if ids.dtype.kind not in "iu":
            raise TypeError(f"hmm: sequence {i} is {ids.dtype}, expected integers")
        if not (0 <= ids.min() and ids.max() < limit):
            raise ValueError(f"hmm: sequence {i} has the {what} {ids[(ids < 0) | (ids >= limit)][0]}, expected 0…{limit - 1}")
    lengths = np.array([len(ids) for ids in arrays])
    there = np.arange(lengths.max()) < lengths[:, None]
    x = np.zeros(there.shape, np.int64)
    x[there] = np.concatenate(arrays)
    return x, there


def _log_sum(x, axis):
    """ln Σ e^x along ``axis``; −∞ where nothing is possible."""
    return np.logaddexp.reduce(x, axis=axis)


def _draw(log_p, rng):
    """One place, drawn with probability e^log_p."""
    reached = np.cumsum(np.exp(log_p))
    return int(np.searchsorted(reached, rng.random() * reached[-1], side="right").clip(max=len(reached) - 1))
