"""Activations: one number in, one number out, so dx = dy ⊙ the slope."""

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
    question="How steep is the sigmoid where it is steepest, at x = 0?",
    answer=lambda f: f(np.zeros(1))[1](np.ones(1))[0],
    hints=("Each output depends on its own input alone: dx is dy times the slope dy/dx, entry by entry.",
           "Differentiate 1/(1 + e⁻ˣ) and write the result with y itself: you need no exponential again."),
    wrong=(
        WrongAnswer("local-derivative", "the factor 1 − y forgotten", "The slope goes to 0 on both sides, not only on the left.",
              {" * (1 - y)": ""}),
        WrongAnswer("local-derivative", "the factor y forgotten", "The slope goes to 0 on both sides, not only on the right.",
              {"dy * y * (1": "dy * (1"}),
        WrongAnswer("local-derivative", "the slope of tanh", "1 − y² is the slope of tanh. This is the sigmoid.",
              {"y * (1 - y)": "(1 - y * y)"}),
        WrongAnswer("local-derivative", "x where y belongs", "The formula y (1 − y) is in the output, not in the input.",
              {"y * (1 - y)": "x * (1 - x)"}),
        WrongAnswer("sign", "the sign turned", "The sigmoid rises everywhere: its slope is positive.",
              {"return dy * y": "return -dy * y"}),
        WrongAnswer("upstream", "dy ignored", "Multiply by the gradient that arrives.", {"dy * y * (1": "y * (1"}),
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
    question="How steep is tanh at x = 0?",
    answer=lambda f: f(np.zeros(1))[1](np.ones(1))[0],
    hints=("tanh = sinh/cosh, and cosh² − sinh² = 1.",
           "The slope is 1 at the origin and 0 far out: which formula in y does that?"),
    wrong=(
        WrongAnswer("local-derivative", "the square forgotten", "At y = −1 the slope must be 0 too.", {"1 - y ** 2": "1 - y"}),
        WrongAnswer("local-derivative", "x where y belongs", "1 − y² with the output, not the input.", {"y ** 2": "x ** 2"}),
        WrongAnswer("local-derivative", "the slope of the sigmoid", "y (1 − y) is the sigmoid's.",
              {"(1 - y ** 2)": "y * (1 - y)"}),
        WrongAnswer("local-derivative", "1 forgotten", "At the origin tanh is as steep as y = x.", {"(1 - y ** 2)": "y ** 2"}),
        WrongAnswer("sign", "the sign turned", "tanh rises everywhere.", {"1 - y ** 2": "y ** 2 - 1"}),
        WrongAnswer("local-derivative", "dy handed through", "Multiply by the slope.", {"dy * (1 - y ** 2)": "dy.copy()"}),
    ))


def relu(x):
    """The rectified linear unit.

        y = max(x, 0)

    x, y (N, C).    vjp(dy) returns dx. At x = 0 the slope is 0, as in PyTorch.
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
    hints=("The curve has two straight pieces. How steep is each?", "dx is dy where the unit let x through, 0 elsewhere."),
    wrong=(
        WrongAnswer("mask", "dy handed through", "Where x is negative the output does not move.", {" * (x > 0)": " * 1.0"}),
        WrongAnswer("inverted-mask", "the comparison the wrong way", "Where does the unit let through: above or below 0?",
              {"x > 0": "x < 0"}),
        WrongAnswer("mask/upstream", "the sign of dy asked instead of x's", "Whether the unit is open depends on x, not on dy.",
              {"x > 0": "dy > 0"}),
        WrongAnswer("local-derivative", "multiplied by y", "The slope of the right piece is 1, not x.", {"(x > 0)": "y"}),
        WrongAnswer("upstream", "dy ignored", "The slope has to be multiplied by dy.", {"dy * (x > 0)": "(x > 0).astype(float)"}),
        WrongAnswer("mask/local-derivative", "the slope of |x|", "On the left the slope is 0, not −1.", {"(x > 0)": "np.sign(x)"}),
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
    question="How steep is GELU at x = 0?",
    answer=lambda f: f(np.zeros(1))[1](np.ones(1))[0],
    hints=("y is a product of x/2 and 1 + t: the product rule gives two terms.",
           "For the second term go through t = tanh u, and then through u, which has an x³ in it."),
    wrong=(
        WrongAnswer("missing-term", "only the first term of the product rule", "t depends on x too.",
              {" + x * (1 - t ** 2) * du / 2": ""}),
        WrongAnswer("missing-term", "only the second term of the product rule", "x stands before the bracket too.",
              {"(1 + t) / 2 + x * (1 - t ** 2)": "x * (1 - t ** 2)"}),
        WrongAnswer("local-derivative", "the 3 of the cube forgotten", "What is the derivative of x³?",
              {"1 + 3 * 0.044715": "1 + 0.044715"}),
        WrongAnswer("local-derivative", "u′ forgotten", "After tanh′ comes the derivative of what is inside.",
              {"(1 - t ** 2) * du / 2": "(1 - t ** 2) / 2"}),
        WrongAnswer("local-derivative", "1 − t for 1 − t²", "What is the slope of tanh?", {"(1 - t ** 2) *": "(1 - t) *"}),
        WrongAnswer("factor", "the half forgotten", "Both terms carry the ½.",
              {"((1 + t) / 2 + x": "((1 + t) + x", "du / 2)": "du)"}),
    ))
