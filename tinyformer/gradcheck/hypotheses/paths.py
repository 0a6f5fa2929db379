"""Mistakes at one place of the forward pass, tried on its record: a wrong rule for a step, a path left out, a use not counted."""

from __future__ import annotations

import itertools

import numpy as np

from ..report import Finding
from .fused import fuse
from .steps import mistakes
from .whole import multiple, name_of

# Where several explanations fit alike, the one with the more telling name is given.
TELLING = ("softmax-diagonal", "mean-term", "variance-term", "rotation", "duplicate-index", "gate-order", "mask", "inverted-mask",
           "unbroadcast", "head-order", "transpose", "permuted", "operand", "reduction", "sign", "missing-term", "local-derivative")


class Record:
    """The tapes of all points, their known operations made one node each; and the steps that input i passes through."""

    def __init__(self, e):
        self.e, self.tapes = e, [p.tape for p in e.points]
        for tape in self.tapes:
            if not getattr(tape, "fused", False):
                fuse(tape)
                tape.fused = True
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
        self.groups = groups                                # (kind, site, operand) → numbers of nodes
        sites = {}
        for node in first.nodes:
            if node.kind not in ("input", "constant") and node.number in needed:
                sites.setdefault((node.kind, node.site), []).append(node.number)
        self.sites = list(sites.values())

    def gradient(self, point, edits):
        return self.tapes[point].gradient(self.e.i, self.e.points[point].dys, edits, self.reached)

    def alike(self):
        """Whether all points recorded the same steps."""
        return all([n.kind for n in t.nodes] == [n.kind for n in self.tapes[0].nodes] for t in self.tapes)

    def pool(self, point, numbers):
        """For each of these nodes, the other arrays at hand there: of the same turn, where they are the turns of a loop."""
        nodes = self.tapes[point].nodes
        columns = [[n.value] * len(numbers) for n in nodes if n.kind == "input"]
        for group in self.sites:
            if len(group) == len(numbers):
                columns.append([nodes[n].value for n in group])
                for k in range(len(nodes[group[0]].operands)):
                    if isinstance(nodes[group[0]].operands[k], np.ndarray):
                        columns.append([nodes[n].operands[k] for n in group])
        seen, kept = [], []
        for column in columns:
            if column[-1].dtype.kind == "f" and not any(column[-1] is s for s in seen):
                seen.append(column[-1])
                kept.append(column)
        return [[column[j] for column in kept] for j in range(len(numbers))]

    def line(self, number):
        """The learner's line at which a node was made."""
        import linecache
        site = self.tapes[0].nodes[number].site
        for code, _, lineno in site[-1:]:
            text = linecache.getline(code.co_filename, lineno).strip()
            return f"line {lineno}" + (f": {text}" if text else "")
        return ""


def record_of(e):
    """The Record, or None where the forward pass could not be followed."""
    if not hasattr(e, "_record"):
        e._record = None
        if len(e.points) > 1 and all(p.tape is not None for p in e.points):
            record = Record(e)
            if record.alike() and e.same(record.right, e.true):
                e._record = record
    return e._record


def wrong_step(e):
    """One step's rule exchanged for each mistake that can be made there."""
    return _told(e, [hit for hit in _hits(e) if not hit[0]])


def wrong_step_scaled(e):
    """The same, and a constant factor or sign besides."""
    return _told(e, _hits(e))


def _hits(e):
    """Every mistake in a step whose gradient is the learner's: (scaled, codes, what it is, number of the node, factor)."""
    if hasattr(e, "_found"):
        return e._found
    e._found = hits = []
    record = record_of(e)
    if record is None:
        return hits
    composite = [*_families(record), *_exchanged(record), *_skipped(record)]
    for first in (True, False):                             # what was found for another input is tried before all else
        for group, numbers in record.groups.items():
            tables = _tables(record, 0, numbers, group[2])
            for key, (codes, says, _) in tables[0].items():
                if ((group, key) in e.known) == first:
                    edits = _edits(numbers, group[2], key, tables)
                    if edits is not None and _try(e, record, edits, lambda k: _edits(numbers, group[2], key, _tables(
                            record, k, numbers, group[2])), codes, says, numbers[0], hits):
                        e.known.add((group, key))
        for k, (edits_at, codes, says, number) in enumerate(composite):
            if (("composite", k) in e.known) == first and _try(e, record, edits_at(0), edits_at, codes, says, number, hits):
                e.known.add(("composite", k))
        if first and any(not hit[0] for hit in hits):
            return hits
    return hits


def _tables(record, point, numbers, operand):
    """For each of the nodes, {key: (codes, what it is, rule)}."""
    pools = record.pool(point, numbers)
    return [{key: (codes, says, pull) for key, codes, says, pull in mistakes(record.tapes[point].nodes[n], operand, pool)}
            for n, pool in zip(numbers, pools)]


def _told(e, hits):
    """Findings from the most telling of the hits."""
    record = record_of(e)
    if e.got[0].ndim and (np.count_nonzero(e.got[0], axis=-1) <= 1).all():
        hits = [hit for hit in hits if "softmax-diagonal" not in hit[1]]     # of −ln p alone p ∘ dp is the one-hot row: said better below
    if not hits:
        return []
    hits.sort(key=lambda hit: (hit[0], min(TELLING.index(c) for c in hit[1])))
    k_differs, codes, says, number, k = hits[0]
    evidence = {"line": record.line(number), "step": record.tapes[0].nodes[number].kind}
    where = f" ({evidence['line']})" if evidence["line"] else ""
    findings = [Finding(code, says + where, dict(evidence)) for code in codes]
    if k < 0 and "sign" not in codes:
        findings.append(Finding("sign", f"besides, the gradient of {e.name} has the wrong sign", {"factor": k}))
    if abs(abs(k) - 1) > 1e-5:
        findings.append(Finding("factor", f"besides, the gradient of {e.name} is {abs(k):.6g} times what it should be",
                                {"factor": abs(k), "name": name_of(abs(k), e)}))
    return findings


def _edits(numbers, operand, key, tables):
    """The rules of one mistake, made at all of these nodes."""
    if not all(key in table for table in tables):
        return None
    return {(n, operand): table[key][2] for n, table in zip(numbers, tables)}


def _try(e, record, edits, edits_at, codes, says, number, hits):
    """Note a mistake whose gradient is the learner's, up to a number that has a name; whether it is."""
    try:
        first = record.gradient(0, edits)
        if np.shape(first) != e.shape:
            return False
        scale = np.vdot(first, e.got[0]) / max(np.vdot(first, first), 1e-300)
        if np.max(np.abs(e.got[0] - scale * first)) > e.tol * np.max(np.abs(e.got[0])) or e.same([first], [record.right[0]]):
            return False
        candidates = [first]
        for point in range(1, len(e.points)):
            at = edits_at(point)
            if at is None:
                return False
            candidates.append(record.gradient(point, at))
    except ValueError:                                      # shapes that do not go together
        return False
    k = multiple(e, e.got, candidates)
    if k is None and e.got[0].size == 1 and e.fits(candidates):
        k = 1.0
    if k is not None and (abs(k - 1) < 1e-5 or e.got[0].size > 2 and name_of(abs(k), e)):
        hits.append((abs(k - 1) > 1e-5, codes, says, number, k if abs(k - 1) > 1e-5 else 1.0))
        return True
    return False


def _families(record):
    """Parts cut out of one array, of the same shape, interchanged: gates, or halves."""
    families = {}
    for node in record.tapes[0].nodes:
        if node.kind == "getitem" and node.number in record.reached and node.parents[0] is not None:
            families.setdefault((node.parents[0].number, node.value.shape), []).append(node)
    families = [f for f in families.values() if 2 <= len(f) <= 4 and len(np.unique(np.concatenate(
        [n.extra["source"].ravel() for n in f]))) == sum(n.value.size for n in f)]
    followed = {p.number: n.kind for n in record.tapes[0].nodes for p in n.parents if p is not None}
    for size in {len(f) for f in families}:
        alike = [f for f in families if len(f) == size]
        gates = any(n.kind in ("sigmoid", "tanh") for n in record.tapes[0].nodes) and size >= 2
        for order in itertools.permutations(range(size)):
            if order == tuple(range(size)):
                continue

            def edits_at(k, alike=alike, order=order):
                nodes = record.tapes[k].nodes
                return {(f[a].number, 0): nodes[f[b].number].pulls[0] for f in alike for a, b in enumerate(order)}
            code = "gate-order" if gates and followed else "permuted"
            yield edits_at, (code,), f"the parts stand in the order {list(order)}", alike[0][0].number


def _skipped(record):
    """A normalisation and its scale, both left out on the way back."""
    for node in record.tapes[0].nodes:
        after = [(n, k) for n in record.tapes[0].nodes for k, p in enumerate(n.parents) if p is node]
        if node.kind == "normalised" and node.number in record.reached and len(after) == 1 and after[0][0].kind == "multiply":
            def edits_at(k, first=node.number, second=after[0][0].number, operand=after[0][1]):
                return {(first, 0): lambda dz: dz, (second, operand): lambda dz: dz}
            yield edits_at, ("local-derivative",), "the derivative of the normalisation is missing", node.number


def _exchanged(record):
    """Two products with matrices of one shape: each takes the other's on the way back."""
    products = [(group, numbers) for group, numbers in record.groups.items() if group[0] == "matmul"]
    for (a, these), (b, those) in itertools.combinations(products, 2):
        nodes = record.tapes[0].nodes
        if a[2] != b[2] or len(these) != len(those) or a[1] == b[1] or \
                [np.shape(o) for o in nodes[these[0]].operands] != [np.shape(o) for o in nodes[those[0]].operands]:
            continue

        def edits_at(k, these=these, those=those, operand=a[2]):
            nodes = record.tapes[k].nodes
            return {(n, operand): nodes[m].pulls[operand] for n, m in (*zip(these, those), *zip(those, these))}
        yield edits_at, ("operand",), "two products take each other's matrix on the way back", these[0]


# ------------------------------------------------------------------------------------------------ paths

def _through(tape, leaf):
    """The node whose uses count as the leaf's: behind a transpose or reshape that is all that is done to it."""
    while True:
        uses = [(n, k) for n in tape.nodes for k, p in enumerate(n.parents) if p is leaf]
        if len(uses) == 1 and "source" in uses[0][0].extra and uses[0][0].extra["source"].size == leaf.value.size:
            leaf = uses[0][0]
        else:
            return leaf, uses


def uses(e):
    """An input that is used several times: the gradient is the sum over some of the uses only."""
    record = record_of(e)
    if record is None:
        return []
    _, first = _through(record.tapes[0], record.tapes[0].leaves[e.i])
    first = [(n, k) for n, k in first if n.number in record.reached]
    if not 2 <= len(first) <= 24:
        return []
    columns = []
    for n, k in first:
        others = {(m.number, j): None for m, j in first if (m.number, j) != (n.number, k)}
        columns.append(np.concatenate([np.ravel(_only(record, point, others)) for point in range(len(e.points))]))
    columns, got = np.array(columns).T, np.concatenate([g.ravel() for g in e.got])
    scale = np.max(np.abs(got))
    matter = np.max(np.abs(columns), axis=0) > 1e-9 * scale
    if matter.sum() < 2 or len(got) < 2 * matter.sum():
        return []
    c, _, rank, _ = np.linalg.lstsq(columns[:, matter], got, rcond=1e-9)
    if rank < matter.sum() or np.max(np.abs(columns[:, matter] @ c - got)) > e.tol * scale or np.allclose(c, 1, atol=1e-5):
        return []
    kept = [(n, k) for (n, k), m in zip(first, matter) if m]
    counts = [round(float(v), 6) for v in c]
    if not np.allclose(c, np.round(c), atol=1e-5) and not all(np.isclose(v, (0, 1), atol=1e-5).any() for v in c):
        return []
    lost = [n for (n, _), v in zip(kept, c) if abs(v) < 1e-5]
    lines = "; ".join(dict.fromkeys(record.line(n.number) for n in lost or [kept[int(np.argmax(np.abs(c - 1)))][0]]))
    elementwise = all(np.ndim(n.value) == len(e.shape) for n, _ in kept) and _diagonal(e)
    product = elementwise and any(n.kind in ("multiply", "divide") for n in record.tapes[0].nodes if n in record.tapes[0].outputs or n.kind == "multiply")
    evidence = {"uses": counts, "line": lines}
    if lost and all(abs(v) < 1e-5 or abs(v - 1) < 1e-5 for v in c):
        identity = [n for n in lost if _identity(record, n)]
        rest = [n for (n, _), v in zip(kept, c) if abs(v - 1) < 1e-5]
        sites = {n.site for n, _ in kept}
        if product and not _sum_of_branches(record, kept):
            return [Finding("missing-term", f"the gradient of {e.name} has {len(kept)} terms, one for each use; {len(lost)} missing: {lines}", evidence)]
        if len(identity) == len(lost) or (rest and all(_identity(record, n) for n in rest)):
            return [Finding("lost-path", f"{e.name} reaches the value by {len(kept)} ways; the gradient leaves one out: {lines}", evidence)]
        times = f"{len(kept)} times" if len(sites) > 1 or len(kept) > 1 else "several times"
        return [Finding("overwrite", f"{e.name} is used {times} and its gradient is the sum over the uses; {len(lost)} not counted "
                                     f"(= instead of +=?): {lines}", evidence)]
    off = [v for v in c if abs(v - 1) > 1e-5]
    if len(off) == 1 and off[0] > 0 and name_of(float(off[0]), e):
        return [Finding("factor", f"{e.name} is used {len(kept)} times; in the gradient of one use ({lines}) there is a factor "
                                  f"{off[0]:.6g} = {name_of(float(off[0]), e)}", {**evidence, "factor": float(off[0]), "name": name_of(float(off[0]), e)})]
    return [Finding("missing-term", f"the gradient of {e.name} is a sum over its uses; one has the wrong sign or weight: {lines}", evidence)]


def _only(record, point, others):
    """The gradient through one use: the other uses cut."""
    nodes, e = record.tapes[point], record.e
    return nodes.gradient(e.i, e.points[point].dys, {key: (lambda dz, shape=nodes.nodes[key[0]].operands[key[1]].shape: np.zeros(shape))
                                                     for key in others})


def _identity(record, node):
    """Whether this use passes the incoming gradient on as it is: a skip connection."""
    return node.kind == "add" and (node in record.tapes[0].outputs or any(n.kind == "add" and node in n.parents for n in record.tapes[0].nodes))


def _sum_of_branches(record, kept):
    """Whether the uses meet in a sum, such as f(x) + g(x), and not in a product, such as x σ(x)."""
    ends = [n for n in record.tapes[0].outputs if n is not None]
    return all(n.kind in ("add", "subtract", "sum", "mean") for n in ends)


def _diagonal(e):
    if not e.small or any(v.shape != e.shape for v in e.points[0].values):
        return False
    right = e.jacobians()[1]
    return right.shape[0] == right.shape[1] and np.max(np.abs(right - np.diag(np.diag(right)))) <= 1e-8 * np.max(np.abs(right))


def overwritten(e):
    """An array that is cut into overlapping parts: the gradient of one part is written over that of another."""
    record = record_of(e)
    if record is None:
        return []
    for number in sorted(record.reached):
        used = [(n.number, k) for n in record.tapes[0].nodes for k, p in enumerate(n.parents)
                if p is not None and p.number == number and n.number in record.reached]
        if not 2 <= len(used) <= 24 or not any(record.tapes[0].nodes[n].kind in ("getitem", "take") for n, _ in used):
            continue
        for order in (used, used[::-1]):
            for once in (False, True):
                candidates = [record.gradient(point, _written_over(record.tapes[point], order, once)) for point in range(len(e.points))]
                if e.fits(candidates):
                    line = record.line(order[0][0])
                    return [Finding("overwrite", f"the gradients of overlapping parts are written over each other (= instead of +=): {line}",
                                    {"line": line})]
    return []


def _written_over(tape, order, once):
    """Rules under which each use in turn puts its gradient in the place of what the uses before it have put there."""
    edits, covered = {}, None
    for n, k in reversed(order):
        node = tape.nodes[n]
        shape, source = node.operands[k].shape, node.extra.get("source")
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


def lost_before(e):
    """The path that was found to be left out in the gradient of another input."""
    return lost_path(e, known=True) if any(len(k) == 4 for k in e.known) else []


def lost_path(e, known=False):
    """A path between two steps that is left out, or counted with another weight: through time, or through a branch."""
    record = record_of(e)
    if record is None:
        return []
    tape = record.tapes[0]
    children = {}
    for n in tape.nodes:
        for p in n.parents:
            if p is not None and n.number in record.reached:
                children[p.number] = children.get(p.number, 0) + 1
    leaf = tape.leaves[e.i].number
    for (kind, site, operand), numbers in record.groups.items():
        for which, chosen in enumerate((numbers, [n for n in numbers if tape.nodes[n].parents[operand].kind != "input"],
                       [n for n in numbers if tape.nodes[n].parents[operand].number != leaf], numbers[1:], numbers[:-1])):
            if known and (kind, site, operand, which) not in e.known:
                continue
            parents = [tape.nodes[n].parents[operand].number for n in chosen]
            if not chosen or not any(children[p] > 1 for p in parents):
                continue
            cut = {(n, operand): (lambda dz, shape=tape.nodes[n].operands[operand].shape: np.zeros(shape)) for n in chosen}
            without = [record.gradient(point, cut) for point in range(len(e.points))]
            share = [r - w for r, w in zip(record.right, without)]
            scale = max(np.max(np.abs(r)) for r in record.right)
            if max(np.max(np.abs(s)) for s in share) < 1e-6 * scale or max(np.max(np.abs(w)) for w in without) < 1e-6 * scale:
                continue
            b = multiple(e, [g - w for g, w in zip(e.got, without)], share)
            lost = e.fits(without)
            if not lost and (b is None or abs(b - 1) < 1e-5 or e.got[0].size < 3):
                continue
            if not lost and not any(abs(b - v) < 1e-5 for v in (-1, 2, 0.5, -2)) and not name_of(abs(b), e):
                continue
            e.known.add((kind, site, operand, which))
            line = record.line(chosen[0])
            code = "missing-term" if _diagonal(e) or not lost else "lost-path"
            how = "is left out" if lost else f"is counted {b:.4g} times"
            return [Finding(code, f"in the gradient of {e.name} the path through {kind} {how} ({line})", {"line": line, "step": kind})]
    return []
