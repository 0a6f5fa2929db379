"""What Llama and Qwen change in GPT-2: the gated MLP, grouped-query attention, norms of queries and keys."""

from __future__ import annotations

import numpy as np

from ..exercise import Exercise, WrongAnswer


def swiglu(gate, up):
    """SwiGLU, a gated activation.

        y = silu(g) ⊙ u,   silu(g) = g σ(g),   σ(g) = 1 / (1 + e⁻ᵍ)

    gate g, up u, y (T, F).    vjp(dy) returns dgate, dup.
    """
    s = 1 / (1 + np.exp(-gate))
    y = gate * s * up

    def vjp(dy):
        dgate = dy * up * s * (1 + gate * (1 - s))
        dup = dy * gate * s
        return dgate, dup

    return y, vjp


SWIGLU = Exercise(
    swiglu, "13 Llama 3 and Qwen",
    inputs=lambda rng, T=5, F=3: (rng.normal(size=(T, F)), rng.normal(size=(T, F))),
    question="The gate is 0, u = 3 and dy = 1. What is dgate?",
    answer=lambda f: f(np.zeros(1), np.full(1, 3.0))[1](np.ones(1))[0][0],
    hints=("y is a product, so the gradient of each factor is dy times the other factor.",
           "g occurs twice in g σ(g). Use the product rule with σ′ = σ (1 − σ), and factor out σ."),
    wrong=(
        WrongAnswer("missing-term/local-derivative", "σ treated as a constant", "σ(g) depends on g as well.",
              {" * (1 + gate * (1 - s))": ""}),
        WrongAnswer("local-derivative", "only the derivative of the sigmoid",
                    "The factor g before σ(g) depends on g too.",
              {"s * (1 + gate * (1 - s))": "s * (1 - s)"}),
        WrongAnswer("local-derivative/operand", "u forgotten in dgate", "The gate multiplies u.",
                    {"dy * up * s": "dy * s"}),
        WrongAnswer("local-derivative", "σ in place of silu in dup", "u is multiplied by g σ(g).",
              {"dup = dy * gate * s": "dup = dy * s"}),
        WrongAnswer("local-derivative", "g in place of silu in dup", "u is multiplied by g σ(g).",
              {"dup = dy * gate * s": "dup = dy * gate"}),
        WrongAnswer("swapped", "dgate and dup swapped", "Return the gradients in the order of the arguments.",
              {"return dgate, dup": "return dup, dgate"}),
        WrongAnswer("local-derivative/sign", "a minus sign in the derivative", "The product rule adds both terms.",
              {"(1 + gate": "(1 - gate"}),
        WrongAnswer("upstream", "dy ignored in dup", "Multiply by the upstream gradient.",
                    {"dup = dy * gate": "dup = gate"}),
    ))


def grouped_scores(q, k):
    """Grouped-query scores: several query heads share one key head.

        S_h = Q_h K_gᵀ / √D,   g = ⌊h G/H⌋

    q (H, T, D)    k (G, S, D), G divides H    scores (H, T, S).    vjp(dscores) returns dq, dk.
    """
    H, G, scale = len(q), len(k), 1 / np.sqrt(q.shape[2])
    repeated = np.repeat(k, H // G, axis=0)                 # (H, S, D): 0 0 0 1 1 1 …
    y = q @ repeated.swapaxes(1, 2) * scale

    def vjp(dscores):
        dq = dscores @ repeated * scale
        each = dscores.swapaxes(1, 2) @ q * scale           # (H, S, D): what each head of queries asks of its keys
        dk = each.reshape(G, H // G, *k.shape[1:]).sum(axis=1)
        return dq, dk

    return y, vjp


GROUPED_SCORES = Exercise(
    grouped_scores, "13 Llama 3 and Qwen",
    inputs=lambda rng, G=2, R=3, T=5, S=7, D=11: (rng.normal(size=(G * R, T, D)), rng.normal(size=(G, S, D))),
    question="There are 8 query heads and 2 key heads. "
             "How many query heads contribute to the gradient of one key head?",
    answer=lambda f: f(np.ones((8, 1, 1)), np.ones((2, 1, 1)))[1](np.ones((8, 1, 1)))[1][0, 0, 0],
    hints=("First treat every query head as if it had its own copy of the keys.",
           "The copies are one array that is used several times, so their gradients add up. Which heads share a copy?"),
    wrong=(
        WrongAnswer("overwrite/reduction", "only the first head of each group",
              "All heads of a group use these keys.", {".sum(axis=1)": "[:, 0]"}),
        WrongAnswer("reduction/factor", "the mean over the group",
                    "Gradients of several uses add up, without a factor 1/R.", {".sum(axis=1)": ".mean(axis=1)"}),
        WrongAnswer("head-order/reduction", "groups of every G-th head",
              "Adjacent heads share their keys: 0 0 0 1 1 1, not 0 1 0 1 0 1.",
              {"each.reshape(G, H // G, *k.shape[1:]).sum(axis=1)": "each.reshape(H // G, "
                                                                    "G, *k.shape[1:]).sum(axis=0)"}),
        WrongAnswer("head-order", "keys tiled in dq", "Adjacent heads share their keys: 0 0 0 1 1 1, not 0 1 0 1 0 1.",
              {"dq = dscores @ repeated": "dq = dscores @ np.tile(k, (H // G, 1, 1))"}),
        WrongAnswer("shape/unbroadcast", "a gradient for each copy of the keys",
                    "k has G heads, so dk has G heads too.",
              {"dk = each.reshape(G, H // G, *k.shape[1:]).sum(axis=1)": "dk = each"}),
        WrongAnswer("factor", "the scale forgotten in dk", "Both gradients have the constant factor.",
                    {"@ q * scale": "@ q"}),
        WrongAnswer("factor", "the scale forgotten in dq", "Both gradients have the constant factor.",
              {"dscores @ repeated * scale": "dscores @ repeated"}),
        WrongAnswer("swapped/shape", "dq and dk swapped", "Return the gradients in the order of the arguments.",
              {"return dq, dk": "return dk, dq"}),
        WrongAnswer("sign", "a minus in dk", "The derivative of a product has no minus sign.",
                    {"each = dscores": "each = -dscores"}),
    ))


def qk_norm(x, weight):
    """The RMS norm of each head, which Qwen3 applies to queries and keys.

        y = γ ⊙ x̂,   x̂ = x/r,   r² = mean x² + 10⁻⁶ over the D features of a head

    x, y (T, H, D)    weight γ (D,).    vjp(dy) returns dx, dweight.
    """
    r = np.sqrt((x ** 2).mean(axis=2, keepdims=True) + 1e-6)
    xhat = x / r
    y = weight * xhat

    def vjp(dy):
        g = dy * weight
        dx = (g - xhat * (g * xhat).mean(axis=2, keepdims=True)) / r
        dweight = (dy * xhat).sum(axis=(0, 1))
        return dx, dweight

    return y, vjp


QK_NORM = Exercise(
    qk_norm, "13 Llama 3 and Qwen",
    inputs=lambda rng, T=5, H=2, D=7: (rng.normal(size=(T, H, D)), rng.normal(size=D)),
    question="x is (5, 2, 7). How many numbers are summed in each entry of dweight?",
    answer=lambda f: f(np.ones((5, 2, 7)), np.ones(7))[1](np.ones((5, 2, 7)))[1].round()[0],
    hints=("This is the RMS norm on another axis: over the features of a head, not of a whole token.",
           "γ is used at every position and in every head: over which axes is its gradient summed?"),
    wrong=(
        WrongAnswer("variance-term", "r treated as a constant", "r depends on x.",
                    {" - xhat * (g * xhat).mean(axis=2, keepdims=True)": ""}),
        WrongAnswer("variance-term/missing-term", "the mean over all of a token's heads", "Each head has its own r.",
              {"(g * xhat).mean(axis=2": "(g * xhat).mean(axis=(1, 2)"}),
        WrongAnswer("shape/unbroadcast", "dγ for each head", "All heads share one γ.",
              {"(dy * xhat).sum(axis=(0, 1))": "(dy * xhat).sum(axis=0)"}),
        WrongAnswer("reduction/factor", "dγ averaged over the heads",
                    "Gradients of several uses add up, without a factor 1/H.",
              {"(dy * xhat).sum(axis=(0, 1))": "(dy * xhat).sum(axis=0).mean(axis=0)"}),
        WrongAnswer("unbroadcast/reduction", "only dγ of the first head", "All heads use γ.",
              {"(dy * xhat).sum(axis=(0, 1))": "(dy * xhat)[:, 0].sum(axis=0)"}),
        WrongAnswer("local-derivative", "γ forgotten in dx", "y is γ ⊙ x̂, so dy is first multiplied by γ.",
                    {"g = dy * weight": "g = dy"}),
        WrongAnswer("row-scale/local-derivative", "1/r forgotten", "x̂ is x divided by r.",
              {"dx = (g - xhat * (g * xhat).mean(axis=2, keepdims=True)) / r":
               "dx = g - xhat * (g * xhat).mean(axis=2, keepdims=True)"}),
        WrongAnswer("local-derivative", "dγ with x in place of x̂", "γ multiplies x̂.",
                    {"(dy * xhat).sum": "(dy * x).sum"}),
    ))
