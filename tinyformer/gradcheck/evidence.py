"""The evidence for the doctor: wrong and true gradient at several points, and the recorded forward pass."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph import unbroadcast
from .following import record
from .function_forms import copies
from .numpy_table import Unrecorded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from .function_forms import CheckedFunction

POINTS = 3                      # points to compare at: the given inputs, and two random variations of them
JACOBIAN = 40_000               # the largest Jacobian that is built, in entries
WIDE = 600                      # for larger inputs only the numeric gradient of the check is used
# entries to compare; a smaller input is compared for several upstream gradients at each point
ENOUGH = 12


class Uncallable(Exception):
    """The learner's function or vjp raises an exception for other inputs or another upstream gradient."""


class Point:
    """The function at one set of inputs, with one upstream gradient.

    arrays, values      inputs and outputs
    dys                 the upstream gradients of the outputs
    pull                the learner's vjp: upstream gradients → list of gradients of the inputs
    analytic            the learner's gradients of the inputs
    tape                the record of the forward pass, or None
    unrecorded          why there is none, if its steps were tried
    names               {name: value} that the learner's vjp refers to
    """

    def __init__(self, checked: CheckedFunction, arrays: list[Any], eps: float, dys: list[Any] | None = None,
                 rng: np.random.Generator | None = None) -> None:
        self.checked, self.arrays, self.eps = checked, arrays, eps
        try:
            values, pull = checked.linearize(copies(arrays))
        except Exception as error:
            raise Uncallable(str(error)) from error
        self.values = copies(values)
        self.dys = dys if dys is not None else [np.asarray(rng.standard_normal(v.shape)) for v in self.values]

        def pulled(dys):
            try:
                gradients = pull(dys)
            except Exception as error:
                raise Uncallable(str(error)) from error
            if checked.sums:                                # the engine sums over broadcast axes
                gradients = [g if g is None or unbroadcast(np.asarray(g), np.shape(a)) is None
                             else unbroadcast(np.asarray(g), np.shape(a))
                             for g, a in zip(gradients, arrays)]
            return gradients

        self.pull = pulled
        self.tape, self.unrecorded = None, ""
        steps = checked.steps
        if steps is not None:
            try:
                self.tape = record(steps, copies(arrays), checked.wanted, checked.options)
                for node, v in zip(self.tape.outputs, self.values):
                    if node is not None and not np.allclose(node.value, v, rtol=1e4 * eps, atol=1e3 * eps):
                        self.tape, self.unrecorded = None, "the record gives another value"
            except Unrecorded as error:
                self.unrecorded = str(error)
        self.names = checked.kept()
        self.analytic = copies(self.pull(copies(self.dys)))
        self._jacobians = {}

    def with_upstream(self, dys: list[Any]) -> Point:
        """The same inputs with other upstream gradients."""
        other = copy.copy(self)
        other.dys, other.analytic = dys, copies(self.pull(copies(dys)))
        return other

    def jacobian(self, i: int) -> NDArray[Any]:
        """∂(all outputs, flat)/∂(input i, flat) by central differences, (inputs, outputs)."""
        if i not in self._jacobians:
            x = self.arrays[i]
            rows = []
            for k in range(x.size):
                h = self.eps ** (1 / 3) * max(1.0, abs(x.flat[k]))
                around = []
                for step in (h, -h):
                    moved = copies(self.arrays)
                    moved[i].flat[k] += step
                    around.append(np.concatenate([np.ravel(v).astype(np.float64) for v in self.checked.values(moved)]))
                rows.append((around[0] - around[1]) / (2 * h))
            self._jacobians[i] = np.array(rows).reshape(x.size, -1)
        return self._jacobians[i]

    def true(self, i: int, dys: list[Any] | None = None) -> NDArray[Any]:
        """The true gradient of input i, from the tape or from the numeric Jacobian."""
        dys = self.dys if dys is None else dys
        if self.tape is not None:
            return self.tape.gradient(i, dys)
        return (self.jacobian(i) @ np.concatenate([np.ravel(d) for d in dys])).reshape(self.arrays[i].shape)


def captured(kept: dict[str, Any]) -> dict[str, NDArray[Any]]:
    """{name: array} of the arrays among kept variables, including those in lists, tuples and dicts."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, value in kept.items():
        inside = value.items() if isinstance(value,
                                             dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
        arrays.update({name: value} if isinstance(value, np.ndarray) else
                      {f"{name}[{key!r}]": part for key, part in inside if isinstance(part, np.ndarray)})
    return arrays


class Evidence:
    """Everything known about the gradient of input ``i``.

    name, shape     of the input
    analytic, true  the gradient of the learner and the true one, an array for each point
    places          the number of distinct points; further points repeat them with other upstream gradients
    known           mistakes that were found in the gradients of other inputs
    tol             two gradients are the same if they differ by at most this, relative to the largest entry
    """

    def __init__(self, checked: CheckedFunction, i: int, points: list[Point], eps: float,
                 numeric: NDArray[Any] | None = None,
                 known: set[Any] | None = None) -> None:
        self.checked, self.i, self.points = checked, i, points
        self._pair: dict[int, tuple[NDArray[Any], NDArray[Any]]] = {}
        self.known, self.records = set() if known is None else known, {}
        self.name, self.shape = checked.names[i], checked.arrays[i].shape
        self.tol = max(1e-6, 30 * eps ** (2 / 3))
        self.places, rng = len(points), np.random.default_rng(4)
        for _ in range(math.ceil(ENOUGH / max(1, len(points) * checked.arrays[i].size)) - 1):
            self.points = self.points + [p.with_upstream([rng.standard_normal(d.shape) for d in p.dys]) for p in points]
        points = self.points
        self.analytic = [np.asarray(p.analytic[i], np.float64) for p in points]
        if numeric is not None and any(p.tape is None for p in points):                 # too large to measure again
            self.points, self.analytic, self.true = points[:1], self.analytic[:1], [numeric]
        else:
            self.true = [p.true(i) for p in points]

    def same(self, these: Sequence[Any], those: Sequence[Any]) -> bool:
        """Whether the arrays are equal at every point, up to ``tol``.

        Entries that are infinite in ``those`` do not count.
        """
        for a, b in zip(these, those):
            if np.shape(a) != np.shape(b):
                return False
            seen = np.isfinite(b)
            scale = max(np.max(np.abs(b), initial=0, where=seen),
                        np.max(np.abs(a), initial=0, where=seen & np.isfinite(a)))
            if not np.max(np.abs(a - b), initial=0, where=seen) <= self.tol * scale:
                return False
        return True

    def fits(self, candidates: Sequence[Any]) -> bool:
        """Whether the learner's gradient equals these candidates, one for each point."""
        return self.same(candidates, self.analytic)

    @property
    def small(self) -> bool:
        """Whether the Jacobians are small enough to be built."""
        inputs, outputs = self.points[0].arrays[self.i].size, sum(v.size for v in self.points[0].values)
        return len(self.points) > 1 and inputs * outputs <= JACOBIAN and max(inputs, outputs) <= WIDE

    def jacobians(self, point: int = 0) -> tuple[NDArray[Any], NDArray[Any]]:
        """The learner's and the true Jacobian, (entries of the input, entries of the outputs).

        They are made from one-hot upstream gradients.
        """
        if point not in self._pair:
            p = self.points[point]
            learner, right = [], []
            for dys in onehots(p.values):
                learner.append(np.ravel(p.pull(copies(dys))[self.i]).astype(np.float64))
                if p.tape is not None:
                    right.append(np.ravel(p.true(self.i, dys)))
            self._pair[point] = np.array(learner).T, np.array(right).T if right else p.jacobian(self.i)
        return self._pair[point]

    def named(self, k: int) -> dict[str, NDArray[Any]]:
        """{name: array} of all named arrays at point k: inputs, variables of the vjp, and the value."""
        p = self.points[k]
        arrays = {n: np.asarray(a, np.float64) for n, a in p.names.items()
                  if isinstance(a, (np.ndarray, np.floating, float)) and np.asarray(a).dtype.kind in "fb"}
        for n, a in zip(self.checked.names, p.arrays):
            if isinstance(a, np.ndarray) and a.dtype.kind in "fb":
                arrays[n] = a.astype(np.float64)
        known = list(arrays.values())
        for v in p.values:
            if not any(a.shape == v.shape and np.array_equal(a, v) for a in known):
                arrays["the value"] = v
        return arrays


def onehots(values: Sequence[NDArray[Any]]) -> Iterator[list[NDArray[Any]]]:
    """Upstream gradients that are 1 at one entry and 0 elsewhere, for each entry in turn."""
    for which, v in enumerate(values):
        for k in range(v.size):
            dys = [np.zeros(w.shape) for w in values]
            dys[which].reshape(-1)[k] = 1
            yield dys


def points(checked: CheckedFunction, cotangents: list[NDArray[Any]], eps: float) -> list[Point]:
    """The given inputs and random variations of them: every entry times 0.8 to 1.2, with the input's constraints."""
    found = [Point(checked, copies(checked.arrays), eps, copies(cotangents))]
    for seed in range(1, POINTS):
        rng = np.random.default_rng([seed, 3])
        try:
            varied = [keeping(a, a * rng.uniform(0.8, 1.2, a.shape)) if wanted else a
                      for a, wanted in zip(copies(checked.arrays), checked.wanted)]
            point = Point(checked, varied, eps, rng=rng)
        except Exception:                                   # the function may reject these inputs, or use fixed arrays
            continue
        if all(np.isfinite(v).all() for v in point.values):
            found.append(point)
    return found


def keeping(x: NDArray[Any], varied: NDArray[Any]) -> NDArray[Any]:
    """``varied`` with the constraints that x satisfies, since the function may be made for such inputs alone.

    They are: symmetry, positive eigenvalues, orthonormal columns, rows or columns that sum to 1 or 0 or have length 1,
    and ascending order.
    """
    if x.size < 2 or not np.isfinite(x).all():
        return varied
    square = x.ndim >= 2 and x.shape[-1] == x.shape[-2] > 1
    if square and np.allclose(x, x.swapaxes(-1, -2), rtol=0, atol=1e-12):
        mean = (varied + varied.swapaxes(-1, -2)) / 2
        definite = np.linalg.eigvalsh(x).min() > 0
        while definite and np.linalg.eigvalsh(mean).min() <= 0:
            mean = (mean + x) / 2
        return mean
    if x.ndim == 2 and np.allclose(x.T @ x, np.eye(x.shape[1]), rtol=0, atol=1e-9):
        q, r = np.linalg.qr(varied)
        return q * np.sign(np.diag(r))
    for axis in reversed(range(x.ndim)):
        if x.shape[axis] < 2:
            continue
        total = varied.sum(axis=axis, keepdims=True)
        if np.allclose(x.sum(axis=axis), 1, rtol=0, atol=1e-9):
            return varied / total
        if np.allclose((x * x).sum(axis=axis), 1, rtol=0, atol=1e-9):
            return varied / np.sqrt((varied * varied).sum(axis=axis, keepdims=True))
        if x.shape[axis] > 2 and np.allclose(x.sum(axis=axis), 0, rtol=0, atol=1e-9 * np.max(np.abs(x))):
            return varied - total / x.shape[axis]
        if x.shape[axis] > 3 and (np.diff(x, axis=axis) > 0).all():
            return np.sort(varied, axis=axis)
    return varied
