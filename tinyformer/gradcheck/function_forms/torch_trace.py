"""``trace`` for PyTorch: the custom Functions and modules that a loss passes through, each checked separately."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from ..checker import check
from ..report import Report
from .torch_steps import array_of

DIRECTIONS = 2                          # random directions along which a module of the learner's is compared
TOLERANCE = 1e-5


class Call(NamedTuple):
    """One call of a Function or a module: what was called, its inputs, and the calls within it."""

    called: Any
    args: tuple[Any, ...]
    options: dict[str, Any]
    inside: list[Any]


def first_wrong(run: Callable[[], Any], seed: int) -> tuple[Report | None, int]:
    """(the report on the first wrong link in backward order, the number of links checked).

    run         computes the loss; it is called once

    Links are the custom Functions and the modules of classes that are not PyTorch's own. What stands inside a module
    is checked before the module itself, whose gradient may also be wrong by a path that it detaches.
    """
    checked = 0
    for call in _backward_order(_calls(run)):
        report = _check(call, seed)
        checked += report is not None
        if report is not None and not report.ok:
            return report, checked
    return None, checked


def _calls(run: Callable[[], Any]) -> list[Call]:
    """The calls of one forward pass, in their order, as trees."""
    stack: list[list[Call]] = [[]]
    apply = vars(torch.autograd.Function)["apply"]

    def begin(module: Any, args: Any) -> None:
        if not _is_own(module):
            return
        stack[-1].append(Call(module, _kept(args), {}, []))
        stack.append(stack[-1][-1].inside)

    def end(module: Any, *_: Any) -> None:
        if _is_own(module):
            stack.pop()

    def applied(cls: Any, *args: Any, **options: Any) -> Any:
        stack[-1].append(Call(cls, _kept(args), options, []))
        return apply.__func__(cls, *args, **options)

    register = torch.nn.modules.module
    handles = [register.register_module_forward_pre_hook(begin),
               register.register_module_forward_hook(end, always_call=True)]
    torch.autograd.Function.apply = classmethod(applied)    # type: ignore[method-assign, assignment]
    try:
        run()
    finally:
        torch.autograd.Function.apply = apply
        for handle in handles:
            handle.remove()
    return stack[0]


def _is_own(module: Any) -> bool:
    return not type(module).__module__.startswith("torch.")


def _kept(args: Any) -> tuple[Any, ...]:
    return tuple(array_of(a).copy() if isinstance(a, torch.Tensor) else a for a in args)


def _backward_order(calls: list[Call]) -> Iterator[Call]:
    for call in reversed(calls):
        yield from _backward_order(call.inside)
        yield call


def _check(call: Call, seed: int) -> Report | None:
    """The report on one call; None if it has no floating-point input, or for a module that agrees along directions."""
    if not any(isinstance(a, np.ndarray) and a.dtype.kind == "f" for a in call.args):
        return None
    if isinstance(call.called, torch.nn.Module) and _agrees(call, seed):
        return Report(type(call.called).__name__, TOLERANCE, [])
    return check(call.called, *call.args, seed=seed, **call.options)


def _agrees(call: Call, seed: int) -> bool:
    """Whether a module's gradients of all inputs and parameters agree along random directions.

    That takes a few calls. A gradient that disagrees is compared entry by entry afterwards.
    """
    from .pytorch import adapt
    checked = adapt(call.called, call.args, call.options)
    assert checked is not None
    rng = np.random.default_rng([seed, 5])
    try:
        values, pull = checked.linearize([a.copy() if isinstance(a, np.ndarray) else a for a in checked.arrays])
        dys = [rng.standard_normal(v.shape) for v in values]
        gradients = pull(dys)
        for _ in range(DIRECTIONS):
            v = [rng.standard_normal(a.shape) if wanted else None for a, wanted in zip(checked.arrays, checked.wanted)]
            slope = sum(float(np.sum(g * d)) for g, d in zip(gradients, v) if g is not None and d is not None)
            sides = []
            for h in (6e-6, -6e-6):
                moved = [a if d is None else a + h * d for a, d in zip(checked.arrays, v)]
                sides.append(sum(float(np.sum(dy * y)) for dy, y in zip(dys, checked.values(moved))))
            numeric = (sides[0] - sides[1]) / 1.2e-5
            if not abs(slope - numeric) <= TOLERANCE * max(abs(slope), abs(numeric), 1e-3):
                return False
        return True
    except Exception:                                       # whatever it is, the full check says it
        return False
    finally:
        checked.close()
