"""Normalization, where the mean and the variance depend on every entry, and a complete network of two layers."""

from __future__ import annotations

import numpy as np

from ..exercise import Exercise, WrongAnswer


def batch_norm(x, weight, bias):
    """Batch norm in training mode.

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
    hints=("First dγ and dβ, as for a layer's weight and bias. Then g = γ ⊙ dy, the gradient of x̂.",
           "x influences x̂ directly, through μ and through σ. The three terms are g, mean g and x̂ ⊙ mean(g ⊙ x̂), "
           "divided by σ. Which signs do they have?"),
    wrong=(
        WrongAnswer("mean-term", "the mean treated as a constant",
                    "μ depends on every x, and the whole column depends on μ.",
              {" - g.mean(axis=0)": ""}),
        WrongAnswer("variance-term", "the variance treated as a constant", "σ depends on every x.",
              {" - xhat * (g * xhat).mean(axis=0)": ""}),
        WrongAnswer("mean-term/variance-term", "both treated as constants",
                    "μ and σ depend on x: they are not constants in training.",
              {"(g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0))": "g"}),
        WrongAnswer("local-derivative", "γ forgotten in dx", "y is γ ⊙ x̂ + β, so dy is first multiplied by γ.",
                    {"g = dy * weight ": "g = dy "}),
        WrongAnswer("local-derivative/row-scale", "1/σ forgotten", "x̂ is x divided by σ.",
              {"dx = (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0)) / sigma":
               "dx = g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0)"}),
        WrongAnswer("unbroadcast", "dγ not summed", "γ is used in every row.",
                    {"(dy * xhat).sum(axis=0)": "dy * xhat"}),
        WrongAnswer("reduction/factor", "dβ averaged", "The gradients of all uses of β add up.",
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
    hints=("As in batch norm, with rows and columns swapped for μ and σ, but not for γ and β.",
           "dx has three terms, divided by σ: g, the row mean of g, and x̂ times the row mean of g ⊙ x̂."),
    wrong=(
        WrongAnswer("mean-term", "the mean treated as a constant", "μ depends on x.",
                    {" - g.mean(axis=1, keepdims=True)": ""}),
        WrongAnswer("variance-term", "the variance treated as a constant", "σ depends on x.",
              {" - xhat * (g * xhat).mean(axis=1, keepdims=True)": ""}),
        WrongAnswer("row-scale/local-derivative", "1/σ forgotten",
                    "x̂ is x − μ divided by σ, and each row has its own σ.",
              {"dx = (g - g.mean(axis=1, keepdims=True) - xhat * (g * xhat).mean(axis=1, keepdims=True)) / sigma":
               "dx = g - g.mean(axis=1, keepdims=True) - xhat * (g * xhat).mean(axis=1, keepdims=True)"}),
        WrongAnswer("local-derivative", "γ forgotten in dx", "y is γ ⊙ x̂ + β, so dy is first multiplied by γ.",
                    {"g = dy * weight ": "g = dy "}),
        WrongAnswer("reduction/mean-term", "the mean of g over the batch", "Layer norm treats every row separately.",
              {"g.mean(axis=1, keepdims=True) -": "g.mean(axis=0) -"}),
        WrongAnswer("reduction/variance-term", "a sum in place of the mean in the last term",
                    "Both statistics are means.",
              {"(g * xhat).mean(axis=1": "(g * xhat).sum(axis=1"}),
        WrongAnswer("keepdims", "keepdims=True forgotten",
                    "NumPy broadcasts (N,) as a row, but each mean belongs to its own row.",
              {"g.mean(axis=1, keepdims=True)": "g.mean(axis=1)",
               "(g * xhat).mean(axis=1, keepdims=True)": "(g * xhat).mean(axis=1)"}),
        WrongAnswer("reduction", "dγ summed over the features", "All rows share γ, so sum over the rows.",
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
    question="Doubling a row of x leaves y (almost) as it is. "
             "What then is the sum of x ⊙ dx over the row, to one decimal place?",
    answer=lambda f: abs(np.round((np.arange(5.0) * f(np.arange(5.0)[None], np.ones(5))[1](np.eye(5)[3:4])[0]).sum(),
                                  1)),
    hints=("This is layer norm without the mean. Which of its three terms remain?",
           "g = γ ⊙ dy; subtract x̂ times a row mean, and divide by r."),
    wrong=(
        WrongAnswer("variance-term", "r treated as a constant", "r depends on x.",
              {" - xhat * (g * xhat).mean(axis=1, keepdims=True)": ""}),
        WrongAnswer("mean-term", "the mean term of layer norm kept",
                    "The forward pass subtracts no mean, so there is no mean term.",
              {"dx = (g - xhat": "dx = (g - g.mean(axis=1, keepdims=True) - xhat"}),
        WrongAnswer("row-scale/local-derivative", "1/r forgotten", "x̂ is x divided by r.",
              {"dx = (g - xhat * (g * xhat).mean(axis=1, keepdims=True)) / r":
               "dx = g - xhat * (g * xhat).mean(axis=1, keepdims=True)"}),
        WrongAnswer("row-scale/local-derivative", "divided by r²", "Divide by r once; the other factor is in x̂.",
              {"keepdims=True)) / r\n": "keepdims=True)) / r ** 2\n"}),
        WrongAnswer("local-derivative", "γ forgotten in dx", "y is γ ⊙ x̂, so dy is first multiplied by γ.",
                    {"g = dy * weight": "g = dy"}),
        WrongAnswer("local-derivative", "dγ with x in place of x̂", "γ multiplies x̂.",
              {"(dy * xhat).sum(axis=0)": "(dy * x).sum(axis=0)"}),
        WrongAnswer("variance-term/sign", "the last term with a plus",
                    "A larger x makes r larger, which makes x̂ smaller.",
              {"g - xhat *": "g + xhat *"}),
    ))


def two_layers(x, W1, b1, W2, b2):
    """A network of two layers.

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
    question="All of W2 is 0. What is every entry of dW1?",
    answer=lambda f: f(*map(np.ones, ((2, 3), (4, 3), 4)), np.zeros((1, 4)), np.ones(1))[1](np.ones((2, 1)))[1][0, 0],
    hints=("Go backward: the last layer, the tanh, the first layer. You have written each step before.",
           "dy gives dW2, db2 and dh; dh times the derivative of tanh gives da; da gives dW1, db1 and dx."),
    wrong=(
        WrongAnswer("local-derivative", "the tanh skipped in the backward pass",
              "dh is the gradient after the tanh; the first layer needs the gradient before it.",
                    {"da = dh * (1 - h ** 2)": "da = dh"}),
        WrongAnswer("local-derivative", "the derivative of the sigmoid", "The activation is tanh.",
                    {"(1 - h ** 2)": "h * (1 - h)"}),
        WrongAnswer("operand", "dW2 from the input", "What is the input of the second layer?",
              {"dy.T @ h": "dy.T @ x"}),
        WrongAnswer("reduction/factor", "db1 averaged", "Sum over the rows.",
                    {"db1 = da.sum(axis=0)": "db1 = da.mean(axis=0)"}),
        WrongAnswer("unbroadcast", "db2 not summed", "b2 is added to every row.", {"db2 = dy.sum(axis=0)": "db2 = dy"}),
        WrongAnswer("transpose", "dW1 transposed", "W1 is (H, I).", {"da.T @ x": "x.T @ da"}),
        WrongAnswer("factor", "dW2 divided by N", "There is no mean here.",
                    {"dW2 = dy.T @ h": "dW2 = dy.T @ h / len(x)"}),
        WrongAnswer("swapped", "b1 and b2 swapped", "Return the gradients in the order of the arguments.",
              {"dx, dW1, db1, dW2, db2\n\n": "dx, dW1, db2, dW2, db1\n\n"}),
    ))
