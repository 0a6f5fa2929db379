"""Arrays: the backward pass sums what the forward pass repeats, and repeats what it sums."""

from __future__ import annotations

import numpy as np

from ..exercise import Exercise, WrongAnswer


def broadcast_add(x, y):
    """A sum of arrays that NumPy broadcasts.

        z = x + y,   z_btc = x_btc + y_t

    x (B, T, C)    y (T, 1)    z (B, T, C).    vjp(dz) returns dx, dy.
    """
    z = x + y

    def vjp(dz):
        dx = dz.copy()
        dy = dz.sum(axis=0).sum(axis=-1, keepdims=True)
        return dx, dy

    return z, vjp


BROADCAST_ADD = Exercise(
    broadcast_add, "02 Backpropagation",
    inputs=lambda rng, B=2, T=3, C=5: (rng.normal(size=(B, T, C)), rng.normal(size=(T, 1))),
    question="x is (2, 3, 5), y is (3, 1), and dz is all ones. What is each entry of dy?",
    answer=lambda f: f(np.ones((2, 3, 5)), np.ones((3, 1)))[1](np.ones((2, 3, 5)))[1][0, 0],
    hints=("Every entry of y is used B·C times. Its gradient is the sum over all of these uses.",
           "Sum over the axis that y lacks, and over the axis on which y has size 1. "
           "The latter axis stays, with size 1."),
    wrong=(
        WrongAnswer("unbroadcast", "dz for y", "y is broadcast, and its gradient has the shape of y.",
              {"dy = dz.sum(axis=0).sum(axis=-1, keepdims=True)": "dy = dz.copy()"}),
        WrongAnswer("keepdims", "the last axis lost", "y is (T, 1), not (T,).",
                    {"sum(axis=-1, keepdims=True)": "sum(axis=-1)"}),
        WrongAnswer("unbroadcast", "not summed over the last axis", "y has size 1 there, so it is repeated C times.",
              {".sum(axis=-1, keepdims=True)": ""}),
        WrongAnswer("unbroadcast", "not summed over the batch", "y has no batch axis: each example uses it.",
              {"dz.sum(axis=0).sum": "dz.sum"}),
        WrongAnswer("reduction/factor", "the mean over the batch",
                    "The gradients of the copies add up; they are not averaged.",
              {"dz.sum(axis=0)": "dz.mean(axis=0)"}),
        WrongAnswer("reduction/factor", "the mean over the last axis",
                    "The gradients of the copies add up; they are not averaged.",
              {".sum(axis=-1,": ".mean(axis=-1,"}),
        WrongAnswer("unbroadcast/reduction", "the first example only", "All examples of the batch use y.",
              {"dz.sum(axis=0)": "dz[0]"}),
    ))


def used_twice(x, y):
    """A tensor that is used twice.

        z = x ⊙ y + sin x

    x, y, z (N, C).    vjp(dz) returns dx, dy.
    """
    z = x * y + np.sin(x)

    def vjp(dz):
        dx = dz * y
        dx += dz * np.cos(x)
        return dx, dz * x

    return z, vjp


USED_TWICE = Exercise(
    used_twice, "02 Backpropagation",
    inputs=lambda rng, N=5, C=3: (rng.normal(size=(N, C)), rng.normal(size=(N, C))),
    question="At x = 0 and y = 3, with dz = 1: what is dx?",
    answer=lambda f: f(np.zeros(1), np.full(1, 3.0))[1](np.ones(1))[0][0],
    hints=("Two paths lead from x to z. The gradient of x is the sum over both paths.",
           "Through the product: dz ⊙ y. Through the sine: dz ⊙ its derivative. Add them."),
    wrong=(
        WrongAnswer("overwrite", "= in place of +=", "The second use overwrites the first.",
              {"dx += dz * np.cos(x)": "dx = dz * np.cos(x)"}),
        WrongAnswer("overwrite", "the second use forgotten", "x is in the sine too.",
                    {"        dx += dz * np.cos(x)\n": ""}),
        WrongAnswer("local-derivative", "sin in place of cos", "What is the derivative of the sine?",
                    {"np.cos(x)": "np.sin(x)"}),
        WrongAnswer("sign/local-derivative", "a minus before the cosine",
              "The minus is in the derivative of the cosine, not of the sine.", {"dx += dz": "dx -= dz"}),
        WrongAnswer("local-derivative/overwrite", "the paths multiplied",
                    "Derivatives along one path multiply; several paths add up.",
              {"dx += dz *": "dx *="}),
        WrongAnswer("factor", "the mean of both uses", "The gradients of the uses add up; they are not averaged.",
              {"return dx, dz": "return dx / 2, dz"}),
        WrongAnswer("local-derivative/swapped", "x and y swapped", "The other factor of y is x.", {"dz * x": "dz * y"}),
    ))


def matmul(x, y):
    """The product of two stacks of matrices.

        z = x y,   z_bmn = Σₖ x_bmk y_bkn

    x (B, M, K)    y (B, K, N)    z (B, M, N).    vjp(dz) returns dx, dy.
    """
    z = x @ y

    def vjp(dz):
        dx = dz @ y.swapaxes(-1, -2)
        dy = x.swapaxes(-1, -2) @ dz
        return dx, dy

    return z, vjp


MATMUL = Exercise(
    matmul, "02 Backpropagation",
    inputs=lambda rng, B=2, M=3, K=5, N=7: (rng.normal(size=(B, M, K)), rng.normal(size=(B, K, N))),
    question="x is (2, 3, 5) and y is (2, 5, 7). What is the shape of dy? Write it as (a, b, c).",
    answer=lambda f: f(np.ones((2, 3, 5)), np.ones((2, 5, 7)))[1](np.ones((2, 3, 7)))[1].shape,
    hints=("The shapes suggest the product: dz is (M, N), dx must be (M, K), and y is (K, N).",
           "The factors keep their order: the right factor stays on the right, transposed. In a stack, only "
           "the last two axes are swapped."),
    wrong=(
        WrongAnswer("operand", "y not transposed", "dx sums over n, the last axis of y.",
                    {"dz @ y.swapaxes(-1, -2)": "dz @ y"}),
        WrongAnswer("operand", "x not transposed", "dy sums over m, the first axis of x.",
                    {"x.swapaxes(-1, -2) @ dz": "x @ dz"}),
        WrongAnswer("transpose", "the transpose of dy", "dzᵀ x is the transpose of what y needs.",
              {"x.swapaxes(-1, -2) @ dz": "dz.swapaxes(-1, -2) @ x"}),
        WrongAnswer("swapped", "dx and dy swapped", "Return the gradients in the order of the arguments.",
              {"return dx, dy": "return dy, dx"}),
        WrongAnswer("operand", "the product in the wrong order",
                    "Matrices do not commute: dz is the left factor of dx.",
              {"dz @ y.swapaxes(-1, -2)": "y.swapaxes(-1, -2) @ dz"}),
        WrongAnswer("factor", "averaged over the stack", "Each matrix of the stack is independent.",
              {"dy = x.swapaxes(-1, -2) @ dz": "dy = x.swapaxes(-1, -2) @ dz / len(x)"}),
    ))


def sum_rows(x):
    """The sum along an axis.

        yₙ = Σ_c xₙ꜀

    x (N, C)    y (N,).    vjp(dy) returns dx.
    """
    y = x.sum(axis=1)

    def vjp(dy):
        return np.repeat(dy[:, None], x.shape[1], axis=1)

    return y, vjp


SUM_ROWS = Exercise(
    sum_rows, "02 Backpropagation",
    inputs=lambda rng, N=5, C=3: (rng.normal(size=(N, C)),),
    question="x is (5, 3) and dy is all ones. What is each entry of dx?",
    answer=lambda f: f(np.ones((5, 3)))[1](np.ones(5))[0, 0],
    hints=("How much does yₙ change when one xₙ꜀ changes by 1?",
           "Every entry of row n gets dyₙ: repeat it along the axis that was summed."),
    wrong=(
        WrongAnswer("shape", "dy as it is", "dx has x's shape.",
                    {"np.repeat(dy[:, None], x.shape[1], axis=1)": "dy.copy()"}),
        WrongAnswer("keepdims/shape", "a column", "(N, 1) is not (N, C), though NumPy would broadcast it.",
              {"np.repeat(dy[:, None], x.shape[1], axis=1)": "dy[:, None].copy()"}),
        WrongAnswer("factor/reduction", "divided by the number of entries", "This is the gradient of a mean.",
              {"x.shape[1], axis=1)": "x.shape[1], axis=1) / x.shape[1]"}),
        WrongAnswer("local-derivative", "multiplied by x", "The derivative of a sum with respect to each term is 1.",
              {"axis=1)\n\n    return y": "axis=1) * x\n\n    return y"}),
        WrongAnswer("transpose", "repeated along the wrong axis", "Entries of one row share one dy.",
              {"np.repeat(dy[:, None], x.shape[1], axis=1)": "np.repeat(dy[None], x.shape[1], axis=0)"}),
        WrongAnswer("upstream", "ones, without dy", "Each row has its own dyₙ.",
              {"np.repeat(dy[:, None], x.shape[1], axis=1)": "np.ones_like(x)"}),
    ))


def mean_columns(x):
    """The mean along an axis.

        y_c = (1/N) Σₙ xₙ꜀

    x (N, C)    y (C,).    vjp(dy) returns dx.
    """
    y = x.mean(axis=0)

    def vjp(dy):
        return np.ones_like(x) * dy / x.shape[0]

    return y, vjp


MEAN_COLUMNS = Exercise(
    mean_columns, "02 Backpropagation",
    inputs=lambda rng, N=5, C=3: (rng.normal(size=(N, C)),),
    question="x is (5, 3) and dy is all ones. What do the entries of a column of dx sum to?",
    answer=lambda f: f(np.ones((5, 3)))[1](np.ones(3)).sum(axis=0)[0],
    hints=("A mean is a sum times a number.",
           "Repeat dy along the columns. By how much does one entry change its mean?"),
    wrong=(
        WrongAnswer("factor", "not divided", "Each entry has the weight 1/N in the mean.", {" / x.shape[0]": ""}),
        WrongAnswer("factor", "divided by the wrong size",
                    "How many entries are averaged: those of a row or of a column?",
              {"x.shape[0]": "x.shape[1]"}),
        WrongAnswer("factor", "divided by all entries", "Each mean is over one column only.", {"x.shape[0]": "x.size"}),
        WrongAnswer("factor", "multiplied instead of divided", "In a longer column, each entry has less weight.",
              {" / x.shape[0]": " * x.shape[0]"}),
        WrongAnswer("shape", "not repeated", "dx has x's shape.", {"np.ones_like(x) * dy": "dy"}),
        WrongAnswer("local-derivative", "multiplied by x",
                    "The derivative of a mean is the same for each of its terms.",
              {"np.ones_like(x)": "x"}),
    ))


def max_rows(x):
    """The largest entry of each row.

        yₙ = max_c xₙ꜀

    x (N, C)    y (N,).    vjp(dy) returns dx. If several entries are the largest, the first gets dyₙ.
    """
    y = x.max(axis=1)

    def vjp(dy):
        dx = np.zeros_like(x)
        dx[np.arange(len(x)), x.argmax(axis=1)] = dy
        return dx

    return y, vjp


MAX_ROWS = Exercise(
    max_rows, "02 Backpropagation",
    cases={"equal largest entries": lambda rng: (np.array([[1.0, 3, 3], [2, 2, 2], [5, 0, 1]]),),
           "negative entries": lambda rng: (-1 - rng.random((4, 3)),)},
    inputs=lambda rng, N=5, C=3: (rng.normal(size=(N, C)),),
    question="x is (5, 3) without equal entries, dy has no zero. How many entries of dx are not zero?",
    answer=lambda f: np.count_nonzero(f(np.random.default_rng(0).normal(size=(5, 3)))[1](np.ones(5))),
    hints=("Change an entry that is not the largest a little. Does the maximum change?",
           "np.argmax finds the largest entry of each row. All other entries get 0."),
    wrong=(
        WrongAnswer("mask", "a gradient for every entry", "Only the largest entry influences the maximum.",
              {"dx[np.arange(len(x)), x.argmax(axis=1)] = dy": "dx[:] = dy[:, None]"}),
        WrongAnswer("inverted-mask/permuted", "the gradient given to the smallest entry",
                    "The maximum is the largest entry.",
              {"x.argmax": "x.argmin"}),
        WrongAnswer("mask", "the columns of all rows set in every row",
              "One entry in each row: index the rows together with the columns.",
              {"dx[np.arange(len(x)), x.argmax(axis=1)] = dy": "dx[:, x.argmax(axis=1)] = dy[:, None]"}),
        WrongAnswer("dropped", "only the largest entry of all", "Each row has its own maximum.",
              {"dx[np.arange(len(x)), x.argmax(axis=1)] = dy":
               "dx[np.unravel_index(x.argmax(), x.shape)] = dy[x.max(axis=1).argmax()]"}),
        WrongAnswer("local-derivative/row-scale", "multiplied by the maximum",
                    "The derivative with respect to the largest entry is 1.",
              {"] = dy": "] = dy * y"}),
        WrongAnswer("upstream", "1 instead of dy", "The upstream gradient dyₙ goes to the largest entry of row n.",
                    {"] = dy": "] = 1"}),
        WrongAnswer("permuted", "the index one too small", "argmax counts from 0.",
                    {"x.argmax(axis=1)]": "x.argmax(axis=1) - 1]"}),
    ))
