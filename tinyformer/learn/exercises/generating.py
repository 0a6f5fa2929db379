"""Models that generate: the divergence from the prior, samples with a gradient, and the two players of a GAN."""

from __future__ import annotations

import numpy as np

from ..exercise import Exercise, WrongAnswer


def kl_to_standard_normal(mean, log_variance):
    """The divergence of normal distributions from N(0, I).

        Kₙ = KL(N(μₙ, e^λₙ) ‖ N(0, I)) = ½ Σ (μ² + e^λ − 1 − λ) over the row n

    mean μ, log variance λ = ln σ² (N, D)    K (N,), one number a row.    vjp(dK) returns dmean, dlog_variance.
    """
    K = 0.5 * (mean ** 2 + np.exp(log_variance) - 1 - log_variance).sum(axis=1)

    def vjp(dK):
        dmean = dK[:, None] * mean
        dlog_variance = dK[:, None] * 0.5 * (np.exp(log_variance) - 1)
        return dmean, dlog_variance

    return K, vjp


KL_TO_STANDARD_NORMAL = Exercise(
    kl_to_standard_normal, "19 Generating",
    inputs=lambda rng, N=5, D=3: (rng.normal(size=(N, D)), rng.normal(size=(N, D))),
    question="μ = 2 and σ² = 1. What is dλ for dK = 1?",
    answer=lambda f: f(np.array([[2.0]]), np.array([[0.0]]))[1](np.ones(1))[1].item(),
    hints=("Every entry of μ and λ occurs in one term of one row: differentiate this term alone.",
           "The derivative of e^λ is e^λ. Each row has its own entry of dK, so dK needs a second axis."),
    wrong=(
        WrongAnswer("sign", "the wrong sign of dλ", "A larger variance than 1 must have a positive gradient.",
              {"(np.exp(log_variance) - 1)\n": "(1 - np.exp(log_variance))\n"}),
        WrongAnswer("factor", "λ read as ln σ", "λ is ln σ², so e^λ is σ² and the factor ½ stays.",
              {"dK[:, None] * 0.5 * (": "dK[:, None] * ("}),
        WrongAnswer("factor", "½ in front of μ", "The derivative of ½ μ² is μ.",
              {"dK[:, None] * mean": "dK[:, None] * 0.5 * mean"}),
        WrongAnswer("missing-term/local-derivative/overwrite", "the −1 forgotten", "The term −λ has a derivative too.",
              {"(np.exp(log_variance) - 1)\n": "np.exp(log_variance)\n"}),
        WrongAnswer("local-derivative/missing-term", "the variance where its exponential belongs",
              "The formula has e^λ, and its derivative is e^λ.",
              {"(np.exp(log_variance) - 1)\n": "(log_variance - 1)\n"}),
        WrongAnswer("upstream", "dK ignored", "Each row's gradient is scaled by its own dK.",
              {"dK[:, None] * mean": "mean", "dK[:, None] * 0.5 * (": "0.5 * ("}),
        WrongAnswer("keepdims", "dK as a row", "NumPy broadcasts (N,) as a row, but each dK belongs to a row.",
              {"dK[:, None] * mean": "dK * mean", "dK[:, None] * 0.5 * (": "dK * 0.5 * ("}),
    ))


def reparametrize(mean, log_variance, noise):
    """A sample of a normal distribution with learned parameters.

        z = μ + e^{λ/2} ⊙ ε

    mean μ, log variance λ = ln σ², noise ε, z (N, D). The noise has no gradient.
    vjp(dz) returns dmean, dlog_variance.
    """
    z = mean + np.exp(log_variance / 2) * noise

    def vjp(dz):
        dmean = dz.copy()
        dlog_variance = dz * noise * 0.5 * np.exp(0.5 * log_variance)
        return dmean, dlog_variance

    return z, vjp


REPARAMETRIZE = Exercise(
    reparametrize, "19 Generating", constant="noise",
    inputs=lambda rng, N=5, D=3: (rng.normal(size=(N, D)), rng.normal(size=(N, D)), rng.normal(size=(N, D))),
    cases={"large variances": lambda rng: (rng.normal(size=(2, 3)), 4 + rng.normal(size=(2, 3)),
                                           rng.normal(size=(2, 3)))},
    question="σ² = 1 and ε = 3. What is dλ for dz = 1?",
    answer=lambda f: f(np.zeros((1, 1)), np.zeros((1, 1)), np.full((1, 1), 3.0))[1](np.ones((1, 1)))[1].item(),
    hints=("ε is a constant: the sample is a straight-line function of μ, and an exponential function of λ.",
           "The inner derivative of e^{λ/2} is ½."),
    wrong=(
        WrongAnswer("nondeterministic/stale", "new noise in the backward pass",
              "The gradient belongs to the sample that was drawn, so it needs the same ε.",
              {"dz * noise * 0.5": "dz * np.random.normal(size=noise.shape) * 0.5"}),
        WrongAnswer("factor", "½ forgotten", "λ/2 has the derivative ½.", {"dz * noise * 0.5 * ": "dz * noise * "}),
        WrongAnswer("local-derivative", "the variance in place of the deviation", "z has the factor e^{λ/2} = σ.",
              {"np.exp(0.5 * log_variance)": "np.exp(log_variance)"}),
        WrongAnswer("missing-term/local-derivative", "ε forgotten", "The deviation is multiplied by ε.",
              {"dz * noise * 0.5": "dz * 0.5"}),
        WrongAnswer("local-derivative/factor", "the gradient for σ",
                    "λ is inside the exponential: multiply by its derivative.",
              {"dz * noise * 0.5 * np.exp(0.5 * log_variance)": "dz * noise * 1.0"}),
        WrongAnswer("local-derivative", "z in place of z − μ", "The exponential multiplies ε; μ is not in that term.",
              {"dz * noise * 0.5 * np.exp(0.5 * log_variance)": "dz * z * 0.5"}),
        WrongAnswer("sign", "the wrong sign", "With ε > 0 a larger variance makes z larger.",
              {"dz * noise * 0.5": "-dz * noise * 0.5"}),
        WrongAnswer("upstream", "dz ignored", "The chain rule multiplies by dz.",
              {"dz.copy()": "np.ones_like(dz)", "dz * noise * 0.5": "noise * 0.5"}),
    ))


def gan_discriminator(real, fake):
    """The loss of a GAN's discriminator.

        L = −mean ln σ(s) over data − mean ln(1 − σ(s)) over samples

    real (N,), fake (M,): the logits s of data and of samples    L one number.    vjp(dL) returns dreal, dfake.
    """
    L = np.logaddexp(0, -real).mean() + np.logaddexp(0, fake).mean()

    def vjp(dL):
        dreal = (0.5 * np.tanh(0.5 * real) - 0.5) * dL / len(real)
        dfake = (0.5 * np.tanh(0.5 * fake) + 0.5) * dL / len(fake)
        return dreal, dfake

    return L, vjp


GAN_DISCRIMINATOR = Exercise(
    gan_discriminator, "19 Generating",
    inputs=lambda rng, N=5, M=3: (rng.normal(size=N), rng.normal(size=M)),
    cases={"logits of ±2000": lambda rng: (np.array([2000.0, -2000]), np.array([2000.0, -2000, 0]))},
    question="One example of data and one sample, both with s = 0, and dL = 1. What are dreal and dfake?",
    answer=lambda f: tuple(float(d[0]) for d in f(np.zeros(1), np.zeros(1))[1](1.0)),
    hints=("−ln σ(s) = ln(1 + e^{−s}). Its derivative is σ(s) − 1, which is ½ tanh(s/2) − ½ without overflow.",
           "Each mean has its own number of rows."),
    wrong=(
        WrongAnswer("sign", "ascent for data", "D must make the logits of data larger, so dreal is negative.",
              {"(0.5 * np.tanh(0.5 * real) - 0.5)": "(0.5 - 0.5 * np.tanh(0.5 * real))"}),
        WrongAnswer("local-derivative/missing-term", "samples treated as data", "D wants small logits for samples.",
              {"(0.5 * np.tanh(0.5 * fake) + 0.5)": "(0.5 * np.tanh(0.5 * fake) - 0.5)"}),
        WrongAnswer("factor", "both divided by N", "The mean over the samples divides by M.",
              {"/ len(fake)": "/ len(real)"}),
        WrongAnswer("factor", "sums in place of means", "Both terms are means.",
              {" / len(real)": "", " / len(fake)": ""}),
        WrongAnswer("factor", "one mean over both", "There are two means, one for data and one for samples.",
              {" / len(real)": " / (len(real) + len(fake))", " / len(fake)": " / (len(real) + len(fake))"}),
        WrongAnswer("local-derivative", "the derivative of σ as well", "The derivative of ln σ includes it already.",
              {"dL / len(real)": "dL * np.cosh(0.5 * real) ** -2 / 4 / len(real)"}),
        WrongAnswer("upstream", "dL ignored", "The loss may be scaled afterward: multiply by dL.",
              {" * dL / len(real)": " / len(real)", " * dL / len(fake)": " / len(fake)"}),
    ))


def gan_generator(z, V, w):
    """The gradients of a GAN's step for its generator.

        x = z Vᵀ,   s = x w,   L = −mean ln σ(s)

    The generator V learns; the discriminator w only passes the gradient on, so its own gradient is zero here.
    noise z (N, L)    V (D, L)    w (D,).    Returns dV and dw.
    """
    s = z @ V.T @ w
    ds = (0.5 * np.tanh(0.5 * s) - 0.5) / len(s)
    dx = ds[:, None] * w
    dV = dx.T @ z
    return dV, np.zeros_like(w)


GAN_GENERATOR = Exercise(
    gan_generator, "19 Generating",
    inputs=lambda rng, N=5, L=3, D=2: (rng.normal(size=(N, L)), rng.normal(size=(D, L)), rng.normal(size=D)),
    cases={"samples that D refuses": lambda rng: (np.ones((2, 2)), -np.array([[9.0, 9], [9, 8]]), np.array([1.0, 2]))},
    question="D is sure that the only sample is not data: s = −100. What is ∂L/∂s, to three decimal places?",
    answer=lambda f: np.round(f(np.ones((1, 1)), np.full((1, 1), -100.0), np.ones(1))[0][0, 0], 3),
    hints=("−ln σ(s) has the derivative σ(s) − 1 = ½ tanh(s/2) − ½, which is near −1 where D refuses the sample.",
           "Go back through s = x w and x = z Vᵀ; the last is a linear layer."),
    wrong=(
        WrongAnswer("formula", "a gradient for the discriminator",
              "This step would teach D to accept samples. D has a loss and a step of its own.",
              {"np.zeros_like(w)": "(z @ V.T).T @ ds"}),
        WrongAnswer("formula", "the saturating loss",
              "ln(1 − σ(s)) has the derivative −σ(s), which vanishes where D refuses the sample.",
              {"(0.5 * np.tanh(0.5 * s) - 0.5)": "-(0.5 * np.tanh(0.5 * s) + 0.5)"}),
        WrongAnswer("formula", "the discriminator's sign", "The generator wants larger logits for its samples.",
              {"(0.5 * np.tanh(0.5 * s) - 0.5)": "(0.5 * np.tanh(0.5 * s) + 0.5)"}),
        WrongAnswer("formula", "a sum in place of the mean", "L is a mean over the samples.", {" / len(s)": ""}),
        WrongAnswer("formula", "the samples in place of the noise", "The input of the generator is z.",
              {"dx.T @ z": "dx.T @ (z @ V.T) @ V"}),
        WrongAnswer("formula", "w forgotten", "The gradient of x is ds times w.",
              {"ds[:, None] * w": "ds[:, None] * np.ones_like(w)"}),
    ))
