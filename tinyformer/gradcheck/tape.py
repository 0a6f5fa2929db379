"""The forward pass of a function of arrays, recorded as the engine's own graph.

``following.record`` runs fn on ``Recorded`` arrays. Each NumPy operation becomes a ``graph.Node``, with the vjp of the
library's operation. A ``Step`` is such a node with its value and its line in the source. The record gives the true
gradient. It also gives the gradient with any one step's vjp replaced by a wrong one. If the learner's vjp returns
exactly that gradient, the mistake is found, and so is its line in the forward pass.
"""

from __future__ import annotations

import copy
import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph import Node, unbroadcast

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from ..autograd import Tensor

HERE, NUMPY = (str(Path(file).parent) for file in (__file__, np.__file__))

ENTRYWISE = {"add", "subtract", "multiply", "divide", "power", "negative", "exp", "log", "sqrt", "abs", "tanh", "relu",
             "sigmoid", "silu", "softplus", "gelu", "leaky_relu", "maximum", "minimum", "where", "clip", "mapped"}
REDUCING = {"sum", "mean", "max", "min", "prod"}
MOVING = {"reshape", "transpose", "getitem", "broadcast_to", "flip", "moved"}
OPERANDS = {"where": slice(1, None), "einsum": slice(1, None), "getitem": slice(0, 1)}      # of the arguments of a call


class Step:
    """One operation of a forward pass: a node of the engine's graph, or an input.

    kind        the name of the operation, such as "tanh" or "matmul"
    parents     the steps of its operands, None for constants
    operands    the values of its operands
    value       its result
    pulls       for each operand, the map from the gradient of the value to the gradient of the operand
    slopes      for each operand of an entrywise operation or a reduction, the local derivatives; else None
    source      of an operation that only moves entries: for each entry of the value, its flat index; else None
    options     of the call: axes, indices
    site        the source line that made it, the same in every iteration of a loop
    number      its position on the tape
    """

    def __init__(self, kind: str, parents: list[Step | None], operands: list[Any], value: NDArray[Any],
                 node: Node | None = None) -> None:
        self.kind, self.parents, self.operands, self.value, self.node = kind, parents, operands, value, node
        self.options: dict[str, Any] = {}
        self.site: tuple[Any, ...] = ()
        self.number, self.part = -1, slice(None)

    @classmethod
    def of(cls, node: Node, value: NDArray[Any], steps: Mapping[int, Step]) -> Step:
        """The step of a node, whose inputs are the nodes and leaves of ``steps``."""
        args, options = node.call
        name = node.operation.__name__
        part = OPERANDS.get(name, slice(None))              # of the arguments
        parents = [None if t is None else steps.get(_key(t)) for t in node.inputs]
        step = cls(options.get("kind", name), parents[part], list(args)[part], np.asarray(value), node)
        step.options, step.part = dict(options), part
        if name == "getitem":
            step.options["index"] = args[1]
        if name == "einsum":
            left, step.options["out"] = args[0].split("->")
            step.options["terms"] = left.split(",")
        return step

    def pull_back(self, dz: Any) -> list[Any]:
        """The gradients of all operands."""
        result = self.node.vjp(np.asarray(dz))
        gradients = list(result[self.part] if isinstance(result, tuple) else (result,))
        for k, shape in enumerate(self.shapes):
            if gradients[k] is not None and np.shape(gradients[k]) != shape:
                gradients[k] = unbroadcast(np.asarray(gradients[k]), shape)
        return gradients

    @functools.cached_property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shape of each operand."""
        return list(map(np.shape, self.operands))

    @functools.cached_property
    def pulls(self) -> list[Callable[[Any], Any]]:
        """For each operand, the map from the gradient of the value to its gradient."""
        return [functools.partial(self._pull, k) for k in range(len(self.operands))]

    def _pull(self, k: int, dz: Any) -> Any:
        return self.pull_back(dz)[k]

    @functools.cached_property
    def slopes(self) -> list[Any] | None:
        """The local derivatives: the vjp of ones, entry by entry."""
        name = self.node.operation.__name__ if self.node is not None else ""
        if name not in ENTRYWISE | REDUCING:
            return None
        if name == "multiply":                              # in their own shapes, not broadcast
            return self.operands[::-1]
        if name in ("add", "subtract", "negative"):
            return [1.0, -1.0 if name == "subtract" else 1.0] if name != "negative" else [-1.0]
        slopes = self.node.vjp(np.ones(self.value.shape))
        slopes = list(slopes if isinstance(slopes, tuple) else (slopes,))[self.part]
        if name == "divide" and np.ndim(self.operands[1]) == 0 and self.operands[1]:
            slopes[0] = 1 / float(self.operands[1])
        return slopes

    @functools.cached_property
    def source(self) -> NDArray[Any] | None:
        """The flat index of each entry's origin: the operation applied to the numbers of the entries."""
        name = self.node.operation.__name__ if self.node is not None else ""
        if name not in MOVING:
            return None
        if name == "moved":
            return self.options["source"]
        args, options = self.node.call
        flat = np.arange(args[0].size).reshape(args[0].shape)
        return self.node.operation.raw(flat, *args[1:], **options)[0]

    def becomes(self, kind: str, source: Step, pull: Callable[[Any], Any], **found: Any) -> bool:
        """Replace the operation by another one of ``source`` alone, with the gradient ``pull``."""
        kept = self.site, self.number, self.value
        self.__dict__.clear()
        self.__init__(kind, [source], [source.value], kept[2])          # type: ignore[misc]
        self.site, self.number = kept[:2]
        self.pulls, self.slopes, self.source = [pull], found.pop("slopes", None), None
        self.pull_back = lambda dz: [pull(dz)]              # type: ignore[method-assign]
        self.options = found
        return True


class Tape:
    """The steps of a forward pass, in the order in which they were made.

    leaves      the steps of the arguments, None for arguments that are not differentiated
    outputs     the steps of the outputs, None for outputs that do not depend on an argument
    plain       a copy without shifts against overflow, and ``fused`` one with known operations as single steps; None
                until a hypothesis needs them
    """

    def __init__(self) -> None:
        self.nodes: list[Step] = []
        self.leaves: list[Step | None] = []
        self.outputs: list[Step | None] = []
        self.steps: dict[int, Step] = {}                    # by ``_key``
        self.alive: list[Tensor] = []                       # so that a key stays unique
        self.plain: Tape | None = None
        self.fused: Tape | None = None

    def add(self, tensor: Tensor, step: Step) -> Step:
        """Append the step that made a tensor, with its number and its place in the source."""
        step.site, step.number = _site(), len(self.nodes)
        self.nodes.append(step)
        self.steps[_key(tensor)] = step
        self.alive.append(tensor)
        return step

    def note(self, tensor: Tensor) -> None:
        """Append the node that made a tensor, after the nodes before it that the operation made on the way."""
        todo = [tensor]
        while todo:
            top = todo[-1]
            known = top.node is None or _key(top) in self.steps
            before = [] if known else [t for t in top.node.inputs
                                       if t is not None and t.node is not None and _key(t) not in self.steps]
            todo += before
            if not before:
                todo.pop()
                if top.node is not None and _key(top) not in self.steps:
                    self.add(top, Step.of(top.node, top.data, self.steps))

    def step_of(self, tensor: Tensor) -> Step | None:
        """The step that made a tensor."""
        return self.steps.get(_key(tensor))

    def copy(self) -> Tape:
        """A tape with copies of all steps, which can be changed."""
        other, copies = Tape(), {None: None}
        for n in self.nodes:
            copies[n] = step = copy.copy(n)
            step.__dict__.pop("pulls", None) if n.node is not None else None
            step.parents = [copies[p] for p in n.parents]
            other.nodes.append(step)
        other.leaves, other.outputs = [copies[n] for n in self.leaves], [copies[n] for n in self.outputs]
        return other

    def gradients(self, cotangents: Sequence[Any], edits: Mapping[tuple[int, int], Callable[[Any], Any]] | None = None,
                  only: Collection[int] | None = None, places: Mapping[int, int] | None = None) -> dict[int, Any]:
        """{step number: gradient} for every step that influences the outputs.

        cotangents  the upstream gradients of the outputs, in their shapes
        edits       {(step number, operand): map from the gradient of the value to that of the operand}, rules to use
                    instead
        only        numbers of the steps whose gradients are needed; None: all
        places      {step number: number of another step}, whose gradient to use instead
        """
        edits, places = edits or {}, places or {}
        arrived: dict[int, Any] = {}
        for step, c in zip(self.outputs, cotangents):
            if step is not None:
                arrived[step.number] = arrived.get(step.number, 0) + c
        for step in reversed(self.nodes):
            dz = arrived.get(places.get(step.number, step.number))
            wanted = [] if dz is None else [(i, p.number) for i, p in enumerate(step.parents)
                                            if p is not None and (only is None or p.number in only)]
            if not wanted:
                continue
            own = None
            for i, parent in wanted:
                if (step.number, i) in edits:
                    dx = edits[step.number, i](dz)
                else:
                    own = step.pull_back(dz) if own is None else own
                    dx = own[i]
                if dx is not None:
                    arrived[parent] = arrived[parent] + dx if parent in arrived else dx
        return arrived

    def gradient(self, i: int, cotangents: Sequence[Any]) -> NDArray[Any]:
        """The gradient of argument i, in its shape, from upstream gradients of the outputs."""
        leaf = self.leaves[i]
        found = self.gradients(cotangents).get(leaf.number)
        return np.zeros(leaf.value.shape) if found is None else np.broadcast_to(found, leaf.value.shape)

    def change(self, i: int, arrived: Mapping[int, Any], shares: dict[tuple[int, int], Any],
               edits: Mapping[tuple[int, int], Callable[[Any], Any]], only: Collection[int]) -> Any:
        """By how much ``edits`` change the gradient of argument i.

        Each vjp is linear, so the difference goes back through the other steps alone. Only the steps before the edited
        ones are visited.

        arrived     the gradients without edits, from ``gradients``
        shares      the part of each edited operand in them, filled here
        """
        differences: dict[int, Any] = {}
        edited = {number for number, _ in edits}
        first = self.leaves[i].number
        for step in reversed(self.nodes[first:max(edited, default=-1) + 1]):
            difference = differences.get(step.number)
            if difference is None and step.number not in edited or step.number not in arrived:
                continue
            own = None
            for k, parent in enumerate(step.parents):
                if parent is None or parent.number not in only:
                    continue
                key = step.number, k
                if key in edits:
                    if key not in shares:
                        shares[key] = step.pulls[k](arrived[step.number])
                    dz = arrived[step.number] if difference is None else arrived[step.number] + difference
                    dx = edits[key](dz) - shares[key]
                elif difference is None:
                    continue
                else:
                    own = step.pull_back(difference) if own is None else own
                    dx = own[k]
                before = differences.get(parent.number)
                differences[parent.number] = dx if before is None else before + dx
        return differences.get(first, 0.0)


def _key(tensor: Tensor) -> int:
    return id(tensor if tensor.node is None else tensor.node)


def _site() -> tuple[Any, ...]:
    """The call stack below the recorded function: (code, instruction offset, line) for each frame."""
    frame: Any = sys._getframe(2)
    place = []
    while frame is not None:
        code = frame.f_code
        if code.co_name == "record" and code.co_filename.endswith("following.py"):
            break
        # pytest's name for a frame to skip: one that only passes the call on.
        if not code.co_filename.startswith((HERE, NUMPY)) and "__tracebackhide__" not in code.co_varnames:
            place.append((code, frame.f_lasti, frame.f_lineno))
        frame = frame.f_back
    return tuple(place)
