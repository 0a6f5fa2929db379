"""Activations: elementwise functions, so dx = dy ⊙ f′(x)."""

from __future__ import annotations

import numpy as np

from ..exercise import Exercise, WrongAnswer


def _matrix(rng, N=5, C=3):
    return (rng.normal(size=(N, C)),)


def sigmoid(x):
    """The sigmoid.

        y = σ(x) = 1 / (1 + e⁻ˣ)

    x, y (N, C).    vjp(dy) returns dx.
    """
    y = 1 / (1 + np.exp(-x))

    def vjp(dy):
        return dy * y * (1 - y)

    return y, vjp


SIGMOID = Exercise(
    sigmoid, "03 Neural networks", inputs=_matrix,
    question="What is the derivative of the sigmoid at x = 0, where it is largest?",
    answer=lambda f: f(np.zeros(1))[1](np.ones(1))[0],
    hints=("Each output depends only on its own input, so dx is dy times the derivative of σ, entry by entry.",
           "Differentiate 1/(1 + e⁻ˣ) and express the result by y. You need no further exponential."),
    wrong=(
        WrongAnswer("local-derivative", "the factor 1 − y forgotten",
                    "The derivative goes to 0 on both sides, not only on the left.",
              {" * (1 - y)": ""}),
        WrongAnswer("local-derivative", "the factor y forgotten",
                    "The derivative goes to 0 on both sides, not only on the right.",
              {"dy * y * (1": "dy * (1"}),
        WrongAnswer("local-derivative", "the derivative of tanh",
                    "1 − y² is the derivative of tanh, and this is the sigmoid.",
              {"y * (1 - y)": "(1 - y * y)"}),
        WrongAnswer("local-derivative", "x in place of y", "The formula y (1 − y) uses the output, not the input.",
              {"y * (1 - y)": "x * (1 - x)"}),
        WrongAnswer("sign", "the wrong sign", "The sigmoid increases everywhere, so its derivative is positive.",
              {"return dy * y": "return -dy * y"}),
        WrongAnswer("upstream", "dy ignored", "Multiply by the upstream gradient.", {"dy * y * (1": "y * (1"}),
        WrongAnswer("local-derivative", "the sigmoid of y", "y is already σ(x): do not apply σ again.",
              {"y * (1 - y)": "(1 / (1 + np.exp(-y))) * (1 - 1 / (1 + np.exp(-y)))"}),
    ))


def tanh(x):
    """The hyperbolic tangent.

        y = tanh x

    x, y (N, C).    vjp(dy) returns dx.
    """
    y = np.tanh(x)

    def vjp(dy):
        return dy * (1 - y ** 2)

    return y, vjp


TANH = Exercise(
    tanh, "03 Neural networks", inputs=_matrix,
    question="What is the derivative of tanh at x = 0?",
    answer=lambda f: f(np.zeros(1))[1](np.ones(1))[0],
    hints=("tanh = sinh/cosh, and cosh² − sinh² = 1.",
           "The derivative is 1 at x = 0 and goes to 0 for large |x|. Which formula in y has these values?"),
    wrong=(
        WrongAnswer("local-derivative", "the square forgotten", "At y = −1 the derivative must be 0 too.",
                    {"1 - y ** 2": "1 - y"}),
        WrongAnswer("local-derivative", "x in place of y", "The formula 1 − y² uses the output, not the input.",
                    {"y ** 2": "x ** 2"}),
        WrongAnswer("local-derivative", "the derivative of the sigmoid", "y (1 − y) is the derivative of the sigmoid.",
              {"(1 - y ** 2)": "y * (1 - y)"}),
        WrongAnswer("local-derivative", "1 forgotten", "At x = 0 the derivative of tanh is 1.",
                    {"(1 - y ** 2)": "y ** 2"}),
        WrongAnswer("sign", "the wrong sign", "tanh increases everywhere, so its derivative is positive.",
                    {"1 - y ** 2": "y ** 2 - 1"}),
        WrongAnswer("local-derivative", "dy returned unchanged", "Multiply dy by the derivative.",
                    {"dy * (1 - y ** 2)": "dy.copy()"}),
    ))


def relu(x):
    """The rectified linear unit.

        y = max(x, 0)

    x, y (N, C).    vjp(dy) returns dx. At x = 0 the derivative is set to 0, as in PyTorch.
    """
    y = np.maximum(x, 0)

    def vjp(dy):
        return dy * (x > 0)

    return y, vjp


RELU = Exercise(
    relu, "03 Neural networks", inputs=_matrix,
    cases={"zeros among the entries": lambda rng: (np.array([[0.0, 1, -1], [2, 0, 0]]),),
           "entries between 0 and 1": lambda rng: (rng.random((3, 3)) * [[1e-3], [1], [-1]],)},
    question="x = -2 and dy = 5. What is dx?",
    answer=lambda f: f(np.array([-2.0]))[1](np.array([5.0]))[0],
    hints=("The graph has two straight pieces. What is the derivative of each?",
           "dx is dy where x is positive, and 0 elsewhere."),
    wrong=(
        WrongAnswer("mask", "dy returned unchanged", "Where x is negative, the output does not change.",
                    {" * (x > 0)": " * 1.0"}),
        WrongAnswer("inverted-mask", "the comparison reversed", "Where is y = x: above or below 0?",
              {"x > 0": "x < 0"}),
        WrongAnswer("mask/upstream", "the mask from the sign of dy", "The mask depends on x, not on dy.",
              {"x > 0": "dy > 0"}),
        WrongAnswer("local-derivative", "multiplied by y", "The derivative is 1 for x > 0, not x.", {"(x > 0)": "y"}),
        WrongAnswer("upstream", "dy ignored", "Multiply the derivative by dy.",
                    {"dy * (x > 0)": "(x > 0).astype(float)"}),
        WrongAnswer("mask/local-derivative", "the derivative of |x|", "For x < 0 the derivative is 0, not −1.",
                    {"(x > 0)": "np.sign(x)"}),
    ))


def gelu(x):
    """GELU, in the form that GPT-2 uses.

        y = x (1 + t) / 2,   t = tanh u,   u = √(2/π) (x + 0.044715 x³)

    x, y (N, C).    vjp(dy) returns dx.
    """
    a = np.sqrt(2 / np.pi)
    t = np.tanh(a * (x + 0.044715 * x ** 3))
    y = x * (1 + t) / 2

    def vjp(dy):
        du = a * (1 + 3 * 0.044715 * x ** 2)
        return dy * ((1 + t) / 2 + x * (1 - t ** 2) * du / 2)

    return y, vjp


GELU = Exercise(
    gelu, "03 Neural networks", inputs=_matrix,
    question="What is the derivative of GELU at x = 0?",
    answer=lambda f: f(np.zeros(1))[1](np.ones(1))[0],
    hints=("y is the product of x/2 and 1 + t, so the product rule gives two terms.",
           "For the second term use the chain rule: first t = tanh u, then u, which contains x³."),
    wrong=(
        WrongAnswer("missing-term", "only the first term of the product rule", "t depends on x too.",
              {" + x * (1 - t ** 2) * du / 2": ""}),
        WrongAnswer("missing-term", "only the second term of the product rule",
                    "The factor x before the bracket depends on x too.",
              {"(1 + t) / 2 + x * (1 - t ** 2)": "x * (1 - t ** 2)"}),
        WrongAnswer("local-derivative", "the 3 of the cube forgotten", "What is the derivative of x³?",
              {"1 + 3 * 0.044715": "1 + 0.044715"}),
        WrongAnswer("local-derivative", "u′ forgotten", "By the chain rule, multiply by the derivative of u.",
              {"(1 - t ** 2) * du / 2": "(1 - t ** 2) / 2"}),
        WrongAnswer("local-derivative", "1 − t for 1 − t²", "What is the derivative of tanh?",
                    {"(1 - t ** 2) *": "(1 - t) *"}),
        WrongAnswer("factor", "the half forgotten", "Both terms have the factor ½.",
              {"((1 + t) / 2 + x": "((1 + t) + x", "du / 2)": "du)"}),
    ))
