"""Recurrence through time: RNN, GRU and LSTM over a whole sequence, in both directions, with padding."""

from __future__ import annotations

import numpy as np

from ..exercise import Exercise, WrongAnswer


def rnn(x, h0, U):
    """An RNN through time.

        h_t = tanh(x_t + h_{t−1} Uᵀ),   t = 1 … T

    x (T, H), one row for each time step    h0 (H,)    U (H, H)    h (T, H), all states.    vjp(dh) returns dx, dh0, dU.
    """
    T = len(x)
    h = np.zeros_like(x)
    before = [h0]                                           # the state before each time step
    for t in range(T):
        h[t] = np.tanh(x[t] + before[t] @ U.T)
        before.append(h[t])

    def vjp(dh):
        dx, dU = np.zeros_like(x), np.zeros_like(U)
        later = np.zeros_like(h0)                           # what arrives from the next time step
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
    question="T = 5, and only the state at time step 2 is used (dh is 0 in all other rows). "
             "How many rows of dx are not zero?",
    answer=lambda f: np.count_nonzero(f(np.ones((5, 2)) / 9, np.ones(2) / 9, np.ones((2, 2)))[1](
        np.eye(5)[:, 1:2] * np.ones(2))[0].any(axis=1)),
    hints=("Go backward from the last time step. Each state gets two gradients: "
           "dh[t] from outside, and one from the next time step.",
           "U is used at every time step, so its gradient is a sum over time steps. "
           "What remains at the end is the gradient of h0."),
    wrong=(
        WrongAnswer("lost-path/overwrite", "no gradient through time", "h_{t+1} depends on h_t, so add its gradient.",
              {"(dh[t] + later) *": "dh[t] *"}),
        WrongAnswer("lost-path/dropped", "dh of the earlier time steps ignored", "Every state is an output.",
              {"(dh[t] + later)": "(dh[t] * (t == T - 1) + later)"}),
        WrongAnswer("overwrite/lost-path", "dU of one time step only",
                    "U is used at every time step: add the gradients.",
                    {"dU += np": "dU = np"}),
        WrongAnswer("operand", "Uᵀ in place of U", "The forward pass has h Uᵀ, so the backward pass has da U.",
                    {"later = da @ U": "later = da @ U.T"}),
        WrongAnswer("transpose", "dU transposed", "The rows of U belong to the new state, the columns to the old one.",
              {"np.outer(da, before[t])": "np.outer(before[t], da)"}),
        WrongAnswer("operand", "dU from the new states", "U is multiplied by the state before time step t.",
              {"np.outer(da, before[t])": "np.outer(da, h[t])"}),
        WrongAnswer("local-derivative", "the derivative of tanh left out of the path through time",
              "The gradient of h_{t−1} includes the derivative of the tanh.",
                    {"later = da @ U": "later = (dh[t] + later) @ U"}),
        WrongAnswer("zero/lost-path", "no gradient for the first state",
                    "What remains after the first time step is dh0.",
              {"return dx, later, dU": "return dx, np.zeros_like(h0), dU"}),
    ))


def gru(x, h0, U):
    """A GRU through time.

        [uʳ, uᶻ, uⁿ] = U h_{t−1}
        r = σ(xʳ + uʳ),   z = σ(xᶻ + uᶻ),   n = tanh(xⁿ + r ⊙ uⁿ),   h_t = (1 − z) ⊙ n + z ⊙ h_{t−1}

    x (T, 3H), one row [xʳ, xᶻ, xⁿ] for each time step    h0 (H,)    U (3H, H)    h (T, H), all states.
    vjp(dy) returns dx, dh0, dU.
    """
    T = len(x)
    h, kept = [h0], []                                      # h[t] is the state before time step t
    for t in range(T):
        (x_r, x_z, x_n), (u_r, u_z, u_n) = np.split(x[t], 3), np.split(U @ h[t], 3)
        r, z = 1 / (1 + np.exp(-x_r - u_r)), 1 / (1 + np.exp(-x_z - u_z))
        n = np.tanh(x_n + r * u_n)
        kept.append((r, z, n, u_n))
        h.append((1 - z) * n + z * h[t])

    def vjp(dy):
        dx, dU = np.zeros_like(x), np.zeros_like(U)
        dh = np.zeros_like(h0)                              # what arrives from the next time step
        for t in reversed(range(T)):
            r, z, n, u_n = kept[t]
            dh = dh + dy[t]
            dn = dh * (1 - z) * (1 - n ** 2)
            dz = dh * (h[t] - n) * z * (1 - z)
            dr = dn * u_n * r * (1 - r)
            dx[t] = np.concatenate([dr, dz, dn])
            du = np.concatenate([dr, dz, dn * r])
            dU += np.outer(du, h[t])
            dh = du @ U + dh * z
        return dx, dh, dU

    return np.stack(h[1:]), vjp


GRU = Exercise(
    gru, "08 Recurrence",
    inputs=lambda rng, T=4, H=3: (rng.normal(size=(T, 3 * H)), rng.normal(size=H), rng.normal(size=(3 * H, H)) / 2),
    question="T = 4, every update gate is fully open (z = 1), and dy is all ones. What is every entry of dh0?",
    answer=lambda f: np.round(f(np.tile([0.0, 50.0, 0.0], (4, 1)), np.ones(1) / 9,
                                np.zeros((3, 1)))[1](np.ones((4, 1)))[1][0], 6),
    hints=("At each time step this is the exercise gru_cell. Then du goes through U.",
           "The old state has two paths into the new one: through U into the gates, and directly through z."),
    wrong=(
        WrongAnswer("lost-path", "the direct path through z forgotten",
                    "The term z ⊙ h_{t−1} uses the old state without U.",
              {"dh = du @ U + dh * z": "dh = du @ U"}),
        WrongAnswer("lost-path", "no gradient through U", "All three gates use h_{t−1}.",
              {"dh = du @ U + dh * z": "dh = dh * z"}),
        WrongAnswer("lost-path/local-derivative", "the states of earlier time steps ignored",
                    "Every state is an output.",
              {"dh = dh + dy[t]": "dh = dh + dy[t] * (t == T - 1)"}),
        WrongAnswer("overwrite/lost-path", "dU of one time step only",
                    "U is used at every time step: add the gradients.",
                    {"dU += np": "dU = np"}),
        WrongAnswer("unexplained", "the reset gate left out of dU", "uⁿ is multiplied by r before the tanh.",
              {"np.outer(du, h[t])": "np.outer(dx[t], h[t])"}),
        WrongAnswer("operand", "dU from the new states", "U is multiplied by the state before time step t.",
              {"np.outer(du, h[t])": "np.outer(du, h[t + 1])"}),
        WrongAnswer("sign", "n − h for h − n", "How does h_t change when z increases? Toward h_{t−1}.",
                    {"(h[t] - n)": "(n - h[t])"}),
        WrongAnswer("gate-order", "gates in another order", "The order is r, z, n in the backward pass as well.",
              {"du = np.concatenate([dr, dz, dn * r])": "du = np.concatenate([dz, dr, dn * r])"}),
    ))


def lstm(x, h0, c0, U):
    """An LSTM through time.

        gates_t = x_t + U h_{t−1} = [i, f, g, o],   c_t = σ(f) ⊙ c_{t−1} + σ(i) ⊙ tanh g,   h_t = σ(o) ⊙ tanh c_t

    x (T, 4H), one row for each time step    h0, c0 (H,)    U (4H, H)    h (T, H), all states.
    vjp(dy) returns dx, dh0, dc0, dU.
    """
    T = len(x)
    h, c, gates = [h0], [c0], []                            # h[t] and c[t] are those before time step t
    for t in range(T):
        i, f, g, o = np.split(x[t] + U @ h[t], 4)
        i, f, g, o = 1 / (1 + np.exp(-i)), 1 / (1 + np.exp(-f)), np.tanh(g), 1 / (1 + np.exp(-o))
        gates.append((i, f, g, o))
        c.append(f * c[t] + i * g)
        h.append(o * np.tanh(c[t + 1]))

    def vjp(dy):
        dx, dU = np.zeros_like(x), np.zeros_like(U)
        dh, dc = np.zeros_like(h0), np.zeros_like(c0)       # what arrives from the next time step
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
    question="T = 5, and only the state at time step 2 is used (dy is 0 in all other rows). "
             "How many rows of dx are not zero?",
    answer=lambda f: np.count_nonzero(f(np.ones((5, 8)) / 9, np.ones(2), np.ones(2), np.ones((8, 2)) / 9)[1](
        np.eye(5)[:, 1:2] * np.ones(2))[0].any(axis=1)),
    hints=("Go backward from the last time step with two gradients, of h and of c. "
           "At each time step, add dy[t] to the first, and the first contributes to the second.",
           "At each time step this is the exercise lstm_cell. Then dh goes through U, and dc through the forget gate."),
    wrong=(
        WrongAnswer("lost-path", "no gradient through U", "The gates of the next time step use h_t.",
              {"dh = dh + dy[t]": "dh = dy[t]"}),
        WrongAnswer("lost-path", "no gradient through the cell",
              "c_{t+1} depends on c_t: this path is the long memory of an LSTM.", {"dc = dc + dh * o": "dc = dh * o"}),
        WrongAnswer("lost-path/local-derivative", "the states of earlier time steps ignored",
                    "Every state is an output.",
              {"dh = dh + dy[t]": "dh = dh + dy[t] * (t == T - 1)"}),
        WrongAnswer("local-derivative", "the forget gate left out", "How much of the old cell state does c′ keep?",
              {"dc = dc * f": "dc = dc * 1.0"}),
        WrongAnswer("overwrite/lost-path", "dU of one time step only",
                    "U is used at every time step: add the gradients.",
                    {"dU += np": "dU = np"}),
        WrongAnswer("gate-order", "gates in another order", "The order is i, f, g, o in the backward pass as well.",
              {"[di, df, dg, do]": "[di, df, do, dg]"}),
        WrongAnswer("operand", "dU from the new states", "U is multiplied by the state before time step t.",
              {"np.outer(dx[t], h[t])": "np.outer(dx[t], h[t + 1])"}),
    ))


def masked_rnn(x, h0, U, lengths):
    """An RNN over sequences of different lengths.

        h_t = tanh(x_t + h_{t−1} Uᵀ) where t < length, else h_{t−1};   y_t = h_t where t < length, else 0;   t = 0 … T −
        1

    x (T, B, H)    h0 (B, H)    U (H, H)    lengths (B,), integers.    The value is the pair (y, last): y (T, B, H), and
                   the
    state (B, H) at the end of each sequence. vjp((dy, dlast)) returns dx, dh0, dU.
    """
    T = len(x)
    going = np.arange(T)[:, None, None] < lengths[:, None]  # (T, B, 1)
    h = [h0]                                                # h[t] is the state before time step t
    for t in range(T):
        h.append(np.where(going[t], np.tanh(x[t] + h[t] @ U.T), h[t]))

    def vjp(dys):
        dy, dlast = dys
        dx, dU = np.zeros_like(x), np.zeros_like(U)
        dh = dlast                                          # what arrives from the next time step
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
    question="Two sequences have the lengths 2 and 5, T = 5, "
             "and dy is all ones. How many rows of dx, of 10, are not zero?",
    answer=lambda f: np.count_nonzero(f(np.ones((5, 2, 2)) / 9, np.ones((2, 2)) / 9, np.ones((2, 2)) / 9,
        np.array([2, 5]))[1](
        (np.ones((5, 2, 2)), np.zeros((2, 2))))[0].any(axis=2)),
    hints=("After the end of a sequence nothing is computed: dx is 0, and the gradient of its state passes unchanged.",
           "dlast of a short sequence stays unchanged "
           "until the backward pass reaches the last time step of the sequence."),
    wrong=(
        WrongAnswer("mask/leak", "a gradient in the padding", "After its end, a sequence gets no gradient.",
              {" * (1 - h[t + 1] ** 2) * going[t]": " * (1 - h[t + 1] ** 2)"}),
        WrongAnswer("lost-path/dropped", "the gradient lost in the padding",
              "The gradient of a state that is only copied passes unchanged.",
              {"np.where(going[t], da @ U, dh)": "da @ U"}),
        WrongAnswer("lost-path/local-derivative", "no gradient through time",
                    "h_{t+1} depends on h_t, so add its gradient.",
              {"da = (dh + dy[t])": "da = dy[t]"}),
        WrongAnswer("lost-path/overwrite", "the gradient of the outputs forgotten", "Every state is an output.",
              {"(dh + dy[t])": "dh"}),
        WrongAnswer("lost-path/dropped", "the gradient of the last state forgotten",
                    "The value is a pair, and both gradients count.",
              {"dh = dlast ": "dh = np.zeros_like(dlast) "}),
        WrongAnswer("overwrite/lost-path", "dU of one time step only",
                    "U is used at every time step: add the gradients.",
                    {"dU += da": "dU = da"}),
        WrongAnswer("operand", "Uᵀ in place of U", "The forward pass has h Uᵀ, so the backward pass has da U.",
                    {"da @ U, dh": "da @ U.T, dh"}),
    ))


def bidirectional(x, h0, U, V):
    """An RNN in both directions.

        f_t = tanh(x_t + f_{t−1} Uᵀ),   b_t = tanh(x_t + b_{t+1} Vᵀ),   y_t = [f_t, b_t] concatenated,   f_{−1} = b_T =
        h0

    x (T, H), one row for each time step t = 0 … T − 1    h0 (H,)    U, V (H, H)    y (T, 2H).
    vjp(dy) returns dx, dh0, dU, dV.
    """
    T, H = x.shape
    f, b = [h0], [h0]                                       # f[t] is the state before time step t; b grows from the end
    for t in range(T):
        f.append(np.tanh(x[t] + f[t] @ U.T))
        b.append(np.tanh(x[T - 1 - t] + b[t] @ V.T))
    y = np.concatenate([np.stack(f[1:]), np.stack(b[:0:-1])], axis=1)

    def vjp(dy):
        dx, dU, dV = np.zeros_like(x), np.zeros_like(U), np.zeros_like(V)
        df, db = np.zeros_like(h0), np.zeros_like(h0)       # what arrives from the state computed next
        for t in reversed(range(T)):
            da = (df + dy[t, :H]) * (1 - f[t + 1] ** 2)
            dx[t] += da
            dU += np.outer(da, f[t])
            df = da @ U
            da = (db + dy[T - 1 - t, H:]) * (1 - b[t + 1] ** 2)
            dx[T - 1 - t] += da
            dV += np.outer(da, b[t])
            db = da @ V
        return dx, df + db, dU, dV

    return y, vjp


BIDIRECTIONAL = Exercise(
    bidirectional, "08 Recurrence",
    inputs=lambda rng, T=5, H=3: (rng.normal(size=(T, H)), rng.normal(size=H), rng.normal(size=(H, H)) / 2,
                                  rng.normal(size=(H, H)) / 2),
    question="T = 5, and only y at time step 2 is used (dy is 0 in all other rows). How many rows of dx are not zero?",
    answer=lambda f: np.count_nonzero(f(np.ones((5, 2)) / 9, np.ones(2) / 9, np.ones((2, 2)), np.ones((2, 2)))[1](
        np.eye(5)[:, 2:3] * np.ones(4))[0].any(axis=1)),
    hints=("These are two RNNs that share x and h0. The second reads x from its end, "
           "so its backward pass starts at the beginning of x.",
           "Both use x_t and h0, so their gradients are sums."),
    wrong=(
        WrongAnswer("lost-path/overwrite", "dx of one direction only", "x_t is used twice: add the gradients.",
              {"dx[T - 1 - t] += da": "dx[T - 1 - t] = da"}),
        WrongAnswer("permuted", "dx of the second direction reversed",
              "b[t + 1] is computed from x[T − 1 − t].", {"dx[T - 1 - t] += da": "dx[t] += da"}),
        WrongAnswer("overwrite/lost-path", "only the first direction's gradient of h0",
                    "Both directions start from h0.", {"df + db, dU": "df, dU"}),
        WrongAnswer("operand", "the matrices swapped in the backward pass", "The second direction uses V.",
              {"db = da @ V": "db = da @ U"}),
        WrongAnswer("local-derivative", "the derivative at the previous state",
                    "1 − tanh² uses the output of the tanh.",
              {"(1 - b[t + 1] ** 2)": "(1 - b[t] ** 2)"}),
        WrongAnswer("lost-path", "nothing handed back in time", "b_t depends on b_{t+1}, so add its gradient.",
              {"da = (db + dy[T - 1 - t, H:])": "da = dy[T - 1 - t, H:]"}),
    ))
