"""A loss and a layer: the mean squared error, and the gradients of y = x Wᵀ + b one by one."""

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
    hints=("Write the mean as a constant times a sum over all entries, and differentiate a single term.",
           "The outer function is a square, the inner one a difference. Each gives a factor. "
           "Which factor does the target give?"),
    wrong=(
        WrongAnswer("factor", "the 2 of the square forgotten", "What is the derivative of u²?",
                    {"2 * difference": "difference"}),
        WrongAnswer("factor", "the gradient of a sum",
                    "The value is a mean, so each entry has the weight 1 over the number of entries.",
              {" / x.size": ""}),
        WrongAnswer("factor", "divided by the rows only", "The mean is over all entries, not only over the rows.",
              {"x.size": "len(x)"}),
        WrongAnswer("sign", "the difference reversed", "A prediction that is too large must have a positive gradient.",
              {"dx = 2 *": "dx = -2 *"}),
        WrongAnswer("sign", "the target's gradient with the prediction's sign",
                    "The target has a minus sign in the difference.",
              {"return dx, -dx": "return dx, dx"}),
        WrongAnswer("upstream", "dL ignored", "L may be part of a larger loss: multiply by dL.", {" * dL": ""}),
        WrongAnswer("missing", "no gradient for the target", "The target is an input like x: L depends on it.",
              {"return dx, -dx": "return dx, None"}),
        WrongAnswer("forward", "a value twice as large", "The value is the mean of the squares.",
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
    hints=("Every row n uses the weight Wₒᵢ, so add up the gradients of all rows.",
           "dWₒᵢ = Σₙ dyₙₒ · ?  Then find the matrix product that sums over n and has the shape of W."),
    wrong=(
        WrongAnswer("transpose", "xᵀ dy", "This has the shape (in, out), and W has (out, in).",
                    {"dy.T @ x": "x.T @ dy"}),
        WrongAnswer("factor", "averaged over the rows",
                    "Sum over the rows. A mean, if there is one, belongs to the loss.",
              {"dy.T @ x": "dy.T @ x / len(x)"}),
        WrongAnswer("sign", "a minus", "The gradient points uphill. The optimizer subtracts it.",
              {"return dy.T": "return -dy.T"}),
        WrongAnswer("upstream", "dy replaced by ones", "Each output has its own gradient in dy.",
              {"dy.T @ x": "np.ones_like(dy).T @ x"}),
        WrongAnswer("zero", "an array of zeros", "The zeros were never filled.", {"dy.T @ x": "np.zeros_like(weight)"}),
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
    hints=("NumPy broadcasts b to every row. "
           "The gradient of an array that is used several times is the sum over its uses.",
           "db has b's shape. Which axis of dy does b not have?"),
    wrong=(
        WrongAnswer("unbroadcast", "dy itself", "b is broadcast over the rows, and its gradient has the shape of b.",
              {"dy.sum(axis=0)": "dy"}),
        WrongAnswer("reduction/factor", "the mean over the rows", "Every row uses b, so the gradients add up.",
              {"dy.sum(axis=0)": "dy.mean(axis=0)"}),
        WrongAnswer("reduction", "the wrong axis", "Sum over the axis that b does not have.", {"axis=0": "axis=1"}),
        WrongAnswer("keepdims", "an axis of length 1 kept", "(1, out) is not (out,).",
                    {"axis=0": "axis=0, keepdims=True"}),
        WrongAnswer("unbroadcast/reduction", "the first row only", "b is used in every row, not only in the first.",
              {"dy.sum(axis=0)": "dy[0]"}),
        WrongAnswer("reduction", "the sum of all entries for each bias", "Each bias belongs to one column.",
              {"dy.sum(axis=0)": "np.full_like(bias, dy.sum())"}),
    ))


def linear(x, weight, bias):
    """A complete linear layer.

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
    hints=("You have written two of the three already. For dx: every output o uses the input xₙᵢ, with the weight Wₒᵢ.",
           "dxₙᵢ = Σₒ dyₙₒ Wₒᵢ. Which matrix product sums over o and has the shape of x?"),
    wrong=(
        WrongAnswer("operand", "Wᵀ in place of W",
                    "If all sizes are equal, the shape does not show the mistake. Write the indices.",
              {"dy @ weight": "dy @ weight.T"}),
        WrongAnswer("transpose", "xᵀ dy for the weight",
                    "The weight has the shape (out, in), and so does its gradient.", {"dy.T @ x": "x.T @ dy"}),
        WrongAnswer("unbroadcast", "dy for the bias", "The bias is broadcast over the rows.", {"dy.sum(axis=0)": "dy"}),
        WrongAnswer("reduction/factor", "the bias averaged", "Sum over the rows. There is no mean.",
              {"dy.sum(axis=0)": "dy.mean(axis=0)"}),
        WrongAnswer("swapped", "x and weight in the wrong order", "Return the gradients in the order of the arguments.",
              {"return dx, dweight": "return dweight, dx"}),
        WrongAnswer("factor", "the weight averaged over the batch", "The division by N belongs to the loss.",
              {"dy.T @ x": "dy.T @ x / len(x)"}),
        WrongAnswer("missing", "no gradient for x", "The layer before this one needs dx.",
                    {"return dx,": "return None,"}),
    ))
