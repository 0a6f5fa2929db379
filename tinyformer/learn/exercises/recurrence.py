"""Recurrence, one step of it: of an RNN, and the cells of a GRU and an LSTM."""

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
    hints=("Two linear layers whose results are added, and a tanh.", "da, the gradient before the tanh, serves all five."),
    wrong=(
        WrongAnswer("local-derivative", "the tanh skipped", "dnew is the gradient after the tanh.",
              {"da = dnew * (1 - new ** 2)": "da = dnew"}),
        WrongAnswer("operand", "Uᵀ for U", "U is square, so no shape warns you: write the indices.", {"da @ U": "da @ U.T"}),
        WrongAnswer("transpose", "dU transposed", "U is square, so no shape warns you: which index is the output's?",
              {"da.T @ h": "h.T @ da"}),
        WrongAnswer("operand", "dU from the new state", "U was multiplied with the old state.", {"da.T @ h": "da.T @ new"}),
        WrongAnswer("local-derivative", "the slope at the old state", "1 − tanh² is taken of the output.",
              {"1 - new ** 2": "1 - h ** 2"}),
        WrongAnswer("reduction/factor", "db averaged", "Sum over the batch.", {"da.sum(axis=0)": "da.mean(axis=0)"}),
        WrongAnswer("zero/lost-path", "no gradient to the old state", "Without dh the past never learns.",
              {"dh = da @ U": "dh = np.zeros_like(h)"}),
    ))


def gru_cell(x, u, h):
    """The cell of a GRU.

        r = σ(xʳ + uʳ),   z = σ(xᶻ + uᶻ),   n = tanh(xⁿ + r ⊙ uⁿ),   h′ = (1 − z) ⊙ n + z ⊙ h

    x = [xʳ, xᶻ, xⁿ] side by side, what the input gives, and u = [uʳ, uᶻ, uⁿ], what the state gives: (B, 3H) each.
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
    question="The update gate is wide open (z = 1), and dnew = 1. What is dh?",
    answer=lambda f: np.round(f(np.array([[0.0, 50.0, 0.0]]), np.zeros((1, 3)), np.ones((1, 1)))[1](np.ones((1, 1)))[2][0, 0], 6),
    hints=("Begin at the end: dn, dz and the direct way to h come from the last formula. Then dr comes from dn.",
           "r and z see x and u alike; n sees x as it is, but u through the reset gate."),
    wrong=(
        WrongAnswer("gate-order", "gates in another order", "The order is r, z, n on the way back as well.",
              {"dx = np.concatenate([dr, dz, dn]": "dx = np.concatenate([dz, dr, dn]"}),
        WrongAnswer("local-derivative/swapped", "the reset gate left out of du", "uⁿ is multiplied by r.",
              {"[dr, dz, dn * r]": "[dr, dz, dn]"}),
        WrongAnswer("sign", "n − h for h − n", "How does h′ move when z grows? Towards h.", {"dnew * (h - n)": "dnew * (n - h)"}),
        WrongAnswer("lost-path/missing-term", "the candidate left out of dz", "z stands twice in h′: (1 − z) ⊙ n and z ⊙ h.",
              {"dnew * (h - n)": "dnew * h"}),
        WrongAnswer("local-derivative", "z for 1 − z at the candidate", "Which factor does n have in h′?",
              {"dnew * (1 - z) * (1 - n ** 2)": "dnew * z * (1 - n ** 2)"}),
        WrongAnswer("local-derivative", "the tanh's slope left out", "Between n and what is in its brackets stands a tanh.",
              {"dnew * (1 - z) * (1 - n ** 2)": "dnew * (1 - z)"}),
        WrongAnswer("local-derivative", "the reset gate's slope half left out", "r is a σ: r (1 − r).",
              {"dn * u_n * r * (1 - r)": "dn * u_n * r"}),
        WrongAnswer("local-derivative", "the update gate left out of dh", "How much of the old state was kept?",
              {"du, dnew * z": "du, dnew"}),
        WrongAnswer("dropped/lost-path", "the gradient of r forgotten", "r decides how much of uⁿ the candidate sees.",
              {"dr = dn * u_n * r * (1 - r)": "dr = np.zeros_like(r)"}),
    ))


def lstm_cell(gates, c):
    """The cell of an LSTM.

        c′ = σ(f) ⊙ c + σ(i) ⊙ tanh g,   h′ = σ(o) ⊙ tanh c′,   gates = [i, f, g, o] side by side

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
    question="The forget gate is wide open (σ(f) = 1), dh = 0 and dc = 1. What is dc_old?",
    answer=lambda f: np.round(f(np.array([[0.0, 50.0, 0.0, 0.0]]), np.ones((1, 1)))[1](
        (np.zeros((1, 1)), np.ones((1, 1))))[1][0, 0], 6),
    hints=("The new cell is used twice: it is handed on, and it makes h′. Add both gradients first.",
           "Then each gate: what it is multiplied with, times the slope of its own activation (σ for i, f, o; tanh for "
           "g)."),
    wrong=(
        WrongAnswer("lost-path/overwrite", "the gradient of c′ ignored", "c′ goes on into the next step: dc counts as well.",
              {"dnew = dc + dh": "dnew = dh"}),
        WrongAnswer("lost-path/overwrite", "the path through h′ forgotten", "h′ = σ(o) tanh c′: dh reaches c′ too.",
              {"dnew = dc + dh * o * (1 - t ** 2)": "dnew = dc"}),
        WrongAnswer("gate-order", "gates in another order", "The order is i, f, g, o on the way back as well.",
              {"[di, df, dg, do]": "[di, df, do, dg]"}),
        WrongAnswer("gate-order", "input and forget gate exchanged", "The order is i, f, g, o on the way back as well.",
              {"[di, df, dg, do]": "[df, di, dg, do]"}),
        WrongAnswer("local-derivative", "the sigmoid's slope for the candidate", "g has a tanh.",
              {"dnew * i * (1 - g ** 2)": "dnew * i * g * (1 - g)"}),
        WrongAnswer("local-derivative", "tanh's slope forgotten in h′", "Between c′ and h′ stands a tanh.",
              {"dh * o * (1 - t ** 2)": "dh * o"}),
        WrongAnswer("local-derivative", "the forget gate left out of dc_old", "How much of the old cell was kept?",
              {"axis=1), dnew * f": "axis=1), dnew"}),
        WrongAnswer("local-derivative/gate-order", "the input gate for the forget gate in dc_old",
              "Which gate multiplies the old cell?", {"axis=1), dnew * f": "axis=1), dnew * i"}),
    ))
