"""Normalization, where every entry moves the mean and the spread of all, and a first network end to end."""

from __future__ import annotations

import numpy as np

from ..exercise import Exercise, WrongAnswer


def batch_norm(x, weight, bias):
    """Batch norm, in training.

        y = γ ⊙ x̂ + β,   x̂ = (x − μ)/σ,   μ and σ² = mean (x − μ)² + 10⁻⁵ of each column

    x, y (N, C)    weight γ, bias β (C,).    vjp(dy) returns dx, dweight, dbias.
    """
    centered = x - x.mean(axis=0)
    sigma = np.sqrt((centered ** 2).mean(axis=0) + 1e-5)
    xhat = centered / sigma
    y = weight * xhat + bias

    def vjp(dy):
        g = dy * weight                                     # the gradient of xhat
        dx = (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0)) / sigma
        dweight = (dy * xhat).sum(axis=0)
        dbias = dy.sum(axis=0)
        return dx, dweight, dbias

    return y, vjp


def _rows_and_parameters(rng, N=5, C=3):
    return rng.normal(size=(N, C)), rng.normal(size=C), rng.normal(size=C)


BATCH_NORM = Exercise(
    batch_norm, "03 Neural networks", inputs=lambda rng, N=7, C=3: _rows_and_parameters(rng, N, C),
    question="What does each column of dx sum to?",
    answer=lambda f: f(np.arange(5.0)[:, None] ** 2, np.ones(1), np.ones(1))[1](np.arange(5.0)[:, None])[0].sum(),
    hints=("First dγ and dβ: like a layer's weight and bias. Then g = γ ⊙ dy, the gradient of x̂.",
           "x moves x̂ directly, through μ and through σ: three terms, g, mean g and x̂ ⊙ mean(g ⊙ x̂), all over σ. "
           "Which signs?"),
    wrong=(
        WrongAnswer("mean-term", "the mean held constant", "Moving one x moves μ, and with it the whole column.",
              {" - g.mean(axis=0)": ""}),
        WrongAnswer("variance-term", "the spread held constant", "Moving one x moves σ too.",
              {" - xhat * (g * xhat).mean(axis=0)": ""}),
        WrongAnswer("mean-term/variance-term", "both held constant", "μ and σ are made of x: they are no constants in training.",
              {"(g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0))": "g"}),
        WrongAnswer("local-derivative", "γ forgotten in dx", "dy passes γ before it reaches x̂.", {"g = dy * weight ": "g = dy "}),
        WrongAnswer("local-derivative/row-scale", "1/σ forgotten", "x̂ is x divided by σ.",
              {"dx = (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0)) / sigma":
               "dx = g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0)"}),
        WrongAnswer("unbroadcast", "dγ not summed", "γ is used in every row.", {"(dy * xhat).sum(axis=0)": "dy * xhat"}),
        WrongAnswer("reduction/factor", "dβ averaged", "The uses of β are summed.",
              {"dbias = dy.sum(axis=0)": "dbias = dy.mean(axis=0)"}),
        WrongAnswer("local-derivative", "dγ with x in place of x̂", "γ multiplies x̂.",
              {"(dy * xhat).sum(axis=0)": "(dy * x).sum(axis=0)"}),
    ))


def layer_norm(x, weight, bias):
    """Layer norm.

        y = γ ⊙ x̂ + β,   x̂ = (x − μ)/σ,   μ and σ² = mean (x − μ)² + 10⁻⁵ of each row

    x, y (N, C)    weight γ, bias β (C,).    vjp(dy) returns dx, dweight, dbias.
    """
    centered = x - x.mean(axis=1, keepdims=True)
    sigma = np.sqrt((centered ** 2).mean(axis=1, keepdims=True) + 1e-5)
    xhat = centered / sigma
    y = weight * xhat + bias

    def vjp(dy):
        g = dy * weight                                     # the gradient of xhat
        dx = (g - g.mean(axis=1, keepdims=True) - xhat * (g * xhat).mean(axis=1, keepdims=True)) / sigma
        dweight = (dy * xhat).sum(axis=0)
        dbias = dy.sum(axis=0)
        return dx, dweight, dbias

    return y, vjp


LAYER_NORM = Exercise(
    layer_norm, "10 The Transformer", inputs=lambda rng, N=5, C=7: _rows_and_parameters(rng, N, C),
    question="What does each row of dx sum to?",
    answer=lambda f: f(np.arange(5.0)[None] ** 2, np.ones(5), np.ones(5))[1](np.arange(5.0)[None])[0].sum(),
    hints=("As in batch norm, with rows and columns exchanged for μ and σ, but not for γ and β.",
           "dx has three terms over σ: g, its mean in the row, and x̂ times the mean of g ⊙ x̂ in the row."),
    wrong=(
        WrongAnswer("mean-term", "the mean held constant", "μ is made of x.", {" - g.mean(axis=1, keepdims=True)": ""}),
        WrongAnswer("variance-term", "the spread held constant", "σ is made of x.",
              {" - xhat * (g * xhat).mean(axis=1, keepdims=True)": ""}),
        WrongAnswer("row-scale/local-derivative", "1/σ forgotten", "x̂ is x divided by σ, another one in each row.",
              {"dx = (g - g.mean(axis=1, keepdims=True) - xhat * (g * xhat).mean(axis=1, keepdims=True)) / sigma":
               "dx = g - g.mean(axis=1, keepdims=True) - xhat * (g * xhat).mean(axis=1, keepdims=True)"}),
        WrongAnswer("local-derivative", "γ forgotten in dx", "dy passes γ before it reaches x̂.", {"g = dy * weight ": "g = dy "}),
        WrongAnswer("reduction/mean-term", "the mean of g over the batch", "Layer norm never looks across rows.",
              {"g.mean(axis=1, keepdims=True) -": "g.mean(axis=0) -"}),
        WrongAnswer("reduction/variance-term", "the sum for the mean in the last term", "Both statistics are means.",
              {"(g * xhat).mean(axis=1": "(g * xhat).sum(axis=1"}),
        WrongAnswer("keepdims", "the means not kept as columns", "NumPy broadcasts (N,) as a row: each mean must meet its own row.",
              {"g.mean(axis=1, keepdims=True)": "g.mean(axis=1)", "(g * xhat).mean(axis=1, keepdims=True)": "(g * xhat).mean(axis=1)"}),
        WrongAnswer("reduction", "dγ summed over the features", "γ is shared by the rows, so sum over the rows.",
              {"(dy * xhat).sum(axis=0)": "(dy * xhat).sum(axis=1)"}),
        WrongAnswer("local-derivative/swapped", "dγ without x̂", "γ multiplies x̂.",
              {"(dy * xhat).sum(axis=0)": "dy.sum(axis=0)"}),
    ))


def rms_norm(x, weight):
    """RMS norm.

        y = γ ⊙ x̂,   x̂ = x/r,   r² = mean x² + 10⁻⁵ of each row

    x, y (N, C)    weight γ (C,).    vjp(dy) returns dx, dweight.
    """
    r = np.sqrt((x ** 2).mean(axis=1, keepdims=True) + 1e-5)
    xhat = x / r
    y = weight * xhat

    def vjp(dy):
        g = dy * weight
        dx = (g - xhat * (g * xhat).mean(axis=1, keepdims=True)) / r
        dweight = (dy * xhat).sum(axis=0)
        return dx, dweight

    return y, vjp


RMS_NORM = Exercise(
    rms_norm, "13 Llama 3 and Qwen", inputs=lambda rng, N=5, C=7: _rows_and_parameters(rng, N, C)[:2],
    question="Doubling a row of x leaves y (almost) as it is. What is then, to one decimal, the sum of x ⊙ dx over the row?",
    answer=lambda f: abs(np.round((np.arange(5.0) * f(np.arange(5.0)[None], np.ones(5))[1](np.eye(5)[3:4])[0]).sum(), 1)),
    hints=("Layer norm without the mean: which of its three terms remain?",
           "g = γ ⊙ dy, then x̂ times a mean over the row, all over r."),
    wrong=(
        WrongAnswer("variance-term", "r held constant", "r is made of x.",
              {" - xhat * (g * xhat).mean(axis=1, keepdims=True)": ""}),
        WrongAnswer("mean-term", "layer norm's mean term kept", "No mean was subtracted: there is no mean term.",
              {"dx = (g - xhat": "dx = (g - g.mean(axis=1, keepdims=True) - xhat"}),
        WrongAnswer("row-scale/local-derivative", "1/r forgotten", "x̂ is x over r.",
              {"dx = (g - xhat * (g * xhat).mean(axis=1, keepdims=True)) / r":
               "dx = g - xhat * (g * xhat).mean(axis=1, keepdims=True)"}),
        WrongAnswer("row-scale/local-derivative", "divided by r²", "1/r once; the other is in x̂.",
              {"keepdims=True)) / r\n": "keepdims=True)) / r ** 2\n"}),
        WrongAnswer("local-derivative", "γ forgotten in dx", "dy passes γ first.", {"g = dy * weight": "g = dy"}),
        WrongAnswer("local-derivative", "dγ with x in place of x̂", "γ multiplies x̂.",
              {"(dy * xhat).sum(axis=0)": "(dy * x).sum(axis=0)"}),
        WrongAnswer("variance-term/sign", "the last term with a plus", "Growing x grows r, which makes x̂ smaller.",
              {"g - xhat *": "g + xhat *"}),
    ))


def two_layers(x, W1, b1, W2, b2):
    """A network of two layers, end to end.

        h = tanh(x W₁ᵀ + b₁),   y = h W₂ᵀ + b₂

    x (N, I)    W1 (H, I), b1 (H,)    W2 (O, H), b2 (O,)    y (N, O).    vjp(dy) returns dx, dW1, db1, dW2, db2.
    """
    h = np.tanh(x @ W1.T + b1)
    y = h @ W2.T + b2

    def vjp(dy):
        dW2 = dy.T @ h
        db2 = dy.sum(axis=0)
        dh = dy @ W2
        da = dh * (1 - h ** 2)
        dW1 = da.T @ x
        db1 = da.sum(axis=0)
        dx = da @ W1
        return dx, dW1, db1, dW2, db2

    return y, vjp


TWO_LAYERS = Exercise(
    two_layers, "03 Neural networks",
    inputs=lambda rng, N=5, I=3, H=7, O=2: (rng.normal(size=(N, I)), rng.normal(size=(H, I)), rng.normal(size=H),
                                            rng.normal(size=(O, H)), rng.normal(size=O)),
    question="All of W2 is 0. What is then every entry of dW1?",
    answer=lambda f: f(*map(np.ones, ((2, 3), (4, 3), 4)), np.zeros((1, 4)), np.ones(1))[1](np.ones((2, 1)))[1][0, 0],
    hints=("Walk back in the opposite order: the last layer, the tanh, the first layer. Each step you have written "
           "before.",
           "dy gives dW2, db2 and dh; dh through tanh's slope gives da; da gives dW1, db1 and dx."),
    wrong=(
        WrongAnswer("local-derivative", "the tanh skipped on the way back",
              "dh is the gradient after tanh; the first layer stands before it.", {"da = dh * (1 - h ** 2)": "da = dh"}),
        WrongAnswer("local-derivative", "the sigmoid's slope", "The activation is tanh.", {"(1 - h ** 2)": "h * (1 - h)"}),
        WrongAnswer("operand", "dW2 from the input", "What does the second layer multiply its weight with?",
              {"dy.T @ h": "dy.T @ x"}),
        WrongAnswer("reduction/factor", "db1 averaged", "Sum over the rows.", {"db1 = da.sum(axis=0)": "db1 = da.mean(axis=0)"}),
        WrongAnswer("unbroadcast", "db2 not summed", "b2 was added to every row.", {"db2 = dy.sum(axis=0)": "db2 = dy"}),
        WrongAnswer("transpose", "dW1 transposed", "W1 is (H, I).", {"da.T @ x": "x.T @ da"}),
        WrongAnswer("factor", "dW2 divided by N", "No mean was taken here.", {"dW2 = dy.T @ h": "dW2 = dy.T @ h / len(x)"}),
        WrongAnswer("swapped", "b1 and b2 exchanged", "Gradients come back in the order of the arguments.",
              {"dx, dW1, db1, dW2, db2\n\n": "dx, dW1, db2, dW2, db1\n\n"}),
    ))
