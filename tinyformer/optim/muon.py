"""Muon: momentum whose steps are made orthogonal."""

from __future__ import annotations

import math

import numpy as np

from ..kernels import matmul
from .adaptive import AdamW
from .optimizer import Optimizer, param_groups_by_decay

# Jordan's coefficients of x ↦ a x + b x³ + c x⁵: steep at 0, so that small singular values grow fast. The price is that
# they end somewhere in 0.7…1.2 and not at 1, which matters little to training.
A, B, C = 3.4445, -4.7750, 2.0315
STEPS = 5


class Muon(AdamW):
    """Steps along the orthogonal matrix nearest to the momentum, so that every direction of a layer moves at one speed.

        m ← μ m + (1 − μ) g                     momentum μ
        u = μ m + (1 − μ) g                     Nesterov's look ahead
        θ ← (1 − η λ) θ                         weight decay λ
        θ ← θ − η √max(1, rows/columns) U Vᵀ    where u = U S Vᵀ: its singular values all made 1

    This is for the matrices of hidden layers. A group with ``"use_muon": False`` (embeddings, norms, biases) is moved by
    AdamW instead, with ``betas`` and ``eps``; ``param_groups_for_muon`` makes both kinds. The two want rates of their own: in
    those units 0.02 to 0.1 here, some 0.003 there.

    Source: Jordan et al. (2024), "Muon: an optimizer for hidden layers in neural networks". PyTorch's torch.optim.Muon is the
    same rule for matrices alone; it computes U Vᵀ in bfloat16, we in the parameter's own type.
    """

    def __init__(self, parameters, lr=2e-2, momentum=0.95, weight_decay=0.1, betas=(0.9, 0.999), eps=1e-8, use_muon=True):
        Optimizer.__init__(self, parameters, lr=lr, momentum=momentum, weight_decay=weight_decay, betas=betas, eps=eps,
                           use_muon=use_muon)
        for group, parameter in self._parameters():
            if group["use_muon"] and parameter.ndim != 2:
                raise ValueError(f"Muon: a parameter has shape {parameter.shape}, expected a matrix; give others a group with "
                                 f"'use_muon': False")

    def check(self, group):
        super().check(group)
        self.expect_number(group, "momentum", below=1)

    def buffers(self, group):
        return {"momentum_buffer": 0.0} if group["use_muon"] else super().buffers(group)

    def update_all(self, moved):
        super().update_all([each for each in moved if not each[-1]["use_muon"]])
        for each in moved:
            if each[-1]["use_muon"]:
                self.update(*each)

    def update(self, theta, g, state, group):
        mu, m = group["momentum"], state["momentum_buffer"]
        m *= mu
        m += (1 - mu) * g
        step = orthogonalise(mu * m + (1 - mu) * g)
        step *= group["lr"] * math.sqrt(max(1, theta.shape[0] / theta.shape[1]))
        theta *= 1 - group["lr"] * group["weight_decay"]
        theta -= step


def orthogonalise(matrix):
    """About U Vᵀ for the matrix U S Vᵀ, by five Newton–Schulz steps from X = matrix / ‖matrix‖:

        X ← a X + (b G + c G²) X,   G = X Xᵀ

    Each step maps every singular value x to a x + b x³ + c x⁵ and leaves U and V as they are: no decomposition is computed,
    only small products.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    X = matrix.T if tall else matrix                        # G is then the smaller of the two squares
    X = X / (np.linalg.norm(X) + X.dtype.type(1e-7))
    for _ in range(STEPS):
        G = matmul(X, X.T)
        X = A * X + matmul(B * G + C * matmul(G, G), X)
    return X.T if tall else X


def param_groups_for_muon(parameters, hidden, lr, weight_decay):
    """Three groups: the matrices ``hidden`` for Muon at its own ``lr``; for AdamW, at the optimiser's rate, the other matrices
    and tables, with the same ``weight_decay``, and the vectors, with none.

    >>> hidden = [module.weight for _, module in model.named_modules() if isinstance(module, nn.Linear)]
    >>> Muon(param_groups_for_muon(model.parameters(), hidden, lr=0.05, weight_decay=0.1), lr=3e-3)
    """
    chosen = {id(parameter) for parameter in hidden}
    learned = [parameter for parameter in parameters if parameter.requires_grad]
    rest = [parameter for parameter in learned if id(parameter) not in chosen]
    return [{"params": [p for p in learned if id(p) in chosen], "lr": lr, "weight_decay": weight_decay},
            *({**group, "use_muon": False} for group in param_groups_by_decay(rest, weight_decay))]
