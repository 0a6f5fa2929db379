"""Classical models: linear and logistic regression, sparse counts, n-grams, hidden Markov models."""

from __future__ import annotations

import numpy as np

from ..exercise import Exercise, WrongAnswer


def least_squares(x, y, w, b):
    """A line and half the sum of its squared errors.

        ŷ = x w + b,   L = ½ Σₙ (yₙ − ŷₙ)²

    x (N, I)    y (N,)    w (I,)    b (1,)    L one number.    vjp(dL) returns dw, db. x and y are data.
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
    hints=("The ½ cancels the 2 of the square. What is the derivative of y − ŷ with respect to ŷ?",
           "Every example uses w, so sum over n. The bias is the weight of a feature that is always 1."),
    wrong=(
        WrongAnswer("sign", "(y − ŷ) x without the minus",
                    "ŷ has a minus sign in the error. With your sign, a step of descent increases L.",
              {"dw = -x.T": "dw = x.T", "db = -error": "db = error"}),
        WrongAnswer("factor", "the 2 of the square kept", "The ½ and the 2 cancel.", {"dw = -x.T": "dw = -2 * x.T"}),
        WrongAnswer("unexplained/dropped/reduction/local-derivative/missing-term", "only the first example",
              "L is a sum over the examples, and every term depends on w.",
                    {"-x.T @ error * dL": "-x[0] * error[0] * dL"}),
        WrongAnswer("factor/reduction", "averaged over the examples", "L is a sum here, not a mean.",
              {"-x.T @ error * dL": "-x.T @ error * dL / len(x)"}),
        WrongAnswer("upstream", "dL ignored", "L may be part of a larger loss.", {"-x.T @ error * dL": "-x.T @ error"}),
        WrongAnswer("zero", "no gradient for the bias", "Every prediction depends on b.",
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
    hints=("Each weight occurs in one term of the sum only, so its gradient has no sum.",
           "A descent step moves each weight toward 0, in proportion to the weight: this is weight decay."),
    wrong=(
        WrongAnswer("factor", "the 2 of the square kept", "The ½ cancels the 2.", {"l2 * w * dP": "2 * l2 * w * dP"}),
        WrongAnswer("factor", "λ forgotten", "How strong is the penalty?", {"l2 * w * dP": "w * dP"}),
        WrongAnswer("sign", "a minus sign", "The gradient points toward a larger penalty. The optimizer subtracts it.",
              {"l2 * w * dP": "-l2 * w * dP"}),
        WrongAnswer("local-derivative/unexplained", "the sign of w, as for an L1 penalty",
                    "The derivative of a square grows with w.",
              {"l2 * w * dP": "l2 * np.sign(w) * dP"}),
        WrongAnswer("upstream", "dP ignored", "The penalty is part of a loss, which may be scaled.",
                    {"l2 * w * dP": "l2 * w"}),
        WrongAnswer("local-derivative", "the square itself", "The derivative of w² is 2w.",
              {"l2 * w * dP": "0.5 * l2 * w ** 2 * dP"}),
    ))


def logistic_regression(x, y, w):
    """Logistic regression of two classes.

        z = x w,   L = −(1/N) Σₙ (yₙ ln σ(zₙ) + (1 − yₙ) ln(1 − σ(zₙ)))

    x (N, I)    y (N,), 0 or 1    w (I,)    L one number.    vjp(dL) returns dw. x and y are data.
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
    hints=("First compute dL/dz: dL/dp has p (1 − p) in the denominator, and dp/dz = p (1 − p).",
           "For each example, p − y remains. Then z = x w is a linear layer."),
    wrong=(
        WrongAnswer("sign", "y − p in place of p − y", "If p is too large, the gradient must be positive.",
                    {"(p - y)": "(y - p)"}),
        WrongAnswer("local-derivative", "the derivative of σ applied twice",
                    "p − y already includes the derivative of σ, which cancels.",
              {"(p - y) * dL": "(p - y) * p * (1 - p) * dL"}),
        WrongAnswer("factor", "not divided by N", "The loss is a mean.", {" * dL / len(x)": " * dL"}),
        WrongAnswer("upstream", "dL ignored", "The loss may be part of a larger loss: multiply by dL.",
              {"(p - y) * dL / len(x)": "(p - y) / len(x)"}),
        WrongAnswer("missing-term/local-derivative", "only class 1", "Examples of class 0 have the loss −ln(1 − p).",
              {"(p - y)": "y * (p - 1)"}),
        WrongAnswer("factor", "divided by the features", "The mean is over the examples.",
                    {"/ len(x)": "/ x.shape[1]"}),
    ))


def sparse_linear(rows, columns, values, W, b):
    """A linear layer over sparse counts.

        y = X Wᵀ + b,   X (N, F) the sum of xᵢ at (rowᵢ, columnᵢ), and 0 elsewhere

    rows, columns integers (E,)    values (E,), the xᵢ    W (K, F)    b (K,)    y (N, K), N = 1 + the last row.
    vjp(dy) returns dvalues, dW, db. X is never built: it would have N × F entries, and only E of them are not 0.
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
    question="A text has the word 2 once and the word 0 three times (values 1.0 and 3.0), "
             "K = 1 and dy = 2. What is dW[0, 0]?",
    answer=lambda f: f(np.zeros(2, int), np.array([2, 0]), np.array([1.0, 3.0]), np.ones((1, 3)), np.zeros(1))[1](
        np.full((1, 1), 2.0))[1][0, 0],
    hints=("Entry i adds xᵢ W[:, columnᵢ] to row rowᵢ of y: a gather, a product and a sum. "
           "Go back through the three, in reverse order.",
           "A word occurs in several texts, so its column of dW is a sum over all entries with that column."),
    wrong=(
        WrongAnswer("duplicate-index", "only one occurrence of a repeated word",
              "dW.T[columns] += … adds only once for a repeated column. np.add.at adds every time.",
              {"np.add.at(dW.T, columns, values[:, None] * dy[rows])": "dW.T[columns] += values[:, None] * dy[rows]"}),
        WrongAnswer("local-derivative", "the count xᵢ forgotten", "The weight is multiplied by xᵢ.",
              {"np.add.at(dW.T, columns, values[:, None] * dy[rows])": "np.add.at(dW.T, columns, dy[rows])"}),
        WrongAnswer("local-derivative", "the weights forgotten in dvalues",
                    "xᵢ is multiplied by the column of W of its word.",
              {"(dy[rows] * W.T[columns]).sum(axis=1)": "dy[rows].sum(axis=1)"}),
        WrongAnswer("reduction/factor", "db averaged", "Every row uses the bias: sum.",
                    {"dy.sum(axis=0)": "dy.mean(axis=0)"}),
        WrongAnswer("reduction/factor", "dvalues averaged over the classes", "Every class uses xᵢ: sum.",
              {"W.T[columns]).sum(axis=1)": "W.T[columns]).mean(axis=1)"}),
        WrongAnswer("lost-path/zero", "no gradient for the values",
                    "The values can be learned too, for example as word weights.",
              {"dvalues = (dy[rows] * W.T[columns]).sum(axis=1)": "dvalues = np.zeros_like(values)"}),
    ))


def kneser_ney(counts, D):
    """Kneser–Ney smoothing of bigrams.

        P(w | h) = max(c(hw) − D, 0) / c(h) + D N(h·)/c(h) · N(·w) / Σᵥ N(·v)

    N counts distinct pairs that were seen: N(h·) those that begin with h, N(·w) those that end with w.

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
    question="The token a occurs 4 times and is always followed by b, "
             "and D = 0.5. How much of P(· | a) goes to the shorter model?",
    answer=lambda f: np.round(1 - f(np.array([[0, 4, 0], [0, 0, 1], [1, 0, 0]]), 0.5)[0, 1] + 0.5 / 4 / 3, 6),
    hints=("counts > 0 marks the pairs that were seen. Its sums over rows and columns are N(h·) and N(·w).",
           "The first term is the counts minus D, divided by c(h). The second is a column times a row: the mass that "
           "each h gives up, times the probability that w completes a new pair."),
    wrong=(
        WrongAnswer("formula", "no discount", "Subtract D from each count before the division.",
              {"np.maximum(counts - D, 0)": "counts"}),
        WrongAnswer("formula", "negative counts", "A pair that was never seen has the count 0: use max(…, 0).",
              {"np.maximum(counts - D, 0)": "(counts - D)"}),
        WrongAnswer("formula", "D redistributed once",
                    "D is subtracted for every distinct pair that begins with h, so N(h·) times.",
              {"D * seen.sum(axis=1, keepdims=True) / c_h": "D / c_h"}),
        WrongAnswer("formula", "occurrences in place of distinct pairs",
                    "w counts once for each distinct token before it.",
              {"seen.sum(axis=0) / seen.sum()": "counts.sum(axis=0) / counts.sum()"}),
        WrongAnswer("formula", "rows and columns swapped", "w is the second token of a pair: a column.",
              {"seen.sum(axis=0) / seen.sum()": "seen.sum(axis=1) / seen.sum()"}),
        WrongAnswer("formula", "the mass distributed equally",
                    "The shorter model distributes the mass that is given up.",
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
           "share[b, i, j] is the part of α′ⱼ that comes from state i, which Baum–Welch counts. "
           "α is used for all j, and A for all sequences."),
    wrong=(
        WrongAnswer("swapped/operand", "the sum over the wrong axis",
                    "αᵢ is used for every j: sum over j, the last axis.",
              {"return dways.sum(axis=2), dways.sum(axis=0)": "return dways.sum(axis=1), dways.sum(axis=0)"}),
        WrongAnswer("local-derivative/row-scale", "not divided by the sum", "For each j, the shares of all i sum to 1.",
              {"share = np.exp(ways - top) / total[:, None]": "share = np.exp(ways - top)"}),
        WrongAnswer("reduction/factor", "dlog_A averaged over the sequences", "Every sequence uses A: sum.",
              {"dways.sum(axis=0), dnew": "dways.mean(axis=0), dnew"}),
        WrongAnswer("transpose", "dlog_A from j to i", "The rows of A are the old states i.",
              {"dways.sum(axis=0), dnew": "dways.sum(axis=0).T, dnew"}),
        WrongAnswer("local-derivative", "only the most likely path", "This is a step of Viterbi. Here all paths count.",
              {"share = np.exp(ways - top) / total[:, None]": "share = (ways == top) * 1.0"}),
        WrongAnswer("zero", "no gradient for the emissions", "ln b is added: its gradient is dnew.",
              {"dways.sum(axis=0), dnew": "dways.sum(axis=0), np.zeros_like(log_b)"}),
    ))
