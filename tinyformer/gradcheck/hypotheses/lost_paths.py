"""Paths between two steps that are left out or have a wrong factor: through time, or through a branch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..report import Finding
from .loops import loops
from .record import record_of
from .whole import multiple, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..evidence import Evidence


class Way(NamedTuple):
    """Steps of one kind and line, through one operand of which a path leads: all, or some iterations of a loop."""

    key: tuple[Any, ...]
    kind: str
    operand: int
    chosen: list[int]
    all: list[int]


def _ways(record) -> Iterator[Way]:
    nodes, leaf = record.tapes[0].nodes, record.tapes[0].leaves[record.e.i].number
    for (kind, site, operand), numbers in record.groups.items():
        inner = [n for n in numbers if nodes[n].parents[operand].kind != "input"]
        others = [n for n in numbers if nodes[n].parents[operand].number != leaf]
        for which, chosen in enumerate((numbers, inner, others, numbers[1:], numbers[:-1], *_nested(record, numbers))):
            if chosen:
                yield Way((kind, site, operand, which), kind, operand, chosen, numbers)


def _nested(record, numbers):
    """In a loop over time within one over examples: all iterations but the first, or the last, of each inner loop."""
    sizes = sorted({n for a in record.e.points[0].arrays for n in np.shape(a) if 1 < n < len(numbers)})
    for n in sizes:
        if len(numbers) % n == 0:
            yield [k for j, k in enumerate(numbers) if j % n]
            yield [k for j, k in enumerate(numbers) if j % n != n - 1]


def lost_before(e: Evidence) -> list[Finding]:
    """The path that is also left out in the gradient of another input."""
    record = record_of(e)
    return _lost(e, record, [way for way in _ways(record) if way.key in e.known]) if record else []


def lost_branch(e: Evidence) -> list[Finding]:
    """One of the paths that leave an intermediate result is left out."""
    record = record_of(e)
    return _lost(e, record, [way for way in _ways(record) if len(way.all) == 1
                             and way.chosen[0] in record.arrived_at(0) and not _square(record, way)],
                 factors=False) if record else []


def _square(record, way):
    """Whether another path from the same start has the same gradient, as in x ⊙ x: then a factor 2 is missing."""
    nodes, number = record.tapes[0].nodes, way.chosen[0]
    start = nodes[number].parents[way.operand]
    others = [(n, k) for n in record.reached for k, p in enumerate(nodes[n].parents)
              if p is start and (n, k) != (number, way.operand) and n in record.arrived_at(0)]
    share = record.share(0, number, way.operand)
    return any(np.allclose(record.share(0, *other), share, rtol=1e-9) for other in others)


def lost_path(e: Evidence) -> list[Finding]:
    """A path between two steps, through time or through a branch, is left out or has the wrong factor."""
    record = record_of(e)
    return _lost(e, record, _ways(record)) if record else []


def lost_through_time(e: Evidence) -> list[Finding]:
    """A path from one iteration of a loop to the next is left out or has the wrong factor."""
    record = record_of(e)
    return _lost(e, record, [way for way in _ways(record) if _carried(record, way)]) if record else []


def _carried(record, way):
    """Whether the way leads from each iteration of a loop to the next one, by a state and not by a row of the value."""
    nodes, n = record.tapes[0].nodes, way.all[-1]
    made = nodes[n].parents[way.operand].number
    return len(way.all) > 1 and way.kind != "written" and any(
        0 <= loop.iteration(made) < loop.iteration(n) for loop in loops(record) if n in loop.steps)


def _direct(record, way):
    """Whether the way begins at the input itself, or at a part of it."""
    nodes, leaf = record.tapes[0].nodes, record.tapes[0].leaves[record.e.i]

    def origin(node):
        return origin(node.parents[0]) if node is not leaf and node.source is not None else node
    return all(origin(nodes[n].parents[way.operand]) is leaf for n in way.chosen)


def _lost(e, record, ways, factors=True):
    """The first way that is left out; else, with ``factors``, the first one that has a wrong factor with a name."""
    nodes, children = record.tapes[0].nodes, {}
    for n in record.reached:
        for p in nodes[n].parents:
            if p is not None:
                children[p.number] = children.get(p.number, 0) + 1
    scale, scaled = max(np.max(np.abs(r)) for r in record.right), None
    for way in ways:
        parents = [nodes[n].parents[way.operand].number for n in way.chosen]
        step = nodes[way.chosen[0]]
        term = step.kind in ("add", "subtract", "concatenate") and sum(
            p is not None and p.number in record.reached for p in step.parents) > 1
        if len(way.all) == 1 and not term and not any(children[p] > 1 for p in parents):
            continue                                        # the only path: a factor of the whole gradient
        without = [record.without(point, [(n, way.operand) for n in way.chosen]) for point in range(len(e.points))]
        share = [r - w for r, w in zip(record.right, without)]
        if any(max(np.max(np.abs(g)) for g in part) < 1e-6 * scale for part in (share, without)):
            continue
        if e.fits(without):
            return _found(e, record, way, 0.0)
        b = multiple(e, [g - w for g, w in zip(e.analytic, without)], share) if factors and scaled is None else None
        if b is not None and abs(b - 1) > 1e-5 and e.analytic[0].size > 2 and (
                any(abs(b - v) < 1e-5 for v in (-1, 2, 0.5, -2)) or name_of(abs(b), e)):
            scaled = way, b
    return _found(e, record, *scaled) if scaled else []


def _found(e, record, way, factor):
    e.known.add(way.key)
    tape, first = record.tapes[0], way.chosen[0]
    parent, line = tape.nodes[first].parents[way.operand].number, record.line(first)
    branch = len(way.all) == 1 and parent != tape.leaves[e.i].number and _of_a_formula(tape, first, parent)
    how = f"has the factor {factor:.4g}, expected 1" if factor else "is left out"
    if not factor and any(n.kind in ("where", "maximum", "minimum") and None not in n.parents for n in tape.nodes
                          if tape.nodes[first] in n.parents):
        return [Finding("dropped", f"the gradient of one of the two operands that a step selects from is left out "
                                   f"({line})", {"line": line})]
    written_over = not factor and len(way.chosen) < len(way.all) and _direct(record, way)
    return [Finding("overwrite" if written_over else "missing-term" if factor or branch or diagonal(e) else "lost-path",
                    f"in the gradient of {e.name}, the path through {way.kind} {how} ({line})",
                    {"line": line, "step": way.kind, "factor": factor})]


def _of_a_formula(tape, number, branch):
    """Whether the path from a branch through this node meets the others in a product or elementwise sum."""
    mine, others, entries = {number}, {branch}, tape.nodes[branch].value.shape
    for n in tape.nodes[branch + 1:]:
        above = {p.number for p in n.parents if p is not None}
        if n.number != number and above & mine and above & others:
            way = [tape.nodes[k] for k in mine | others - {branch}] + [n]
            term = all(step.slopes is not None and step.value.shape == entries for step in way) and branch not in above
            return n.kind in ("multiply", "divide", "power", "matmul", "einsum") or term
        if above & mine:
            mine.add(n.number)
        elif above & others and n.number != number:
            others.add(n.number)
    return False


def diagonal(e: Evidence) -> bool:
    """Whether the function is elementwise: its true Jacobian is square and diagonal."""
    if not e.small or any(v.shape != e.shape for v in e.points[0].values):
        return False
    right = e.jacobians()[1]
    square = right.shape[0] == right.shape[1]
    return square and np.max(np.abs(right - np.diag(np.diag(right)))) <= 1e-8 * np.max(np.abs(right))
