"""Similarity: vectors of length 1, the loss of CLIP, prototypes."""

from __future__ import annotations

import numpy as np

from ..exercise import Exercise, WrongAnswer

CHAPTER = "20 Representing with few labels"


def unit_length(x):
    """The rows of x, divided by their lengths.

        u = x / ‖x‖

    x, u (N, C); no row is zero.    vjp(du) returns dx.
    """
    length = np.sqrt((x * x).sum(axis=1, keepdims=True))
    u = x / length

    def vjp(du):
        return (du - u * (u * du).sum(axis=1, keepdims=True)) / length

    return u, vjp


UNIT_LENGTH = Exercise(
    unit_length, CHAPTER,
    cases={"rows of length 1": lambda rng: (np.eye(4)[[2, 0, 3]],)},
    inputs=lambda rng, N=5, C=3: (rng.normal(size=(N, C)),),
    question="x becomes twice as long, and du stays the same. By what factor does dx change?",
    answer=lambda f: (f(np.array([[2.0, 4.0]]))[1](np.array([[1.0, 0.5]]))
                      / f(np.array([[1.0, 2.0]]))[1](np.array([[1.0, 0.5]])))[0, 0],
    hints=("u depends on x twice: in the numerator, and through the length. ∂‖x‖/∂x = x/‖x‖ = u.",
           "The length's part is −u (u · du)/‖x‖: what du has along u. It changes only the length, which is divided "
           "out. One sum for each row, with keepdims=True."),
    wrong=(
        WrongAnswer("missing-term", "the length as a constant", "The length depends on x too: ∂‖x‖/∂x = u.",
              {"(du - u * (u * du).sum(axis=1, keepdims=True)) / length": "du / length"}),
        WrongAnswer("row-scale/factor/local-derivative", "not divided by the length",
                    "u changes less if x is long: divide by the length.",
              {"keepdims=True)) / length": "keepdims=True))"}),
        WrongAnswer("sign/missing-term", "the part along u added",
                    "A step along u changes no direction, so du's part along u must cancel.",
              {"du - u * (u": "du + u * (u"}),
        WrongAnswer("reduction/leak", "the sum over the columns",
                    "Each row has its own length, so the sum is over axis 1.",
              {"(u * du).sum(axis=1": "(u * du).sum(axis=0"}),
        WrongAnswer("reduction/factor", "a mean in place of the sum", "u · du is a sum over the C entries.",
              {"(u * du).sum": "(u * du).mean"}),
        WrongAnswer("local-derivative/operand/missing-term", "x in place of u", "The projection is on the unit vector.",
              {"(du - u * (u * du)": "(du - x * (x * du)"}),
        WrongAnswer("keepdims", "keepdims=True forgotten",
                    "NumPy broadcasts (N,) as a row, but each sum belongs to its own row.",
              {"(u * du).sum(axis=1, keepdims=True)": "(u * du).sum(axis=1)"}),
    ))


def clip_loss(a, b, t):
    """The loss of CLIP.

    Row n of a belongs to row n of b. The loss is low if each row is most similar to its partner, in both directions:

        S = eᵗ a bᵀ,   R = softmax of S by rows,   C = softmax of S by columns
        L = −(1/2N) Σₙ (ln Rₙₙ + ln Cₙₙ)

    a, b (N, D)    t an array of one number, the logarithm of 1/τ    L one number.    vjp(dL) returns da, db and dt.
    """
    N = len(a)
    S = np.exp(t) * (a @ b.T)
    rows = np.exp(S - S.max(axis=1, keepdims=True))
    columns = np.exp(S - S.max(axis=0, keepdims=True))
    R = rows / rows.sum(axis=1, keepdims=True)
    C = columns / columns.sum(axis=0, keepdims=True)
    L = -(np.log(np.diag(R)) + np.log(np.diag(C))).sum() / (2 * N)

    def vjp(dL):
        dS = (R + C - 2 * np.eye(N)) / (2 * N) * dL
        da = np.exp(t) * (dS @ b)
        db = np.exp(t) * (dS.T @ a)
        dt = (dS * S).sum()
        return da, db, dt

    return L, vjp


CLIP_LOSS = Exercise(
    clip_loss, CHAPTER,
    cases={"one pair": lambda rng: (rng.normal(size=(1, 3)), rng.normal(size=(1, 3)), np.array(0.5)),
           "similarities of ±2000": lambda rng: (np.array([[2000.0, -1000], [-1000, 0]]), np.eye(2), np.array(0.0)),
           "similarities of −2000": lambda rng: (np.ones((2, 1)), np.array([[-2000.0], [-2001]]), np.array(0.0))},
    inputs=lambda rng, N=5, D=3: (rng.normal(size=(N, D)), rng.normal(size=(N, D)), np.array(0.3)),
    question="dS is the gradient of L with respect to S. What is the sum of its entries, for every S?",
    answer=lambda f: f(np.ones((3, 1)), np.ones((3, 1)), np.array(0.0))[1](1.0)[2],
    hints=("Each half is a cross-entropy with the diagonal as the targets. The gradient of one by its logits is "
           "(softmax − onehot)/N.",
           "dS = (R + C − 2I)/2N. Then S = eᵗ a bᵀ is a matrix product, and ∂S/∂t = S."),
    wrong=(
        WrongAnswer("missing-term/factor/local-derivative/unexplained", "rows only",
                    "Half of the loss is over the columns.", {"(R + C - 2 * np.eye(N))": "2 * (R - np.eye(N))"}),
        WrongAnswer("missing-term/sign", "the pairs not subtracted",
                    "At a pair, a descent step must raise the similarity.",
              {"(R + C - 2 * np.eye(N))": "(R + C)"}),
        WrongAnswer("missing-term/factor/unexplained", "the pairs subtracted once", "Both halves have their own −1.",
              {"R + C - 2 * np.eye(N)": "R + C - np.eye(N)"}),
        WrongAnswer("factor/local-derivative", "the temperature forgotten in da",
                    "S is eᵗ a bᵀ, so eᵗ remains in the gradient.",
              {"da = np.exp(t) * (dS @ b)": "da = dS @ b"}),
        WrongAnswer("factor", "divided by N", "There are 2N cross-entropies, N by rows and N by columns.",
              {"/ (2 * N) * dL": "/ N * dL"}),
        WrongAnswer("factor", "divided by all entries", "The mean is over the 2N rows and columns.",
              {"/ (2 * N) * dL": "/ (2 * N * N) * dL"}),
        WrongAnswer("transpose/permuted/operand", "dS not transposed for db", "b enters S transposed.",
              {"dS.T @ a": "dS @ a"}),
        WrongAnswer("local-derivative/operand/zero", "S forgotten in dt",
                    "∂S/∂t = S: each entry of dS counts S times.", {"(dS * S).sum()": "dS.sum()"}),
        WrongAnswer("upstream", "dL ignored", "The loss may be scaled afterward: multiply by dL.",
              {" / (2 * N) * dL": " / (2 * N)"}),
    ))


def prototype(z, y):
    """Logits from the distances to the means of the classes.

    The mean of its own class leaves out the example itself:

        c = mean of the examples of class k other than n,   logits[n, k] = −‖zₙ − c‖²

    z (N, C)    labels y integers (N,), 0…K−1, each class at least twice.    Returns the logits (N, K).
    """
    member = np.eye(y.max() + 1)[y].T                       # (K, N): 1 at the examples of a class
    others = member * (1 - np.eye(len(z)))[:, None]         # (N, K, N): the same without the example itself
    means = others @ z / others.sum(axis=2, keepdims=True)
    return -((z[:, None] - means) ** 2).sum(axis=2)


def _labeled(rng, N, C):
    return rng.normal(size=(2 * N, C)), rng.permutation(np.arange(2 * N) % N)


PROTOTYPE = Exercise(
    prototype, CHAPTER,
    cases={"classes of unequal sizes": lambda rng: (rng.normal(size=(7, 2)), np.array([0, 1, 0, 0, 1, 0, 0])),
           "one class": lambda rng: (rng.normal(size=(4, 3)), np.zeros(4, int))},
    inputs=lambda rng, N=5, C=3: _labeled(rng, N, C),
    question="Class 0 has two examples, at 0 and at 2 on a line. What is the logit of class 0 for the example at 0?",
    answer=lambda f: f(np.array([[0.0], [2.0], [5.0], [6.0]]), np.array([0, 0, 1, 1]))[0, 0],
    hints=("np.eye(K)[y] has a row for each example and a 1 at its class. Its columns times z are sums over classes.",
           "For each n, leave the n-th example out of the sum and of the count. The shapes are (N, K, N) @ (N, C)."),
    wrong=(
        WrongAnswer("formula", "the query in its own mean",
                    "An example in the mean pulls the mean to itself: training then looks better than it is.",
              {" * (1 - np.eye(len(z)))[:, None]": " * np.ones((len(z), 1, 1))"}),
        WrongAnswer("formula", "a sum in place of the mean", "Divide by the number of examples.",
              {" / others.sum(axis=2, keepdims=True)": ""}),
        WrongAnswer("formula", "the sign", "Near means a high logit, so the distance counts with a minus.",
              {"return -((": "return (("}),
        WrongAnswer("formula", "the distance, not its square", "The logits are minus the squared distances.",
              {"return -((z[:, None] - means) ** 2).sum(axis=2)":
               "return -np.sqrt(((z[:, None] - means) ** 2).sum(axis=2))"}),
        WrongAnswer("formula", "absolute values in place of squares", "‖·‖² is a sum of squares.",
              {"return -((z[:, None] - means) ** 2)": "return -np.abs(z[:, None] - means)"}),
        WrongAnswer("formula", "a mean over the features", "The squared length is a sum over the C features.",
              {"** 2).sum(axis=2)": "** 2).mean(axis=2)"}),
        WrongAnswer("formula", "divided by all examples", "Each class has its own number of examples.",
              {"others.sum(axis=2, keepdims=True)": "len(z)"}),
    ))


def mix_up(x, y, weight, order, n_classes):
    """Mix-up: examples mixed with others, and so their labels.

        x̃ₙ = λ xₙ + (1 − λ) x_order(n),   t̃ₙ = λ onehot(yₙ) + (1 − λ) onehot(y_order(n))

    x (N, C)    labels y integers (N,)    weight λ (N,), one for each example    order integers (N,).
    Returns x̃ (N, C) and t̃ (N, n_classes).
    """
    share = weight[:, None]
    onehot = np.eye(n_classes)[y]
    mixed = share * x + (1 - share) * x[order]
    targets = share * onehot + (1 - share) * onehot[order]
    return mixed, targets


MIX_UP = Exercise(
    mix_up, CHAPTER,
    inputs=lambda rng, N=5, C=3: (rng.normal(size=(N, C)), rng.integers(0, 4, N), rng.random(N), rng.permutation(N), 4),
    question="x is a 7, its partner is a 1, and λ = 0.25. What is the target of class 1?",
    answer=lambda f: f(np.zeros((2, 1)), np.array([7, 1]), np.array([0.25, 0.25]), np.array([1, 0]), 10)[1][0, 1],
    hints=("λ is a number for each example: it needs a second axis to multiply rows.",
           "The same λ and the same order for pictures and labels."),
    wrong=(
        WrongAnswer("formula", "labels not mixed", "A mixed picture has a mixed label.",
              {"share * onehot + (1 - share) * onehot[order]": "onehot"}),
        WrongAnswer("formula", "the shares of the labels exchanged", "λ belongs to x and to its own label.",
              {"share * onehot + (1 - share) * onehot[order]": "(1 - share) * onehot + share * onehot[order]"}),
        WrongAnswer("formula", "the labels in their old order", "The partner's label comes from the same order.",
              {"onehot[order]": "onehot[::-1]"}),
        WrongAnswer("formula", "a sum of both", "The shares sum to 1.",
              {"share * x + (1 - share) * x[order]": "share * x + x[order]"}),
        WrongAnswer("formula", "one share for all", "Each example has its own λ.",
              {"share = weight[:, None]": "share = weight[0]"}),
    ))
