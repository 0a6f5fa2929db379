"""Muon: momentum whose steps are orthogonalized."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..kernels import matmul
from ..number_checks import check_number
from .adaptive import AdamW
from .optimizer import Optimizer
from .param_groups import param_groups_by_decay

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from ..autograd import Tensor
    from .optimizer import Group, Move, State

# Jordan's coefficients of x ↦ a x + b x³ + c x⁵: steep at 0, so that small singular values grow fast. In
# return they end somewhere in 0.7…1.2 and not at 1, which matters little to training.
A, B, C = 3.4445, -4.7750, 2.0315
STEPS = 5


class Muon(AdamW, recipe="muon"):
    """Steps along the orthogonal matrix nearest to the momentum: all directions of a layer move at the same speed.

        m ← μ m + (1 − μ) g                     momentum μ
        u = μ m + (1 − μ) g                     Nesterov's look-ahead
        θ ← (1 − η λ) θ                         weight decay λ
        θ ← θ − η √max(1, rows/columns) U Vᵀ    where u = U S Vᵀ: all singular values set to 1

    Muon is meant for the matrices of hidden layers. AdamW, with ``betas`` and ``eps``, updates a group with
    ``"use_muon": False`` (embeddings, norms, biases); ``param_groups_for_muon`` makes both kinds of groups. The
    learning rates differ: 0.02 to 0.1 for Muon, about 0.003 for AdamW. A recipe gives them as ``muon_lr`` and ``lr``.

    Source: Jordan et al. (2024), "Muon: an optimizer for hidden layers in neural networks". PyTorch's torch.optim.Muon
    is the same rule, for matrices only; it computes U Vᵀ in bfloat16, we in the parameter's own type.

    Raises ValueError for a parameter under Muon that is no matrix, and for a momentum outside 0 ≤ momentum < 1; else as
    AdamW.
    """

    def __init__(self, parameters: Iterable[Tensor] | Iterable[Group], lr: float = 2e-2, momentum: float = 0.95,
                 weight_decay: float = 0.1, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 use_muon: bool = True) -> None:
        Optimizer.__init__(self, parameters, lr=lr, momentum=momentum, weight_decay=weight_decay, betas=betas, eps=eps,
                           use_muon=use_muon)
        for group, parameter in self._parameters():
            if group["use_muon"] and parameter.ndim != 2:
                raise ValueError(f"Muon: a parameter has shape {parameter.shape}, expected a matrix; give others a "
                                 f"group with 'use_muon': False")

    def check(self, group: Group) -> None:
        """Raise an error if an option is out of its range."""
        super().check(group)
        self.check_options(group, "momentum", at_least=0, below=1)

    @classmethod
    def recipe_groups(cls, parameters: Iterable[Tensor], hidden: Iterable[Tensor], settings: Any) -> list[Group]:
        """``param_groups_for_muon`` with the recipe's ``muon_lr`` and ``weight_decay``."""
        return param_groups_for_muon(parameters, hidden, settings.muon_lr, settings.weight_decay)

    def buffers(self, group: Group) -> dict[str, float]:
        """m; for groups without Muon those of AdamW."""
        return {"momentum_buffer": 0.0} if group["use_muon"] else super().buffers(group)

    def update_all(self, moved: Sequence[Move]) -> None:
        """AdamW for the groups without Muon, in one kernel, and ``update`` for each matrix of the rest."""
        super().update_all([each for each in moved if not each[-1]["use_muon"]])
        for each in moved:
            if each[-1]["use_muon"]:
                self.update(*each)

    def update(self, theta: NDArray[Any], g: NDArray[Any], state: State, group: Group) -> None:
        """θ ← (1 − η λ) θ − η √max(1, rows/columns) U Vᵀ."""
        mu, m = group["momentum"], state["momentum_buffer"]
        m *= mu
        m += (1 - mu) * g
        step = orthogonalize(mu * m + (1 - mu) * g)
        step *= group["lr"] * math.sqrt(max(1, theta.shape[0] / theta.shape[1]))
        theta *= 1 - group["lr"] * group["weight_decay"]
        theta -= step


def orthogonalize(matrix: NDArray[Any]) -> NDArray[Any]:
    """Approximately U Vᵀ for the matrix U S Vᵀ, by five Newton–Schulz steps from X = matrix / ‖matrix‖:

        X ← a X + (b G + c G²) X,   G = X Xᵀ

    Each step maps every singular value x to a x + b x³ + c x⁵ and leaves U and V as they are: no decomposition is
    computed, only small products.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    X = matrix.T if tall else matrix                        # G is then the smaller of the two products
    X = X / (np.linalg.norm(X) + X.dtype.type(1e-7))
    for _ in range(STEPS):
        G = matmul(X, X.T)
        X = A * X + matmul(B * G + C * matmul(G, G), X)
    return X.T if tall else X


def param_groups_for_muon(parameters: Iterable[Tensor], hidden: Iterable[Tensor], lr: float,
                          weight_decay: float) -> list[Group]:
    """Three groups: ``hidden`` matrices for Muon, other matrices for AdamW, and vectors for AdamW without weight decay.

    lr              of Muon; AdamW has the optimizer's rate
    weight_decay    of all matrices and tables

    >>> hidden = [module.weight for _, module in model.named_modules() if isinstance(module, nn.Linear)]
    >>> Muon(param_groups_for_muon(model.parameters(), hidden, lr=0.05, weight_decay=0.1), lr=3e-3)
    """
    lr = check_number("param_groups_for_muon", "lr", lr, at_least=0)
    weight_decay = check_number("param_groups_for_muon", "weight_decay", weight_decay, at_least=0)
    chosen = {id(parameter) for parameter in hidden}
    learned = [parameter for parameter in parameters if parameter.requires_grad]
    rest = [parameter for parameter in learned if id(parameter) not in chosen]
    return [{"params": [p for p in learned if id(p) in chosen], "lr": lr, "weight_decay": weight_decay},
            *({**group, "use_muon": False} for group in param_groups_by_decay(rest, weight_decay))]
