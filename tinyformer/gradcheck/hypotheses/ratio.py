"""A wrong factor or term that has a name: the ratio of the gradient to the true one, and their difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..report import Finding
from .names import quantities, terms
from .support import overwrites, written_over
from .wrong_step import one_in_each_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..evidence import Evidence


def named_factor(e: Evidence) -> list[Finding]:
    """analytic = true ⊙ r, where r is a named quantity or its reciprocal."""
    ratios, seen = _ratios(e)
    if ratios is None:
        return []
    for name in e.named(0):
        for power, how in ((1, "multiplied by"), (-1, "divided by"), (2, "multiplied by the square of"),
                           (-2, "divided by the square of")):
            if all(np.size(e.named(k).get(name, ())) == 1 and _equals(e, k, r[s], name, power)
                   for k, (r, s) in enumerate(zip(ratios, seen))):
                return [Finding("factor", f"the gradient of {e.name} is {how} {name}, compared with the right one: is "
                                          f"the factor {name} missing, or one too many?",
                                {"name": name, "factor": float(np.ravel(ratios[0][seen[0]])[0])})]
    if all(_constant(r[s], e.tol) for r, s in zip(ratios, seen)):
        return []
    name = _name(e, ratios, seen, e.shape)
    return _local(e, name) if name else []


def _equals(e, k, ratio, name, power):
    """Whether a ratio is, everywhere, a power of a number that has a name."""
    with np.errstate(all="ignore"):
        factor = float(e.named(k)[name].reshape(-1)[0]) ** power if e.named(k)[name].all() else np.nan
    return abs(factor - 1) > 1e-3 and np.max(np.abs(ratio - factor), initial=0) <= 10 * e.tol * abs(factor)


def _ratios(e: Evidence) -> Any:
    ratios, seen = [], []
    for g, t in zip(e.analytic, e.true):
        use = np.isfinite(t) & (np.abs(t) > 1e-6 * np.max(np.abs(t), initial=0, where=np.isfinite(t)))
        if use.sum() < 3 or np.max(np.abs(g), initial=0,
                                   where=~use & np.isfinite(t)) > 1e-5 * np.max(np.abs(g), initial=0):
            return None, None
        with np.errstate(all="ignore"):
            ratios.append(np.where(use, g / np.where(use, t, 1), 1))
        seen.append(use)
    return ratios, seen


def _constant(r, tol):
    return np.max(np.abs(r - r.flat[0]), initial=0) <= tol * np.max(np.abs(r), initial=0)


def _name(e, ratios, seen, shape):
    """The name of the array that equals the ratios at every point, up to a factor ±1, ±2 or ±½."""
    each = [dict(quantities(e, k, shape)) for k in range(len(ratios))]
    scales = [np.max(np.abs(r), initial=0, where=s) for r, s in zip(ratios, seen)]
    hits = []
    for name in each[0]:
        if not all(name in one for one in each):
            continue
        for form, inverse in ((name, False), (f"1 / ({name})" if " " in name else f"1/{name}", True)):
            k = None
            for one, r, s, scale in zip(each, ratios, seen, scales):
                v = one[name][s]
                with np.errstate(all="ignore"):
                    v = 1 / v if inverse else v
                if not np.isfinite(v).all() or _constant(v, 1e-9) and v.size > 1 and len(ratios) < 2:
                    break
                norm = v @ v
                k = float(v @ r[s] / norm) if k is None and norm else k
                if k is None or np.max(np.abs(k * v - r[s]), initial=0) > 10 * e.tol * scale:
                    break
            else:
                if k is not None and min(abs(abs(k) - plain) for plain in (1, 2, 0.5)) < 1e-4:
                    hits.append((abs(abs(k) - 1) > 1e-4, len(form), form if abs(k - 1) < 1e-4 else f"{k:.3g} · {form}"))
    return min(hits)[2] if hits else None


def _local(e, name):
    if name.startswith("1 / ("):
        what = f"lacks the factor {name[5:-1]}"
    elif name.startswith("1/"):
        what = f"lacks the factor {name[2:]}"
    else:
        what = f"is {name} times what it should be"
    return [Finding("local-derivative",
                    f"the gradient of {e.name} {what}: "
                    "is the derivative of a step wrong, or multiplied in twice?", {"name": name})]


def output_factor(e: Evidence) -> list[Finding]:
    """analytic = Jᵀ (r ⊙ dy): the backward pass first multiplies the upstream gradient by a wrong factor r."""
    if not e.small or len(e.points[0].values) > 1:
        return []
    ratios = []
    for k in range(e.places):
        learner, right = e.jacobians(k)
        if learner.shape != right.shape or right.shape[1] < 3 or right.shape[0] < 2:
            return []
        norms = np.einsum("io,io->o", right, right)
        if (np.count_nonzero(np.abs(right) > 1e-8, axis=0) < 2).any() or not norms.all():
            return []                                       # only one entry influences an output: any ratio would fit
        r = np.einsum("io,io->o", learner, right) / norms
        if np.max(np.abs(learner - right * r)) > 10 * e.tol * np.max(np.abs(right)):
            return []
        ratios.append(r.reshape(e.points[k].values[0].shape))
    if _constant(ratios[0].ravel(), 1e-6):
        return []
    name = _name(e, ratios, [np.ones(r.shape, bool) for r in ratios], ratios[0].shape)
    if name:
        return _local(e, name)
    if set(np.round(ratios[0].ravel(), 6)) <= {0.0, 1.0}:
        reached = np.abs(right) > 1e-7 * np.max(np.abs(right))
        if written_over(e, reached & (np.round(ratios[-1].ravel(), 6) == 0), reached):
            return [overwrites(e)]
        return [Finding("lost-path", f"the gradient of {e.name} leaves out some of the outputs: a path is missing")]
    for axis in range(ratios[0].ndim):
        if ratios[0].ndim > 1 and all(np.ptp(r, axis=axis).max() <= 10 * e.tol * np.abs(r).max() for r in ratios):
            return [Finding("row-scale", f"the gradient of {e.name} has a wrong factor for each row of the output",
                            {"factors": ratios[0].take(0, axis).ravel()[:5].tolist()})]
    return [Finding("local-derivative",
                    f"in the gradient of {e.name}, each entry of the upstream gradient has a wrong factor: "
                    f"the derivative of the last step is wrong")]


def row_scale(e: Evidence) -> list[Finding]:
    """analytic = true ⊙ r, where r is constant along one axis."""
    ratios, seen = _ratios(e)
    if ratios is None or not e.shape or not _whatever_comes(e):
        return []
    if len(e.shape) == 1:
        alike = e.shape[0] > 2 and max(v.size for v in e.points[0].values) > 1 and all(
            np.max(np.abs(r - ratios[0]), initial=0, where=s & seen[0]) <= 10 * e.tol for r, s in zip(ratios, seen))
        return [Finding("row-scale", f"each entry of the gradient of {e.name} has its own wrong factor: "
                                     f"{', '.join(f'{f:.4g}' for f in ratios[0][:5])}, …",
                        {"factors": ratios[0][:5].tolist()})
                ] if alike and not all(v.shape == e.shape for v in e.points[0].values) else []
    for axis in range(ratios[0].ndim):
        if e.shape[axis] < 3:
            continue
        flat = all(_flat_along(r, s, axis, 10 * e.tol) for r, s in zip(ratios, seen))
        if flat and not _constant(ratios[0][seen[0]], 1e-4):
            factors = [float(f) for f in np.moveaxis(ratios[0], axis, 0)[0].ravel()[:5]]
            return [Finding("row-scale", f"each row of the gradient of {e.name} has its own wrong factor: "
                                         f"{', '.join(f'{f:.4g}' for f in factors)}, …",
                            {"axis": axis, "factors": factors})]
    return []


def _whatever_comes(e: Evidence) -> bool:
    """Whether the ratio is the same for every upstream gradient."""
    if not e.small:
        return False
    learner, right = e.jacobians()
    if learner.shape != right.shape:
        return False
    squares = np.maximum(np.sum(right * right, axis=1, keepdims=True), 1e-300)
    r = np.sum(learner * right, axis=1, keepdims=True) / squares
    return np.max(np.abs(learner - r * right)) <= 10 * e.tol * np.max(np.abs(learner))


def _flat_along(r, seen, axis, tol):
    low = np.min(np.where(seen, r, np.inf), axis=axis)
    high = np.max(np.where(seen, r, -np.inf), axis=axis)
    used = seen.sum(axis=axis) > 1
    return used.any() and np.max((high - low)[used]) <= tol * np.max(np.abs(r[seen]))


def difference(e: Evidence) -> list[Finding]:
    """analytic = true + c · B, where B is a named array.

    c is one number, or one for each row, or constant along an axis.
    """
    if len(e.shape) == 0 or e.analytic[0].size < 4 or not all(np.isfinite(t).all() for t in e.true):
        return []
    D = [g - t for g, t in zip(e.analytic, e.true)]
    scale = max(np.max(np.abs(g)) for g in e.analytic)
    term = _term(e, D, scale)
    if term:
        return term
    for axis in reversed(range(len(e.shape))):
        if e.shape[axis] > 2 and all(_even(d, axis, e.tol * scale) and np.max(np.abs(d)) > 1e3 * e.tol * scale
                                     for d in D) \
                and all(np.max(np.abs(t.sum(axis=axis))) <= e.tol * scale
                        for t in e.true) and e.analytic[0].size > e.shape[axis]:
            return [Finding("mean-term",
                            f"the gradient of {e.name} differs from the right one by a constant along axis {axis}: "
                            f"is the mean's term missing or wrong?", {"axis": axis})]
    return []


def _term(e, D, scale):
    """A finding if the difference D is a multiple of a named array."""
    for p_terms in _together(e):
        name, arrays, code = p_terms
        if _proportional(D, arrays, e.tol * scale) and not _proportional(e.true, arrays, e.tol * scale):
            lost = (np.max(np.abs(d + b)) <= 10 * e.tol * scale for d, b in zip(D, arrays))
            if name == "the upstream gradient" and all(lost):
                return [Finding("lost-path",
                                f"the gradient of {e.name} lacks the upstream gradient itself: "
                                "the path through a skip connection is missing", {"array": name})]
            if code == "missing-term" and _at_right_angles(e, arrays):
                return [Finding("variance-term",
                                f"the gradient of {e.name} has a component along {name}, which a norm or a "
                                f"standard deviation removes: is the term of that norm missing?",
                                {"array": name})]
            if name == f"softmax({e.name})" and _another_each_row(D[0], arrays[0]) \
                    and not one_in_each_row(e.analytic[0]) and all(_sums_to_zero(t, e.tol * scale) for t in e.true):
                return [Finding("softmax-diagonal",
                                f"the gradient of {e.name} lacks a multiple of {name} in each row: the "
                                f"Jacobian of the softmax is diag(p) − p pᵀ, not only its diagonal",
                                {"array": name})]
            return [Finding(code, f"the gradient of {e.name} differs from the right one by a multiple of {name}: is a "
                                  f"term with {name} missing, or one too many?", {"array": name})]
    return []


def _at_right_angles(e, arrays):
    """Whether the true gradient is orthogonal to these arrays, row by row or as a whole, and the learner's is not."""
    def along(gradient, array, axis):
        lengths = np.sqrt(np.sum(gradient ** 2, axis=axis) * np.sum(array ** 2, axis=axis))
        return np.max(np.abs(np.sum(gradient * array, axis=axis)) / np.maximum(lengths, 1e-300))
    return any(all(along(t, a, axis) < 1e-3 < 3e-2 < along(g, a, axis) for t, g, a in zip(e.true, e.analytic, arrays))
               for axis in (-1, None))


def _another_each_row(difference, array):
    times = np.sum(difference * array, axis=-1) / np.sum(array * array, axis=-1)
    return np.ptp(times) > 1e-3 * np.max(np.abs(times))


def _sums_to_zero(gradient, tol):
    return np.max(np.abs(gradient.sum(axis=-1))) <= 10 * tol


def _even(d, axis, tol):
    return np.max(np.ptp(d, axis=axis)) <= 10 * tol


def _together(e: Evidence) -> Iterator[Any]:
    each = [{(name, code): array for name, array, code in terms(e, k, e.shape)} for k in range(len(e.points))]
    for k, p in enumerate(e.points):
        for d in p.dys:
            if d.shape == e.shape:
                each[k]["the upstream gradient", "missing-term"] = d
        arrays = {name: array for (name, _), array in each[k].items()}
        steps = {n.number: n.value for n in p.tape.nodes if n.value.shape == e.shape} if p.tape else {}
        for name in [name for name in arrays if name.startswith("the one-hot rows")]:
            each[k].update({(f"{other} minus {name}", "missing-term"): b - arrays[name] for other, b in arrays.items()
                            if other != name})
            each[k].update({(f"the value of step {other} minus {name}", "missing-term"): b - arrays[name]
                            for other, b in steps.items()})
    for name, code in each[0]:
        if all((name, code) in one for one in each):
            yield name, [one[name, code] for one in each], code


def _proportional(D, B, tol):
    """Whether D = c B, with one number c or one for each row."""
    rows = []
    for d, b in zip(D, B):
        if not np.isfinite(b).all() or not b.any():
            return False
        c = np.sum(d * b, axis=-1, keepdims=True) / np.maximum(np.sum(b * b, axis=-1, keepdims=True), 1e-300)
        if np.max(np.abs(d - c * b)) > 10 * tol or np.max(np.abs(d)) < 1e3 * tol:
            return False
        rows.append(d.shape[-1])
    return rows[0] > 2
