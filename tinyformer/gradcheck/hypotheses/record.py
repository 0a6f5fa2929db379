"""The recorded forward passes at all points, in which the hypotheses exchange rules."""

from __future__ import annotations

import functools
import linecache

import numpy as np

from ..function_forms import copies
from ..tape import REDUCING
from .fused import fuse

MAPPED = 2_000_000              # entries of all matrices that a record keeps


class Record:
    """The tapes of all points, and the steps that input i passes through.

    fused       whether each known operation (sigmoid, softmax, normalization, rotation) is one node
    right       the true gradient of input i at each point
    reached     numbers of the nodes between input i and the outputs
    groups      {(kind, site, operand): numbers of the nodes}: one group holds the iterations of a loop, another one all
                calls of a helper
    """

    def __init__(self, e, fused):
        self.e, self.tapes, self.tables, self.within = e, [p.tape for p in e.points], {}, not fused
        for k, p in enumerate(e.points):
            if p.tape.fused is None:
                p.tape.plain = _without_stores(_without_shifts(p.tape.copy(), e.i, p.dys))
                p.tape.fused = fuse(p.tape.plain.copy())
            self.tapes[k] = p.tape.fused if fused else p.tape.plain
        self.arrived, self.shares, self.apart, self.draws, self.hits = {}, {}, {}, [], None
        self.loops = None
        self.right = [t.gradient(e.i, p.dys) for t, p in zip(self.tapes, e.points)]
        first = self.tapes[0]
        reached = {first.leaves[e.i].number}
        for node in first.nodes:
            if any(p is not None and p.number in reached for p in node.parents):
                reached.add(node.number)
        needed, stack = set(), [n for n in first.outputs if n is not None]
        while stack:
            node = stack.pop()
            if node.number not in needed:
                needed.add(node.number)
                stack += [p for p in node.parents if p is not None]
        self.reached = reached & needed
        groups = {}
        for node in first.nodes:
            if node.number in self.reached:
                for k, parent in enumerate(node.parents):
                    if parent is not None and parent.number in self.reached:
                        groups.setdefault((node.kind, node.site, k), []).append(node.number)
        by_line = {}                                        # of a helper that is called at several places
        for (kind, site, k), numbers in groups.items():
            by_line.setdefault((kind, ("everywhere", *site[:1]), k), []).append(numbers)
        groups.update({key: sorted(n for numbers in several for n in numbers) for key, several in by_line.items()
                       if len(several) > 1})
        self.groups = groups
        sites = {}
        for node in first.nodes:
            if node.kind not in ("input", "constant"):      # including steps within a known operation
                sites.setdefault((node.kind, node.site), []).append(node.number)
        self.sites = list(sites.values())

    def tried(self, numbers):
        """Whether the fused tape has the same steps, so that they were tried there already."""
        fused = self.e.records[True] if self.within else None
        return fused is not None and all(n in fused.reached
                                         and fused.tapes[0].nodes[n].kind == self.tapes[0].nodes[n].kind
                                         for n in numbers)

    def arrived_at(self, point):
        """{step number: the true gradient that arrives there} at a point."""
        if point not in self.arrived:
            self.arrived[point] = self.tapes[point].gradients(self.e.points[point].dys, only=self.reached)
            self.shares[point] = {}
        return self.arrived[point]

    def share(self, point, n, k):
        """The gradient that operand k of step n gets from this step alone."""
        arrived, shares = self.arrived_at(point), self.shares[point]
        if (n, k) not in shares:
            shares[n, k] = self.tapes[point].nodes[n].pulls[k](arrived[n])
        return shares[n, k]

    def gradient(self, point, edits):
        """The gradient of input i at this point, with some rules exchanged: ``edits`` as in ``Tape.gradients``."""
        tape, arrived = self.tapes[point], self.arrived_at(point)
        if point or self.maps is None or not self._apart(edits):
            change = tape.change(self.e.i, arrived, self.shares[point], edits, self.reached)
            return self.right[point] + change
        change = 0.0
        for (n, k), pull in edits.items():
            parent = tape.nodes[n].parents[k]
            if n in arrived and parent is not None and parent.number in self.maps:
                dx = np.broadcast_to(pull(arrived[n]) - self.share(0, n, k), parent.value.shape)
                change = change + self.maps[parent.number] @ dx.ravel()
        return self.right[point] + np.reshape(change, self.e.shape if np.ndim(change) else ())

    def redirected(self, point, places):
        """The gradient if each step of ``places`` starts from what arrives at another step, {number: other number}."""
        found = self.tapes[point].gradients(self.e.points[point].dys, only=self.reached, places=places)
        leaf = self.tapes[point].leaves[self.e.i]
        return np.broadcast_to(found.get(leaf.number, 0.0), leaf.value.shape)

    @functools.cached_property
    def maps(self):
        """{step number: matrix (entries of the input, entries of the step)} at the first point.

        A matrix maps the gradient of a step to that of the input. With it, one exchanged rule costs one product. None
        if the steps are too large.
        """
        tape, leaf = self.tapes[0], self.tapes[0].leaves[self.e.i]
        if leaf.value.size * sum(tape.nodes[n].value.size for n in self.reached) > MAPPED:
            return None
        maps = {leaf.number: np.eye(leaf.value.size)}
        for n in sorted(self.reached - {leaf.number}):
            step, total = tape.nodes[n], 0.0
            ways = [(k, p) for k, p in enumerate(step.parents) if p is not None and p.number in self.reached]
            if step.slopes is not None and step.kind not in REDUCING and all(
                    p.value.shape == step.value.shape for _, p in ways):
                total = sum(maps[p.number] * np.broadcast_to(step.slopes[k], step.value.shape).ravel() for k, p in ways)
            elif step.source is not None and step.source.min(initial=0) >= 0:
                total = maps[ways[0][1].number][:, step.source.ravel()]
            else:
                pulled = [step.pull_back(one.reshape(step.value.shape)) for one in np.eye(step.value.size)]
                total = sum(maps[p.number] @ np.array([np.broadcast_to(each[k], p.value.shape).ravel()
                                                       for each in pulled]).T for k, p in ways)
            maps[n] = total
        return maps

    def drawn(self, count):
        """``count`` random upstream gradients at the first point: (what arrives at each step, learner's − true)."""
        p, rng = self.e.points[0], np.random.default_rng(len(self.draws))
        while len(self.draws) < count:
            dys = [rng.standard_normal(d.shape) for d in p.dys]
            arrived = self.tapes[0].gradients(dys, only=self.reached)
            off = np.asarray(p.pull(copies(dys))[self.e.i], np.float64) - arrived[self.tapes[0].leaves[self.e.i].number]
            self.draws.append((arrived, np.ravel(off)))
        return self.draws[:count]

    def _apart(self, edits):
        """Whether no edited step comes before another one, so that their changes add up."""
        if len({n for n, _ in edits}) < 2:
            return True
        key = frozenset(n for n, _ in edits)
        if key not in self.apart:
            nodes, before = self.tapes[0].nodes, set()
            for n in range(max(key), -1, -1):
                if n in key or n in before:
                    before |= {p.number for p in nodes[n].parents if p is not None}
            self.apart[key] = not key & before
        return self.apart[key]

    def without(self, point, ways):
        """The gradient at this point without the paths through these (node, operand) pairs."""
        nodes = self.tapes[point].nodes
        return self.gradient(point, {(n, k): (lambda dz, shape=np.shape(nodes[n].operands[k]): np.zeros(shape))
                                     for n, k in ways})

    def alike(self):
        """Whether the tapes of all points have the same steps."""
        return all([n.kind for n in t.nodes] == [n.kind for n in self.tapes[0].nodes] for t in self.tapes)

    def pool(self, point, numbers):
        """For each of these steps, the other arrays available there; in a loop, those of the same iteration.

        A loop's line that runs more often than these steps counts from its first and from its last iteration. One that
        runs once, before or after the loop, counts in every iteration.
        """
        nodes, n = self.tapes[point].nodes, len(numbers)
        columns = [[node.value] * n for node in nodes if node.kind == "input"]
        for group in self.sites:
            if len(group) == n:
                many = [group]
            elif len(group) == 1:
                many = [group * n]
            else:
                many = [group[-1:]] if n == 1 else [group[:n], group[-n:]] if len(group) == n + 1 else []
            for steps in many:
                columns.append([nodes[k].value for k in steps])
                for operand in range(min(len(nodes[k].operands) for k in steps)):
                    if all(isinstance(nodes[k].operands[operand], np.ndarray) for k in steps):
                        columns.append([nodes[k].operands[operand] for k in steps])
            taken = nodes[group[0]].kind == "getitem" and len(group) == n > 1
            for leaf in nodes if taken else ():             # the same places of another input
                if leaf.kind == "input" and leaf.value.shape == nodes[group[0]].operands[0].shape \
                        and leaf is not nodes[group[0]].parents[0]:
                    columns.append([np.asarray(leaf.value[nodes[k].options["index"]]) for k in group])
        seen, kept = set(), []
        for column in columns:
            if column[-1].dtype.kind in "fb" and tuple(map(id, column)) not in seen:
                seen.add(tuple(map(id, column)))
                kept.append(column)
        return [[column[j] * 1.0 if column[j].dtype == bool else column[j] for column in kept] for j in range(n)]

    def line(self, number):
        """The line of the learner's code that made a node, such as "line 4: y = np.tanh(z)"."""
        site = self.tapes[0].nodes[number].site
        for code, _, lineno in site[-1:]:
            text = linecache.getline(code.co_filename, lineno).strip()
            return f"line {lineno}" + (f": {text}" if text else "")
        return ""


def _without_shifts(tape, i, dys):
    """The tape with each maximum that is subtracted only against overflow, as in a softmax, made a constant."""
    right = tape.gradient(i, dys)
    for node in tape.nodes:
        if node.kind == "max" and node.parents[0] is not None:
            kept, node.parents = node.parents, [None]
            if np.max(np.abs(tape.gradient(i, dys) - right), initial=0) > 1e-12 * np.max(np.abs(right), initial=0):
                node.parents = kept
    return tape


def _without_stores(tape):
    """The tape with each ``h[t]`` that reads what ``h[t] = value`` has written made a step of this value."""
    for node in tape.nodes:
        index = node.options.get("index") if node.kind == "getitem" else None
        at = node.parents[0] if isinstance(index, int) else None
        while at is not None and at.kind == "written" and isinstance(at.options["index"], int):
            value, made = at.parents[1], at.options["index"]
            if made == index:
                if value is not None and value.value.shape == node.value.shape:
                    node.becomes("getitem", value, lambda dz: dz, index=...)
                    node.source = np.arange(value.value.size).reshape(value.value.shape)
                break
            if made % len(at.value) == index % len(at.value):
                break
            at = at.parents[0]
    return tape


def record_of(e, fused=True):
    """The Record, or None if the forward pass could not be recorded.

    Without ``fused`` every NumPy step is its own node.
    """
    if fused not in e.records:
        e.records[fused] = None
        if len(e.points) > 1 and all(p.tape is not None for p in e.points):
            record = Record(e, fused)
            if record.alike() and e.same(record.right, e.true) and (fused or any(
                    a.kind != b.kind for t, p in zip(record.tapes, e.points) for a,
                    b in zip(t.nodes, p.tape.fused.nodes))):
                e.records[fused] = record
    return e.records[fused]
