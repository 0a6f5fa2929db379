"""Adaptive optimizers: each entry of a parameter has its own step size, from the sizes of its past gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kernels
from ..number_checks import check_number
from .optimizer import Optimizer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from ..autograd import Tensor
    from .optimizer import Group, Move, State


class Adam(Optimizer, recipe="adam"):
    """Steps along the running mean of the gradients, each entry divided by the root mean square of its gradients.

        g ← g + λ θ                             weight decay λ, added to the gradient
        m ← β₁ m + (1 − β₁) g                   running mean of g
        v ← β₂ v + (1 − β₂) g²                  running mean of g²
        m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)   m and v start at 0: this removes the bias, t = 1, 2, …
        θ ← θ − η m̂ / (√v̂ + ε)

    Source: Kingma and Ba (2015), algorithm 1; book (5.3), (5.4).

    Raises TypeError or ValueError unless lr, eps and weight_decay are finite numbers of at least 0 and betas two
    numbers of at least 0 and below 1.
    """

    decoupled = False                                       # is the weight decay apart from the gradient?

    def __init__(self, parameters: Iterable[Tensor] | Iterable[Group], lr: float = 1e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0.0) -> None:
        super().__init__(parameters, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)

    @classmethod
    def recipe_options(cls, settings: Any) -> dict[str, Any]:
        """``beta1`` and ``beta2`` are the betas."""
        return {"betas": (settings.beta1, settings.beta2)}

    def check(self, group: Group) -> None:
        """Raise an error if an option is out of its range."""
        super().check(group)
        self.check_options(group, "eps", at_least=0)
        betas = group["betas"]
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            kind = ValueError if isinstance(betas, (tuple, list)) else TypeError
            raise kind(f"{type(self).__name__}: betas are {betas!r}, expected two numbers of at least 0 and below 1")
        group["betas"] = tuple(check_number(self, f"betas[{i}]", beta, at_least=0, below=1)
                               for i, beta in enumerate(betas))

    def buffers(self, group: Group) -> dict[str, float]:
        """m and v."""
        return {"exp_avg": 0.0, "exp_avg_sq": 0.0}

    def update_all(self, moved: Sequence[Move]) -> None:
        """θ ← θ − η m̂ / (√v̂ + ε) for all parameters, in one kernel."""
        parameters = []
        for theta, g, state, group in moved:
            (beta1, beta2), t, decay = group["betas"], state["step"], group["weight_decay"]
            if decay and not self.decoupled:
                g, decay = np.asarray(g + decay * theta), 0.0
            parameters.append((theta, g, state["exp_avg"], state["exp_avg_sq"], group["lr"], decay, beta1, beta2,
                               group["eps"], 1 - beta1 ** t, 1 - beta2 ** t))
        kernels.adamw(parameters)


class AdamW(Adam, recipe="adamw"):
    """Adam with decoupled weight decay: large gradients do not weaken it.

        θ ← (1 − η λ) θ                         weight decay λ
        θ ← θ − η m̂ / (√v̂ + ε)                  m̂ and v̂ of the gradient alone, as in Adam

    ``param_groups_by_decay`` makes groups without decay on vectors. Errors as in Adam.   Source: Loshchilov and Hutter
    (2019), algorithm 2, where the rate η also multiplies the decay, as in PyTorch; book (5.5).
    """

    decoupled = True

    def __init__(self, parameters: Iterable[Tensor] | Iterable[Group], lr: float = 1e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 1e-2) -> None:
        super().__init__(parameters, lr, betas, eps, weight_decay)


class RMSprop(Optimizer, recipe="rmsprop"):
    """Steps down the gradient, each entry divided by the root mean square of its gradients.

        g ← g + λ θ                             weight decay λ
        v ← α v + (1 − α) g²                    running mean of g²
        a ← α a + (1 − α) g                     running mean of g; 0 unless ``centered``
        d = g / (√(v − a²) + ε)
        b ← μ b + d,   θ ← θ − η b              momentum μ

    Source: Hinton (2012), lecture 6e; centered: Graves (2013), equations 38–45, with ε outside of the root, as in
    PyTorch. A recipe's ``beta2`` is α.

    Raises TypeError or ValueError unless lr, eps, weight_decay and momentum are finite numbers of at least 0, and alpha
    is below 1 as well.
    """

    def __init__(self, parameters: Iterable[Tensor] | Iterable[Group], lr: float = 1e-2, alpha: float = 0.99,
                 eps: float = 1e-8, weight_decay: float = 0.0, momentum: float = 0.0, centered: bool = False) -> None:
        super().__init__(parameters, lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum,
                         centered=centered)

    @classmethod
    def recipe_options(cls, settings: Any) -> dict[str, Any]:
        """``beta2`` is α."""
        return {"alpha": settings.beta2}

    def check(self, group: Group) -> None:
        """Raise an error if an option is out of its range."""
        super().check(group)
        self.check_options(group, "alpha", at_least=0, below=1)
        self.check_options(group, "eps", "momentum", at_least=0)

    def buffers(self, group: Group) -> dict[str, float]:
        """v; a if centered; b if there is a momentum."""
        names = ["square_avg"] + ["grad_avg"] * group["centered"] + ["momentum_buffer"] * (group["momentum"] > 0)
        return dict.fromkeys(names, 0.0)

    def update(self, theta: NDArray[Any], g: NDArray[Any], state: State, group: Group) -> None:
        """θ ← θ − η b, or θ − η d without momentum."""
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


class Adagrad(Optimizer, recipe="adagrad"):
    """Steps down the gradient, each entry divided by the root of its summed squares: steps only get smaller.

        g ← g + λ θ                             weight decay λ
        s ← s + g²                              from ``initial_accumulator_value``
        θ ← θ − η / (1 + (t − 1) γ) · g / (√s + ε)          γ = ``lr_decay``, t = 1, 2, …

    Source: Duchi, Hazan and Singer (2011). Raises TypeError or ValueError unless all are finite numbers of at least 0.
    """

    def __init__(self, parameters: Iterable[Tensor] | Iterable[Group], lr: float = 1e-2, lr_decay: float = 0.0,
                 weight_decay: float = 0.0, initial_accumulator_value: float = 0.0, eps: float = 1e-10) -> None:
        super().__init__(parameters, lr=lr, lr_decay=lr_decay, weight_decay=weight_decay,
                         initial_accumulator_value=initial_accumulator_value, eps=eps)

    def check(self, group: Group) -> None:
        """Raise an error if an option is out of its range."""
        super().check(group)
        self.check_options(group, "lr_decay", "initial_accumulator_value", "eps", at_least=0)

    def buffers(self, group: Group) -> dict[str, float]:
        """s."""
        return {"sum": group["initial_accumulator_value"]}

    def update(self, theta: NDArray[Any], g: NDArray[Any], state: State, group: Group) -> None:
        """θ ← θ − η / (1 + (t − 1) γ) · g / (√s + ε)."""
        if group["weight_decay"]:
            g = g + group["weight_decay"] * theta
        state["sum"] += g * g
        lr = group["lr"] / (1 + (state["step"] - 1) * group["lr_decay"])
        theta -= lr * g / (np.sqrt(state["sum"]) + group["eps"])
