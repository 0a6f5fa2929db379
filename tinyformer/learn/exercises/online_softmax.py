"""The online softmax of the kernels: only the running maximum and the running sum are kept."""

from __future__ import annotations

import numpy as np

from ..exercise import Exercise, WrongAnswer


def log_sum_exp(s):
    """The logarithm of a sum of exponentials, one column at a time.

        L_i = ln Σ_j exp s_ij

    s (T, S)    L (T,).    vjp(dL) returns ds.
    """
    m, l = np.full(len(s), -np.inf), np.zeros(len(s))       # the maximum so far, and Σ exp(s − m) so far
    for column in s.T:
        larger = np.maximum(m, column)
        l = l * np.exp(m - larger) + np.exp(column - larger)
        m = larger
    L = m + np.log(l)

    def vjp(dL):
        P = np.exp(s - L[:, None])                          # the softmax, out of s and one number a row
        return dL[:, None] * P

    return L, vjp


LOG_SUM_EXP = Exercise(
    log_sum_exp, "14 Kernels", inputs=lambda rng, T=5, S=3: (rng.normal(size=(T, S)),),
    question="dL is 1 for every row. What does each row of ds sum to?",
    answer=lambda f: f(np.arange(3.0)[None])[1](np.ones(1))[0].sum(),
    hints=("Differentiate the formula, not the loop. The loop is only one way to compute L.",
           "∂L/∂s_j is exp s_j over the sum of all exponentials. How do you express this by L, "
           "so that nothing overflows?"),
    wrong=(
        WrongAnswer("row-scale/local-derivative", "not divided by the sum",
                    "The derivative of the logarithm is 1 over the sum.",
              {"np.exp(s - L[:, None])": "np.exp(s - m[:, None])"}),
        WrongAnswer("softmax-diagonal/local-derivative", "the derivative of the softmax",
                    "L is not a softmax. Its gradient is one.",
              {"return dL[:, None] * P": "return dL[:, None] * P * (1 - P)"}),
        WrongAnswer("lost-path", "only the maximum", "L is smooth: every score has a gradient.",
              {"np.exp(s - L[:, None])": "(s == m[:, None]) * 1.0"}),
        WrongAnswer("upstream", "dL ignored", "Multiply by the upstream gradient.",
                    {"return dL[:, None] * P": "return P"}),
        WrongAnswer("sign", "the wrong sign", "L increases with every score.", {"return dL[": "return -dL["}),
        WrongAnswer("reduction/factor", "the mean over the columns",
                    "L is the logarithm of a sum, without a factor 1/S.",
              {"return dL[:, None] * P": "return dL[:, None] * P / s.shape[1]"}),
    ))


def join_halves(m1, l1, o1, m2, l2, o2):
    """Join attention over two halves of the keys.

    Each half has its own keys. For the scores s of each query, it has the maximum and two sums relative to this
    maximum:

        m₁ = max s,   ℓ₁ = Σ exp(s − m₁),   o₁ = Σ exp(s − m₁) v;   likewise m₂, ℓ₂, o₂

    m₁, ℓ₁, m₂, ℓ₂ (T,)    o₁, o₂ (T, E).    Returns attention over all keys, (T, E). Scores may exceed 1000.
    """
    m = np.maximum(m1, m2)
    right1, right2 = np.exp(m1 - m), np.exp(m2 - m)
    l = l1 * right1 + l2 * right2
    o = o1 * right1[:, None] + o2 * right2[:, None]
    return o / l[:, None]


def _two_halves(rng, T=5, S=7, E=3):
    halves = []
    for _ in range(2):
        s, v = 1000 + 2 * rng.normal(size=(T, S)), rng.normal(size=(S, E))
        m = s.max(axis=1)
        e = np.exp(s - m[:, None])
        halves += [m, e.sum(axis=1), e @ v]
    return tuple(halves)


JOIN_HALVES = Exercise(
    join_halves, "14 Kernels", inputs=_two_halves,
    cases={"maxima far apart": lambda rng: (np.array([2000.0, -2000]), np.ones(2), rng.normal(size=(2, 3)),
                                            np.array([0.0, 1]), np.ones(2), rng.normal(size=(2, 3)))},
    question="One query: m₁ = m₂, ℓ₁ = 1, o₁ = 4, ℓ₂ = 3, o₂ = 0. What is the output?",
    answer=lambda f: f(*map(np.array, ([2.0], [1.0], [[4.0]], [2.0], [3.0], [[0.0]])))[0, 0],
    hints=("The sums are relative to different maxima. Rescale both to the larger maximum, then add.",
           "exp(s − m₁) exp(m₁ − m) = exp(s − m), and m₁ − m is never positive. Divide at the end."),
    wrong=(
        WrongAnswer("formula", "the mean of two outputs", "The half with the larger sum has more weight.",
              {"return o / l[:, None]": "return (o1 / l1[:, None] + o2 / l2[:, None]) / 2"}),
        WrongAnswer("formula", "added without rescaling", "The sums are relative to different maxima.",
              {"np.exp(m1 - m), np.exp(m2 - m)": "np.ones_like(m1), np.ones_like(m2)"}),
        WrongAnswer("formula", "exponentials of the maxima themselves",
                    "exp(1000) overflows. Use only differences of maxima.",
              {"np.exp(m1 - m), np.exp(m2 - m)": "np.exp(m1), np.exp(m2)"}),
        WrongAnswer("formula", "rescaled in the wrong direction",
                    "A sum relative to a smaller maximum is too large, so its factor is below 1.",
              {"np.exp(m1 - m), np.exp(m2 - m)": "np.exp(m - m1), np.exp(m - m2)"}),
        WrongAnswer("formula", "only o rescaled", "ℓ is relative to the same maximum as o.",
                    {"l = l1 * right1 + l2 * right2": "l = l1 + l2"}),
        WrongAnswer("formula", "not divided by the sum", "Divide o by ℓ at the end.",
                    {"return o / l[:, None]": "return o"}),
    ))
