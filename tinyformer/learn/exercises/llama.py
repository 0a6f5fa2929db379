"""What Llama and Qwen have in place of GPT-2's parts: the gated MLP, shared heads of keys, norms of queries and keys."""

from __future__ import annotations

import numpy as np

from ..exercise import Exercise, WrongAnswer


def swiglu(gate, up):
    """SwiGLU: one product lets the other through.

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
    hints=("A product of two: each one's gradient is dy times the other.",
           "g stands in g σ(g) twice: differentiate it as a product, with σ′ = σ (1 − σ), and take σ out."),
    wrong=(
        WrongAnswer("missing-term/local-derivative", "the gate's σ held constant", "σ moves with g as well.",
              {" * (1 + gate * (1 - s))": ""}),
        WrongAnswer("local-derivative", "the slope of the sigmoid alone", "g stands before σ(g), too.",
              {"s * (1 + gate * (1 - s))": "s * (1 - s)"}),
        WrongAnswer("local-derivative/operand", "u forgotten in dgate", "What the gate lets through is u.", {"dy * up * s": "dy * s"}),
        WrongAnswer("local-derivative", "σ in place of silu in dup", "u is multiplied by g σ(g).",
              {"dup = dy * gate * s": "dup = dy * s"}),
        WrongAnswer("local-derivative", "g in place of silu in dup", "u is multiplied by g σ(g).",
              {"dup = dy * gate * s": "dup = dy * gate"}),
        WrongAnswer("swapped", "dgate and dup exchanged", "Gradients come back in the order of the arguments.",
              {"return dgate, dup": "return dup, dgate"}),
        WrongAnswer("local-derivative/sign", "a minus in the slope", "Both terms of a product's derivative are added.",
              {"(1 + gate": "(1 - gate"}),
        WrongAnswer("upstream", "dy ignored in dup", "Multiply by the gradient that arrives.", {"dup = dy * gate": "dup = gate"}),
    ))


def grouped_scores(q, k):
    """Scores of grouped heads: several of queries read one of keys.

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
    question="8 heads of queries, 2 of keys. How many heads of queries add to the gradient of one head of keys?",
    answer=lambda f: f(np.ones((8, 1, 1)), np.ones((2, 1, 1)))[1](np.ones((8, 1, 1)))[1][0, 0, 0],
    hints=("As plain scores for every head of queries, with its own copy of the keys.",
           "The copies are one array used several times: their gradients are added. Which heads share one?"),
    wrong=(
        WrongAnswer("overwrite/reduction", "the first head of each group alone",
              "All heads of a group read these keys.", {".sum(axis=1)": "[:, 0]"}),
        WrongAnswer("reduction/factor", "the mean over the group", "Uses are added, with no 1/R.", {".sum(axis=1)": ".mean(axis=1)"}),
        WrongAnswer("head-order/reduction", "every G-th head taken for a group",
              "Neighbours share their keys: 0 0 0 1 1 1, not 0 1 0 1 0 1.",
              {"each.reshape(G, H // G, *k.shape[1:]).sum(axis=1)": "each.reshape(H // G, G, *k.shape[1:]).sum(axis=0)"}),
        WrongAnswer("head-order", "keys tiled in dq", "Neighbours share their keys: 0 0 0 1 1 1, not 0 1 0 1 0 1.",
              {"dq = dscores @ repeated": "dq = dscores @ np.tile(k, (H // G, 1, 1))"}),
        WrongAnswer("shape/unbroadcast", "a gradient for each copy of the keys", "k has G heads, so dk has G.",
              {"dk = each.reshape(G, H // G, *k.shape[1:]).sum(axis=1)": "dk = each"}),
        WrongAnswer("factor", "the scale forgotten in dk", "The constant belongs to both gradients.", {"@ q * scale": "@ q"}),
        WrongAnswer("factor", "the scale forgotten in dq", "The constant belongs to both gradients.",
              {"dscores @ repeated * scale": "dscores @ repeated"}),
        WrongAnswer("swapped/shape", "dq and dk exchanged", "Gradients come back in the order of the arguments.",
              {"return dq, dk": "return dk, dq"}),
        WrongAnswer("sign", "a minus in dk", "A product has no minus.", {"each = dscores": "each = -dscores"}),
    ))


def qk_norm(x, weight):
    """RMS norm of each head, as Qwen3 has it on queries and keys.

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
    question="x is (5, 2, 7). How many numbers are added up in each entry of dweight?",
    answer=lambda f: f(np.ones((5, 2, 7)), np.ones(7))[1](np.ones((5, 2, 7)))[1].round()[0],
    hints=("RMS norm, on another axis: a head's features alone, not all of a token's.",
           "γ is used at every position and in every head: over which axes is its gradient summed?"),
    wrong=(
        WrongAnswer("variance-term", "r held constant", "r is made of x.", {" - xhat * (g * xhat).mean(axis=2, keepdims=True)": ""}),
        WrongAnswer("variance-term/missing-term", "the mean over all of a token's heads", "Each head has an r of its own.",
              {"(g * xhat).mean(axis=2": "(g * xhat).mean(axis=(1, 2)"}),
        WrongAnswer("shape/unbroadcast", "dγ for each head", "All heads share one γ.",
              {"(dy * xhat).sum(axis=(0, 1))": "(dy * xhat).sum(axis=0)"}),
        WrongAnswer("reduction/factor", "dγ averaged over the heads", "Uses are added, with no 1/H.",
              {"(dy * xhat).sum(axis=(0, 1))": "(dy * xhat).sum(axis=0).mean(axis=0)"}),
        WrongAnswer("unbroadcast/reduction", "dγ of the first head alone", "γ is used in all heads.",
              {"(dy * xhat).sum(axis=(0, 1))": "(dy * xhat)[:, 0].sum(axis=0)"}),
        WrongAnswer("local-derivative", "γ forgotten in dx", "dy passes γ first.", {"g = dy * weight": "g = dy"}),
        WrongAnswer("row-scale/local-derivative", "1/r forgotten", "x̂ is x over r.",
              {"dx = (g - xhat * (g * xhat).mean(axis=2, keepdims=True)) / r":
               "dx = g - xhat * (g * xhat).mean(axis=2, keepdims=True)"}),
        WrongAnswer("local-derivative", "dγ with x in place of x̂", "γ multiplies x̂.", {"(dy * xhat).sum": "(dy * x).sum"}),
    ))
