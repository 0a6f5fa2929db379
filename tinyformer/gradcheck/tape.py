"""The forward pass of a function of arrays, recorded as a graph.

``recording.record`` runs fn on ``Traced`` arrays, which record every NumPy operation with the rule for its gradient.
The record gives the true gradient. It also gives the gradient with any one rule replaced by a wrong one. If the
learner's vjp returns exactly that gradient, the mistake is found, and so is its line in the forward pass.

``rules.py`` has the rules, and ``dispatch.py`` maps NumPy functions to rules. A function that cannot be recorded raises
``Unrecorded``; then the doctor works without a record.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from numpy.typing import NDArray

HERE = str(Path(__file__).parent)
NUMPY = str(Path(np.__file__).parent)


class Unrecorded(Exception):
    """The forward pass has an operation that cannot be recorded."""


class Node:
    """One NumPy operation of a forward pass.

    kind        the name of the operation, such as "tanh" or "matmul"
    parents     the nodes of its operands, None for constants
    operands    the values of its operands
    value       its result
    pulls       for each operand, the map from the gradient of the value to the gradient of the operand
    extra       what else its rules need: local derivatives (``slopes``), axes, indices
    site        the source line that made it, the same in every iteration of a loop
    number      its position on the tape
    """

    __slots__ = ("kind", "parents", "operands", "value", "pulls", "extra", "site", "number")

    def __init__(self, kind: str, parents: list[Node | None], operands: list[Any], value: NDArray[Any],
                 pulls: list[Callable[[Any], Any]], **extra: Any) -> None:
        self.kind, self.parents, self.operands, self.value, self.pulls = kind, parents, operands, value, pulls
        self.extra, self.number = extra, -1
        self.site: tuple[Any, ...] = ()


class Tape:
    """The nodes of a forward pass, in order.

    leaves      the nodes of the arguments, None for arguments that are not differentiated
    outputs     the nodes of the outputs, None for outputs that do not depend on an argument
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.leaves: list[Node | None] = []
        self.outputs: list[Node | None] = []

    def note(self, node: Node) -> Node:
        """Append a node, with its number and its place in the source. Returns the node."""
        node.site, node.number = _site(), len(self.nodes)
        self.nodes.append(node)
        return node

    def copy(self) -> Tape:
        """A tape with copies of all nodes, which can be changed."""
        other = Tape()
        copies: dict[Node | None, Node | None] = {None: None}
        for n in self.nodes:
            copies[n] = node = Node(n.kind, [copies[p] for p in n.parents], n.operands, n.value, n.pulls, **n.extra)
            node.site, node.number = n.site, n.number
            other.nodes.append(node)
        other.leaves, other.outputs = [copies[n] for n in self.leaves], [copies[n] for n in self.outputs]
        return other

    def gradients(self, cotangents: Sequence[Any], edits: Mapping[tuple[int, int], Callable[[Any], Any]] | None = None,
                  only: Collection[int] | None = None) -> dict[int, Any]:
        """{node number: gradient} for every node that influences the outputs.

        cotangents  the upstream gradients of the outputs, in their shapes
        edits       {(node number, operand): map from the gradient of the value to that of the operand}, rules to use
                    instead
        only        numbers of the nodes whose gradients are needed; None: all
        """
        edits = edits or {}
        arrived: dict[int, Any] = {}
        for node, c in zip(self.outputs, cotangents):
            if node is not None:
                arrived[node.number] = arrived.get(node.number, 0) + c
        for node in reversed(self.nodes):
            dz = arrived.get(node.number)
            if dz is None:
                continue
            for i, parent in enumerate(node.parents):
                if parent is not None and (only is None or parent.number in only):
                    pull = edits.get((node.number, i), node.pulls[i])
                    if pull is not None:
                        dx = pull(dz)
                        arrived[parent.number] = arrived[parent.number] + dx if parent.number in arrived else dx
        return arrived

    def gradient(self, i: int, cotangents: Sequence[Any],
                 edits: Mapping[tuple[int, int], Callable[[Any], Any]] | None = None,
                 only: Collection[int] | None = None) -> NDArray[Any]:
        """The gradient of argument i, in its shape. The other parameters are those of ``gradients``."""
        leaf = self.leaves[i]
        found = self.gradients(cotangents, edits, only).get(leaf.number)
        return np.zeros(leaf.value.shape) if found is None else np.broadcast_to(found, leaf.value.shape)


def _site() -> tuple[Any, ...]:
    """The call stack below the recorded function: (code, instruction offset, line) for each frame."""
    frame: Any = sys._getframe(2)
    place = []
    while frame is not None:
        code = frame.f_code
        if code.co_name == "record" and code.co_filename.startswith(HERE):
            break
        # pytest's name for a frame to skip: one that only passes the call on.
        if not code.co_filename.startswith((HERE, NUMPY)) and "__tracebackhide__" not in code.co_varnames:
            place.append((code, frame.f_lasti, frame.f_lineno))
        frame = frame.f_back
    return tuple(place)
