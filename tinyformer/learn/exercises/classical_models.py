"""The classical models: squared errors of a line, weights held small, a class from a line, a step between states."""

from __future__ import annotations

import numpy as np

from ..exercise import Exercise, WrongAnswer


def least_squares(x, y, w, b):
    """A line and half the sum of its squared errors.

        ŷ = x w + b,   L = ½ Σₙ (yₙ − ŷₙ)²

    x (N, I)    y (N,)    w (I,)    b (1,)    L one number.    vjp(dL) returns dw, db: x and y are data.
    """
    error = y - (x @ w + b)
    L = 0.5 * np.sum(error ** 2)

    def vjp(dL):
        dw = -x.T @ error * dL
        db = -error.sum(keepdims=True) * dL
        return dw, db

    return L, vjp


LEAST_SQUARES = Exercise(
    least_squares, "01 Linear model", constant="x y",
    inputs=lambda rng, N=7, I=3: (rng.normal(size=(N, I)), rng.normal(size=N), rng.normal(size=I), rng.normal(size=1)),
    question="Every prediction is too small, x > 0, and dL = 1. Which sign has every entry of dw: 1 or -1?",
    answer=lambda f: np.sign(f(np.ones((2, 3)), np.full(2, 9.0), np.zeros(3), np.zeros(1))[1](1.0)[0][0]),
    hints=("The ½ is there to meet the 2 of the square. What is the derivative of y − ŷ by ŷ?",
           "w is used by every example: sum over n. The bias is the weight of a feature that is always 1."),
    wrong=(
        WrongAnswer("sign", "(y − ŷ) x without the minus", "ŷ stands behind a minus in the error: this step would climb.",
              {"dw = -x.T": "dw = x.T", "db = -error": "db = error"}),
        WrongAnswer("factor", "the 2 of the square kept", "The ½ and the 2 cancel.", {"dw = -x.T": "dw = -2 * x.T"}),
        WrongAnswer("unexplained/dropped/reduction/local-derivative/missing-term", "the first example alone",
              "L is a sum over the examples, and w is in every one.", {"-x.T @ error * dL": "-x[0] * error[0] * dL"}),
        WrongAnswer("factor/reduction", "averaged over the examples", "L is a sum here, not a mean.",
              {"-x.T @ error * dL": "-x.T @ error * dL / len(x)"}),
        WrongAnswer("upstream", "dL ignored", "L may be a part of something larger.", {"-x.T @ error * dL": "-x.T @ error"}),
        WrongAnswer("zero", "no gradient for the bias", "Moving b moves every prediction.",
              {"-error.sum(keepdims=True) * dL": "np.zeros_like(b)"}),
    ))


def ridge(w, l2):
    """The penalty on weights, L2.

        P = ½ λ Σ w²

    w (I,)    λ = l2, a number    P one number.    vjp(dP) returns dw.
    """
    P = 0.5 * l2 * np.sum(w ** 2)

    def vjp(dP):
        return l2 * w * dP

    return P, vjp


RIDGE = Exercise(
    ridge, "01 Linear model",
    inputs=lambda rng, I=7: (rng.normal(size=I), 0.3),
    question="w is [3.0, -2.0], λ = 0.5 and dP = 1. What is the first entry of dw?",
    answer=lambda f: f(np.array([3.0, -2.0]), 0.5)[1](1.0)[0],
    hints=("Each weight has a square of its own: no sum is left in its gradient.",
           "The gradient pulls each weight towards 0, the more the larger it is: that is weight decay."),
    wrong=(
        WrongAnswer("factor", "the 2 of the square kept", "The ½ takes it away.", {"l2 * w * dP": "2 * l2 * w * dP"}),
        WrongAnswer("factor", "λ forgotten", "How strong is the pull?", {"l2 * w * dP": "w * dP"}),
        WrongAnswer("sign", "towards 0, so with a minus", "The gradient points up the penalty; the step takes its minus.",
              {"l2 * w * dP": "-l2 * w * dP"}),
        WrongAnswer("local-derivative/unexplained", "the sign of w, which is L1's", "The pull of a square grows with w.",
              {"l2 * w * dP": "l2 * np.sign(w) * dP"}),
        WrongAnswer("upstream", "dP ignored", "The penalty is added to a loss, and may be scaled with it.", {"l2 * w * dP": "l2 * w"}),
        WrongAnswer("local-derivative", "the square itself", "The derivative of w² has one w less.",
              {"l2 * w * dP": "0.5 * l2 * w ** 2 * dP"}),
    ))


def logistic_regression(x, y, w):
    """Logistic regression of two classes.

        z = x w,   L = −(1/N) Σₙ (yₙ ln σ(zₙ) + (1 − yₙ) ln(1 − σ(zₙ)))

    x (N, I)    y (N,), 0 or 1    w (I,)    L one number.    vjp(dL) returns dw: x and y are data.
    """
    p = 1 / (1 + np.exp(-x @ w))
    L = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))

    def vjp(dL):
        dz = (p - y) * dL / len(x)
        return x.T @ dz

    return L, vjp


LOGISTIC_REGRESSION = Exercise(
    logistic_regression, "03 Neural networks", constant="x y",
    inputs=lambda rng, N=7, I=3: (rng.normal(size=(N, I)), rng.integers(0, 2, N).astype(float), rng.normal(size=I)),
    question="One example: x = [2.0], y = 1, w = [0.0], and dL = 1. What is dw?",
    answer=lambda f: f(np.array([[2.0]]), np.ones(1), np.zeros(1))[1](1.0)[0],
    hints=("Go by way of z: dL/dp has p (1 − p) below the line, and dp/dz has it above.",
           "What is left for each example is prediction minus truth. Then z = x w is a linear layer."),
    wrong=(
        WrongAnswer("sign", "truth minus prediction", "A p that is too high must come down.", {"(p - y)": "(y - p)"}),
        WrongAnswer("local-derivative", "σ's slope once more", "p − y is already through σ: its slope has cancelled.",
              {"(p - y) * dL": "(p - y) * p * (1 - p) * dL"}),
        WrongAnswer("factor", "not divided by N", "The loss is a mean.", {" * dL / len(x)": " * dL"}),
        WrongAnswer("upstream", "dL ignored", "Something may come after the loss: a weight, a penalty.",
              {"(p - y) * dL / len(x)": "(p - y) / len(x)"}),
        WrongAnswer("missing-term/local-derivative", "the class 1 alone", "Examples of class 0 have a loss too, −ln(1 − p).",
              {"(p - y)": "y * (p - 1)"}),
        WrongAnswer("factor", "divided by the features", "The mean is over the examples.", {"/ len(x)": "/ x.shape[1]"}),
    ))


def sparse_linear(rows, columns, values, W, b):
    """A linear layer over counts that are nearly all zero.

        y = X Wᵀ + b,   X (N, F) the sum of xᵢ at (rowᵢ, columnᵢ), and 0 elsewhere

    rows, columns integers (E,)    values (E,), the xᵢ    W (K, F)    b (K,)    y (N, K), N = 1 + the last row.
    vjp(dy) returns dvalues, dW, db. No X is written down: it would have N × F numbers, and E of them matter.
    """
    y = np.tile(b, (rows.max() + 1, 1))
    np.add.at(y, rows, values[:, None] * W.T[columns])

    def vjp(dy):
        dvalues = (dy[rows] * W.T[columns]).sum(axis=1)
        dW = np.zeros_like(W)
        np.add.at(dW.T, columns, values[:, None] * dy[rows])
        db = dy.sum(axis=0)
        return dvalues, dW, db

    return y, vjp


SPARSE_LINEAR = Exercise(
    sparse_linear, "06 Counting words",
    inputs=lambda rng, N=4, F=5, K=3: (np.repeat(np.arange(N), 3), rng.integers(0, F, 3 * N), rng.normal(size=3 * N),
                                       rng.normal(size=(K, F)), rng.normal(size=K)),
    question="A text has the word 2 once and the word 0 three times (values 1.0 and 3.0), K = 1 and dy = 2. What is dW[0, 0]?",
    answer=lambda f: f(np.zeros(2, int), np.array([2, 0]), np.array([1.0, 3.0]), np.ones((1, 3)), np.zeros(1))[1](
        np.full((1, 1), 2.0))[1][0, 0],
    hints=("Entry i adds xᵢ W[:, columnᵢ] to row rowᵢ of y: a gather, a product, a sum. Go back through the three in turn.",
           "A word stands in several texts: its column of dW is a sum over all entries with that column."),
    wrong=(
        WrongAnswer("duplicate-index", "of a word that occurs twice one occurrence alone",
              "dW.T[columns] += … writes each column once, whatever stands there twice: np.add.at adds.",
              {"np.add.at(dW.T, columns, values[:, None] * dy[rows])": "dW.T[columns] += values[:, None] * dy[rows]"}),
        WrongAnswer("local-derivative", "how often it occurs forgotten", "xᵢ multiplies the weight.",
              {"np.add.at(dW.T, columns, values[:, None] * dy[rows])": "np.add.at(dW.T, columns, dy[rows])"}),
        WrongAnswer("local-derivative", "the weights forgotten in dvalues", "xᵢ is multiplied with the column of W of its word.",
              {"(dy[rows] * W.T[columns]).sum(axis=1)": "dy[rows].sum(axis=1)"}),
        WrongAnswer("reduction/factor", "db averaged", "The bias is in every row: sum.", {"dy.sum(axis=0)": "dy.mean(axis=0)"}),
        WrongAnswer("reduction/factor", "dvalues averaged over the classes", "xᵢ goes into every class: sum.",
              {"W.T[columns]).sum(axis=1)": "W.T[columns]).mean(axis=1)"}),
        WrongAnswer("lost-path/zero", "no gradient to the values", "Values may be learned too: weights of words.",
              {"dvalues = (dy[rows] * W.T[columns]).sum(axis=1)": "dvalues = np.zeros_like(values)"}),
    ))


def kneser_ney(counts, D):
    """Kneser–Ney's smoothing of pairs.

        P(w | h) = max(c(hw) − D, 0) / c(h) + D N(h·)/c(h) · N(·w) / Σᵥ N(·v)

    N counts different pairs: N(h·) those seen that begin with h, N(·w) those that end with w.

    counts c(hw) (V, V), a row for each h, none of them empty    D a number in 0…1.    Returns P (V, V).
    """
    seen = counts > 0
    c_h = counts.sum(axis=1, keepdims=True)
    kept = np.maximum(counts - D, 0) / c_h
    saved = D * seen.sum(axis=1, keepdims=True) / c_h
    continuation = seen.sum(axis=0) / seen.sum()
    return kept + saved * continuation


KNESER_NEY = Exercise(
    kneser_ney, "06 Counting words",
    inputs=lambda rng, V=5: (rng.integers(0, 4, (V, V)) + 2 * np.eye(V, dtype=int), 0.75),
    question="After a there always came b, 4 times, and D = 0.5. How much of P(· | a) is kept back for the shorter model?",
    answer=lambda f: np.round(1 - f(np.array([[0, 4, 0], [0, 0, 1], [1, 0, 0]]), 0.5)[0, 1] + 0.5 / 4 / 3, 6),
    hints=("counts > 0 is the table of pairs that were seen. Its rows and columns sum to N(h·) and N(·w).",
           "The first term is at its h a row of counts less D, over c(h). The second is a column times a row: what each h has saved, "
           "times how readily w follows anything."),
    wrong=(
        WrongAnswer("forward", "nothing taken from the counts", "D is taken from each count before it is divided.",
              {"np.maximum(counts - D, 0)": "counts"}),
        WrongAnswer("forward", "less than nothing", "What was never seen has nothing that could be taken: max(…, 0).",
              {"np.maximum(counts - D, 0)": "(counts - D)"}),
        WrongAnswer("forward", "D given back once", "D was taken from every different pair that begins with h: N(h·) times.",
              {"D * seen.sum(axis=1, keepdims=True) / c_h": "D / c_h"}),
        WrongAnswer("forward", "how often in place of after how many", "w counts once for each different token before it.",
              {"seen.sum(axis=0) / seen.sum()": "counts.sum(axis=0) / counts.sum()"}),
        WrongAnswer("forward", "rows and columns exchanged", "w is the second of a pair: a column.",
              {"seen.sum(axis=0) / seen.sum()": "seen.sum(axis=1) / seen.sum()"}),
        WrongAnswer("forward", "shared out equally", "The shorter model says who gets what was saved.",
              {"seen.sum(axis=0) / seen.sum()": "1 / len(counts)"}),
    ))


def hmm_step(log_alpha, log_A, log_b):
    """A step of the forward recursion of a hidden Markov model.

        ln α′ⱼ = ln Σᵢ e^{ln αᵢ + ln Aᵢⱼ} + ln bⱼ

    log_alpha (B, K)    log_A (K, K), from i to j    log_b (B, K), of the new token    ln α′ (B, K).
    vjp(dnew) returns dlog_alpha, dlog_A, dlog_b.
    """
    ways = log_alpha[:, :, None] + log_A
    top = ways.max(axis=1, keepdims=True)
    total = np.exp(ways - top).sum(axis=1)
    new = top[:, 0] + np.log(total) + log_b

    def vjp(dnew):
        share = np.exp(ways - top) / total[:, None]
        dways = share * dnew[:, None]
        return dways.sum(axis=2), dways.sum(axis=0), dnew

    return new, vjp


HMM_STEP = Exercise(
    hmm_step, "06 Counting words",
    cases={"very small and very different probabilities": lambda rng: (
        np.array([[-2000.0, -2001, -1999], [-3000, -1000, -2000]]), rng.normal(size=(3, 3)), rng.normal(size=(2, 3)))},
    inputs=lambda rng, B=5, K=3: (rng.normal(size=(B, K)), rng.normal(size=(K, K)), rng.normal(size=(B, K))),
    question="One sequence, dnew is [1.0, 0.0, 0.0]. What do the entries of dlog_alpha sum to?",
    answer=lambda f: f(np.array([[0.1, 0.5, -1.0]]), np.zeros((3, 3)), np.zeros((1, 3)))[1](np.eye(3)[:1])[0].sum(),
    hints=("The derivative of ln Σ e^v is the softmax of v. Over which axis is the sum?",
           "share[b, i, j] says how much of α′ⱼ came from state i: it is what Baum and Welch count. α goes to all j, "
           "A serves all sequences."),
    wrong=(
        WrongAnswer("swapped/operand", "the shares of the arrivals", "α went to every j: sum over where it went, the last axis.",
              {"return dways.sum(axis=2), dways.sum(axis=0)": "return dways.sum(axis=1), dways.sum(axis=0)"}),
        WrongAnswer("local-derivative/row-scale", "not divided by the sum", "The shares of all ways to one j sum to one.",
              {"share = np.exp(ways - top) / total[:, None]": "share = np.exp(ways - top)"}),
        WrongAnswer("reduction/factor", "dlog_A averaged over the sequences", "A serves every sequence: sum.",
              {"dways.sum(axis=0), dnew": "dways.mean(axis=0), dnew"}),
        WrongAnswer("transpose", "dlog_A from j to i", "The rows of A are where one comes from.",
              {"dways.sum(axis=0), dnew": "dways.sum(axis=0).T, dnew"}),
        WrongAnswer("local-derivative", "the likeliest way alone", "That is Viterbi's step: here all ways count.",
              {"share = np.exp(ways - top) / total[:, None]": "share = (ways == top) * 1.0"}),
        WrongAnswer("zero", "no gradient to the emissions", "ln b is added: its gradient is dnew.",
              {"dways.sum(axis=0), dnew": "dways.sum(axis=0), np.zeros_like(log_b)"}),
    ))
