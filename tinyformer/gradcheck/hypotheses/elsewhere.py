"""The backward pass of one step starts from a gradient that belongs to another place of the graph.

For each step, the gradient that arrives there is replaced by what arrives at another step of the same shape, or by the
part that comes from one of its uses.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from ..report import Finding
from .record import record_of
from .wrong_step import tables_of

if TYPE_CHECKING:
    from ..evidence import Evidence

MOST = 400                      # pairs of loops that are tried
RULES = 400                     # wrong rules that are tried on single uses


def elsewhere(e: Evidence) -> list[Finding]:
    """The gradient that arrives at one step is that of another step."""
    record = record_of(e)
    if record is None or record.maps is None:
        return []
    tape, arrived, maps = record.tapes[0], record.arrived_at(0), record.maps
    off = np.ravel(e.analytic[0] - record.right[0])
    numbers = [n for n in sorted(record.reached) if n in arrived]
    for n in numbers:
        own = np.broadcast_to(arrived[n], tape.nodes[n].value.shape)
        for m in numbers + [step.number for step in tape.outputs if step is not None]:
            if m == n or m not in arrived or tape.nodes[m].value.shape != tape.nodes[n].value.shape:
                continue
            other = np.broadcast_to(arrived[m], tape.nodes[m].value.shape)
            if _close(e, maps[n] @ np.ravel(other - own), off) and _everywhere(e, record, {n: m}):
                return [_finding(e, record, n, m)]
            ways = [k for k, p in enumerate(tape.nodes[n].parents) if p is not None and p.number in maps]
            for k in ways if len(ways) > 1 else ():         # for one operand alone
                parent = tape.nodes[n].parents[k]
                change = np.broadcast_to(tape.nodes[n].pulls[k](other) - record.share(0, n, k), parent.value.shape)
                if _close(e, maps[parent.number] @ np.ravel(change), off) and all(e.same([record.gradient(point, {
                        (n, k): functools.partial(_instead, record, point, n, k, m)})], [e.analytic[point]])
                        for point in range(len(e.points))):
                    return [_finding(e, record, n, m)]
    groups = [sorted(g) for g in record.sites if len(g) > 1 and set(g) & record.reached]
    pairs = [(a, b, shift) for a in groups for b in groups for shift in (0, 1, -1)
             if len(a) == len(b) and (a is not b or shift)
             and tape.nodes[a[0]].value.shape == tape.nodes[b[0]].value.shape]
    for a, b, shift in pairs[:MOST]:
        redirected = {n: b[j + shift] for j, n in enumerate(a) if 0 <= j + shift < len(b)}
        if _everywhere(e, record, redirected):
            return [_finding(e, record, a[0], redirected.get(a[0], b[0]))]
    return _operands_elsewhere(e, record, groups)


def _operands_elsewhere(e, record, groups):
    """In a loop, one operand of a step gets its gradient from what arrives at another step of the same iteration."""
    nodes, tried = record.tapes[0].nodes, 0
    for (_, _, k), a in record.groups.items():
        size = nodes[a[0]].value.size
        for b in [b[::way] for b in groups for way in (1, -1)] if len(a) > 1 and len(nodes[a[0]].parents) > 1 else ():
            if len(a) != len(b) or a[0] in b or nodes[b[0]].value.size != size or tried > MOST:
                continue
            tried += 1
            if all(e.same([record.gradient(point, {(n, k): functools.partial(_instead, record, point, n, k, m)
                                                   for n, m in zip(a, b) if m in record.arrived_at(point)})],
                          [e.analytic[point]]) for point in range(len(e.points))):
                return [_finding(e, record, a[0], b[0])]
    return []


def one_use(e: Evidence) -> list[Finding]:
    """A step has several uses, and the rule of the step is wrong, or left out, for the gradient from one of them."""
    record = record_of(e)
    if record is None or record.maps is None:
        return []
    tape, arrived, maps, tried = record.tapes[0], record.arrived_at(0), record.maps, 0
    off = np.ravel(e.analytic[0] - record.right[0])
    uses: dict[int, list[tuple[int, int]]] = {}
    for step in tape.nodes:
        for k, p in enumerate(step.parents):
            if p is not None and {p.number, step.number} <= record.reached and step.number in arrived:
                uses.setdefault(p.number, []).append((step.number, k))
    for n, ways in uses.items():
        if not 2 <= len(ways) <= 6:
            continue
        for way in ways:
            share = record.share(0, *way)
            if _close(e, -maps[n] @ np.ravel(share), off):
                continue                                    # a lost path, which another hypothesis reports
            for k, parent in enumerate(tape.nodes[n].parents):
                if parent is None or parent.number not in maps or tried > RULES:
                    continue
                right = tape.nodes[n].pulls[k](share)
                for key, (codes, says, pull) in tables_of(record, 0, [n], k)[0].items():
                    tried += 1
                    try:
                        change = np.ravel(np.broadcast_to(pull(share) - right, parent.value.shape))
                    except ValueError:                      # the rule does not take this shape
                        continue
                    if _close(e, maps[parent.number] @ change, off) and _at_all_points(e, record, n, k, way, key):
                        line = record.line(n)
                        return [Finding(code, f"{says}, in the gradient from one of the {len(ways)} uses of its result "
                                              f"({line})", {"line": line}) for code in codes]
    return []


def _at_all_points(e, record, n, k, way, key):
    for point in range(1, len(e.points)):
        share, pull = record.share(point, *way), tables_of(record, point, [n], k)[0].get(key)
        if pull is None:
            return False
        step = record.tapes[point].nodes[n]
        change = pull[2](share) - step.pulls[k](share)
        gradient = record.gradient(point, {(n, k): lambda dz, change=change, step=step: step.pulls[k](dz) + change})
        if not e.same([gradient], [e.analytic[point]]):
            return False
    return True


def _close(e, change, off):
    scale = np.max(np.abs(e.analytic[0]))
    return np.max(np.abs(change - off)) <= e.tol * scale


def _instead(record, point, n, k, m, _):
    """What operand k of step n gets from the gradient of step m."""
    nodes = record.tapes[point].nodes
    own = np.broadcast_to(record.arrived_at(point)[m], nodes[m].value.shape)
    return nodes[n].pulls[k](own.reshape(nodes[n].value.shape))


def _everywhere(e, record, redirected):
    try:
        gradients = (record.redirected(point, redirected) for point in range(len(e.points)))
        return all(g.shape == e.shape and e.same([g], [a]) for g, a in zip(gradients, e.analytic))
    except ValueError:                                      # the gradients of two steps of a loop differ in shape
        return False


def _finding(e, record, n, m):
    nodes = record.tapes[0].nodes
    uses = sum(p is not None and p.number == n and step.number in record.reached
               for step in nodes for p in step.parents)
    after = _after(record, n)
    here, there = record.line(n), record.line(m)
    evidence = {"line": here, "other": there}
    if m in after and uses > 1:
        return Finding("lost-path", f"the result of {nodes[n].kind} is used {uses} times, but the backward pass takes "
                                    f"only the gradient of {nodes[m].kind} for it ({here})", evidence)
    if m in after:
        return Finding("local-derivative", f"the steps between {nodes[n].kind} and {nodes[m].kind} are left out: the "
                                           f"backward pass goes from {nodes[m].kind} to {nodes[n].kind} directly "
                                           f"({here})", evidence)
    return Finding("operand", f"the backward pass of {nodes[n].kind} ({here}) uses the gradient of {nodes[m].kind} "
                              f"({there})", evidence)


@functools.lru_cache(maxsize=8)
def _after(record, n):
    """The numbers of the steps that depend on step n."""
    found = {n}
    for step in record.tapes[0].nodes[n + 1:]:
        if any(p is not None and p.number in found for p in step.parents):
            found.add(step.number)
    return found - {n}
