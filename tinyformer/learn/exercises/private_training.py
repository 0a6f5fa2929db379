"""Private training: clip the gradient of each example, add noise, count what it costs; average clients."""

from __future__ import annotations

import numpy as np

from ..exercise import Exercise, WrongAnswer

CHAPTER = "18 Private training"


def clip_per_example(dW, db, C):
    """The sum of the clipped gradients of a matrix and a bias.

        Σₙ gₙ min(1, C/‖gₙ‖)        ‖gₙ‖² = Σ dWₙ² + Σ dbₙ², over both together

    dW (B, out, in) and db (B, out): the gradient of each example    C a number above 0.
    Returns two arrays, (out, in) and (out,).
    """
    norms = np.sqrt(np.sum(dW ** 2, axis=(1, 2)) + np.sum(db ** 2, axis=1))
    s = C / np.maximum(norms, C)
    return np.einsum("n,noi->oi", s, dW), np.einsum("n,no->o", s, db)


def _gradients(rng, B=5, out=3, width=4):
    sizes = np.linspace(0.05, 2, B)
    return sizes[:, None, None] * rng.normal(size=(B, out, width)), sizes[:, None] * rng.normal(size=(B, out)), 1.5


CLIP_PER_EXAMPLE = Exercise(
    clip_per_example, CHAPTER,
    inputs=_gradients,
    cases={"a gradient of zeros": lambda rng: (np.zeros((2, 3, 4)), np.zeros((2, 3)), 1.0),
           "all gradients short": lambda rng: (*(0.1 * g for g in _gradients(rng)[:2]), 1.5),
           "B = out = in": lambda rng: _gradients(rng, 3, 3, 3)},
    question="Two examples, C = 1: dW is 3 and 0.5, db is 4 and 0. What is the clipped sum for the matrix?",
    answer=lambda f: f(np.array([[[3.0]], [[0.5]]]), np.array([[4.0], [0.0]]), 1.0)[0][0, 0],
    hints=("First the norm of each example, over the matrix and the bias together; then its factor, (B,).",
           "The factor is at most 1. C / max(‖g‖, C) is the same, and has no division by zero."),
    wrong=(
        WrongAnswer("formula", "the mean is clipped",
                    "Clip each example before the sum. The mean of unclipped gradients depends on one of them without "
                    "bound.",
                    {"np.sum(dW ** 2, axis=(1, 2)) + np.sum(db ** 2, axis=1)":
                     "(np.sum(dW.sum(0) ** 2) + np.sum(db.sum(0) ** 2)) * np.ones(len(dW))"}),
        WrongAnswer("formula", "each parameter clipped alone",
                    "One norm for both parameters. With a norm for each, an example can add √2 C.",
                    {'np.einsum("n,no->o", s, db)':
                     'np.einsum("n,no->o", C / np.maximum(np.sqrt(np.sum(db ** 2, axis=1)), C), db)',
                     " + np.sum(db ** 2, axis=1)": ""}),
        WrongAnswer("formula", "short gradients made longer", "The factor is at most 1: short gradients stay.",
                    {"np.maximum(norms, C)": "np.maximum(norms, 1e-12)"}),
        WrongAnswer("formula", "the square of the norm", "Divide by ‖g‖, the root of the sum of squares.",
                    {"np.sqrt(np.sum(dW ** 2, axis=(1, 2)) + np.sum(db ** 2, axis=1))":
                     "np.sum(dW ** 2, axis=(1, 2)) + np.sum(db ** 2, axis=1)"}),
        WrongAnswer("formula", "the bias left out of the norm", "The bias counts in the norm, too.",
                    {" + np.sum(db ** 2, axis=1)": ""}),
        WrongAnswer("formula", "a mean in place of the sum", "Add the clipped gradients; nothing divides by B here.",
                    {"s = C / np.maximum(norms, C)": "s = C / np.maximum(norms, C) / len(dW)"}),
        WrongAnswer("formula", "entries clipped", "Clipping shortens the whole gradient and keeps its direction.",
                    {'np.einsum("n,noi->oi", s, dW)': "np.clip(dW, -C, C).sum(0)",
                     'np.einsum("n,no->o", s, db)': "np.clip(db, -C, C).sum(0)"}),
    ))


def noisy_mean(total, noise, sigma, C, expected):
    """The gradient of a step of DP-SGD.

        g = (Σ + σ C z) / B

    total Σ, the sum of clipped gradients, and noise z ∼ N(0, 1): arrays of one shape
    sigma σ, C and expected B, the expected batch size: numbers.    Returns g, of the same shape.
    """
    return (total + sigma * C * noise) / expected


NOISY_MEAN = Exercise(
    noisy_mean, CHAPTER,
    inputs=lambda rng, N=4, K=3: (rng.normal(size=(N, K)), rng.normal(size=(N, K)), 1.7, 0.6, 32.0),
    question="Σ = 6, z = 1, σ = 2, C = 0.5, B = 4. What is the gradient?",
    answer=lambda f: f(np.array(6.0), np.array(1.0), 2.0, 0.5, 4.0),
    hints=("The noise is added once, to the sum.", "One example changes the sum by at most C, so the noise is σ C."),
    wrong=(
        WrongAnswer("formula", "noise for each example",
                    "The noise is added once, to the sum. B samples of it have √B times the deviation.",
                    {"sigma * C * noise": "np.sqrt(expected) * sigma * C * noise"}),
        WrongAnswer("formula", "noise without C", "σ is in units of C, the most that one example adds.",
                    {"sigma * C * noise": "sigma * noise"}),
        WrongAnswer("formula", "noise divided twice", "σ C is the noise of the sum; B divides it once.",
                    {"sigma * C * noise": "sigma * C / expected * noise"}),
        WrongAnswer("formula", "noise not divided", "Sum and noise are divided together.",
                    {"(total + sigma * C * noise) / expected": "total / expected + sigma * C * noise"}),
        WrongAnswer("formula", "a sum, not a mean", "Divide by the expected batch size.", {" / expected": ""}),
        WrongAnswer("mutates", "the sum changed in place", "+= changes the caller's array.",
                    {"    return (total + sigma * C * noise) / expected":
                     "    total += sigma * C * noise\n    return total / expected"}),
    ))


def gaussian_epsilon(sigma, steps, delta):
    """The ε of T steps with noise σ, without sampling.

        ε = T/(2σ²) + √(2 T ln(1/δ)) / σ

    sigma σ, steps T, delta δ: numbers or arrays of one shape.    Returns ε, of the same shape.
    """
    return steps / (2 * sigma ** 2) + np.sqrt(2 * steps * np.log(1 / delta)) / sigma


GAUSSIAN_EPSILON = Exercise(
    gaussian_epsilon, CHAPTER,
    inputs=lambda rng, N=6: (rng.uniform(0.8, 5, N), rng.integers(2, 40, N).astype(float),
                             10.0 ** -rng.integers(2, 8, N)),
    question="σ = 20, T = 100, δ = 10⁻⁵. What is ε, to two decimal places?",
    answer=lambda f: np.round(f(20.0, 100.0, 1e-5), 2),
    hints=("Two terms: one grows with T, the other with √T.", "ln is the natural logarithm, np.log."),
    wrong=(
        WrongAnswer("formula", "σ not squared", "The divergence of two Gaussians has σ² in it.",
                    {"2 * sigma ** 2": "2 * sigma"}),
        WrongAnswer("formula", "ε of one step times T",
                    "Divergences add, not ε: the second term grows with √T only.",
                    {"steps / (2 * sigma ** 2)": "steps * (1 / (2 * sigma ** 2))",
                     "np.sqrt(2 * steps * np.log(1 / delta)) / sigma":
                     "steps * np.sqrt(2 * np.log(1 / delta)) / sigma"}),
        WrongAnswer("formula", "logarithm to base 10", "ln is the natural logarithm.", {"np.log(": "np.log10("}),
        WrongAnswer("formula", "no factor 2 under the root", "√(2 T ln(1/δ)).", {"np.sqrt(2 * steps": "np.sqrt(steps"}),
        WrongAnswer("formula", "only the first term", "The conversion to (ε, δ) costs the second term.",
                    {" + np.sqrt(2 * steps * np.log(1 / delta)) / sigma": ""}),
    ))


def fedavg(weights, counts):
    """The server's step of federated averaging.

        w = Σₖ (nₖ/n) wₖ    with n = Σₖ nₖ

    weights (K, P): the weights of each client after its local steps    counts (K,): its number of examples nₖ.
    Returns w (P,).
    """
    return np.einsum("k,kp->p", counts / np.sum(counts), weights)


FEDAVG = Exercise(
    fedavg, CHAPTER,
    inputs=lambda rng, K=4, P=5: (rng.normal(size=(K, P)), rng.integers(1, 50, K).astype(float)),
    cases={"K = P": lambda rng: (rng.normal(size=(3, 3)), np.array([1.0, 5.0, 20.0])),
           "one client": lambda rng: (rng.normal(size=(1, 4)), np.array([7.0]))},
    question="Two clients with 1 and 3 examples have the weights 8 and 4. What is w?",
    answer=lambda f: f(np.array([[8.0], [4.0]]), np.array([1.0, 3.0]))[0],
    hints=("The share of a client is nₖ/n, and the shares sum to 1.",
           "A sum over the axis of clients, k, with a weight for each: einsum, or @."),
    wrong=(
        WrongAnswer("formula", "unweighted", "A client with more examples counts more: the mean over all examples.",
                    {"counts / np.sum(counts)": "np.ones(len(counts)) / len(counts)"}),
        WrongAnswer("formula", "shares that do not sum to 1", "Divide by n = Σ nₖ.",
                    {"counts / np.sum(counts)": "counts / len(counts)"}),
        WrongAnswer("formula", "a sum", "The shares are nₖ/n.", {"counts / np.sum(counts)": "counts"}),
        WrongAnswer("formula", "small clients count more", "The share grows with the number of examples.",
                    {"counts / np.sum(counts)": "(1 / counts) / np.sum(1 / counts)"}),
        WrongAnswer("formula", "shares that are squared", "The share is nₖ/n, once.",
                    {"counts / np.sum(counts)": "counts ** 2 / np.sum(counts ** 2)"}),
    ))
