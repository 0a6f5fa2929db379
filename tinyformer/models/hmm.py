"""Hidden Markov model: a chain of hidden states, each of which emits an observed token.

    P(x, s) = π(s₁) Π_t A(s_{t−1}, s_t) Π_t B(s_t, x_t)

``hmm_paths`` sums over all paths of states and finds the best one. This module learns the probabilities from them.

Source: Baum et al. (1970); Rabiner, "A tutorial on hidden Markov models" (1989).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import plain_array
from ..number_checks import check_integer, check_number
from ..rng import generator
from .config_checks import check_integers
from .hmm_paths import expected, forward, log_sum, viterbi
from .pretrained import Pretrained
from .registry import register

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike
    from typing_extensions import Self

    from ..typing import Array, RNGLike

__all__ = ["HMM", "HMMConfig"]


@dataclass(frozen=True)
class HMMConfig:
    """K = n_states, V = vocab_size."""

    n_states: int
    vocab_size: int

    def __post_init__(self) -> None:
        check_integers(self, "n_states", "vocab_size")


@register
class HMM(Pretrained):
    """``HMM(config).fit(sequences)`` learns without states; ``fit_tagged(sequences, states)`` learns from given states.

    log_start       ln π (K,)
    log_transition  ln A (K, K), from the row's state to the column's
    log_emission    ln B (K, V)

    All start at random; every row is a distribution. ``sequences`` is a list of ids, integers (T,), with T ≥ 1 each.
    """

    architecture, Config = "hmm", HMMConfig
    config: HMMConfig
    log_start: Array
    log_transition: Array
    log_emission: Array

    def __init__(self, config: HMMConfig, rng: RNGLike = None) -> None:
        self.config = config
        K, V, rng = config.n_states, config.vocab_size, generator(rng)
        self.register_buffer("log_start", np.log(rng.dirichlet(np.full(K, 10.0))))
        self.register_buffer("log_transition", np.log(rng.dirichlet(np.full(K, 10.0), K)))
        self.register_buffer("log_emission", np.log(rng.dirichlet(np.full(V, 10.0), K)))

    # -- inference

    def _tables(self, x):
        """ln π, ln A, and ln B(·, x_t) (N, T, K) of ids (N, T)."""
        return self.log_start, self.log_transition, self.log_emission.T[x]

    def log_likelihood(self, sequences: Sequence[ArrayLike]) -> Array:
        """ln P(x) of each sequence, summed over all paths: (N,). −∞ for an impossible sequence."""
        return self._log_likelihood(*self._padded(sequences))

    def _log_likelihood(self, x, there):
        return log_sum(forward(*self._tables(x), there)[:, -1], axis=1)

    def posteriors(self, sequences: Sequence[ArrayLike]) -> list[Array]:
        """P(s_t = k | x) of each sequence: a list of arrays (T, K) whose rows sum to one."""
        x, there = self._padded(sequences)
        gamma, _ = expected(*self._tables(x), there)
        return [rows[:n] for rows, n in zip(gamma, there.sum(axis=1))]

    def viterbi(self, sequences: Sequence[ArrayLike]) -> tuple[list[Array], Array]:
        """(the most likely path of states of each sequence, a list of arrays (T,); ln P(x, path) of each, (N,))."""
        x, there = self._padded(sequences)
        paths, log_p = viterbi(*self._tables(x), there)
        return [path[:n] for path, n in zip(paths, there.sum(axis=1))], log_p

    # -- learning

    def fit(self, sequences: Sequence[ArrayLike], iterations: int = 300, tolerance: float = 1e-7) -> list[float]:
        """Baum–Welch: compute the posteriors of the states, set the probabilities to the expected counts, and repeat.

            π(k) ∝ Σ γ₁(k)      A(i, j) ∝ Σ_t P(s_{t−1} = i, s_t = j | x)      B(k, v) ∝ Σ_{t: x_t = v} γ_t(k)

        The likelihood never falls, see book (6.16). The result depends on the start, and the likelihood may stay nearly
        constant for dozens of iterations. Stops when it rises by less than ``tolerance`` for each token. Returns ln P
        of all sequences before each iteration.
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

    def fit_tagged(self, sequences: Sequence[ArrayLike], states: Sequence[ArrayLike], k: float = 1.0) -> Self:
        """Count given states, a list of arrays like ``sequences``, and add ``k`` to every count. Returns the model."""
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
        """Set the probabilities to the normalized counts. A state that never occurs keeps its probabilities."""
        for name, counts in (("log_start", start), ("log_transition", steps), ("log_emission", emissions)):
            total = counts.sum(axis=-1, keepdims=True)
            with np.errstate(divide="ignore", invalid="ignore"):
                setattr(self, name, np.where(total > 0, np.log(counts / total), getattr(self, name)))

    def sample(self, T: int, rng: RNGLike = None) -> tuple[Array, Array]:
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
    """(x integers (N, T), there booleans (N, T)): sequences of different lengths in one array.

    ``there`` is False after the end.
    """
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
            raise ValueError(f"hmm: sequence {i} has the {what} "
                             f"{ids[(ids < 0) | (ids >= limit)][0]}, expected 0…{limit - 1}")
    lengths = np.array([len(ids) for ids in arrays])
    there = np.arange(lengths.max()) < lengths[:, None]
    x = np.zeros(there.shape, np.int64)
    x[there] = np.concatenate(arrays)
    return x, there


def _draw(log_p, rng):
    """An index drawn with the probabilities e^log_p."""
    reached = np.cumsum(np.exp(log_p))
    return int(np.searchsorted(reached, rng.random() * reached[-1], side="right").clip(max=len(reached) - 1))
