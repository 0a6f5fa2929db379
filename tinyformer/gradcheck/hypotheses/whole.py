"""The whole gradient is wrong: it is zero, it misuses the upstream gradient, or one factor is off."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..report import Finding
from ..function_forms import copies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..evidence import Evidence


def zero(e: Evidence) -> list[Finding]:
    """The gradient is zero at every point, and the true one is not."""
    if all(np.max(np.abs(g)) <= 1e-13 * np.max(np.abs(t), initial=1) for g, t in zip(e.analytic, e.true)):
        return [Finding("zero", f"the gradient of {e.name} is zero everywhere, but the value depends on it")]
    return []


def upstream(e: Evidence) -> list[Finding]:
    """A vjp is linear in the upstream gradient: doubling the upstream gradient must double the result."""
    p = e.points[0]

    def given(dys):
        return np.asarray(p.pull(copies(dys))[e.i], np.float64)

    def same(a, b, scale):
        return a.shape == b.shape and np.max(np.abs(a - b), initial=0) <= max(1e-7, 1e3 * p.eps) * scale

    rng = np.random.default_rng(0)
    others = [rng.standard_normal(d.shape) for d in p.dys]
    g, none = e.analytic[0], given([0 * d for d in p.dys])
    twice, other = given([2.5 * d for d in p.dys]), given(others)
    both = given([d + o for d, o in zip(p.dys, others)])
    scale = np.max(np.abs([g, twice, other, both]), initial=0)
    dy = "the upstream gradient dy"
    if same(none, 0 * g, scale) and same(twice, 2.5 * g, scale) and same(both, g + other, scale):
        return []
    if same(none, g, scale) and same(twice, g, scale) and same(other, g, scale):
        how, what = "ignored", f"does not depend on {dy}: the chain rule multiplies every local derivative by dy"
    elif same(twice, 6.25 * g, scale):
        how, what = "squared", f"grows with the square of {dy}: dy seems to be used twice"
    elif same(twice - none, 2.5 * (g - none), scale) and same(both - none, g + other - 2 * none, scale):
        how, what = "added", f"has a term that does not scale with {dy}"
    else:
        how, what = "not linear", f"is not linear in {dy}: doubling dy does not double the result"
    findings = [Finding("upstream", f"the gradient of {e.name} {what}", {"how": how})]
    if how == "not linear" and any((g != 0).any() and np.any((g != 0) & (t == 0)) for g, t in zip(e.analytic, e.true)):
        findings.append(Finding("mask", f"the mask of the gradient of {e.name} seems to use the sign of {dy}: it "
                                        f"should use the sign of the input"))
    return findings


def factor(e: Evidence) -> list[Finding]:
    """The gradient is one number times the true one, the same number at every point."""
    k = multiple(e, e.analytic, e.true)
    if k is None:
        return []
    findings = []
    if k < 0:
        findings.append(Finding("sign", f"the gradient of {e.name} has the wrong sign", {"factor": round(k, 9)}))
    if abs(abs(k) - 1) > 1e-5:
        name = name_of(abs(k), e)
        called = f"{abs(k):.6g}" + (f" = {name}" if name and name != f"{abs(k):.6g}" else "")
        findings.append(Finding("factor", f"the gradient of {e.name} is {called} times what it should be",
                                {"factor": abs(k), "name": name}))
        if abs(k) < 0.6 and abs(1 / abs(k) - round(1 / abs(k))) < 1e-5 and _summed(e, round(1 / abs(k))):
            findings.append(Finding("reduction", f"a mean in place of a sum would give this factor: {e.name} is used "
                                                 f"{round(1 / abs(k))} times, "
                                                 "and its gradient is the sum over the uses",
                                    {"factor": abs(k)}))
    return findings


def in_addition(e, k):
    """{code: finding} for a second mistake: the whole gradient has the factor k, which may be negative."""
    findings = {}
    if k < 0:
        findings["sign"] = Finding("sign", f"in addition, the gradient of {e.name} has the wrong sign",
                                   {"factor": float(k)})
    if abs(abs(k) - 1) > 1e-5:
        findings["factor"] = Finding("factor", f"in addition, the gradient of {e.name} is {abs(k):.6g} times what it "
                                               f"should be", {"factor": abs(float(k)), "name": name_of(abs(k), e)})
    return findings


def multiple(e, these, those):
    """The number k with these = k · those at every point, else None."""
    a, b = (np.concatenate([np.ravel(v) for v in values]) for values in (these, those))
    seen = np.isfinite(b)
    a, b = a[seen], b[seen]
    if not b.any() or not a.any() or len(b) < 2:
        return None
    k = float(a @ b / (b @ b))
    return k if np.max(np.abs(a - k * b)) <= e.tol * np.max(np.abs(a)) else None


def _summed(e, n):
    """Whether the forward pass broadcast the input to n places, or is a plain sum of n entries."""
    values = e.points[0].values
    return any(v.size == n * math.prod(e.shape) and v.ndim >= len(e.shape) for v in values) or \
        len(values) == 1 and math.prod(e.shape) == n * values[0].size


def name_of(k, e):
    """A name for the number k: the size of an axis or a constant of the function. None if no name fits."""
    sizes = {}
    arrays = [a for a in e.points[0].arrays if isinstance(a, np.ndarray)] + e.points[0].values
    for a in arrays:
        for n in a.shape:
            sizes.setdefault(n, str(n))
    for a in arrays:
        sizes.setdefault(a.size, str(a.size))
        for m in a.shape:
            sizes.setdefault(a.size // max(m, 1), str(a.size // max(m, 1)))
    sizes = {n: text for n, text in sizes.items() if n > 1}
    names = [("2", 2), ("1/2", 1 / 2)]
    for n, text in sizes.items():
        names += [(f"1/{text}", 1 / n), (text, n), (f"√{text}", math.sqrt(n)), (f"1/√{text}", 1 / math.sqrt(n))]
    for n, text in sizes.items():
        names += [(f"{text}/{n - 1}", n / (n - 1)), (f"{n - 1}/{text}", (n - 1) / n),
                  (f"√({text}/{n - 1})", math.sqrt(n / (n - 1))),
                  (f"√({n - 1}/{text})", math.sqrt((n - 1) / n)), (_fraction(2, n), 2 / n), (_fraction(n, 2), n / 2),
                  (f"{text}²", n * n),
                  (f"1/{text}²", 1 / n / n)]
    numbers = {**e.points[0].names, **e.checked.options}
    for n, v in numbers.items():
        if isinstance(v, (float, int, np.floating)) and not isinstance(v, bool) and v not in (0, 1):
            names += [(n, v), (f"1/{n}", 1 / v), (f"1 − {n}", 1 - v), (f"1/(1 − {n})", 1 / (1 - v)), (f"{n}²", v * v),
                      (f"√{n}", math.sqrt(abs(v)))]
    for a in _masks(e):
        names += [("the scale of the mask", a), ("1 over the scale of the mask", 1 / a)]
    for m in sizes:
        for n in sizes:
            names += [(_fraction(m, n), m / n), (f"√({m}/{n})", math.sqrt(m / n)), (f"1/({m}·{n})", 1 / m / n),
                      (f"{m}·{n}", m * n)]
    names += [(str(n), n) for n in (3, 4)] + [(f"1/{n}", 1 / n) for n in (3, 4)]
    names += [(f"1 − {p / 20:g}", 1 - p / 20) for p in range(1, 20)] + [(f"1/(1 − {p / 20:g})", 1 / (1 - p / 20))
                                                                        for p in range(1, 20)]
    return next((text for text, value in names if abs(value - k) <= 1e-6 * k), None)


def _fraction(m: int, n: int) -> str:
    """m/n in lowest terms."""
    common = math.gcd(m, n)
    return f"{m // common}/{n // common}" if n != common else str(m // common)


def _masks(e: Evidence) -> Iterator[float]:
    """The scale of each array whose entries are 0 or one other number, as in dropout."""
    for a in e.named(0).values():
        parts = np.unique(a)
        if len(parts) == 2 and parts[0] == 0 and parts[1] not in (0, 1):
            yield float(parts[1])
