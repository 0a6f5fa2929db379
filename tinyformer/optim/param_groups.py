"""Groups of parameters: which ones decay, and which ones learn more slowly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..number_checks import check_fraction, check_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..autograd import Tensor
    from .optimizer import Group


def param_groups_by_decay(parameters: Iterable[Tensor], weight_decay: float) -> list[Group]:
    """Two groups: matrices and tables with ``weight_decay``; biases and norms' weights, which are vectors, with 0.

    >>> AdamW(param_groups_by_decay(model.parameters(), 0.1), lr=1e-3)

    Decay pulls towards zero, which for the weight of a norm means towards an output of zero. Parameters that require no
    gradient are left out, and so is an empty group.   Source: the split of nanoGPT's published recipe.
    """
    weight_decay = check_number("param_groups_by_decay", "weight_decay", weight_decay, at_least=0)
    learned = [parameter for parameter in parameters if parameter.requires_grad]
    groups: list[Group] = [{"params": [p for p in learned if p.ndim >= 2], "weight_decay": weight_decay},
                           {"params": [p for p in learned if p.ndim < 2], "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def param_groups_by_level(groups: Iterable[Group], levels: Sequence[Iterable[Tensor]], lr: float,
                          decay: float) -> list[Group]:
    """``groups``, divided by the levels of a model from the top down: level n learns at decayⁿ times its group's rate.

    levels      lists of parameters; all other parameters learn at the full rate
    lr          the rate of groups that do not give their own
    decay       factor between neighboring levels, 0 ≤ decay ≤ 1

    The lower layers of a trained network hold features that every task needs, so they should change less.

    Source: Howard and Ruder (2018), ULMFiT.
    """
    lr = check_number("param_groups_by_level", "lr", lr, at_least=0)
    decay = check_fraction("param_groups_by_level", "decay", decay)
    level = {id(parameter): n for n, parameters in enumerate(levels) for parameter in parameters}
    divided: list[Group] = []
    for group in groups:
        for n in range(max(len(levels), 1)):
            params = [p for p in group["params"] if level.get(id(p), 0) == n]
            if params:
                divided.append({**group, "params": params, "lr": group.get("lr", lr) * decay ** n})
    return divided
