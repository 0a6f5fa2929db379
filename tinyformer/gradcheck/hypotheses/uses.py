"""Uses of an array whose gradients are left out, overwritten or counted wrongly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..report import Finding
from .lost_paths import diagonal, lost_through_time
from .record import record_of
from .whole import name_of

if TYPE_CHECKING:
    from ..evidence import Evidence

MOST = 48                               # uses whose weights are solved for


def _through(tape, leaf):
    """The node whose uses count as the leaf's. If a transpose or reshape is the leaf's only use, this is its result."""
    while True:
        uses = [(n, k) for n in tape.nodes for k, p in enumerate(n.parents) if p is leaf]
        if len(uses) == 1 and uses[0][0].source is not None and uses[0][0].source.size == leaf.value.size:
            leaf = uses[0][0]
        else:
            return leaf, uses


def lost_uses(e: Evidence) -> list[Finding]:
    """The input is used several times, and the gradient of some uses is left out."""
    findings = uses(e)
    return findings if findings and set(findings[0].evidence.get("uses", ())) <= {0.0, 1.0} else []


def uses(e: Evidence) -> list[Finding]:
    """The input is used several times, but the gradient is the sum over only some of the uses."""
    record = record_of(e)
    if record is None:
        return []
    _, first = _through(record.tapes[0], record.tapes[0].leaves[e.i])
    fit = _counted(e, record, [(n, k) for n, k in first if n.number in record.reached])
    if fit is None:
        return []
    kept, c = fit
    off = [float(v) for v in c if abs(v - 1) > 1e-5]
    lost = [n for (n, _), v in zip(kept, c) if abs(v) < 1e-5]
    worst = lost or [kept[int(np.argmax(np.abs(c - 1)))][0]]
    lines = "; ".join(dict.fromkeys(record.line(n.number) for n in worst))
    evidence = {"uses": [round(float(v), 6) for v in c], "line": lines}
    if lost and all(abs(v) < 1e-5 for v in off):
        rest = [n for (n, _), v in zip(kept, c) if abs(v - 1) < 1e-5]
        # Only the last use counts: a loop that runs backward would keep the first.
        through_time = lost_through_time(e) if lost == [n for n, _ in kept[:-1]] else []
        return through_time or _left_out(e, record, lost, rest, lines, evidence)
    common = off[0] if off[0] > 0 and np.ptp(off) < 1e-5 and name_of(off[0], e) else None
    if common is not None:
        name = name_of(common, e)
        return [Finding("factor", f"{e.name} is used {len(kept)} times, and the gradient of {len(off)} of the uses "
                                  f"has a factor {common:.6g} = {name} too many ({lines})",
                        {**evidence, "factor": common, "name": name})]
    if not np.allclose(c, np.round(c), atol=1e-5):
        return []
    return [Finding("missing-term",
                    f"the gradient of {e.name} is a sum over its uses, "
                    f"and one term has the wrong sign or factor: {lines}", evidence)]


def _counted(e, record, used):
    """(uses, how often each is counted) if counts explain the gradient and are not all 1; else None."""
    if not 2 <= len(used) <= MOST:
        return None
    columns = []
    for n, k in used:
        others = [(m.number, j) for m, j in used if (m.number, j) != (n.number, k)]
        columns.append(np.concatenate([np.ravel(record.without(point, others)) for point in range(len(e.points))]))
    columns, analytic = np.array(columns).T, np.concatenate([g.ravel() for g in e.analytic])
    scale = np.max(np.abs(analytic))
    matter = np.max(np.abs(columns), axis=0) > 1e-9 * scale
    if matter.sum() < 2 or len(analytic) < 2 * matter.sum():
        return None
    c, _, rank, _ = np.linalg.lstsq(columns[:, matter], analytic, rcond=1e-9)
    fits = rank == matter.sum() and np.max(np.abs(columns[:, matter] @ c - analytic)) <= e.tol * scale
    return ([way for way, m in zip(used, matter) if m], c) if fits and not np.allclose(c, 1, atol=1e-5) else None


def _left_out(e, record, lost, rest, lines, evidence):
    """What to call uses that are left out: terms of a formula, a path such as a skip connection, or uses."""
    uses = len(lost) + len(rest)
    whole = all(np.ndim(n.value) == len(e.shape) for n in lost + rest) and diagonal(e)
    if whole and any(n.kind in ("multiply", "divide") for n in record.tapes[0].nodes
                     if n in record.tapes[0].outputs or n.kind == "multiply") and not _sum_of_branches(record):
        return [Finding("missing-term", f"the gradient of {e.name} has {uses} terms, one for each use of {e.name}, and "
                                        f"{_are(lost)} missing: {lines}", evidence)]
    if all(_identity(record, n) for n in lost) or rest and all(_identity(record, n) for n in rest):
        return [Finding("lost-path", f"{e.name} reaches the value by {uses} paths, "
                                     f"and the gradient leaves one out: {lines}", evidence)]
    return [Finding("overwrite", f"{e.name} is used {uses} times and its gradient is the sum over the uses, but "
                                 f"{_are(lost)} not counted (= instead of +=?): {lines}", evidence)]


def _are(uses):
    return f"{len(uses)} {'is' if len(uses) == 1 else 'are'}"


def _identity(record, node):
    """Whether this use passes the upstream gradient on unchanged: a skip connection."""
    return node.kind == "add" and (node in record.tapes[0].outputs or any(n.kind == "add" and node in n.parents
                                                                          for n in record.tapes[0].nodes))


def _sum_of_branches(record):
    """Whether the uses meet in a sum, such as f(x) + g(x), and not in a product, such as x σ(x)."""
    ends = [n for n in record.tapes[0].outputs if n is not None]
    return all(n.kind in ("add", "subtract", "sum", "mean") for n in ends)


def overwritten(e: Evidence) -> list[Finding]:
    """An array is cut into overlapping parts, and the gradient of one part overwrites that of another."""
    record = record_of(e)
    if record is None:
        return []
    for number in sorted(record.reached):
        used = [(n.number, k) for n in record.tapes[0].nodes for k, p in enumerate(n.parents)
                if p is not None and p.number == number and n.number in record.reached]
        parts = any(record.tapes[0].nodes[n].kind in ("getitem", "take") for n, _ in used)
        if not 2 <= len(used) <= 10 * MOST or not parts:
            continue
        for order in (used, used[::-1]):
            for once in (False, True):
                candidates = [record.gradient(point, _written_over(record.tapes[point], order, once))
                              for point in range(len(e.points))]
                if e.fits(candidates):
                    line = record.line(order[0][0])
                    return [Finding("overwrite",
                                    "the gradients of overlapping parts overwrite each "
                                    f"other (= instead of +=): {line}", {"line": line})]
    return []


def _written_over(tape, order, once):
    """Rules by which the gradient of each use overwrites what earlier uses have written."""
    edits, covered = {}, None
    for n, k in reversed(order):
        node = tape.nodes[n]
        shape, source = node.operands[k].shape, node.source
        free = np.ones(shape, bool) if covered is None else ~covered
        if source is None:
            edits[n, k] = lambda dz, pull=node.pulls[k], free=free: pull(dz) * free
            covered = np.ones(shape, bool)
            continue

        def put(dz, source=source.reshape(-1), shape=shape, free=free, pull=node.pulls[k]):
            dx = pull(dz)
            if once:
                dx = np.zeros(free.size)
                dx[source] = np.ravel(dz)
            return dx.reshape(shape) * free
        edits[n, k] = put
        reached = np.zeros(free.size, bool)
        reached[source.reshape(-1)] = True
        covered = reached.reshape(shape) | (~free)
    return edits


def duplicated(e: Evidence) -> list[Finding]:
    """Rows are taken several times, by one lookup or by many, but only one gradient or their mean is counted."""
    record = record_of(e)
    if record is None or not e.shape:
        return []
    leaf, width = record.tapes[0].leaves[e.i], e.analytic[0][0].size
    taken = [n for n in record.tapes[0].nodes if n.kind in ("getitem", "take") and n.parents[0] is leaf
             and _looked_up(n, width)]
    rows = [(n.number, place, row) for n in taken for place, row in
            enumerate(n.source.reshape(-1, width)[:, 0] // width)]
    if not rows or len({row for _, _, row in rows}) == len(rows):
        return []
    counts, lost = {row: sum(r == row for _, _, r in rows) for _, _, row in rows}, False
    arrived = [tape.gradients(p.dys) for tape, p in zip(record.tapes, e.points)]
    rest = [record.without(point, [(n.number, 0) for n in taken]) for point in range(len(e.points))]
    for row, count in counts.items():
        columns = np.array([np.concatenate([np.reshape(a[n], (-1, width))[place] for a in arrived])
                            for n, place, r in rows if r == row]).round(12).T
        # several places may get the same
        left, which, times = np.unique(columns, axis=1, return_inverse=True, return_counts=True)
        right = np.concatenate([np.ravel((g - t)[row]) for g, t in zip(e.analytic, rest)])
        c, _, rank, _ = np.linalg.lstsq(left, right, rcond=1e-9)
        off = np.max(np.abs(left @ c - right)) > e.tol * max(np.max(np.abs(g)) for g in e.analytic)
        if rank < len(c) or len(right) <= len(c) or off:
            return []
        whole = np.round(c)
        last = whole[which.ravel()[-1]] > 0                 # what is written last remains
        some = last and np.allclose(c, whole, atol=1e-5) and (whole >= 0).all() and (whole <= times).all()
        if not some and not np.allclose(c, times / count, atol=1e-5):
            return []
        lost = lost or not np.allclose(c, times, atol=1e-5)
    if not lost:
        return []
    return [Finding("duplicate-index",
                    f"rows of {e.name} that are taken several times must get the sum of their gradients "
                    f"(np.add.at): {record.line(taken[0].number)}",
                    {"line": record.line(taken[0].number)})]


def _looked_up(node, width):
    """Whether the node takes whole rows by an array of indices."""
    index = node.options.get("index", np.zeros(0, int))
    index = index[0] if isinstance(index, tuple) and index else index
    source = node.source
    return isinstance(index, (np.ndarray, np.integer)) and np.asarray(index).dtype.kind in "iu" \
        and source.size % width == 0 \
        and (source.reshape(-1, width) == source.reshape(-1, width)[:, :1] + np.arange(width)).all() \
        and (source.reshape(-1, width)[:, 0] % width == 0).all()
