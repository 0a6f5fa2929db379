"""A loss and a layer: the mean squared error, and y = x Wᵀ + b one gradient at a time."""

from __future__ import annotations

import numpy as np

from ..exercise import Exercise, WrongAnswer


def mse(x, target):
    """The mean squared error.

        L = mean (x − t)²,  over all entries

    x, target t (N, C)    L one number.    vjp(dL) returns dx, dtarget.
    """
    difference = x - target
    L = np.mean(difference ** 2)

    def vjp(dL):
        dx = 2 * difference * dL / x.size
        return dx, -dx

    return L, vjp


MSE = Exercise(
    mse, "01 Linear model",
    inputs=lambda rng, N=5, C=3: (rng.normal(size=(N, C)), rng.normal(size=(N, C))),
    question="x is larger than the target everywhere and dL = 1. Which sign has every entry of dx: 1 or -1?",
    answer=lambda f: np.sign(f(np.ones((2, 3)), np.zeros((2, 3)))[1](1.0)[0][0, 0]),
    hints=("Write the mean as a sum over all entries times one number, and differentiate a single term of it.",
           "The outer function is a square, the inner a difference; each gives a factor. What does the target's side "
           "give?"),
    wrong=(
        WrongAnswer("factor", "the 2 of the square forgotten", "What is the derivative of u²?", {"2 * difference": "difference"}),
        WrongAnswer("factor", "the mean taken for a sum", "The value is a mean: each entry has only a share in it.",
              {" / x.size": ""}),
        WrongAnswer("factor", "divided by the rows only", "The mean is over all entries, not only over the rows.",
              {"x.size": "len(x)"}),
        WrongAnswer("sign", "the difference the wrong way round", "A prediction that is too large must get a positive gradient.",
              {"dx = 2 *": "dx = -2 *"}),
        WrongAnswer("sign", "the target's gradient with the prediction's sign", "The target enters the difference with a minus.",
              {"return dx, -dx": "return dx, dx"}),
        WrongAnswer("upstream", "dL ignored", "L need not be the end: what comes after it is all in dL.", {" * dL": ""}),
        WrongAnswer("missing", "no gradient for the target", "The target is an input like x: moving it changes L.",
              {"return dx, -dx": "return dx, None"}),
        WrongAnswer("forward", "a value twice as large", "The value is the plain mean of the squares.",
              {"np.mean(difference ** 2)": "2 * np.mean(difference ** 2)"}),
    ))


def linear_weight(x, weight):
    """The weight of a linear layer.

        y = x Wᵀ,   yₙₒ = Σᵢ xₙᵢ Wₒᵢ

    x (N, in)    weight W (out, in)    y (N, out).    vjp(dy) returns dweight.
    """
    y = x @ weight.T

    def vjp(dy):
        return dy.T @ x

    return y, vjp


LINEAR_WEIGHT = Exercise(
    linear_weight, "01 Linear model", constant="x",
    inputs=lambda rng, N=5, I=3, O=7: (rng.normal(size=(N, I)), rng.normal(size=(O, I))),
    question="x is (5, 3) and W is (7, 3). What is the shape of dW? Write it as (a, b).",
    answer=lambda f: f(np.ones((5, 3)), np.ones((7, 3)))[1](np.ones((5, 7))).shape,
    hints=("One weight Wₒᵢ is used by every row n: add up what each row says about it.",
           "dWₒᵢ = Σₙ dyₙₒ · ?  Then find the matrix product that sums over n and whose shape is W's."),
    wrong=(
        WrongAnswer("transpose", "xᵀ dy", "That is (in, out), and W is (out, in).", {"dy.T @ x": "x.T @ dy"}),
        WrongAnswer("factor", "averaged over the rows", "The rows are summed. A mean, if there is one, is in the loss.",
              {"dy.T @ x": "dy.T @ x / len(x)"}),
        WrongAnswer("sign", "a minus", "A gradient points uphill; going down is the optimizer's business.",
              {"return dy.T": "return -dy.T"}),
        WrongAnswer("upstream", "dy taken for ones", "Each output has a gradient of its own, in dy.",
              {"dy.T @ x": "np.ones_like(dy).T @ x"}),
        WrongAnswer("zero", "left at zeros", "Nothing was added to the zeros.", {"dy.T @ x": "np.zeros_like(weight)"}),
    ))


def linear_bias(x, bias):
    """The bias of a linear layer.

        y = x + b,   yₙₒ = xₙₒ + bₒ

    x (N, out)    bias b (out,)    y (N, out).    vjp(dy) returns dbias.
    """
    y = x + bias

    def vjp(dy):
        return dy.sum(axis=0)

    return y, vjp


LINEAR_BIAS = Exercise(
    linear_bias, "01 Linear model", constant="x",
    inputs=lambda rng, N=5, O=7: (rng.normal(size=(N, O)), rng.normal(size=O)),
    question="x is (5, 7), b is (7,), and dy is all ones. What is each entry of db?",
    answer=lambda f: f(np.ones((5, 7)), np.ones(7))[1](np.ones((5, 7)))[0],
    hints=("NumPy repeats b in every row. What is used several times gets the sum of all gradients.",
           "db has b's shape. Which axis of dy does b not have?"),
    wrong=(
        WrongAnswer("unbroadcast", "dy as it is", "b was repeated over the rows: its gradient has b's shape.",
              {"dy.sum(axis=0)": "dy"}),
        WrongAnswer("reduction/factor", "the mean over the rows", "Every row uses all of b: the gradients add up.",
              {"dy.sum(axis=0)": "dy.mean(axis=0)"}),
        WrongAnswer("reduction", "the wrong axis", "Sum over the axis that b does not have.", {"axis=0": "axis=1"}),
        WrongAnswer("keepdims", "an axis kept", "(1, out) is not (out,).", {"axis=0": "axis=0, keepdims=True"}),
        WrongAnswer("unbroadcast/reduction", "the first row only", "b is used in every row, not only in the first.",
              {"dy.sum(axis=0)": "dy[0]"}),
        WrongAnswer("reduction", "everything summed into each", "Each bias belongs to one column.",
              {"dy.sum(axis=0)": "np.full_like(bias, dy.sum())"}),
    ))


def linear(x, weight, bias):
    """A linear layer, whole.

        y = x Wᵀ + b

    x (N, in)    weight W (out, in)    bias b (out,)    y (N, out).    vjp(dy) returns dx, dweight, dbias.
    """
    y = x @ weight.T + bias

    def vjp(dy):
        dx = dy @ weight
        dweight = dy.T @ x
        dbias = dy.sum(axis=0)
        return dx, dweight, dbias

    return y, vjp


LINEAR = Exercise(
    linear, "01 Linear model",
    inputs=lambda rng, N=5, I=3, O=7: (rng.normal(size=(N, I)), rng.normal(size=(O, I)), rng.normal(size=O)),
    question="x is (5, 3), W is (7, 3), b is (7,). What is the shape of dx? Write it as (a, b).",
    answer=lambda f: f(np.ones((5, 3)), np.ones((7, 3)), np.ones(7))[1](np.ones((5, 7)))[0].shape,
    hints=("Two of the three you have already. For dx: input xₙᵢ goes into every output o, with the weight Wₒᵢ.",
           "dxₙᵢ = Σₒ dyₙₒ Wₒᵢ. Which matrix product sums over o? Its shape must be x's."),
    wrong=(
        WrongAnswer("operand", "Wᵀ where W belongs", "Where all sizes are equal the shape does not warn you: follow the indices.",
              {"dy @ weight": "dy @ weight.T"}),
        WrongAnswer("transpose", "xᵀ dy for the weight", "The weight is (out, in): so is its gradient.", {"dy.T @ x": "x.T @ dy"}),
        WrongAnswer("unbroadcast", "dy for the bias", "The bias was repeated over the rows.", {"dy.sum(axis=0)": "dy"}),
        WrongAnswer("reduction/factor", "the bias averaged", "Sum over the rows; no mean was taken.",
              {"dy.sum(axis=0)": "dy.mean(axis=0)"}),
        WrongAnswer("swapped", "x and weight in the wrong order", "Gradients come back in the order of the arguments.",
              {"return dx, dweight": "return dweight, dx"}),
        WrongAnswer("factor", "the weight averaged over the batch", "The division by N belongs to the loss.",
              {"dy.T @ x": "dy.T @ x / len(x)"}),
        WrongAnswer("missing", "no gradient for x", "The layer before this one waits for dx.", {"return dx,": "return None,"}),
    ))
