"""Loops whose backward pass uses the values of another iteration, or visits the iterations in the wrong order.

A loop is recognized by its lines: steps that the same lines made equally often, in turns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...graph import unbroadcast
from ..report import Finding
from .record import record_of

if TYPE_CHECKING:
    from ..evidence import Evidence


class Loop(NamedTuple):
    """starts: the number of the first step of each iteration; groups: for each line, its step in each iteration."""

    starts: list[int]
    groups: list[list[int]]

    def iteration(self, number):
        """The iteration that a step belongs to; −1 before the loop."""
        return int(np.searchsorted(self.starts, number, side="right")) - 1

    @property
    def steps(self):
        """{step: the steps of its line}"""
        return {n: group for group in self.groups for n in group}


def loops(record):
    """The loops of the record, from the lines that run equally often."""
    if record.loops is None:
        by_length, record.loops = {}, []
        for group in record.sites:
            if len(group) > 1:
                by_length.setdefault(len(group), []).append(sorted(group))
        for n, groups in by_length.items():
            while groups:
                first = min(groups)
                inside = [g for g in groups if all(first[j] <= g[j] and (j == n - 1 or g[j] < first[j + 1])
                                                   for j in range(n))]
                if len(inside) > 1:
                    record.loops.append(Loop([min(g[j] for g in inside) for j in range(n)], inside))
                groups = [g for g in groups if g not in inside]
    return record.loops


OTHERS = [("the previous iteration", lambda j, n: j - 1), ("the next iteration", lambda j, n: min(j + 1, n - 1)),
          ("the last iteration", lambda j, n: -1), ("the first iteration", lambda j, n: 0),
          ("the iteration at the same distance from the end", lambda j, n: n - 1 - j)]


def other_iterations(record):
    """All rules of an iteration are those of another one, as if the loop read the cache of another step."""
    for loop in loops(record):
        nodes = record.tapes[0].nodes
        used = [(g, k) for g in loop.groups for k in range(len(nodes[g[0]].operands))
                if all(nodes[n].parents[k] is not None or nodes[n] is nodes[g[0]] for n in g) and record.reached & {*g}
                and len({np.shape(nodes[n].operands[k]) for n in g} | {nodes[n].value.shape for n in g}) <= 2]
        for name, other in OTHERS:
            def edits_at(point, used=used, other=other):
                nodes = record.tapes[point].nodes
                return {(n, k): nodes[g[other(j, len(g))]].pulls[k] for g, k in used for j, n in enumerate(g)
                        if nodes[n].source is None and nodes[n].kind != "written"}
            turned = name == OTHERS[-1][0]
            yield edits_at, ("lost-path",) if turned else ("operand",), \
                "the backward pass of a loop must begin with the last iteration, but it begins with the first" \
                if turned else f"the backward pass of a loop uses the values of {name}", loop.groups[0][0]


def other_states(record):
    """The backward pass of an iteration computes its values again, from the state after it in place of that before."""
    nodes = record.tapes[0].nodes
    for loop in loops(record):
        steps, states = loop.steps, {}
        for group in loop.groups:
            for k in range(len(nodes[group[0]].operands)):
                made = [nodes[n].parents[k] for n in group[1:]] if all(len(nodes[n].parents) > k for n in group) else []
                if made and all(p is not None for p in made) and steps.get(made[0].number, [])[:-1] == [
                        p.number for p in made]:
                    states.setdefault(tuple(steps[made[0].number]), []).append((group, k))
        for made, uses in states.items():
            for old, what, pick in (
                    (True, "the state after the step in place of the state before it", lambda v, j: v[j + 1]),
                    (True, "the state of one step earlier", lambda v, j: v[j - 1]),
                    (True, "the last state", lambda v, j: v[-1]),
                    (False, "the state before the step in place of the state after it", lambda v, j: v[j]),
                    (False, "the last state", lambda v, j: v[-1])):
                for whole in (False, True):
                    def edits_at(point, how=(loop, made, uses, old, pick, whole)):
                        return _again(record.tapes[point], *how)
                    yield edits_at, ("operand",), f"the backward pass of a loop uses {what}", made[0]


def _again(tape, loop, made, uses, old, pick, whole):
    """The rules of the steps of each iteration, computed again from another state.

    Without ``whole`` the states themselves keep their values.
    """
    group, k = uses[0]
    reads = [g for g, _ in uses if tape.nodes[g[0]].kind == "getitem"]      # h[t], whose value is the state
    first = tape.nodes[group[0]]
    states = [first.value if reads else first.operands[k], *(tape.nodes[n].value for n in made)]
    edits = {}
    for j, start in enumerate(loop.starts):
        values = {} if old else {made[j]: pick(states, j)}
        given = {(g[j], i): pick(states, j) for g, i in uses} if old and not reads else {}
        values.update({g[j]: pick(states, j) for g in reads} if old else {})
        end = loop.starts[j + 1] if j + 1 < len(loop.starts) else len(tape.nodes)
        for step in tape.nodes[start:end]:
            if step.node is None and step.kind == "getitem" and step.number not in values \
                    and step.parents[0].number in values:
                values[step.number] = values[step.parents[0].number]
            before = not old and step.number <= made[j]
            if step.node is None or step.number in values or step.kind == "written" or before:
                continue
            other = {i: given.get((step.number, i), values.get(p.number) if p is not None else None)
                     for i, p in enumerate(step.parents)}
            other = {i: v for i, v in other.items() if v is not None}
            args, options = step.node.call
            operands = list(args[step.part])
            if not other or len(operands) != len(step.parents):
                continue
            for i, v in other.items():
                if np.shape(operands[i]) != np.shape(v):
                    return None
                operands[i] = v
            full = list(args)
            full[step.part] = operands
            value, vjp = step.node.operation.raw(*full, **options)
            if whole or step.number not in made:
                values[step.number] = value
            for i, dx in enumerate(_all(vjp(np.zeros(step.value.shape)), step.part)):
                if step.parents[i] is not None and dx is not None:
                    edits[step.number, i] = _rule(vjp, step.part, i, np.shape(operands[i]))
    return edits


def _all(gradients, part):
    return list(gradients[part] if isinstance(gradients, tuple) else (gradients,))


def _rule(vjp, part, i, shape):
    return lambda dz: unbroadcast(np.asarray(_all(vjp(np.asarray(dz)), part)[i]), shape)


def unreversed(e: Evidence) -> list[Finding]:
    """The backward pass visits the iterations of a loop from the first to the last, and carries the gradient along."""
    record = record_of(e)
    for loop in loops(record) if record else ():
        try:
            candidates = [_forward(record.tapes[point], e, loop, p.dys) for point, p in enumerate(e.points)]
        except (ValueError, KeyError):                      # the iterations differ, or have no carried state
            continue
        if e.fits(candidates):
            line = record.line(loop.groups[0][0])
            return [Finding("lost-path", f"the backward pass of a loop must begin with the last iteration, but it "
                                         f"begins with the first: gradients of states come from the wrong side "
                                         f"({line})",
                            {"line": line})]
    return []


def _forward(tape, e, loop, dys):
    """The gradient of input i if the backward pass visits the iterations of the loop in the order of the forward pass.

    What an iteration gives to the state before it enters the next iteration, at the state after it.
    """
    nodes, leaf, steps, last = tape.nodes, tape.leaves[e.i].number, loop.steps, max(max(g) for g in loop.groups)
    arrived = {}

    def give(number, dx):
        arrived[number] = arrived[number] + dx if number in arrived else dx
    for step, dy in zip(tape.outputs, dys):
        if step is not None:
            give(step.number, dy)

    def back(numbers, carried=None):
        for n in numbers:
            step = nodes[n]
            if n in arrived and step.parents:
                for k, dx in enumerate(step.pull_back(arrived[n])):
                    p = step.parents[k]
                    if dx is None or carried is None and p is None:
                        continue
                    if carried is not None and (n, k) in carried:
                        to = carried[n, k]
                        if to is not None:
                            give(to, dx)
                    elif p is not None:
                        give(p.number, dx)
    stores = {n for n in range(loop.starts[0], last + 1) if nodes[n].kind == "written"}
    back(range(len(nodes) - 1, last, -1))
    back(sorted(stores, reverse=True))                      # the rows of the value, which every iteration reads
    found = False
    for j, start in enumerate(loop.starts):
        end = loop.starts[j + 1] if j + 1 < len(loop.starts) else last + 1
        carried = {}
        for g in loop.groups:
            for k in range(len(nodes[g[1]].parents) if g[0] not in stores else 0):
                made = nodes[g[1]].parents[k]
                if made is not None and loop.iteration(made.number) == 0 and made.number in steps:
                    found = True
                    carried[g[j], k] = steps[made.number][j + 1] if j + 1 < len(loop.starts) else None
        back([n for n in range(end - 1, start - 1, -1) if n not in stores], carried)
    if not found:
        raise ValueError("no state is carried")
    back(range(loop.starts[0] - 1, -1, -1))
    return np.broadcast_to(arrived[leaf], nodes[leaf].value.shape)
