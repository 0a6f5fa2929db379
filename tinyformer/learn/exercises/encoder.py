"""What BERT adds to the Transformer's encoder: the exact GELU; only some places are asked; the first token answers for all."""

from __future__ import annotations

from math import erf

import numpy as np

from ..exercise import Exercise, WrongAnswer


def exact_gelu(x):
    """GELU as BERT has it, without an approximation.

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
           "What a distribution grows by at x is its density φ(x)."),
    wrong=(
        WrongAnswer("missing-term", "only the first term of the product rule", "Φ depends on x too.", {" + x * phi": ""}),
        WrongAnswer("missing-term", "only the second term of the product rule", "x stands before Φ too.", {"(Phi + x * phi)": "(x * phi)"}),
        WrongAnswer("local-derivative", "φ without its x", "In the product rule x stays beside the derivative of Φ.", {"x * phi": "phi"}),
        WrongAnswer("local-derivative", "φ without 1/√(2π)", "φ is a density: what makes its area 1?", {" / np.sqrt(2 * np.pi)": ""}),
        WrongAnswer("local-derivative", "the ½ in the exponent forgotten", "φ(x) = exp(−x²/2)/√(2π).", {"-x ** 2 / 2": "-x ** 2"}),
        WrongAnswer("local-derivative", "φ taken for its derivative", "Φ′ is φ itself, not φ′ = −x φ.",
              {"(Phi + x * phi)": "(Phi - x * x * phi)"}),
        WrongAnswer("local-derivative/sign", "a minus between the terms", "Both terms of a product's derivative are added.",
              {"Phi + x": "Phi - x"}),
        WrongAnswer("upstream", "dy ignored", "Multiply by the gradient that arrives.", {"return dy * ": "return "}),
    ))


def masked_cross_entropy(logits, labels):
    """Cross-entropy where a word is asked.

        L = −1/|M| Σ_{t∈M} ln p_t[label_t],   p = softmax of each row,   M = the places whose label is not −100

    logits (T, V)    labels integers (T,), −100 where nothing is asked    L a number.    vjp(dL) returns dlogits.
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
        np.array([[2000.0, 2001, 1999], [-2000, -2001, -1999], [2000, -2000, 0], [1, 2, 3]]), np.array([1, 0, 0, -100]))},
    question="2 of 6 places are asked, V = 4, all logits are 0 and dL = 1. What is the gradient of an asked word's own logit?",
    answer=lambda f: f(np.zeros((6, 4)), np.array([-100, 3, -100, -100, 1, -100]))[1](1.0)[1, 3],
    hints=("At an asked place it is the cross-entropy that you know: p, less 1 at the right word.",
           "A place that is not asked does not move L. And L is a mean: over how many places?"),
    wrong=(
        WrongAnswer("factor", "the mean over all places", "L is the mean over the places that are asked.",
              {"/ asked.sum()": "/ len(labels)"}),
        WrongAnswer("factor", "the sum in place of the mean", "L is a mean: each asked place counts 1/|M|.", {" / asked.sum()": ""}),
        WrongAnswer("mask", "a gradient at every place", "Where nothing is asked, no logit moves L.", {" * asked[:, None]": ""}),
        WrongAnswer("inverted-mask/dropped/mask", "the places that are not asked", "The others: where the label is not −100.",
              {"asked[:, None]": "~asked[:, None]"}),
        WrongAnswer("missing-term", "the probabilities alone", "The right word's logit stands in the numerator as well.",
              {"        dlogits[rows, words] -= 1\n": ""}),
        WrongAnswer("sign", "the sign turned round", "More on the right word makes L smaller.", {"return dL * ": "return -dL * "}),
        WrongAnswer("upstream", "dL ignored", "Multiply by the gradient that arrives.", {"return dL * ": "return "}),
    ))


def first_token(h, W):
    """The first token's answer, as BERT pools it.

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
    hints=("First the tanh, then a linear layer whose input is h₀. What is the gradient of a token that is not read?",
           "dh has h's shape: zeros, and in its first token what the linear layer hands back."),
    wrong=(
        WrongAnswer("mask/unbroadcast", "a gradient for every token", "Only the first token is read.",
              {"dh[:, 0] = dz @ W": "dh[:] = (dz @ W)[:, None]"}),
        WrongAnswer("mask/reduction", "as if it were the mean over the tokens", "Only the first token is read, and it whole.",
              {"dh[:, 0] = dz @ W": "dh[:] = (dz @ W)[:, None] / h.shape[1]"}),
        WrongAnswer("permuted/inverted-mask/mask/dropped", "the last token's place", "The token that is read stands first.",
              {"dh[:, 0] =": "dh[:, -1] ="}),
        WrongAnswer("shape", "the first token's gradient alone", "h has T tokens, so dh has.", {"return dh, dW": "return dz @ W, dW"}),
        WrongAnswer("local-derivative", "the tanh skipped", "Between y and the product stands a tanh.", {"dy * (1 - y ** 2)": "dy"}),
        WrongAnswer("local-derivative", "1 − y in place of 1 − y²", "The slope of tanh is 1 − tanh².", {"(1 - y ** 2)": "(1 - y)"}),
        WrongAnswer("operand", "Wᵀ for W", "W is square, so no shape warns you.", {"= dz @ W": "= dz @ W.T"}),
        WrongAnswer("transpose", "dW transposed", "W is square, so no shape warns you.", {"dz.T @ h[:, 0]": "h[:, 0].T @ dz"}),
    ))
