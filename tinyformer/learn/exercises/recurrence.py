"""One step of recurrence: an RNN step, a GRU cell and an LSTM cell."""

from __future__ import annotations

import numpy as np

from ..exercise import Exercise, WrongAnswer


def rnn_step(x, h, W, U, b):
    """A step of an RNN.

        h′ = tanh(x Wᵀ + h Uᵀ + b)

    x (B, I)    h, h′ (B, H)    W (H, I)    U (H, H)    b (H,).    vjp(dnew) returns dx, dh, dW, dU, db.
    """
    new = np.tanh(x @ W.T + h @ U.T + b)

    def vjp(dnew):
        da = dnew * (1 - new ** 2)
        dx = da @ W
        dh = da @ U
        dW = da.T @ x
        dU = da.T @ h
        db = da.sum(axis=0)
        return dx, dh, dW, dU, db

    return new, vjp


RNN_STEP = Exercise(
    rnn_step, "08 Recurrence",
    inputs=lambda rng, B=5, I=3, H=7: (rng.normal(size=(B, I)), rng.normal(size=(B, H)), rng.normal(size=(H, I)) / 2,
                                       rng.normal(size=(H, H)) / 3, rng.normal(size=H)),
    question="x is (5, 3) and h is (5, 7). What is the shape of dU? Write it as (a, b).",
    answer=lambda f: f(*map(np.ones, ((5, 3), (5, 7), (7, 3), (7, 7), 7)))[1](np.ones((5, 7)))[3].shape,
    hints=("Two linear layers, whose results are added, and a tanh.",
           "All five gradients follow from da, the gradient before the tanh."),
    wrong=(
        WrongAnswer("local-derivative", "the tanh skipped", "dnew is the gradient after the tanh.",
              {"da = dnew * (1 - new ** 2)": "da = dnew"}),
        WrongAnswer("operand", "Uᵀ for U", "U is square, so the shape does not show the mistake. Write the indices.",
                    {"da @ U": "da @ U.T"}),
        WrongAnswer("transpose", "dU transposed",
                    "U is square, so the shape does not show the mistake. Which index belongs to the output?",
              {"da.T @ h": "h.T @ da"}),
        WrongAnswer("operand", "dU from the new state", "U is multiplied by the old state.",
                    {"da.T @ h": "da.T @ new"}),
        WrongAnswer("local-derivative", "the derivative at the old state", "1 − tanh² uses the output.",
              {"1 - new ** 2": "1 - h ** 2"}),
        WrongAnswer("reduction/factor", "db averaged", "Sum over the batch.", {"da.sum(axis=0)": "da.mean(axis=0)"}),
        WrongAnswer("zero/lost-path", "no gradient for the old state",
                    "Without dh, earlier time steps get no gradient.",
              {"dh = da @ U": "dh = np.zeros_like(h)"}),
    ))


def gru_cell(x, u, h):
    """The cell of a GRU.

        r = σ(xʳ + uʳ),   z = σ(xᶻ + uᶻ),   n = tanh(xⁿ + r ⊙ uⁿ),   h′ = (1 − z) ⊙ n + z ⊙ h

    x = [xʳ, xᶻ, xⁿ] comes from the input, u = [uʳ, uᶻ, uⁿ] from the state; both are concatenated, (B, 3H).
    h, h′ (B, H).    vjp(dnew) returns dx, du, dh.
    """
    (x_r, x_z, x_n), (u_r, u_z, u_n) = np.split(x, 3, axis=1), np.split(u, 3, axis=1)
    r, z = 1 / (1 + np.exp(-x_r - u_r)), 1 / (1 + np.exp(-x_z - u_z))
    n = np.tanh(x_n + r * u_n)
    new = (1 - z) * n + z * h

    def vjp(dnew):
        dn = dnew * (1 - z) * (1 - n ** 2)                  # before the tanh
        dz = dnew * (h - n) * z * (1 - z)                   # before the σ
        dr = dn * u_n * r * (1 - r)
        dx = np.concatenate([dr, dz, dn], axis=1)
        du = np.concatenate([dr, dz, dn * r], axis=1)
        return dx, du, dnew * z

    return new, vjp


GRU_CELL = Exercise(
    gru_cell, "08 Recurrence",
    inputs=lambda rng, B=5, H=2: (rng.normal(size=(B, 3 * H)), rng.normal(size=(B, 3 * H)), rng.normal(size=(B, H))),
    question="The update gate is fully open (z = 1), and dnew = 1. What is dh?",
    answer=lambda f: np.round(f(np.array([[0.0, 50.0, 0.0]]), np.zeros((1, 3)),
                                np.ones((1, 1)))[1](np.ones((1, 1)))[2][0, 0], 6),
    hints=("Begin at the end: dn, dz and the direct path to h follow from the last formula. Then dr follows from dn.",
           "r and z use x and u in the same way. n uses x directly, but u through the reset gate."),
    wrong=(
        WrongAnswer("gate-order", "gates in another order", "The order is r, z, n in the backward pass as well.",
              {"dx = np.concatenate([dr, dz, dn]": "dx = np.concatenate([dz, dr, dn]"}),
        WrongAnswer("local-derivative/swapped", "the reset gate left out of du", "uⁿ is multiplied by r.",
              {"[dr, dz, dn * r]": "[dr, dz, dn]"}),
        WrongAnswer("sign", "n − h in place of h − n", "How does h′ change when z increases? Toward h.",
                    {"dnew * (h - n)": "dnew * (n - h)"}),
        WrongAnswer("lost-path/missing-term", "the candidate left out of dz",
                    "z occurs twice in h′: (1 − z) ⊙ n and z ⊙ h.",
              {"dnew * (h - n)": "dnew * h"}),
        WrongAnswer("local-derivative", "z in place of 1 − z for the candidate", "Which factor does n have in h′?",
              {"dnew * (1 - z) * (1 - n ** 2)": "dnew * z * (1 - n ** 2)"}),
        WrongAnswer("local-derivative", "the derivative of the tanh left out",
                    "n is the tanh of the sum in its brackets.",
              {"dnew * (1 - z) * (1 - n ** 2)": "dnew * (1 - z)"}),
        WrongAnswer("local-derivative", "half of the derivative of the reset gate left out",
                    "r is a sigmoid, so its derivative is r (1 − r).",
              {"dn * u_n * r * (1 - r)": "dn * u_n * r"}),
        WrongAnswer("local-derivative", "the update gate left out of dh", "How much of the old state does h′ keep?",
              {"du, dnew * z": "du, dnew"}),
        WrongAnswer("dropped/lost-path", "the gradient of r forgotten", "r decides how much of uⁿ the candidate uses.",
              {"dr = dn * u_n * r * (1 - r)": "dr = np.zeros_like(r)"}),
    ))


def lstm_cell(gates, c):
    """The cell of an LSTM.

        c′ = σ(f) ⊙ c + σ(i) ⊙ tanh g,   h′ = σ(o) ⊙ tanh c′,   gates = [i, f, g, o], concatenated

    gates (B, 4H)    c, c′, h′ (B, H).    The value is the pair (h′, c′); vjp((dh, dc)) returns dgates, dc_old.
    """
    i, f, g, o = np.split(gates, 4, axis=1)
    i, f, g, o = 1 / (1 + np.exp(-i)), 1 / (1 + np.exp(-f)), np.tanh(g), 1 / (1 + np.exp(-o))
    new = f * c + i * g
    t = np.tanh(new)
    h = o * t

    def vjp(dys):
        dh, dc = dys
        dnew = dc + dh * o * (1 - t ** 2)                   # both uses of the new cell
        di = dnew * g * i * (1 - i)
        df = dnew * c * f * (1 - f)
        dg = dnew * i * (1 - g ** 2)
        do = dh * t * o * (1 - o)
        return np.concatenate([di, df, dg, do], axis=1), dnew * f

    return (h, new), vjp


LSTM_CELL = Exercise(
    lstm_cell, "08 Recurrence",
    inputs=lambda rng, B=5, H=3: (rng.normal(size=(B, 4 * H)), rng.normal(size=(B, H))),
    question="The forget gate is fully open (σ(f) = 1), dh = 0 and dc = 1. What is dc_old?",
    answer=lambda f: np.round(f(np.array([[0.0, 50.0, 0.0, 0.0]]), np.ones((1, 1)))[1](
        (np.zeros((1, 1)), np.ones((1, 1))))[1][0, 0], 6),
    hints=("The new cell state is used twice: in the next step and in h′. Add both gradients first.",
           "Then each gate: its other factor, times the derivative of its own activation (σ "
           "for i, f, o; tanh for g)."),
    wrong=(
        WrongAnswer("lost-path/overwrite", "the gradient of c′ ignored", "The next step uses c′, so dc counts as well.",
              {"dnew = dc + dh": "dnew = dh"}),
        WrongAnswer("lost-path/overwrite", "the path through h′ forgotten",
                    "h′ = σ(o) tanh c′, so c′ gets a gradient from dh too.",
              {"dnew = dc + dh * o * (1 - t ** 2)": "dnew = dc"}),
        WrongAnswer("gate-order", "gates in another order", "The order is i, f, g, o in the backward pass as well.",
              {"[di, df, dg, do]": "[di, df, do, dg]"}),
        WrongAnswer("gate-order", "input and forget gate swapped",
                    "The order is i, f, g, o in the backward pass as well.",
              {"[di, df, dg, do]": "[df, di, dg, do]"}),
        WrongAnswer("local-derivative", "the derivative of the sigmoid for the candidate",
                    "The activation of g is tanh.",
              {"dnew * i * (1 - g ** 2)": "dnew * i * g * (1 - g)"}),
        WrongAnswer("local-derivative", "the derivative of tanh forgotten in h′", "h′ contains tanh c′.",
              {"dh * o * (1 - t ** 2)": "dh * o"}),
        WrongAnswer("local-derivative", "the forget gate left out of dc_old",
                    "How much of the old cell state does c′ keep?",
              {"axis=1), dnew * f": "axis=1), dnew"}),
        WrongAnswer("local-derivative/gate-order", "the input gate in place of the forget gate in dc_old",
              "Which gate multiplies the old cell state?", {"axis=1), dnew * f": "axis=1), dnew * i"}),
    ))
