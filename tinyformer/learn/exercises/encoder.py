"""What BERT adds to the Transformer's encoder: exact GELU, loss at masked positions, pooler."""

from __future__ import annotations

from math import erf

import numpy as np

from ..exercise import Exercise, WrongAnswer


def exact_gelu(x):
    """The exact GELU of BERT.

        y = x Φ(x),   Φ(x) = (1 + erf(x/√2)) / 2, the normal distribution,   Φ′ = φ = exp(−x²/2) / √(2π)

    x, y (N, C).    vjp(dy) returns dx.
    """
    Phi = (1 + np.vectorize(erf)(x / np.sqrt(2))) / 2
    y = x * Phi

    def vjp(dy):
        phi = np.exp(-x ** 2 / 2) / np.sqrt(2 * np.pi)
        return dy * (Phi + x * phi)

    return y, vjp


EXACT_GELU = Exercise(
    exact_gelu, "12 BERT", inputs=lambda rng, N=5, C=3: (rng.normal(size=(N, C)),),
    question="x = 0 and dy = 8. What is dx?",
    answer=lambda f: f(np.zeros(1))[1](np.full(1, 8.0))[0],
    hints=("A product of x and Φ(x): the product rule gives two terms.",
           "The derivative of a distribution function is its density φ(x)."),
    wrong=(
        WrongAnswer("missing-term", "only the first term of the product rule", "Φ depends on x too.",
                    {" + x * phi": ""}),
        WrongAnswer("missing-term", "only the second term of the product rule",
                    "The factor x before Φ depends on x too.", {"(Phi + x * phi)": "(x * phi)"}),
        WrongAnswer("local-derivative", "φ without its x",
                    "In the product rule, the derivative of Φ keeps the factor x.", {"x * phi": "phi"}),
        WrongAnswer("local-derivative", "φ without 1/√(2π)", "φ is a density. Which factor makes its integral 1?",
                    {" / np.sqrt(2 * np.pi)": ""}),
        WrongAnswer("local-derivative", "the ½ in the exponent forgotten", "φ(x) = exp(−x²/2)/√(2π).",
                    {"-x ** 2 / 2": "-x ** 2"}),
        WrongAnswer("local-derivative", "φ taken for its derivative", "Φ′ is φ itself, not φ′ = −x φ.",
              {"(Phi + x * phi)": "(Phi - x * x * phi)"}),
        WrongAnswer("local-derivative/sign", "a minus between the terms", "The product rule adds both terms.",
              {"Phi + x": "Phi - x"}),
        WrongAnswer("upstream", "dy ignored", "Multiply by the upstream gradient.", {"return dy * ": "return "}),
    ))


def masked_cross_entropy(logits, labels):
    """Cross-entropy at the masked positions.

        L = −1/|M| Σ_{t∈M} ln p_t[label_t],   p = softmax of each row,   M = the positions whose label is not −100

    logits (T, V)    labels integers (T,), −100 at positions that do not count    L a number.    vjp(dL) returns
                     dlogits.
    """
    asked = labels != -100
    words = np.where(asked, labels, 0)                      # any word will do where none is asked
    rows = np.arange(len(labels))
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    L = -np.log(p[rows, words])[asked].mean()

    def vjp(dL):
        dlogits = p.copy()
        dlogits[rows, words] -= 1
        return dL * asked[:, None] * dlogits / asked.sum()

    return L, vjp


def _some_asked(rng, T=7, V=5):
    labels = rng.integers(V, size=T)
    labels[::2] = -100
    return rng.normal(size=(T, V)), labels


MASKED_CROSS_ENTROPY = Exercise(
    masked_cross_entropy, "12 BERT", inputs=_some_asked,
    cases={"logits of ±2000": lambda rng: (
        np.array([[2000.0, 2001, 1999], [-2000, -2001, -1999], [2000, -2000, 0], [1, 2, 3]]),
        np.array([1, 0, 0, -100]))},
    question="2 of 6 positions count, V = 4, all logits are 0 and dL = 1. "
             "What is the gradient of the label's logit at such a position?",
    answer=lambda f: f(np.zeros((6, 4)), np.array([-100, 3, -100, -100, 1, -100]))[1](1.0)[1, 3],
    hints=("At a position that counts, the gradient is that of the cross-entropy: p minus 1 at the label.",
           "A position that does not count has no influence on L. L is a mean: over how many positions?"),
    wrong=(
        WrongAnswer("factor", "the mean over all positions", "L is the mean over the positions in M.",
              {"/ asked.sum()": "/ len(labels)"}),
        WrongAnswer("factor", "the sum in place of the mean", "L is a mean: each position in M has the weight 1/|M|.",
                    {" / asked.sum()": ""}),
        WrongAnswer("mask", "a gradient at every position", "A logit outside M has no influence on L.",
                    {" * asked[:, None]": ""}),
        WrongAnswer("inverted-mask/dropped/mask", "the positions that do not count",
                    "M has the positions whose label is not −100.",
              {"asked[:, None]": "~asked[:, None]"}),
        WrongAnswer("missing-term", "only the probabilities", "The label's logit also occurs in the numerator.",
              {"        dlogits[rows, words] -= 1\n": ""}),
        WrongAnswer("sign", "the wrong sign", "L decreases when the label's logit increases.",
                    {"return dL * ": "return -dL * "}),
        WrongAnswer("upstream", "dL ignored", "Multiply by the upstream gradient.", {"return dL * ": "return "}),
    ))


def first_token(h, W):
    """The pooler of BERT, which reads the first token.

        y = tanh(h₀ Wᵀ),   h₀ the first token of each text

    h (B, T, C)    W (C, C)    y (B, C).    vjp(dy) returns dh, dW.
    """
    y = np.tanh(h[:, 0] @ W.T)

    def vjp(dy):
        dz = dy * (1 - y ** 2)
        dh = np.zeros_like(h)
        dh[:, 0] = dz @ W
        dW = dz.T @ h[:, 0]
        return dh, dW

    return y, vjp


FIRST_TOKEN = Exercise(
    first_token, "12 BERT",
    inputs=lambda rng, B=5, T=2, C=3: (rng.normal(size=(B, T, C)), rng.normal(size=(C, C)) / 2),
    question="h is (2, 9, 4), and dy has no zero. How many entries of dh are not 0?",
    answer=lambda f: np.count_nonzero(f(np.ones((2, 9, 4)), np.eye(4))[1](np.ones((2, 4)))[0]),
    hints=("First the tanh, then a linear layer whose input is h₀. What is the gradient of a token that is not used?",
           "dh has the shape of h. It is zero except at the first token, "
           "which gets the gradient from the linear layer."),
    wrong=(
        WrongAnswer("mask/unbroadcast", "a gradient for every token", "Only the first token is used.",
              {"dh[:, 0] = dz @ W": "dh[:] = (dz @ W)[:, None]"}),
        WrongAnswer("mask/reduction/factor", "the gradient of a mean over the tokens",
                    "Only the first token is used, without a mean.",
              {"dh[:, 0] = dz @ W": "dh[:] = (dz @ W)[:, None] / h.shape[1]"}),
        WrongAnswer("permuted/inverted-mask/mask/dropped", "the position of the last token",
                    "The token that is used comes first.",
              {"dh[:, 0] =": "dh[:, -1] ="}),
        WrongAnswer("shape", "only the gradient of the first token", "h has T tokens, so dh has T tokens too.",
                    {"return dh, dW": "return dz @ W, dW"}),
        WrongAnswer("local-derivative", "the tanh skipped", "y is the tanh of the product.",
                    {"dy * (1 - y ** 2)": "dy"}),
        WrongAnswer("local-derivative", "1 − y in place of 1 − y²", "The derivative of tanh is 1 − tanh².",
                    {"(1 - y ** 2)": "(1 - y)"}),
        WrongAnswer("operand", "Wᵀ in place of W",
                    "W is square, so the shape does not show the mistake. Write the indices.",
                    {"= dz @ W": "= dz @ W.T"}),
        WrongAnswer("transpose", "dW transposed",
                    "W is square, so the shape does not show the mistake. Write the indices.",
                    {"dz.T @ h[:, 0]": "h[:, 0].T @ dz"}),
    ))
