"""Attention, piece by piece: scores, mask, one head, several heads, and cross-attention."""

from __future__ import annotations

import numpy as np

from ..exercise import Exercise, WrongAnswer


def scores(q, k):
    """Scores of attention.

        S = Q Kᵀ / √D

    q (T, D)    k (S, D)    scores (T, S).    vjp(dscores) returns dq, dk.
    """
    scale = 1 / np.sqrt(q.shape[1])
    y = q @ k.T * scale

    def vjp(dscores):
        dq = dscores @ k * scale
        dk = dscores.T @ q * scale
        return dq, dk

    return y, vjp


SCORES = Exercise(
    scores, "09 Attention",
    inputs=lambda rng, T=3, S=5, D=7: (rng.normal(size=(T, D)), rng.normal(size=(S, D))),
    question="q is (3, 7) and k is (5, 7). What is the shape of dk? Write it as (a, b).",
    answer=lambda f: f(np.ones((3, 7)), np.ones((5, 7)))[1](np.ones((3, 5)))[1].shape,
    hints=("The scores are a matrix product with a transposed second factor, times a constant.",
           "dq sums over the keys, and dk over the queries. Both have the constant factor."),
    wrong=(
        WrongAnswer("factor", "the scale forgotten in dq", "Both gradients have the constant factor.",
              {"dscores @ k * scale": "dscores @ k"}),
        WrongAnswer("factor", "the scale forgotten in dk", "Both gradients have the constant factor.",
              {"dscores.T @ q * scale": "dscores.T @ q"}),
        WrongAnswer("factor", "divided by D in place of √D", "Use the same constant as the forward pass.",
              {"dq = dscores @ k * scale": "dq = dscores @ k * scale ** 2"}),
        WrongAnswer("factor", "multiplied by √D", "The forward pass divides by √D, and so does the backward pass.",
              {"dscores.T @ q * scale": "dscores.T @ q / scale"}),
        WrongAnswer("operand", "the scores not transposed for dk",
                    "dk sums over the queries, the first axis of the scores.",
              {"dscores.T @ q": "dscores @ q"}),
        WrongAnswer("swapped", "dq and dk swapped", "Return the gradients in the order of the arguments.",
              {"return dq, dk": "return dk, dq"}),
        WrongAnswer("sign", "a minus in dk", "The derivative of a product has no minus sign.",
                    {"dk = dscores.T": "dk = -dscores.T"}),
    ))


def causal_softmax(x):
    """Softmax under a causal mask.

        P = softmax along each row of x, where row t uses only the columns 0 … t

    x, P (T, T).    vjp(dP) returns dx.
    """
    T = len(x)
    visible = np.tril(np.ones((T, T), bool))
    e = np.where(visible, np.exp(x - x.max(axis=1, keepdims=True)), 0)
    P = e / e.sum(axis=1, keepdims=True)

    def vjp(dP):
        return P * (dP - (P * dP).sum(axis=1, keepdims=True))

    return P, vjp


CAUSAL_SOFTMAX = Exercise(
    causal_softmax, "09 Attention",
    cases={"scores of ±2000": lambda rng: (np.array([[-2000.0, -2000, -2000], [2000, 2001, 1999], [1, 2, 2000]]),)},
    inputs=lambda rng, T=5: (rng.normal(size=(T, T)),),
    question="What is P[0, 0], the weight of the only visible entry of row 0?",
    answer=lambda f: f(np.random.default_rng(0).normal(size=(3, 3)))[0][0, 0],
    hints=("Start from the gradient of the softmax. What does the mask change?",
           "P is 0 at masked entries, and P is a factor of the whole gradient."),
    wrong=(
        WrongAnswer("mask", "P replaced by 1 at masked entries",
                    "A masked score has no influence, so its gradient is 0.",
              {"return P * (dP": "return np.where(visible, P, 1) * (dP"}),
        WrongAnswer("inverted-mask/mask/dropped", "the mask on the wrong side",
                    "Row t uses the columns 0 … t: the lower triangle.",
              {"return P * (dP - (P * dP).sum(axis=1, keepdims=True))":
               "return np.triu(np.ones((T, T))) * P.T * (dP - (P * dP).sum(axis=1, keepdims=True))"}),
        WrongAnswer("softmax-diagonal", "only the diagonal of the Jacobian",
                    "The visible scores of a row share one sum.",
              {"P * (dP - (P * dP).sum(axis=1, keepdims=True))": "P * (1 - P) * dP"}),
        WrongAnswer("missing-term/local-derivative", "masked entries counted in the sum",
              "Multiply each dP by its P. Then masked entries count 0.", {"(P * dP).sum": "dP.sum"}),
        WrongAnswer("reduction", "the sum down the columns", "The softmax normalizes rows, not columns.",
              {"(P * dP).sum(axis=1, keepdims=True)": "(P * dP).sum(axis=0, keepdims=True)"}),
        WrongAnswer("dropped", "the diagonal masked too", "A token also attends to itself.",
              {"return P * (dP - (P * dP).sum(axis=1, keepdims=True))":
               "return np.tril(P * (dP - (P * dP).sum(axis=1, keepdims=True)), -1)"}),
    ))


def attention(q, k, v):
    """One head of attention.

        O = P V,   P = softmax(S) along the rows,   S = Q Kᵀ / √D

    q (T, D)    k (S, D)    v (S, E)    O (T, E).    vjp(dO) returns dq, dk, dv.
    """
    scale = 1 / np.sqrt(q.shape[1])
    e = np.exp(q @ k.T * scale)
    P = e / e.sum(axis=1, keepdims=True)
    out = P @ v

    def vjp(dO):
        dv = P.T @ dO
        dP = dO @ v.T
        dS = P * (dP - (P * dP).sum(axis=1, keepdims=True))
        dq = dS @ k * scale
        dk = dS.T @ q * scale
        return dq, dk, dv

    return out, vjp


def _qkv(rng, T=3, S=5, D=7, E=2):
    return rng.normal(size=(T, D)), rng.normal(size=(S, D)), rng.normal(size=(S, E))


ATTENTION = Exercise(
    attention, "09 Attention", inputs=_qkv,
    question="All values are equal (every row of v is the same). What is every entry of dq?",
    answer=lambda f: abs(f(np.eye(2), np.eye(2), np.ones((2, 3)))[1](np.arange(6.0).reshape(2, 3))[0]).max().round(9),
    hints=("Go back through three steps: the product P V, the softmax, the scores. You know the gradient of each.",
           "dv = Pᵀ dO and dP = dO Vᵀ; then dS from the gradient of the softmax; then dq and dk with the scale."),
    wrong=(
        WrongAnswer("operand", "P not transposed for dv", "dv sums over the queries.", {"P.T @ dO": "P @ dO"}),
        WrongAnswer("factor", "the scale forgotten", "S is Q Kᵀ divided by √D, so dq and dk have the factor 1/√D too.",
              {"dq = dS @ k * scale": "dq = dS @ k", "dk = dS.T @ q * scale": "dk = dS.T @ q"}),
        WrongAnswer("softmax-diagonal/missing-term", "the softmax's sum forgotten",
              "A larger score lowers all other weights of its row.",
              {"(dP - (P * dP).sum(axis=1, keepdims=True))": "dP"}),
        WrongAnswer("softmax-diagonal", "the diagonal of the softmax's Jacobian",
              "P ⊙ (1 − P) ⊙ dP ignores that the weights of a row share one sum.",
              {"P * (dP - (P * dP).sum(axis=1, keepdims=True))": "P * (1 - P) * dP"}),
        WrongAnswer("local-derivative/softmax-diagonal", "the softmax skipped", "P is the softmax of S.",
              {"dS = P * (dP - (P * dP).sum(axis=1, keepdims=True))": "dS = dP"}),
        WrongAnswer("missing", "no gradient for the keys", "The scores depend on the keys as they do on the queries.",
              {"dk = dS.T @ q * scale": "dk = None"}),
        WrongAnswer("swapped", "dq and dk swapped", "The order is q, k, v.", {"return dq, dk": "return dk, dq"}),
        WrongAnswer("reduction", "the sum along the queries", "The rows of P sum to 1, so the sum runs along the keys.",
              {"(P * dP).sum(axis=1, keepdims=True)": "(P * dP).sum(axis=0, keepdims=True)"}),
    ))


def split_heads(x, H):
    """Splitting into heads.

        x_t = [head 0 | head 1 | …],   y_h,t = part h of x_t

    x (T, H·D)    H the number of heads    y (H, T, D).    vjp(dy) returns dx.
    """
    T, C = x.shape
    y = x.reshape(T, H, C // H).transpose(1, 0, 2)

    def vjp(dy):
        return dy.transpose(1, 0, 2).reshape(T, C)

    return y, vjp


SPLIT_HEADS = Exercise(
    split_heads, "09 Attention",
    inputs=lambda rng, T=5, H=2, D=3: (rng.normal(size=(T, H * D)), H),
    question="x is (5, 6), H is 2. What is the shape of y? Write it as (a, b, c).",
    answer=lambda f: f(np.ones((5, 6)), 2)[0].shape,
    hints=("The numbers do not change, they only move. The gradient moves back to the same places.",
           "Undo the steps in reverse order: first the transpose, then the reshape."),
    wrong=(
        WrongAnswer("head-order", "reshaped without transposing",
              "A reshape keeps the order in memory, so it mixes heads and time steps.",
              {"dy.transpose(1, 0, 2).reshape(T, C)": "dy.reshape(T, C)"}),
        WrongAnswer("head-order", "heads and features interleaved", "The D columns of a head are contiguous.",
              {"dy.transpose(1, 0, 2)": "dy.transpose(1, 2, 0)"}),
        WrongAnswer("head-order/permuted", "the heads reversed", "The first D columns are head 0.",
              {"dy.transpose": "dy[::-1].transpose"}),
        WrongAnswer("shape", "the heads not merged", "x has no axis for heads.", {".reshape(T, C)": ""}),
        WrongAnswer("factor", "averaged over the heads", "Each column belongs to one head.",
              {"dy.transpose(1, 0, 2).reshape(T, C)": "dy.transpose(1, 0, 2).reshape(T, C) / H"}),
        WrongAnswer("permuted", "times reversed", "Time step t stays at t.", {"dy.transpose": "dy[:, ::-1].transpose"}),
    ))


def multi_head(q, k, v, H):
    """Attention with several heads.

        split q, k, v into H heads of width D;   O_h = softmax(Q_h K_hᵀ / √D) V_h;   O = [O_0 | O_1 | …]

    q, k, v, O (T, H·D)    H the number of heads.    vjp(dO) returns dq, dk, dv.
    """
    T, C = q.shape
    D = C // H
    Q, K, V = (x.reshape(T, H, D).transpose(1, 0, 2) for x in (q, k, v))        # (H, T, D)
    e = np.exp(Q @ K.transpose(0, 2, 1) / np.sqrt(D))
    P = e / e.sum(axis=2, keepdims=True)                                        # (H, T, T)
    out = (P @ V).transpose(1, 0, 2).reshape(T, C)

    def vjp(dO):
        dO = dO.reshape(T, H, D).transpose(1, 0, 2)
        dV = P.transpose(0, 2, 1) @ dO
        dP = dO @ V.transpose(0, 2, 1)
        dS = P * (dP - (P * dP).sum(axis=2, keepdims=True)) / np.sqrt(D)
        dQ = dS @ K
        dK = dS.transpose(0, 2, 1) @ Q
        return tuple(dx.transpose(1, 0, 2).reshape(T, C) for dx in (dQ, dK, dV))

    return out, vjp


MULTI_HEAD = Exercise(
    multi_head, "09 Attention",
    inputs=lambda rng, T=5, H=2, D=3: (*(rng.normal(size=(T, H * D)) for _ in range(3)), H),
    question="Width 6, 2 heads, and dO is 0 except in its first column. How many columns of dk are not 0?",
    answer=lambda f: np.count_nonzero(np.round(f(*np.random.default_rng(0).normal(size=(3, 5, 6)), 2)[1](
        np.eye(6)[0] * np.arange(5.0)[:, None])[1], 9).any(axis=0)),
    hints=("Split dO as q is split. Then each head is the exercise `attention`. Merge at the end.",
           "The same formulas hold for arrays (H, T, D) if you transpose only the last two axes."),
    wrong=(
        WrongAnswer("factor", "√C in place of √D", "Each head divides by the square root of its own width.",
              {"keepdims=True)) / np.sqrt(D)": "keepdims=True)) / np.sqrt(C)"}),
        WrongAnswer("factor", "the scale forgotten", "The scores are divided by √D.",
              {"keepdims=True)) / np.sqrt(D)": "keepdims=True))"}),
        WrongAnswer("head-order", "dO reshaped without transposing", "Split dO exactly as q is split.",
              {"dO = dO.reshape(T, H, D).transpose(1, 0, 2)": "dO = dO.reshape(H, T, D)"}),
        WrongAnswer("head-order", "merged without transposing", "Transpose to (T, H, D) first, then reshape.",
              {"dx.transpose(1, 0, 2).reshape(T, C)": "dx.reshape(T, C)"}),
        WrongAnswer("operand", "P in place of Pᵀ for dV", "dV sums over the queries.",
                    {"P.transpose(0, 2, 1) @ dO": "P @ dO"}),
        WrongAnswer("operand", "dS in place of its transpose for dK", "dK sums over the queries.",
              {"dS.transpose(0, 2, 1) @ Q": "dS @ Q"}),
        WrongAnswer("softmax-diagonal", "the softmax's sum forgotten", "The weights of a row share one sum.",
              {"(dP - (P * dP).sum(axis=2, keepdims=True))": "dP"}),
        WrongAnswer("swapped", "dk and dv swapped", "The order is q, k, v.", {"(dQ, dK, dV)": "(dQ, dV, dK)"}),
    ))


def cross_attention(x, memory, Wq, Wk, Wv):
    """Cross-attention, from one sequence to another.

    The queries come from x, keys and values from the memory:

        Q = x Wqᵀ,   K = m Wkᵀ,   V = m Wvᵀ,   O = softmax(Q Kᵀ / √D) V

    x (T, C)    memory m (S, C)    Wq, Wk, Wv (D, C)    O (T, D).    vjp(dO) returns dx, dmemory, dWq, dWk, dWv.
    """
    Q, K, V = x @ Wq.T, memory @ Wk.T, memory @ Wv.T
    scale = 1 / np.sqrt(Q.shape[1])
    e = np.exp(Q @ K.T * scale)
    P = e / e.sum(axis=1, keepdims=True)
    out = P @ V

    def vjp(dO):
        dV = P.T @ dO
        dP = dO @ V.T
        dS = P * (dP - (P * dP).sum(axis=1, keepdims=True)) * scale
        dQ = dS @ K
        dK = dS.T @ Q
        dx = dQ @ Wq
        dmemory = dK @ Wk + dV @ Wv
        return dx, dmemory, dQ.T @ x, dK.T @ memory, dV.T @ memory

    return out, vjp


CROSS_ATTENTION = Exercise(
    cross_attention, "10 The Transformer",
    inputs=lambda rng, T=3, S=5, C=7, D=2: (rng.normal(size=(T, C)), rng.normal(size=(S, C)),
                                            *(rng.normal(size=(D, C)) / 2 for _ in range(3))),
    question="Wv is 0, so all values are 0. What is every entry of dWk?",
    answer=lambda f: abs(f(*[np.eye(2)] * 4, np.zeros((2, 2)))[1](np.array([[1.0, 2.0], [3.0, 5.0]]))[3]).max(),
    hints=("First compute dQ, dK and dV of the attention head, then go through the three linear layers.",
           "memory is used twice. What is the gradient of a tensor that is used twice?"),
    wrong=(
        WrongAnswer("overwrite/lost-path", "the values' path to memory only", "The keys are computed from memory too.",
              {"dK @ Wk + dV @ Wv": "dV @ Wv"}),
        WrongAnswer("overwrite/lost-path", "the keys' path to memory only", "The values are computed from memory too.",
              {"dK @ Wk + dV @ Wv": "dK @ Wk"}),
        WrongAnswer("operand", "the weights of keys and values swapped", "Each gradient goes through its own weight.",
              {"dK @ Wk + dV @ Wv": "dK @ Wv + dV @ Wk"}),
        WrongAnswer("swapped", "dWk and dWv swapped", "The order is Wq, Wk, Wv.",
              {"dK.T @ memory, dV.T @ memory": "dV.T @ memory, dK.T @ memory"}),
        WrongAnswer("factor/missing-term", "the scale forgotten", "The scores are divided by √D.",
              {"keepdims=True)) * scale": "keepdims=True))"}),
        WrongAnswer("softmax-diagonal/missing-term", "the softmax's sum forgotten",
                    "The weights of a row share one sum.",
              {"(dP - (P * dP).sum(axis=1, keepdims=True))": "dP"}),
        WrongAnswer("transpose", "dWq transposed", "Wq is (D, C).", {"dQ.T @ x": "x.T @ dQ"}),
    ))
