"""Optimizers: one step of SGD with momentum, of Adam and of AdamW. The learner writes the whole function."""

from __future__ import annotations

import numpy as np

from ..exercise import Exercise, WrongAnswer


def sgd_momentum(param, grad, velocity, lr, momentum):
    """A step of SGD with momentum.

        v ← m v + g,   θ ← θ − lr v

    param θ, grad g, velocity v (N, C)    lr, momentum m numbers.
    Returns the new param and velocity. The old arrays stay unchanged.
    """
    velocity = momentum * velocity + grad
    param = param - lr * velocity
    return param, velocity


def _state(rng, N, C):
    return rng.normal(size=(N, C)), rng.normal(size=(N, C)), rng.normal(size=(N, C))


SGD_MOMENTUM = Exercise(
    sgd_momentum, "05 Optimization",
    inputs=lambda rng, N=5, C=3: (*_state(rng, N, C), 0.2, 0.9),
    question="θ = 1, g = 2, v = 0, lr = 0.1, m = 0.9. What is the new θ?",
    answer=lambda f: f(np.array(1.0), 2.0, 0.0, 0.1, 0.9)[0],
    hints=("Two lines, in the order of the formula.",
           "The step uses the new velocity, not the old one; += would change the caller's array."),
    wrong=(
        WrongAnswer("formula", "a step uphill", "To decrease the loss, subtract the gradient.",
                    {"param - lr": "param + lr"}),
        WrongAnswer("moments", "the learning rate in the velocity too", "lr occurs once, in the step.",
              {"+ grad": "+ lr * grad"}),
        WrongAnswer("moments", "momentum forgotten", "Keep the old velocity, times m.",
              {"momentum * velocity + grad": "grad"}),
        WrongAnswer("moments", "an average", "PyTorch's SGD adds g without a factor 1 − m.",
              {"velocity + grad": "velocity + (1 - momentum) * grad"}),
        WrongAnswer("moments", "the step with the gradient only", "The step uses the velocity.",
              {"lr * velocity": "lr * grad"}),
        WrongAnswer("mutates", "the caller's array changed", "-= works in place. Create a new array.",
              {"    param = param - lr * velocity": "    param -= lr * velocity"}),
    ))


def adam(param, grad, m, v, step, lr):
    """A step of Adam.

        m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²
        θ ← θ − lr m̂ / (√v̂ + ε),   m̂ = m/(1 − β₁ᵗ),   v̂ = v/(1 − β₂ᵗ)

    with β₁ = 0.9, β₂ = 0.999, ε = 10⁻⁸.    param θ, grad g, m, v (N, C)    step t = 1, 2, …    lr a number.
    Returns the new param, m and v. The old arrays stay unchanged.
    """
    m = 0.9 * m + 0.1 * grad
    v = 0.999 * v + 0.001 * grad ** 2
    mhat = m / (1 - 0.9 ** step)
    vhat = v / (1 - 0.999 ** step)
    param = param - lr * mhat / (np.sqrt(vhat) + 1e-8)
    return param, m, v


# On zeros a missing ε gives 0/0; on gradients near ε its place and its size decide the step.
def _tiny(rng):
    return np.ones((2, 3)), rng.normal(size=(2, 3)) * 1e-8, np.zeros((2, 3)), np.zeros((2, 3))


def _zeros(rng):
    return np.array([[1.0]]), np.zeros((1, 1)), np.zeros((1, 1)), np.zeros((1, 1))


ADAM = Exercise(
    adam, "05 Optimization",
    cases={"zero gradients and moments": lambda rng: (*_zeros(rng), 1, 0.1),
           "gradients of about 1e-8": lambda rng: (*_tiny(rng), 1, 0.1)},
    inputs=lambda rng, N=5, C=3: (*_state(rng, N, C), rng.random((N, C)), 3, 0.1),
    question="First step (t = 1), m = v = 0, g = 1000, lr = 0.1. By how much does θ decrease, to three decimal places?",
    answer=lambda f: np.round(-f(np.zeros(1), np.full(1, 1000.0), np.zeros(1), np.zeros(1), 1, 0.1)[0][0], 3),
    hints=("Four lines before the step, one for each of m, v, m̂ and v̂.",
           "Return the uncorrected m and v."),
    wrong=(
        WrongAnswer("bias-correction", "no bias correction",
                    "In the first steps, m and v are still close to their initial zeros.",
              {"m / (1 - 0.9 ** step)": "m", "v / (1 - 0.999 ** step)": "v"}),
        WrongAnswer("epsilon", "ε inside the root", "ε is added to the root, not inside it.",
                    {"(np.sqrt(vhat) + 1e-8)": "np.sqrt(vhat + 1e-4)"}),
        WrongAnswer("moments", "no square root", "v̂ is a mean of squares.", {"np.sqrt(vhat)": "vhat"}),
        WrongAnswer("moments", "the gradient not squared", "v averages g².", {"grad ** 2": "grad"}),
        WrongAnswer("bias-correction", "no bias correction of m", "m̂ = m/(1 − β₁ᵗ).", {"m / (1 - 0.9 ** step)": "m"}),
        WrongAnswer("formula", "a step uphill", "To decrease the loss, subtract the step.",
                    {"param - lr * mhat": "param + lr * mhat"}),
        WrongAnswer("moments", "the averages swapped", "The mean of g is above the root, that of g² inside it.",
                    {"mhat / (np.sqrt(vhat)": "vhat / (np.sqrt(mhat)"}),
        WrongAnswer("moments", "β₁ and β₂ swapped", "m decays fast (0.9), v slowly (0.999).",
              {"0.9 * m + 0.1 * grad": "0.999 * m + 0.001 * grad"}),
        WrongAnswer("bias-correction", "corrected averages returned", "The next step needs the uncorrected m and v.",
              {"return param, m, v": "return param, mhat, vhat"}),
        WrongAnswer("mutates", "the average updated in place", "*= changes the caller's m.",
              {"    m = 0.9 * m + 0.1 * grad": "    m *= 0.9\n    m += 0.1 * grad"}),
    ))


def adamw(param, grad, m, v, step, lr, weight_decay):
    """A step of AdamW.

        θ ← θ − lr λ θ, then a step of Adam with g only

    as in the exercise adam, with β₁ = 0.9, β₂ = 0.999, ε = 10⁻⁸.    weight_decay λ a number.
    Returns the new param, m and v. The old arrays stay unchanged.
    """
    m = 0.9 * m + 0.1 * grad
    v = 0.999 * v + 0.001 * grad ** 2
    mhat = m / (1 - 0.9 ** step)
    vhat = v / (1 - 0.999 ** step)
    param = param - lr * weight_decay * param - lr * mhat / (np.sqrt(vhat) + 1e-8)
    return param, m, v


ADAMW = Exercise(
    adamw, "05 Optimization",
    cases={"zero gradients and moments": lambda rng: (*_zeros(rng), 1, 0.1, 0.5),
           "gradients of about 1e-8": lambda rng: (*_tiny(rng), 1, 0.1, 0.5)},
    inputs=lambda rng, N=5, C=3: (*_state(rng, N, C), rng.random((N, C)), 3, 0.1, 0.5),
    question="g = m = v = 0, θ = 2, lr = 0.1, λ = 0.5. What is the new θ?",
    answer=lambda f: f(np.array(2.0), 0.0, 0.0, 0.0, 1, 0.1, 0.5)[0],
    hints=("The update is Adam's with one more term.", "The decay is decoupled: it does not pass through m and v."),
    wrong=(
        WrongAnswer("weight-decay", "L2 in the gradient",
              "This is Adam with an L2 penalty, which divides λ by √v̂ too. AdamW decouples the decay.",
              {"    m = 0.9 * m + 0.1 * grad\n": "    grad = grad + weight_decay * param\n"
                                                 "    m = 0.9 * m + 0.1 * grad\n",
               " - lr * weight_decay * param": ""}),
        WrongAnswer("weight-decay", "no decay", "θ shrinks by lr λ θ in each step.",
                    {" - lr * weight_decay * param": ""}),
        WrongAnswer("weight-decay", "the decay without lr", "The decay is scaled with lr.",
              {"lr * weight_decay * param": "weight_decay * param"}),
        WrongAnswer("weight-decay", "the wrong sign of the decay", "Decay makes weights smaller.",
                    {"- lr * weight_decay": "+ lr * weight_decay"}),
        WrongAnswer("bias-correction", "no bias correction of v", "v̂ = v/(1 − β₂ᵗ).", {"v / (1 - 0.999 ** step)": "v"}),
        WrongAnswer("weight-decay", "decay after the step", "The decay uses the old θ.",
              {"param - lr * weight_decay * param - lr * mhat / (np.sqrt(vhat) + 1e-8)":
               "(param - lr * mhat / (np.sqrt(vhat) + 1e-8)) * (1 - lr * weight_decay)"}),
    ))


def clipped_step(param, grads, max_norm, lr):
    """A step with the gradients of k parts of a batch.

        g = (1/k) Σᵢ gᵢ,   θ ← θ − lr g min(1, c/‖g‖)

    param θ (N, C)    grads gᵢ (k, N, C)    max_norm c, lr numbers.    ‖g‖ = √Σ g² over all entries.
    Returns the new param and ‖g‖. The old arrays stay unchanged.
    """
    g = grads.mean(axis=0)
    norm = np.sqrt((g ** 2).sum())
    scale = 1.0 if norm <= max_norm else max_norm / norm
    param = param - lr * scale * g
    return param, norm


CLIPPED_STEP = Exercise(
    clipped_step, "05 Optimization",
    cases={"zero gradients": lambda rng: (np.ones((2, 3)), np.zeros((4, 2, 3)), 1.0, 0.1),
           "a norm below the bound": lambda rng: (np.ones((2, 3)), 1e-3 * rng.normal(size=(4, 2, 3)), 1.0, 0.1),
           "one part": lambda rng: (rng.normal(size=(2, 3)), rng.normal(size=(1, 2, 3)), 0.5, 0.1)},
    inputs=lambda rng, N=5, C=3, k=7: (rng.normal(size=(N, C)), 4 * rng.normal(size=(k, N, C)), 0.7, 0.2),
    question="θ = 0, two parts with gradients 3 and 5, c = 2, lr = 0.1. What is the new θ?",
    answer=lambda f: f(np.zeros(1), np.array([[3.0], [5.0]]), 2.0, 0.1)[0][0],
    hints=("First the mean over the parts, then one norm of all entries, then the step.",
           "A short gradient stays as it is. Only a longer one is scaled."),
    wrong=(
        WrongAnswer("clipping", "summed, not averaged", "A batch's gradient is the mean over its parts.",
                    {"grads.mean(axis=0)": "grads.sum(axis=0)"}),
        WrongAnswer("clipping", "each part clipped", "Average first, then clip the whole gradient once.",
                    {"g = grads.mean(axis=0)": "each = np.sqrt((grads ** 2).sum(axis=(1, 2), keepdims=True))\n"
                                               "    g = (grads * np.minimum(1.0, max_norm / (each + 1e-300)))"
                                               ".mean(axis=0)"}),
        WrongAnswer("case", "short gradients enlarged", "Clipping never makes a gradient longer.",
                    {"1.0 if norm <= max_norm else ": ""}),
        WrongAnswer("clipping", "each entry clipped", "Clip the norm, not the entries: the direction stays.",
                    {"lr * scale * g": "lr * np.clip(g, -max_norm, max_norm)"}),
        WrongAnswer("clipping", "the step clipped, not the gradient", "c bounds the gradient, before lr.",
                    {"else max_norm / norm": "else max_norm / (lr * norm)"}),
        WrongAnswer("clipping", "no clipping", "The scale is missing in the step.", {"lr * scale * g": "lr * g"}),
        WrongAnswer("formula", "the squared norm", "The norm is the root of the sum of squares.",
                    {"np.sqrt((g ** 2).sum())": "(g ** 2).sum()"}),
        WrongAnswer("mutates", "the caller's array changed", "-= works in place. Create a new array.",
                    {"    param = param - lr": "    param -= lr"}),
    ))
