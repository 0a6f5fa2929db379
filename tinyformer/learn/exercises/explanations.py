"""Explanations of a score: saliency, integrated gradients, occlusion, attention rollout."""

from __future__ import annotations

import numpy as np

from ..exercise import Exercise, WrongAnswer


def saliency(x, W1, W2, labels):
    """Saliency of a small network.

        z = W₂ tanh(W₁ x)        S = |∂ z_c / ∂ x|, where c is the label of the row

    x (N, D)    W1 (H, D)    W2 (K, H)    labels integers (N,).    Returns S (N, D).
    """
    h = np.tanh(x @ W1.T)
    da = W2[labels] * (1 - h ** 2)
    return np.abs(da @ W1)


def _network(rng, N=5, D=3, H=7, K=4):
    return rng.normal(size=(N, D)), rng.normal(size=(H, D)), rng.normal(size=(K, H)), rng.integers(0, K, N)


SALIENCY = Exercise(
    saliency, "17 Looking inside", inputs=_network,
    question="W1 and W2 are the identity (2, 2), x is [0, 0] and the label is 1. What is S[0, 1]?",
    answer=lambda f: f(np.zeros((1, 2)), np.eye(2), np.eye(2), np.array([1]))[0, 1],
    hints=("This is one backward pass. The upstream gradient of z is the unit vector of the label.",
           "W₂ᵀ times a unit vector is a row of W₂. Then comes the slope of tanh, 1 − h², and then W₁."),
    wrong=(
        WrongAnswer("formula", "softmax instead of logit",
                    "The score is the logit z_c. The probability of c also depends on the other logits.",
              {"W2[labels]": "(lambda p: p[np.arange(len(x)), labels][:, None] * (np.eye(len(W2))[labels] - p) @ W2)("
                             "np.exp(h @ W2.T) / np.exp(h @ W2.T).sum(axis=1, keepdims=True))"}),
        WrongAnswer("formula", "summed classes", "Only the logit of the label is explained.",
              {"W2[labels]": "W2.sum(axis=0)"}),
        WrongAnswer("formula", "no slope", "The gradient passes through tanh, whose slope is 1 − h².",
              {"W2[labels] * (1 - h ** 2)": "W2[labels]"}),
        WrongAnswer("formula", "(1 − h)² in place of 1 − h²", "Square h first, then subtract it from 1.",
              {"(1 - h ** 2)": "(1 - h) ** 2"}),
        WrongAnswer("formula", "signed", "Saliency is the absolute value of the gradient.",
              {"np.abs(da @ W1)": "da @ W1"}),
        WrongAnswer("formula", "gradient times input", "Saliency is the gradient alone, without the factor x.",
              {"np.abs(da @ W1)": "np.abs(x * (da @ W1))"}),
        WrongAnswer("formula", "absolute values too early", "Take the absolute value of the whole gradient.",
              {"np.abs(da @ W1)": "np.abs(da) @ np.abs(W1)"}),
    ))


def integrated_gradients(x, baseline, W1, W2, labels, n):
    """Integrated gradients of a small network, by the midpoint rule.

        z = W₂ tanh(W₁ x)        A = (x − x′) ⊙ (1/n) Σₖ ∂z_c/∂x at x′ + αₖ (x − x′),   αₖ = (k + ½)/n,  k = 0 … n − 1

    x, baseline x′ (N, D)    W1 (H, D)    W2 (K, H)    labels c, integers (N,)    n a number.    Returns A (N, D).
    """
    total = np.zeros_like(x)
    for alpha in (np.arange(n) + 0.5) / n:
        point = baseline + alpha * (x - baseline)
        h = np.tanh(point @ W1.T)
        total += (W2[labels] * (1 - h ** 2)) @ W1
    return (x - baseline) * total / n


INTEGRATED_GRADIENTS = Exercise(
    integrated_gradients, "17 Looking inside",
    inputs=lambda rng, N=5, D=3, H=7, K=4: (rng.normal(size=(N, D)), rng.normal(size=(N, D)), rng.normal(size=(H, D)),
                                            rng.normal(size=(K, H)), rng.integers(0, K, N), 6),
    question="Feature 0 of x equals feature 0 of the baseline. What is A[0, 0]?",
    answer=lambda f: f(np.ones((1, 2)), np.array([[1.0, 0.0]]), np.eye(2), np.eye(2), np.array([0]), 5)[0, 0],
    hints=("For each αₖ, compute the gradient of the logit at that point of the line, as in the exercise saliency but "
           "with its sign.",
           "Add the gradients of all points, divide by n, and multiply by the difference of input and baseline."),
    wrong=(
        WrongAnswer("formula", "no difference", "The mean gradient still has the factor x − x′.",
              {"(x - baseline) * total / n": "total / n"}),
        WrongAnswer("formula", "endpoint", "The gradient at x alone is gradient × input. Take it along the whole line.",
              {"baseline + alpha * (x - baseline)": "x"}),
        WrongAnswer("formula", "baseline swapped", "The line runs from the baseline to x, and the factor is x − x′.",
              {"(x - baseline) * total / n": "(baseline - x) * total / n"}),
        WrongAnswer("formula", "the line starts at zero", "The line starts at the baseline.",
              {"baseline + alpha * (x - baseline)": "alpha * x"}),
        WrongAnswer("formula", "left ends", "Each gradient is taken in the middle of its interval: k + ½.",
              {"np.arange(n) + 0.5": "np.arange(n)"}),
        WrongAnswer("formula", "a sum instead of the mean", "Divide the sum of the n gradients by n.",
              {"total / n": "total"}),
        WrongAnswer("formula", "the factor x", "With a baseline other than zero, the factor is x − x′.",
              {"(x - baseline) * total / n": "x * total / n"}),
    ))


def occlusion(x, W1, W2, labels, window):
    """Occlusion of a small network.

        z = W₂ tanh(W₁ x)        A_i = mean over windows that cover i of  z_c(x) − z_c(x with the window at 0)

    The windows have ``window`` neighboring features, start at 0, 1, 2, … and stay inside.

    x (N, D)    W1 (H, D)    W2 (K, H)    labels c, integers (N,)    window ≤ D a number.    Returns A (N, D).
    """
    def score(rows):
        return (W2[labels] * np.tanh(rows @ W1.T)).sum(axis=1)

    total, covered = np.zeros_like(x), np.zeros(x.shape[1])
    for first in range(x.shape[1] - window + 1):
        inside = slice(first, first + window)
        hidden = x.copy()
        hidden[:, inside] = 0
        total[:, inside] += (score(x) - score(hidden))[:, None]
        covered[inside] += 1
    return total / covered


OCCLUSION = Exercise(
    occlusion, "17 Looking inside",
    inputs=lambda rng, N=5, D=4, H=7, K=3: (*_network(rng, N, D, H, K), 2),
    question="The score is tanh(x₀ + x₁), x is [0.001, 0.002], and the window is 1. "
             "Which feature has the larger attribution, 0 or 1?",
    answer=lambda f: int(f(np.array([[0.001, 0.002]]), np.ones((1, 2)), np.ones((1, 1)), np.array([0]), 1)[0].argmax()),
    hints=("Compute the score with each window set to 0. A positive attribution means that the score falls.",
           "Add the fall to every entry of the window, and count how many windows cover each entry."),
    wrong=(
        WrongAnswer("formula", "sign", "A feature that speaks for the class makes the score fall when hidden: whole − "
                                       "hidden.",
              {"(score(x) - score(hidden))": "(score(hidden) - score(x))"}),
        WrongAnswer("formula", "a sum instead of the mean", "Divide by the number of windows that cover the entry.",
              {"total / covered": "total"}),
        WrongAnswer("formula", "divided by the window", "Entries at the ends are covered by fewer windows.",
              {"total / covered": "total / window"}),
        WrongAnswer("formula", "windows stay hidden", "Each window hides its own features: start from a copy.",
              {"        hidden = x.copy()\n": "        hidden = hidden if first else x.copy()\n"}),
        WrongAnswer("formula", "only one feature hidden", "The window covers several neighboring features.",
              {"hidden[:, inside] = 0": "hidden[:, first] = 0"}),
        WrongAnswer("formula", "everything else hidden", "Hide the window, and keep the rest.",
              {"        hidden = x.copy()\n        hidden[:, inside] = 0\n":
               "        hidden = np.zeros_like(x)\n        hidden[:, inside] = x[:, inside]\n"}),
    ))


def rollout(weights):
    """Attention rollout.

        A_l = (mean over heads of P_l) + I, each row divided by its sum        R = A_L … A_2 A_1

    weights P (L, H, T, T), from the first layer to the last; the rows need not sum to 1.    Returns R (T, T).
    """
    T = weights.shape[-1]
    flow = np.eye(T)
    for layer in weights.mean(axis=1):
        mixed = layer + np.eye(T)
        flow = mixed / mixed.sum(axis=1, keepdims=True) @ flow
    return flow


ROLLOUT = Exercise(
    rollout, "17 Looking inside",
    inputs=lambda rng, L=3, H=2, T=5: (rng.random((L, H, T, T)),),
    question="All attention weights are 0. Which share of output 0 comes from input 0?",
    answer=lambda f: f(np.zeros((2, 1, 3, 3)))[0, 0],
    hints=("Each layer mixes the tokens by its matrix, and the residual connection adds the token itself.",
           "The last layer stands on the left of the product: its rows are the outputs."),
    wrong=(
        WrongAnswer("formula", "no residual", "The residual connection carries each token past the attention: add I.",
              {"layer + np.eye(T)": "layer"}),
        WrongAnswer("formula", "wrong order", "The last layer stands on the left: its rows are the outputs.",
              {"mixed / mixed.sum(axis=1, keepdims=True) @ flow": "flow @ (mixed / mixed.sum(axis=1, keepdims=True))"}),
        WrongAnswer("formula", "not normalized", "Divide each row by its sum, so that the shares add up to 1.",
              {"mixed / mixed.sum(axis=1, keepdims=True) @ flow": "mixed @ flow"}),
        WrongAnswer("formula", "halved instead of normalized",
                    "The rows of P need not sum to 1 here, so ½ is not the right factor: divide each row by its sum.",
              {"layer + np.eye(T)": "(layer + np.eye(T)) / 2",
               "mixed / mixed.sum(axis=1, keepdims=True) @ flow": "mixed @ flow"}),
        WrongAnswer("formula", "columns normalized", "A row belongs to a query, and its shares add up to 1.",
              {"axis=1, keepdims": "axis=0, keepdims"}),
        WrongAnswer("formula", "heads summed", "Take the mean over the heads, so that I has the weight of one head.",
              {"weights.mean(axis=1)": "weights.sum(axis=1)"}),
        WrongAnswer("formula", "only the last layer", "Multiply the matrices of all layers.",
              {"mixed / mixed.sum(axis=1, keepdims=True) @ flow": "mixed / mixed.sum(axis=1, keepdims=True)"}),
    ))
