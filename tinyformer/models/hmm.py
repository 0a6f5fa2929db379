"""Hidden Markov model: a chain of states that nobody sees, each of which emits a token that everybody sees.

    P(x, s) = π(s₁) Π_t A(s_{t−1}, s_t) Π_t B(s_t, x_t)

``hmm_paths`` sums over all paths of states and finds the best one; here is what is learned from that.

Source: Baum et al. (1970); Rabiner, "A tutorial on hidden Markov models" (1989).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import plain_array
from ..number_checks import check_integer, check_number
from ..rng import generator
from .config_checks import check_integers
from .hmm_paths import expected, forward, log_sum, viterbi
from .pretrained import Pretrained
from .registry import register

__all__ = ["HMM", "HMMConfig"]


@dataclass(frozen=True)
class HMMConfig:
    """K = n_states, V = vocab_size."""

    n_states: int
    vocab_size: int

    def __post_init__(self):
        check_integers(self, "n_states", "vocab_size")


@register
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

    def _tables(self, x):
        """ln π, ln A, and ln B(·, x_t) (N, T, K) of ids (N, T)."""
        return self.log_start, self.log_transition, self.log_emission.T[x]

    def log_likelihood(self, sequences):
        """ln P(x) of each sequence, over all paths: (N,). −∞ for an impossible one."""
        return self._log_likelihood(*self._padded(sequences))

    def _log_likelihood(self, x, there):
        return log_sum(forward(*self._tables(x), there)[:, -1], axis=1)

    def posteriors(self, sequences):
        """P(s_t = k | x) for each sequence: a list of (T, K), whose rows sum to one."""
        x, there = self._padded(sequences)
        gamma, _ = expected(*self._tables(x), there)
        return [rows[:n] for rows, n in zip(gamma, there.sum(axis=1))]

    def viterbi(self, sequences):
        """(the likeliest path of states of each sequence, a list of (T,); ln P(x, path) of each, (N,))."""
        x, there = self._padded(sequences)
        paths, log_p = viterbi(*self._tables(x), there)
        return [path[:n] for path, n in zip(paths, there.sum(axis=1))], log_p

    # -- learning

    def fit(self, sequences, iterations=300, tolerance=1e-7):
        """Baum–Welch: expect the states from the model, then count as if they had been seen, and again.

            π(k) ∝ Σ γ₁(k)      A(i, j) ∝ Σ_t P(s_{t−1} = i, s_t = j | x)      B(k, v) ∝ Σ_{t: x_t = v} γ_t(k)

        The likelihood never falls, see book (6.16); where it leads depends on the start, and it may rest on a plain for dozens of
        iterations. Stops when it rises by less than ``tolerance`` a token. Returns ln P of all sequences before each iteration.
        """
        iterations = check_integer(self, "iterations", iterations, at_least=0)
        tolerance = check_number(self, "tolerance", tolerance, finite=False)
        x, there = self._padded(sequences)
        history = []
        for _ in range(iterations):
            history.append(float(self._log_likelihood(x, there).sum()))
            if len(history) > 1 and history[-1] - history[-2] < tolerance * there.sum():
                break
            gamma, steps = expected(*self._tables(x), there)
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
        k = check_number(self, "k", k, at_least=0)
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
    arrays = [plain_array("hmm", ids) for ids in sequences]
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


def _draw(log_p, rng):
    """One place, drawn with probability e^log_p."""
    reached = np.cumsum(np.exp(log_p))
    return int(np.searchsorted(reached, rng.random() * reached[-1], side="right").clip(max=len(reached) - 1))
