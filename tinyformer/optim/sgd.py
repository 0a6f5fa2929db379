"""Stochastic gradient descent."""

from __future__ import annotations

from .optimizer import Optimizer


class SGD(Optimizer):
    """Down the gradient, with the momentum of earlier steps if wanted.

        g ← g + λ θ                         weight decay λ
        v ← μ v + (1 − τ) g                 momentum μ, dampening τ; at the first step v = g
        θ ← θ − η v                         or, Nesterov:  θ ← θ − η (g + μ v);  without momentum:  θ ← θ − η g

    Source: Polyak (1964); Sutskever et al. (2013) in the form of PyTorch, where the rate η stands outside of v; book (5.2).
    """

    def __init__(self, parameters, lr=1e-3, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False):
        super().__init__(parameters, lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay,
                         nesterov=nesterov)

    def check(self, group):
        super().check(group)
        self.expect_number(group, "momentum")
        self.expect_number(group, "dampening")
        if group["nesterov"] and (group["momentum"] == 0 or group["dampening"] != 0):
            raise ValueError(f"SGD: nesterov expects a momentum above 0 and no dampening, got "
                             f"momentum {group['momentum']:g} and dampening {group['dampening']:g}")

    def buffers(self, group):
        return {"momentum_buffer": 0.0} if group["momentum"] else {}

    def update(self, theta, g, state, group):
        mu = group["momentum"]
        if group["weight_decay"]:
            g = g + group["weight_decay"] * theta
        if mu:
            v = state["momentum_buffer"]
            v *= mu
            v += g if state["step"] == 1 else (1 - group["dampening"]) * g
            g = g + mu * v if group["nesterov"] else v
        theta -= group["lr"] * g
