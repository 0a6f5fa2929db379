"""The softmax a part at a time, as the kernels compute it: only maximum and sum are carried along."""

from __future__ import annotations

import numpy as np

from ..exercise import Exercise, WrongAnswer


def log_sum_exp(s):
    """The logarithm of a sum of exponentials, a column at a time.

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
    hints=("Differentiate the formula, not the loop: the loop is only a way to compute it.",
           "∂L/∂s_j is exp s_j over the sum of all exponentials. How is that written with L, so that nothing overflows?"),
    wrong=(
        WrongAnswer("row-scale/local-derivative", "not divided by the sum", "The logarithm's slope is one over the sum.",
              {"np.exp(s - L[:, None])": "np.exp(s - m[:, None])"}),
        WrongAnswer("softmax-diagonal/local-derivative", "the softmax's own slope", "L is no softmax: its gradient is one.",
              {"return dL[:, None] * P": "return dL[:, None] * P * (1 - P)"}),
        WrongAnswer("lost-path", "the maximum alone", "L is smooth: every score has its share.",
              {"np.exp(s - L[:, None])": "(s == m[:, None]) * 1.0"}),
        WrongAnswer("upstream", "dL ignored", "Multiply by the gradient that arrives.", {"return dL[:, None] * P": "return P"}),
        WrongAnswer("sign", "the sign turned round", "A larger score makes L larger.", {"return dL[": "return -dL["}),
        WrongAnswer("reduction/factor", "the mean over the columns", "L is a sum's logarithm, without 1/S.",
              {"return dL[:, None] * P": "return dL[:, None] * P / s.shape[1]"}),
    ))


def join_halves(m1, l1, o1, m2, l2, o2):
    """Attention over two halves of the keys, joined.

    Each half saw its own keys. Of each query's scores s there it has the maximum, and two sums that go by this maximum:

        m₁ = max s,   ℓ₁ = Σ exp(s − m₁),   o₁ = Σ exp(s − m₁) v;   likewise m₂, ℓ₂, o₂

    m₁, ℓ₁, m₂, ℓ₂ (T,)    o₁, o₂ (T, E).    Returns what attention over all keys gives, (T, E). Scores may be 1000 and more.
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
    hints=("The two sums go by different maxima. Put both right for the larger one, then add.",
           "exp(s − m₁) exp(m₁ − m) = exp(s − m), and m₁ − m is never positive. Divide at the very end."),
    wrong=(
        WrongAnswer("forward", "the mean of two outputs", "The half with the larger sum weighs more.",
              {"return o / l[:, None]": "return (o1 / l1[:, None] + o2 / l2[:, None]) / 2"}),
        WrongAnswer("forward", "added without putting right", "The sums go by different maxima.",
              {"np.exp(m1 - m), np.exp(m2 - m)": "np.ones_like(m1), np.ones_like(m2)"}),
        WrongAnswer("forward", "exponentials of the maxima themselves", "exp 1000 is no number. Only differences of maxima go into it.",
              {"np.exp(m1 - m), np.exp(m2 - m)": "np.exp(m1), np.exp(m2)"}),
        WrongAnswer("forward", "put right the wrong way", "A sum that goes by a smaller maximum is too large: its factor is below 1.",
              {"np.exp(m1 - m), np.exp(m2 - m)": "np.exp(m - m1), np.exp(m - m2)"}),
        WrongAnswer("forward", "only o put right", "ℓ goes by the same maximum.", {"l = l1 * right1 + l2 * right2": "l = l1 + l2"}),
        WrongAnswer("forward", "not divided by the sum", "At the end o is divided by ℓ.", {"return o / l[:, None]": "return o"}),
    ))
