"""Recurrence: a step of an RNN, cells of a GRU and an LSTM, and all through time."""

from __future__ import annotations

import numpy as np

from ..exercise import Exercise, Wrong


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
        Wrong("local-derivative", "the tanh skipped", "dnew is the gradient after the tanh.",
              {"da = dnew * (1 - new ** 2)": "da = dnew"}),
        Wrong("operand", "Uᵀ for U", "U is square, so no shape warns you: write the indices.", {"da @ U": "da @ U.T"}),
        Wrong("transpose", "dU transposed", "U is square, so no shape warns you: which index is the output's?",
              {"da.T @ h": "h.T @ da"}),
        Wrong("operand", "dU from the new state", "U was multiplied with the old state.", {"da.T @ h": "da.T @ new"}),
        Wrong("local-derivative", "the slope at the old state", "1 − tanh² is taken of the output.",
              {"1 - new ** 2": "1 - h ** 2"}),
        Wrong("reduction/factor", "db averaged", "Sum over the batch.", {"da.sum(axis=0)": "da.mean(axis=0)"}),
        Wrong("zero/lost-path", "no gradient to the old state", "Without dh the past never learns.",
              {"dh = da @ U": "dh = np.zeros_like(h)"}),
    ))


def gru_cell(x, u, h):
    """The cell of a GRU.

        r = σ(xʳ + uʳ),   z = σ(xᶻ + uᶻ),   n = tanh(xⁿ + r ∘ uⁿ),   h′ = (1 − z) ∘ n + z ∘ h

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
        Wrong("gate-order", "gates in another order", "The order is r, z, n on the way back as well.",
              {"dx = np.concatenate([dr, dz, dn]": "dx = np.concatenate([dz, dr, dn]"}),
        Wrong("local-derivative/swapped", "the reset gate left out of du", "uⁿ is multiplied by r.",
              {"[dr, dz, dn * r]": "[dr, dz, dn]"}),
        Wrong("sign", "n − h for h − n", "How does h′ move when z grows? Towards h.", {"dnew * (h - n)": "dnew * (n - h)"}),
        Wrong("lost-path/missing-term", "the candidate left out of dz", "z stands twice in h′: (1 − z) ∘ n and z ∘ h.",
              {"dnew * (h - n)": "dnew * h"}),
        Wrong("local-derivative", "z for 1 − z at the candidate", "Which factor does n have in h′?",
              {"dnew * (1 - z) * (1 - n ** 2)": "dnew * z * (1 - n ** 2)"}),
        Wrong("local-derivative", "the tanh's slope left out", "Between n and what is in its brackets stands a tanh.",
              {"dnew * (1 - z) * (1 - n ** 2)": "dnew * (1 - z)"}),
        Wrong("local-derivative", "the reset gate's slope half left out", "r is a σ: r (1 − r).",
              {"dn * u_n * r * (1 - r)": "dn * u_n * r"}),
        Wrong("local-derivative", "the update gate left out of dh", "How much of the old state was kept?",
              {"du, dnew * z": "du, dnew"}),
        Wrong("dropped/lost-path", "the gradient of r forgotten", "r decides how much of uⁿ the candidate sees.",
              {"dr = dn * u_n * r * (1 - r)": "dr = np.zeros_like(r)"}),
    ))


def lstm_cell(gates, c):
    """The cell of an LSTM.

        c′ = σ(f) ∘ c + σ(i) ∘ tanh g,   h′ = σ(o) ∘ tanh c′,   gates = [i, f, g, o] side by side

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
        Wrong("lost-path/overwrite", "the gradient of c′ ignored", "c′ goes on into the next step: dc counts as well.",
              {"dnew = dc + dh": "dnew = dh"}),
        Wrong("lost-path/overwrite", "the path through h′ forgotten", "h′ = σ(o) tanh c′: dh reaches c′ too.",
              {"dnew = dc + dh * o * (1 - t ** 2)": "dnew = dc"}),
        Wrong("gate-order", "gates in another order", "The order is i, f, g, o on the way back as well.",
              {"[di, df, dg, do]": "[di, df, do, dg]"}),
        Wrong("gate-order", "input and forget gate exchanged", "The order is i, f, g, o on the way back as well.",
              {"[di, df, dg, do]": "[df, di, dg, do]"}),
        Wrong("local-derivative", "the sigmoid's slope for the candidate", "g has a tanh.",
              {"dnew * i * (1 - g ** 2)": "dnew * i * g * (1 - g)"}),
        Wrong("local-derivative", "tanh's slope forgotten in h′", "Between c′ and h′ stands a tanh.",
              {"dh * o * (1 - t ** 2)": "dh * o"}),
        Wrong("local-derivative", "the forget gate left out of dc_old", "How much of the old cell was kept?",
              {"axis=1), dnew * f": "axis=1), dnew"}),
        Wrong("local-derivative/gate-order", "the input gate for the forget gate in dc_old",
              "Which gate multiplies the old cell?", {"axis=1), dnew * f": "axis=1), dnew * i"}),
    ))


def rnn(x, h0, U):
    """An RNN through time.

        h_t = tanh(x_t + h_{t−1} Uᵀ),   t = 1 … T

    x (T, H), one row a time    h0 (H,)    U (H, H)    h (T, H), all states.    vjp(dh) returns dx, dh0, dU.
    """
    T = len(x)
    h = np.zeros_like(x)
    before = [h0]                                           # the state before each time
    for t in range(T):
        h[t] = np.tanh(x[t] + before[t] @ U.T)
        before.append(h[t])

    def vjp(dh):
        dx, dU = np.zeros_like(x), np.zeros_like(U)
        later = np.zeros_like(h0)                           # what arrives from the next time
        for t in reversed(range(T)):
            da = (dh[t] + later) * (1 - h[t] ** 2)
            dx[t] = da
            dU += np.outer(da, before[t])
            later = da @ U
        return dx, later, dU

    return h, vjp


RNN = Exercise(
    rnn, "08 Recurrence",
    inputs=lambda rng, T=5, H=3: (rng.normal(size=(T, H)), rng.normal(size=H), rng.normal(size=(H, H))),
    question="T = 5, and only the state at time 2 is used (dh is 0 in all other rows). How many rows of dx are not zero?",
    answer=lambda f: np.count_nonzero(f(np.ones((5, 2)) / 9, np.ones(2) / 9, np.ones((2, 2)))[1](
        np.eye(5)[:, 1:2] * np.ones(2))[0].any(axis=1)),
    hints=("Walk back from the last time. Two gradients meet in each state: dh[t] from outside, and one from the next "
           "time.",
           "U is used at every time: its gradient is a sum over times. What is left at the end belongs to h0."),
    wrong=(
        Wrong("lost-path/overwrite", "nothing handed back in time", "h_t goes into h_{t+1}: that gradient must come back.",
              {"(dh[t] + later) *": "dh[t] *"}),
        Wrong("lost-path/dropped", "dh of the earlier times ignored", "Every state is an output of its own.",
              {"(dh[t] + later)": "(dh[t] * (t == T - 1) + later)"}),
        Wrong("overwrite/lost-path", "dU of one time only", "U is used at every time: add.", {"dU += np": "dU = np"}),
        Wrong("operand", "Uᵀ for U", "h Uᵀ forward, da U back.", {"later = da @ U": "later = da @ U.T"}),
        Wrong("transpose", "dU transposed", "Row of U: the new state. Column: the old one.",
              {"np.outer(da, before[t])": "np.outer(before[t], da)"}),
        Wrong("operand", "dU from the new states", "U meets the state before time t.",
              {"np.outer(da, before[t])": "np.outer(da, h[t])"}),
        Wrong("local-derivative", "the slope left out of the path through time",
              "What goes back to h_{t−1} passes the tanh first.", {"later = da @ U": "later = (dh[t] + later) @ U"}),
        Wrong("zero/lost-path", "no gradient for the first state", "What is left after the first time is dh0.",
              {"return dx, later, dU": "return dx, np.zeros_like(h0), dU"}),
    ))


def lstm(x, h0, c0, U):
    """An LSTM through time.

        gates_t = x_t + U h_{t−1} = [i, f, g, o],   c_t = σ(f) ∘ c_{t−1} + σ(i) ∘ tanh g,   h_t = σ(o) ∘ tanh c_t

    x (T, 4H), one row a time    h0, c0 (H,)    U (4H, H)    h (T, H), all states.    vjp(dy) returns dx, dh0, dc0, dU.
    """
    T = len(x)
    h, c, gates = [h0], [c0], []                            # h[t] and c[t] are those before time t
    for t in range(T):
        i, f, g, o = np.split(x[t] + U @ h[t], 4)
        i, f, g, o = 1 / (1 + np.exp(-i)), 1 / (1 + np.exp(-f)), np.tanh(g), 1 / (1 + np.exp(-o))
        gates.append((i, f, g, o))
        c.append(f * c[t] + i * g)
        h.append(o * np.tanh(c[t + 1]))

    def vjp(dy):
        dx, dU = np.zeros_like(x), np.zeros_like(U)
        dh, dc = np.zeros_like(h0), np.zeros_like(c0)       # what arrives from the next time
        for t in reversed(range(T)):
            i, f, g, o = gates[t]
            tc = np.tanh(c[t + 1])
            dh = dh + dy[t]
            dc = dc + dh * o * (1 - tc ** 2)
            di, df, dg, do = dc * g * i * (1 - i), dc * c[t] * f * (1 - f), dc * i * (1 - g ** 2), dh * tc * o * (1 - o)
            dx[t] = np.concatenate([di, df, dg, do])
            dU += np.outer(dx[t], h[t])
            dh = dx[t] @ U
            dc = dc * f
        return dx, dh, dc, dU

    return np.stack(h[1:]), vjp


LSTM = Exercise(
    lstm, "08 Recurrence",
    inputs=lambda rng, T=2, H=3: (rng.normal(size=(T, 4 * H)), rng.normal(size=H), rng.normal(size=H),
                                  rng.normal(size=(4 * H, H)) / 2),
    question="T = 5, and only the state at time 2 is used (dy is 0 in all other rows). How many rows of dx are not zero?",
    answer=lambda f: np.count_nonzero(f(np.ones((5, 8)) / 9, np.ones(2), np.ones(2), np.ones((8, 2)) / 9)[1](
        np.eye(5)[:, 1:2] * np.ones(2))[0].any(axis=1)),
    hints=("Walk back from the last time with two gradients in hand, of h and of c. At each time dy[t] joins the first, "
           "and the first the second.",
           "At one time it is the exercise lstm_cell. Then dh goes back through U, dc through the forget gate."),
    wrong=(
        Wrong("lost-path", "nothing handed back through U", "h_t goes into the gates of the next time.",
              {"dh = dh + dy[t]": "dh = dy[t]"}),
        Wrong("lost-path", "nothing handed back through the cell",
              "c_t goes into c_{t+1}: the long way that makes an LSTM.", {"dc = dc + dh * o": "dc = dh * o"}),
        Wrong("lost-path/local-derivative", "the states of earlier times ignored", "Every state is an output of its own.",
              {"dh = dh + dy[t]": "dh = dh + dy[t] * (t == T - 1)"}),
        Wrong("local-derivative", "the forget gate left out", "How much of the old cell was kept?",
              {"dc = dc * f": "dc = dc * 1.0"}),
        Wrong("overwrite/lost-path", "dU of one time only", "U is used at every time: add.", {"dU += np": "dU = np"}),
        Wrong("gate-order", "gates in another order", "The order is i, f, g, o on the way back as well.",
              {"[di, df, dg, do]": "[di, df, do, dg]"}),
        Wrong("operand", "dU from the new states", "U meets the state before time t.",
              {"np.outer(dx[t], h[t])": "np.outer(dx[t], h[t + 1])"}),
    ))


def masked_rnn(x, h0, U, lengths):
    """An RNN over sequences of several lengths.

        h_t = tanh(x_t + h_{t−1} Uᵀ) where t < length, else h_{t−1};   y_t = h_t where t < length, else 0;   t = 0 … T − 1

    x (T, B, H)    h0 (B, H)    U (H, H)    lengths (B,), integers.    The value is the pair (y, last): y (T, B, H), and the
    state (B, H) at the end of each sequence. vjp((dy, dlast)) returns dx, dh0, dU.
    """
    T = len(x)
    going = np.arange(T)[:, None, None] < lengths[:, None]  # (T, B, 1)
    h = [h0]                                                # h[t] is the state before time t
    for t in range(T):
        h.append(np.where(going[t], np.tanh(x[t] + h[t] @ U.T), h[t]))

    def vjp(dys):
        dy, dlast = dys
        dx, dU = np.zeros_like(x), np.zeros_like(U)
        dh = dlast                                          # what arrives from the next time
        for t in reversed(range(T)):
            da = (dh + dy[t]) * (1 - h[t + 1] ** 2) * going[t]
            dx[t] = da
            dU += da.T @ h[t]
            dh = np.where(going[t], da @ U, dh)
        return dx, dh, dU

    return (np.where(going, np.stack(h[1:]), 0.0), h[T]), vjp


MASKED_RNN = Exercise(
    masked_rnn, "08 Recurrence",
    inputs=lambda rng, T=5, B=4, H=3: (rng.normal(size=(T, B, H)), rng.normal(size=(B, H)), rng.normal(size=(H, H)) / 2,
                                       np.resize([2, T, 1, T - 1], B)),
    question="Two sequences have the lengths 2 and 5, T = 5, and dy is all ones. How many rows of dx, of 10, are not zero?",
    answer=lambda f: np.count_nonzero(f(np.ones((5, 2, 2)) / 9, np.ones((2, 2)) / 9, np.ones((2, 2)) / 9, np.array([2, 5]))[1](
        (np.ones((5, 2, 2)), np.zeros((2, 2))))[0].any(axis=2)),
    hints=("Where a sequence has ended nothing is computed: dx is 0, and the gradient of its state goes through as it is.",
           "dlast of a short sequence waits, unchanged, until the walk back reaches its last time."),
    wrong=(
        Wrong("mask/leak", "the padding computed with", "Beyond its length a sequence gets no gradient.",
              {" * (1 - h[t + 1] ** 2) * going[t]": " * (1 - h[t + 1] ** 2)"}),
        Wrong("lost-path/dropped", "the gradient lost in the padding",
              "What arrives at a state that was only kept goes on as it is.",
              {"np.where(going[t], da @ U, dh)": "da @ U"}),
        Wrong("lost-path/local-derivative", "nothing handed back in time", "h_t goes into h_{t+1}: that gradient must come back.",
              {"da = (dh + dy[t])": "da = dy[t]"}),
        Wrong("lost-path/overwrite", "the outputs' gradient forgotten", "Every state is an output of its own.",
              {"(dh + dy[t])": "dh"}),
        Wrong("lost-path/dropped", "the last state's gradient forgotten", "The value is a pair: both gradients count.",
              {"dh = dlast ": "dh = np.zeros_like(dlast) "}),
        Wrong("overwrite/lost-path", "dU of one time only", "U is used at every time: add.", {"dU += da": "dU = da"}),
        Wrong("operand", "Uᵀ for U", "h Uᵀ forward, da U back.", {"da @ U, dh": "da @ U.T, dh"}),
    ))
