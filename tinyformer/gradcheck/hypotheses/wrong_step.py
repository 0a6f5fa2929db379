"""A wrong rule for one step of the forward pass, tried at every step of the record."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from ..report import Finding
from .loop_places import other_places
from .loops import OTHERS, other_iterations, other_states
from .places import cross_entropies
from .record import record_of
from .steps import mistakes
from .whole import in_addition, multiple, name_of

if TYPE_CHECKING:
    from ..evidence import Evidence

# If several explanations fit equally well, the one whose code comes first here is reported.
PREFERENCE = ("softmax-diagonal", "keepdims", "mean-term", "variance-term", "rotation", "duplicate-index", "overwrite",
           "gate-order", "mask", "inverted-mask", "unbroadcast", "head-order", "transpose", "permuted", "operand",
           "reduction", "sign", "missing-term", "lost-path", "leak", "local-derivative", "factor")


def wrong_step(e: Evidence) -> list[Finding]:
    """The rule of one step, exchanged for each of the mistakes known for that step."""
    record = record_of(e)
    return _reported(e, record, [hit for hit in _hits(e, record) if not hit[0]])


def wrong_step_within(e: Evidence) -> list[Finding]:
    """The same for the single steps within known operations such as a normalization."""
    record = record_of(e, fused=False)
    return _reported(e, record, [hit for hit in _hits(e, record) if not hit[0]])


def wrong_step_scaled(e: Evidence) -> list[Finding]:
    """The rule of one step exchanged, together with a constant factor or a sign."""
    record = record_of(e)
    return _reported(e, record, _hits(e, record))


def _hits(e, record):
    """Every mistake in a step that gives the learner's gradient.

    Each is (scaled, codes, message, number of the node, factor).
    """
    if record is None:
        return []
    if record.hits is not None:
        return record.hits
    record.hits = hits = []
    groups = {group: numbers for group, numbers in record.groups.items() if not record.tried(numbers)}
    composite = [*other_states(record)] if record.within else [
        *_families(record), *_exchanged(record), *_skipped(record), *_inverted(record), *_other_iterations(record),
        *other_places(record), *cross_entropies(record), *other_states(record), *other_iterations(record)]
    for first in (True, False):                             # mistakes found for another input are tried first
        for group, numbers in groups.items():
            tables = tables_of(record, 0, numbers, group[2])
            for key, (codes, says, _) in tables[0].items():
                if ((group, key) in e.known) == first:
                    edits = _edits(numbers, group[2], key, tables)
                    if edits is not None and _try(e, record, edits, lambda k: _edits(numbers, group[2], key, tables_of(
                            record, k, numbers, group[2])), codes, says, numbers[0], hits):
                        e.known.add((group, key))
        for k, (edits_at, codes, says, number) in enumerate(composite):
            turn = (("composite", k) in e.known) == first
            edits = edits_at(0) if turn else None
            if edits and _try(e, record, edits, edits_at, codes, says, number, hits):
                e.known.add(("composite", k))
        if first and any(not hit[0] for hit in hits):
            return hits
    return hits


def tables_of(record, point, numbers, operand):
    """For each of the nodes, {key: (codes, message, rule)}."""
    known = (point, numbers[0], operand, len(numbers))
    if known not in record.tables:
        record.tables[known] = [
            {key: (codes, says, pull) for key, codes, says,
             pull in mistakes(record.tapes[point].nodes[n], operand, pool, len(numbers) > 1)}
            for n, pool in zip(numbers, record.pool(point, numbers))]
    return record.tables[known]


def _reported(e, record, hits):
    """The findings of the preferred hit."""
    if one_in_each_row(e.analytic[0]):
        hits = [hit for hit in hits if "softmax-diagonal" not in hit[1]]
    if not hits:
        return []
    hits.sort(key=lambda hit: (hit[0], min(PREFERENCE.index(c) for c in hit[1])))
    _, codes, says, number, k = hits[0]
    evidence = {"line": record.line(number), "step": record.tapes[0].nodes[number].kind}
    where = f" ({evidence['line']})" if evidence["line"] else ""
    other = next((hit for hit in hits if not set(hit[1]) & set(codes) and hit[0] == hits[0][0]), None)
    if other:                                               # it gives the same numbers
        evidence["alternative"] = f"{other[2]} [{', '.join(other[1])}]"
    findings = [Finding(code, says + where, dict(evidence)) for code in codes]
    more = in_addition(e, k)
    if "sign" in codes:
        more.pop("sign", None)
    return findings + list(more.values())


def one_in_each_row(gradient):
    """Whether each row has at most one nonzero entry.

    For −ln p, p ⊙ dp is such an array: then "softmax-diagonal" misleads.
    """
    return gradient.ndim > 0 and (np.count_nonzero(gradient, axis=-1) <= 1).all()


def _edits(numbers, operand, key, tables):
    """The rules of one mistake at all of these nodes."""
    if not all(key in table for table in tables):
        return None
    return {(n, operand): table[key][2] for n, table in zip(numbers, tables)}


def _try(e, record, edits, edits_at, codes, says, number, hits):
    """Whether this mistake gives the learner's gradient, up to a factor with a name.

    If so, it is appended to ``hits``.
    """
    try:
        first = record.gradient(0, edits)
        if np.shape(first) != e.shape:
            return False
        scale = np.vdot(first, e.analytic[0]) / max(np.vdot(first, first), 1e-300)
        if np.max(np.abs(e.analytic[0] - scale
                         * first)) > e.tol * np.max(np.abs(e.analytic[0])) or e.same([first], [record.right[0]]):
            return False
        candidates = [first]
        for point in range(1, len(e.points)):
            at = edits_at(point)
            if at is None:
                return False
            candidates.append(record.gradient(point, at))
            if np.max(np.abs(e.analytic[point] - scale * candidates[-1])) > e.tol * np.max(np.abs(e.analytic[point])):
                return False
    except ValueError:                                      # incompatible shapes
        return False
    if _left_out(e, record, edits):
        return False                                        # a missing path, which another hypothesis reports
    k = multiple(e, e.analytic, candidates)
    if k is None and e.analytic[0].size == 1 and e.fits(candidates):
        k = 1.0
    if k is not None and (abs(k - 1) < 1e-5 or e.analytic[0].size > 2 and name_of(abs(k), e)):
        hits.append((abs(k - 1) > 1e-5, codes, says, number, k if abs(k - 1) > 1e-5 else 1.0))
        return True
    return False


def _left_out(e, record, edits):
    """Whether the learner's gradient is the true one without these steps, or without the steps after them."""
    nodes, edited = record.tapes[0].nodes, {n for n, _ in edits}
    after = {n.number for n in nodes if any(p is not None and p.number in edited for p in n.parents)}
    whole, beyond = ({(n, k) for n in numbers for k, parent in enumerate(nodes[n].parents) if parent is not None}
                     for numbers in (edited, after))
    return any(e.fits([record.without(point, cut) for point in range(len(e.points))])
               for cut in (set(edits), whole, beyond))


def _inverted(record):
    """A choice between two arrays, whose backward pass swaps the two or passes the gradient to both."""
    for node in record.tapes[0].nodes:
        if node.kind in ("where", "maximum", "minimum") and node.number in record.reached and None not in node.parents \
                and all(np.shape(o) == node.value.shape for o in node.operands[-2:]):
            def edits_at(k, n=node.number):
                one, two = record.tapes[k].nodes[n].slopes
                return {(n, 0): lambda dz: dz * two, (n, 1): lambda dz: dz * one}
            yield (edits_at, ("inverted-mask",),
                   f"the backward pass of {node.kind} sends the gradient "
                   "to the operand that was not selected", node.number)

            def all_at(k, n=node.number):
                return {(n, 0): lambda dz: dz, (n, 1): lambda dz: dz}
            yield (all_at, ("mask",),
                   f"the backward pass of {node.kind} must send the gradient only "
                   "to the operand that was selected", node.number)


def _other_iterations(record):
    """A product in a loop whose backward pass takes its factor from the previous, first or last iteration."""
    for (kind, _, operand), numbers in record.groups.items():
        shapes = [[np.shape(o) for o in record.tapes[0].nodes[n].operands] for n in numbers]
        products = kind in ("multiply", "matmul", "einsum")
        slopes = record.tapes[0].nodes[numbers[0]].slopes
        if not products and (slopes is None or kind in ("add", "subtract", "negative")) or len(numbers) < 2 \
                or any(s != shapes[0] for s in shapes):
            continue
        for name, other in OTHERS:
            def edits_at(k, numbers=numbers, operand=operand, other=other):
                nodes = record.tapes[k].nodes
                return {(n, operand): nodes[numbers[other(j, len(numbers))]].pulls[operand] for j,
                        n in enumerate(numbers)}
            yield (edits_at, ("operand",), f"a product takes its other factor from {name} of the loop", numbers[0]) \
                if products else (edits_at, ("local-derivative",), f"the derivative of {kind} is that of {name} of the "
                                                                   f"loop", numbers[0])


def _families(record):
    """Parts of one array, such as gates or halves, that the backward pass joins in another order."""
    families = {}
    for node in record.tapes[0].nodes:
        if node.kind == "getitem" and node.number in record.reached and node.parents[0] is not None:
            families.setdefault((node.parents[0].number, node.value.shape), []).append(node)
    families = [f for f in families.values() if 2 <= len(f) <= 4 and len(np.unique(np.concatenate(
        [n.source.ravel() for n in f]))) == sum(n.value.size for n in f)]
    gates = any(n.kind in ("sigmoid", "tanh") for n in record.tapes[0].nodes)
    for size in {len(f) for f in families}:
        alike = [f for f in families if len(f) == size]
        for order in itertools.permutations(range(size)):
            if order == tuple(range(size)):
                continue

            def edits_at(k, alike=alike, order=order):
                nodes = record.tapes[k].nodes
                return {(f[a].number, 0): nodes[f[b].number].pulls[0] for f in alike for a, b in enumerate(order)}
            code = "gate-order" if gates else "permuted"
            yield edits_at, (code,), f"the backward pass has the parts in the order {list(order)}", alike[0][0].number


def _skipped(record):
    """A normalization and its scale, both left out in the backward pass."""
    for node in record.tapes[0].nodes:
        after = [(n, k) for n in record.tapes[0].nodes for k, p in enumerate(n.parents) if p is node]
        if node.kind == "normalized" and node.number in record.reached and len(after) == 1 \
            and after[0][0].kind == "multiply":
            def edits_at(k, first=node.number, second=after[0][0].number, operand=after[0][1]):
                return {(first, 0): lambda dz: dz, (second, operand): lambda dz: dz}
            yield edits_at, ("local-derivative",), "the derivative of the normalization is missing", node.number


def _exchanged(record):
    """Two products with matrices of the same shape, swapped in the backward pass."""
    products = [(group, numbers) for group, numbers in record.groups.items() if group[0] == "matmul"]
    for (a, these), (b, those) in itertools.combinations(products, 2):
        nodes = record.tapes[0].nodes
        if a[2] != b[2] or len(these) != len(those) or a[1] == b[1] or \
                [np.shape(o) for o in nodes[these[0]].operands] != [np.shape(o) for o in nodes[those[0]].operands]:
            continue

        def edits_at(k, these=these, those=those, operand=a[2]):
            nodes = record.tapes[k].nodes
            return {(n, operand): nodes[m].pulls[operand] for n, m in (*zip(these, those), *zip(those, these))}
        yield edits_at, ("operand",), "the backward pass swaps the matrices of two products", these[0]
