"""The forward pass of a function of arrays, recorded as a graph: what the doctor tries its suspicions on.

``recording.record`` runs fn on ``Traced`` arrays, which note every NumPy operation with its rule for the gradient.
From the notes comes the true gradient, and that of the same function with any one rule exchanged for a wrong one: if that is
what the learner's vjp gives, number for number, the mistake is found, and with it the place in their forward pass.

The rules stand in ``rules.py``, and which is for what in ``dispatch.py``. What cannot be recorded raises ``Unrecorded``, and the
doctor does without.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

HERE = str(Path(__file__).parent)
NUMPY = str(Path(np.__file__).parent)


class Unrecorded(Exception):
    """Something in the forward pass cannot be followed."""


class Node:
    """One NumPy operation that was applied.

    kind        its name, such as "tanh" or "matmul"
    parents     the nodes of its operands, None for constants
    operands    their values
    value       what came out
    pulls       for each operand, the function from the gradient of the value to that of the operand
    extra       what rules need besides: slopes, axes
    site        where in the source it stands; equal for the turns of a loop
    """

    __slots__ = ("kind", "parents", "operands", "value", "pulls", "extra", "site", "number")

    def __init__(self, kind, parents, operands, value, pulls, **extra):
        self.kind, self.parents, self.operands, self.value, self.pulls = kind, parents, operands, value, pulls
        self.extra, self.site, self.number = extra, None, -1


class Tape:
    """The nodes in the order in which they were made; ``leaves`` are those of the arguments, ``outputs`` those of the values."""

    def __init__(self):
        self.nodes, self.leaves, self.outputs = [], [], []

    def note(self, node):
        node.site, node.number = _site(), len(self.nodes)
        self.nodes.append(node)
        return node

    def copy(self):
        """The same nodes anew, to be changed."""
        other, anew = Tape(), {None: None}
        for n in self.nodes:
            anew[n] = node = Node(n.kind, [anew[p] for p in n.parents], n.operands, n.value, n.pulls, **n.extra)
            node.site, node.number = n.site, n.number
            other.nodes.append(node)
        other.leaves, other.outputs = [anew[n] for n in self.leaves], [anew[n] for n in self.outputs]
        return other

    def gradients(self, cotangents, edits=None, only=None):
        """{node number: gradient} for every node that the outputs depend on.

        edits       {(node number, operand): function of the gradient}, rules to be used instead
        only        numbers of the nodes whose gradients matter; None: all
        """
        edits = edits or {}
        arrived = {}
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

    def gradient(self, i, cotangents, edits=None, only=None):
        """The gradient of argument i."""
        leaf = self.leaves[i]
        found = self.gradients(cotangents, edits, only).get(leaf.number)
        return np.zeros(leaf.value.shape) if found is None else np.broadcast_to(found, leaf.value.shape)


def _site():
    """The instructions that led here, from the recorded function down: (code, offset) each."""
    frame, place = sys._getframe(2), []
    while frame is not None:
        code = frame.f_code
        if code.co_name == "record" and code.co_filename.startswith(HERE):
            break
        # pytest's word for a frame that is of no interest: what only passes the call on to the function of interest.
        if not code.co_filename.startswith((HERE, NUMPY)) and "__tracebackhide__" not in code.co_varnames:
            place.append((code, frame.f_lasti, frame.f_lineno))
        frame = frame.f_back
    return tuple(place)
