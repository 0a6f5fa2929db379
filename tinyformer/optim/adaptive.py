"""Optimisers that give each number a step of its own, by the size of the gradients it has seen."""

from __future__ import annotations

import numpy as np

from .. import kernels
from .optimizer import Optimizer


class Adam(Optimizer):
    """Steps along the mean of the gradients, each number's divided by the root mean square of its own.

        g ← g + λ θ                             weight decay λ, as a part of the gradient
        m ← β₁ m + (1 − β₁) g                   running mean of g
        v ← β₂ v + (1 − β₂) g²                  running mean of g²
        m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)   both start at 0; this takes the bias away, t = 1, 2, …
        θ ← θ − η m̂ / (√v̂ + ε)

    Source: Kingma and Ba (2015), algorithm 1; book (5.3), (5.4).
    """

    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(parameters, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def check(self, group):
        super().check(group)
        self.expect_number(group, "eps")
        betas = group["betas"]
        if not isinstance(betas, (tuple, list)) or len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"{type(self).__name__}: betas are {betas!r}, expected two numbers of at least 0 and under 1")
        group["betas"] = tuple(map(float, betas))

    def buffers(self, group):
        return {"exp_avg": 0.0, "exp_avg_sq": 0.0}          # m and v

    decoupled = False                                       # is the weight decay apart from the gradient?

    def update_all(self, moved):
        parameters = []
        for theta, g, state, group in moved:
            (beta1, beta2), t, decay = group["betas"], state["step"], group["weight_decay"]
            if decay and not self.decoupled:
                g, decay = np.asarray(g + decay * theta), 0.0
            parameters.append((theta, g, state["exp_avg"], state["exp_avg_sq"], group["lr"], decay, beta1, beta2, group["eps"],
                               1 - beta1 ** t, 1 - beta2 ** t))
        kernels.adamw(parameters)


class AdamW(Adam):
    """Adam whose weight decay is apart from the gradient, so that large gradients do not weaken it.

        θ ← (1 − η λ) θ                         weight decay λ
        θ ← θ − η m̂ / (√v̂ + ε)                  m̂ and v̂ of the gradient alone, as in Adam

    ``param_groups_by_decay`` makes groups that leave vectors without decay.   Source: Loshchilov and Hutter (2019),
    algorithm 2, with the rate η on the decay as well, as in PyTorch; book (5.5).
    """

    decoupled = True

    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
        super().__init__(parameters, lr, betas, eps, weight_decay)


class RMSprop(Optimizer):
    """Steps down the gradient, each number's divided by the root mean square of its own.

        g ← g + λ θ                             weight decay λ
        v ← α v + (1 − α) g²                    running mean of g²
        a ← α a + (1 − α) g                     running mean of g; 0 unless ``centered``
        d = g / (√(v − a²) + ε)
        b ← μ b + d,   θ ← θ − η b              momentum μ

    Source: Hinton (2012), lecture 6e; centred: Graves (2013), equations 38–45, with ε outside of the root, as in PyTorch.
    """

    def __init__(self, parameters, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0, centered=False):
        super().__init__(parameters, lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum,
                         centered=centered)

    def check(self, group):
        super().check(group)
        self.expect_number(group, "alpha", below=1)
        self.expect_number(group, "eps")
        self.expect_number(group, "momentum")

    def buffers(self, group):
        names = ["square_avg"] + ["grad_avg"] * group["centered"] + ["momentum_buffer"] * (group["momentum"] > 0)
        return dict.fromkeys(names, 0.0)

    def update(self, theta, g, state, group):
        alpha, v = group["alpha"], state["square_avg"]
        if group["weight_decay"]:
            g = g + group["weight_decay"] * theta
        v *= alpha
        v += (1 - alpha) * g * g
        if group["centered"]:
            a = state["grad_avg"]
            a += (1 - alpha) * (g - a)
            v = v - a * a
        d = g / (np.sqrt(v) + group["eps"])
        if group["momentum"]:
            b = state["momentum_buffer"]
            b *= group["momentum"]
            b += d
            d = b
        theta -= group["lr"] * d


class Adagrad(Optimizer):
    """Steps down the gradient, each number's divided by the root of the sum of all its squares: steps only get smaller.

        g ← g + λ θ                             weight decay λ
        s ← s + g²                              from ``initial_accumulator_value``
        θ ← θ − η / (1 + (t − 1) γ) · g / (√s + ε)          γ = ``lr_decay``, t = 1, 2, …

    Source: Duchi, Hazan and Singer (2011).
    """

    def __init__(self, parameters, lr=1e-2, lr_decay=0.0, weight_decay=0.0, initial_accumulator_value=0.0, eps=1e-10):
        super().__init__(parameters, lr=lr, lr_decay=lr_decay, weight_decay=weight_decay,
                         initial_accumulator_value=initial_accumulator_value, eps=eps)

    def check(self, group):
        super().check(group)
        for name in ("lr_decay", "initial_accumulator_value", "eps"):
            self.expect_number(group, name)

    def buffers(self, group):
        return {"sum": group["initial_accumulator_value"]}

    def update(self, theta, g, state, group):
        if group["weight_decay"]:
            g = g + group["weight_decay"] * theta
        state["sum"] += g * g
        lr = group["lr"] / (1 + (state["step"] - 1) * group["lr_decay"])
        theta -= lr * g / (np.sqrt(state["sum"]) + group["eps"])
