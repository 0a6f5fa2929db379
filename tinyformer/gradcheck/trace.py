"""The first wrong link: every node of a graph is checked by itself, in backward order."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

import numpy as np

from ..autograd import FLOATS, Tensor, topological_order
from ..viz.graph import computation_graph
from .checker import check
from .report import Report


@dataclass
class Trace:
    """What ``trace`` found.

    report      of the first node, in backward order, whose own gradient is wrong; None if all are right
    checked     how many nodes were looked at
    svg         the graph as a picture, that node in red
    """

    report: Report | None
    checked: int
    svg: str

    @property
    def ok(self):
        return self.report is None

    @property
    def findings(self):
        return [] if self.ok else [finding for one in self.report.inputs for finding in one.findings if finding.is_mistake]

    def __str__(self):
        if self.ok:
            return f"the gradient of each of the {self.checked} operations is right"
        return f"the first wrong link, of {self.checked} operations looked at from the loss backwards:\n\n{self.report}"

    def _repr_html_(self):
        return (f"<p>{self}</p>" if self.ok else self.report._repr_html_()) + self.svg


def trace(model, loss, seed=0):
    """Check each operation that ``loss`` was computed by, and name the first, in backward order, whose own vjp is wrong.

    model       the Module, for the names of its parameters in the picture; or None
    loss        a tensor whose graph is still there: before ``backward``, or after one with retain_graph=True

    Each node's vjp is held against the numeric gradient of its own operation in float64 at the values that it was given, so
    that a wrong gradient is not laid to the operations behind it. The options of an operation are those of that call.

    >>> print(trace(model, model.loss(ids, targets)))
    """
    if not isinstance(loss, Tensor) or loss.node is None:
        raise ValueError("trace: expected a loss that was computed from a tensor that requires a gradient")
    order = topological_order(loss)
    wrong, report, checked = None, None, 0
    for node in reversed(order):
        checked += 1
        found = _check_node(node, seed)
        if found is not None and not found.ok:
            wrong, report = node, found
            break
    return Trace(report, checked, computation_graph(loss, model, {wrong}).svg)


def _check_node(node, seed):
    """The report on one node's operation at its values; None where there is nothing to check."""
    args, options = node.call
    inputs = [np.asarray(a, np.float64) if isinstance(a, np.ndarray) and a.dtype in FLOATS else a for a in args]
    if not any(isinstance(a, np.ndarray) and a.dtype in FLOATS for a in inputs):
        return None
    options = {name: value.astype(np.float64) if isinstance(value, np.ndarray) and value.dtype == np.float32 else value
               for name, value in options.items()}
    if "rng" in inspect.signature(node.operation.raw).parameters:
        options["rng"] = 0                                  # the same draw at every call

    def again(*arrays):
        return node.operation.raw(*arrays, **options)

    again.__name__ = node.operation.__name__
    again.__signature__ = _signature(node, len(inputs))
    again.lifted = node.operation                           # broadcast axes are summed by the engine
    return check(again, *inputs, seed=seed)


def _signature(node, n):
    names = [node.operation.input_name(i).replace(" ", "_") for i in range(n)]
    return inspect.Signature([inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in names])
