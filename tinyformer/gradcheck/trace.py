"""Find the first wrong operation of a graph: check each node separately, in backward order."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import FLOATS, Tensor
from ..graph import topological_order
from ..viz.graph import computation_graph
from .checker import check
from .report import Finding, Report

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..graph import Node
    from ..nn import Module


@dataclass
class Trace:
    """The result of ``trace``. ``print(result)`` shows the report; Jupyter also shows the graph.

    report      the report on the first node, in backward order, whose own gradient is wrong; None if all are right
    checked     the number of nodes that were checked
    svg         the graph as an SVG image, with the wrong node in red
    """

    report: Report | None
    checked: int
    svg: str

    @property
    def ok(self) -> bool:
        """Whether the gradient of every operation is right."""
        return self.report is None

    @property
    def findings(self) -> list[Finding]:
        """The mistakes in the first wrong operation; empty if all are right."""
        return [finding for one in self.report.inputs for finding in one.findings
                if finding.is_mistake] if self.report else []

    def __str__(self) -> str:
        if self.ok:
            return f"the gradient of each of the {self.checked} operations is right"
        return f"the first wrong operation, counted from the loss, is number {self.checked}:\n\n{self.report}"

    def _repr_html_(self) -> str:
        return (self.report._repr_html_() if self.report else f"<p>{self}</p>") + self.svg


def trace(model: Module | None, loss: Tensor | Callable[[], Any], seed: int = 0) -> Trace:
    """Check each operation that computed ``loss``, and report the first one, in backward order, whose own vjp is wrong.

    model       a Module, whose parameters are named in the picture; or None
    loss        a tensor of any shape that still has its graph: before ``backward``, or after one with
                retain_graph=True. For PyTorch a function without arguments that computes the loss: it is called once,
                and the custom Functions and the modules of your own classes that it calls are checked
    seed        seed of the random upstream gradients

    The vjp of each node is compared with the numeric gradient of its own operation, in float64 and at the inputs that
    it had. So a wrong gradient is not attributed to the operations that receive it. An operation keeps the options of
    its call.

    Returns a ``Trace``: ``.ok``, ``.report``, ``.findings``, ``.svg``. Raises ValueError if ``loss`` has no graph.

    >>> print(trace(model, model.loss(ids, targets)))
    """
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(loss, torch.Tensor):
        raise TypeError("trace: a PyTorch tensor does not keep the inputs of the operations that computed it; "
                        "expected a function: trace(model, lambda: loss_fn(model(x), y))")
    if torch is not None and callable(loss) and not isinstance(loss, Tensor):
        from .function_forms.torch_trace import first_wrong
        return Trace(*first_wrong(loss, seed), "")
    if not isinstance(loss, Tensor) or loss.node is None:
        raise ValueError("trace: loss has no graph; "
                         "expected a tensor that was computed from one that requires a gradient")
    order = topological_order(loss)
    wrong, report, checked = None, None, 0
    for node in reversed(order):
        checked += 1
        found = _check_node(node, seed)
        if found is not None and not found.ok:
            wrong, report = node, found
            break
    return Trace(report, checked, computation_graph(loss, model, {wrong}).svg)


def _check_node(node: Node, seed: int) -> Report | None:
    """The report on the operation of one node at its inputs; None if no input has a gradient."""
    args, options = node.call
    inputs = [np.asarray(a, np.float64) if isinstance(a, np.ndarray) and a.dtype in FLOATS else a for a in args]
    if not any(isinstance(a, np.ndarray) and a.dtype in FLOATS for a in inputs):
        return None
    options = {name: value.astype(np.float64) if isinstance(value, np.ndarray) and value.dtype == np.float32 else value
               for name, value in options.items()}
    if "rng" in inspect.signature(node.operation.raw).parameters:
        options["rng"] = 0                                  # the same draw at every call

    def again(*arrays: Any) -> Any:
        return node.operation.raw(*arrays, **options)

    again.__name__ = node.operation.__name__
    again.__signature__ = _signature(node, len(inputs))     # type: ignore[attr-defined]
    again.lifted = node.operation                           # type: ignore[attr-defined]  # the engine sums broadcast axes
    return check(again, *inputs, seed=seed)


def _signature(node: Node, n: int) -> inspect.Signature:
    names = [node.operation.input_name(i).replace(" ", "_") for i in range(n)]
    return inspect.Signature([inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in names])
