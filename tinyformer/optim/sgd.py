"""Stochastic gradient descent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .optimizer import Optimizer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from ..autograd import Tensor
    from .optimizer import Group, State


class SGD(Optimizer, recipe="sgd"):
    """Gradient descent, optionally with momentum.

        g ← g + λ θ                         weight decay λ
        v ← μ v + (1 − τ) g                 momentum μ, dampening τ; at the first step v = g
        θ ← θ − η v                         or, Nesterov:  θ ← θ − η (g + μ v);  without momentum:  θ ← θ − η g

    Source: Polyak (1964); Sutskever et al. (2013) in the form of PyTorch, which keeps the learning rate η outside
    of v; book (5.2). A recipe's ``beta1`` is the momentum μ.

    Raises TypeError or ValueError unless lr, momentum, dampening and weight_decay are finite numbers of at least 0;
    Nesterov needs a momentum above 0 and no dampening.
    """

    def __init__(self, parameters: Iterable[Tensor] | Iterable[Group], lr: float = 1e-3, momentum: float = 0.0,
                 dampening: float = 0.0, weight_decay: float = 0.0, nesterov: bool = False) -> None:
        super().__init__(parameters, lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay,
                         nesterov=nesterov)

    @classmethod
    def recipe_options(cls, settings: Any) -> dict[str, Any]:
        """``beta1`` is the momentum."""
        return {"momentum": settings.beta1}

    def check(self, group: Group) -> None:
        """Raise an error if an option is out of its range."""
        super().check(group)
        self.check_options(group, "momentum", "dampening", at_least=0)
        if group["nesterov"] and (group["momentum"] == 0 or group["dampening"] != 0):
            raise ValueError(f"SGD: nesterov expects a momentum above 0 and no dampening, got "
                             f"momentum {group['momentum']:g} and dampening {group['dampening']:g}")

    def buffers(self, group: Group) -> dict[str, float]:
        """v, if there is a momentum."""
        return {"momentum_buffer": 0.0} if group["momentum"] else {}

    def update(self, theta: NDArray[Any], g: NDArray[Any], state: State, group: Group) -> None:
        """θ ← θ − η v, or θ − η g without momentum."""
        mu = group["momentum"]
        if group["weight_decay"]:
            g = g + group["weight_decay"] * theta
        if mu:
            v = state["momentum_buffer"]
            v *= mu
            v += g if state["step"] == 1 else (1 - group["dampening"]) * g
            g = g + mu * v if group["nesterov"] else v
        theta -= group["lr"] * g
