"""What the doctor has to go on: a wrong gradient and the true one, at several points, with all that is known besides."""

from __future__ import annotations

import copy
import inspect
import math

import numpy as np

from ..autograd import topological_order, unbroadcast
from .function_forms import RawFunction, copies
from .recording import record
from .tape import Unrecorded

POINTS = 3                      # the inputs given, and so many less one of the same shapes beside them
JACOBIAN = 40_000               # the largest Jacobian that is built, in entries
WIDE = 600                      # inputs with more entries have only the gradient that check measured
ENOUGH = 12                     # numbers to be sure from; an input with fewer has several gradients of the output at each point


class Point:
    """The function at one place, with one gradient of its output.

    arrays, values      inputs and outputs
    dys                 the gradients of the outputs
    pull                the learner's vjp: gradients of the outputs → list of gradients of the inputs
    tape, names         the record of the forward pass (or None), and the arrays that the learner's vjp refers to
    """

    def __init__(self, subject, arrays, eps, dys=None, rng=None):
        self.subject, self.arrays, self.eps = subject, arrays, eps
        values, pull = subject.linearize(copies(arrays))
        self.values = copies(values)
        self.dys = dys if dys is not None else [np.asarray(rng.standard_normal(v.shape)) for v in self.values]

        def pulled(dys):
            gradients = pull(dys)
            if subject.sums:                                # the engine would sum them
                gradients = [g if g is None or unbroadcast(np.asarray(g), np.shape(a)) is None
                             else unbroadcast(np.asarray(g), np.shape(a))
                             for g, a in zip(gradients, arrays)]
            return gradients

        self.pull = pulled
        self.tape, self.names = None, {}
        raw = subject.fn if isinstance(subject, RawFunction) else getattr(subject.fn, "raw", None)
        if raw is not None:
            try:
                self.tape = record(raw, copies(arrays), subject.wanted, subject.options)
                for node, v in zip(self.tape.outputs, self.values):
                    if node is not None and not np.allclose(node.value, v, rtol=1e4 * eps, atol=1e3 * eps):
                        self.tape = None
            except Unrecorded:
                pass
            self.names = closure(subject.last_vjp)
        else:                                               # a function of tensors: what its operations gave
            self.names = {f"the value of {t.node.operation.__name__}": t.data for node in topological_order(*subject.last_outputs)
                          for t in node.inputs if t is not None and t.node is not None}
        self.analytic = copies(self.pull(copies(self.dys)))
        self._jacobians = {}

    def pulled_by(self, dys):
        """The same place with other gradients of the outputs."""
        other = copy.copy(self)
        other.dys, other.analytic = dys, copies(self.pull(copies(dys)))
        return other

    def jacobian(self, i):
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
                    around.append(np.concatenate([np.ravel(v).astype(np.float64) for v in self.subject.values(moved)]))
                rows.append((around[0] - around[1]) / (2 * h))
            self._jacobians[i] = np.array(rows).reshape(x.size, -1)
        return self._jacobians[i]

    def true(self, i, dys=None):
        """The true gradient of input i."""
        dys = self.dys if dys is None else dys
        if self.tape is not None:
            return self.tape.gradient(i, dys)
        return (self.jacobian(i) @ np.concatenate([np.ravel(d) for d in dys])).reshape(self.arrays[i].shape)


def closure(function):
    """{name: what a function refers to from around it}."""
    function, names = inspect.unwrap(function), {}
    for name, cell in zip(getattr(getattr(function, "__code__", None), "co_freevars", ()),
                          getattr(function, "__closure__", None) or ()):
        try:
            names[name] = cell.cell_contents
        except ValueError:                                  # never bound
            pass
    return names


def captured(function):
    """{name: array} of what a function refers to from around it, the arrays in its lists, tuples and dicts too."""
    arrays = {}
    for name, value in closure(function).items():
        inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
        arrays.update({name: value} if isinstance(value, np.ndarray) else
                      {f"{name}[{key!r}]": part for key, part in inside if isinstance(part, np.ndarray)})
    return arrays


class Evidence:
    """All about the gradient of input ``i``.

    got, true       what came and what is right, an array for each point
    places          so many of the points are distinct; the others are the same with other gradients of the outputs
    known           mistakes that were found in the gradients of other inputs
    tol             how close two gradients must be, relative to the largest entry, to be the same
    """

    def __init__(self, subject, i, points, eps, numeric=None, known=None):
        self.subject, self.i, self.points = subject, i, points
        self.known, self.records = set() if known is None else known, {}
        self.name, self.shape = subject.names[i], subject.arrays[i].shape
        self.tol = max(1e-6, 30 * eps ** (2 / 3))
        self.places, rng = len(points), np.random.default_rng(4)
        for _ in range(math.ceil(ENOUGH / max(1, len(points) * subject.arrays[i].size)) - 1):
            self.points = self.points + [p.pulled_by([rng.standard_normal(d.shape) for d in p.dys]) for p in points]
        points = self.points
        self.got = [np.asarray(p.analytic[i], np.float64) for p in points]
        if numeric is not None and any(p.tape is None for p in points):                 # too large to measure again
            self.points, self.got, self.true = points[:1], self.got[:1], [numeric]
        else:
            self.true = [p.true(i) for p in points]

    def same(self, these, those):
        """Whether these arrays equal those at every point, to the noise floor."""
        for a, b in zip(these, those):
            if np.shape(a) != np.shape(b):
                return False
            seen = np.isfinite(b)
            scale = max(np.max(np.abs(b), initial=0, where=seen), np.max(np.abs(a), initial=0, where=seen & np.isfinite(a)))
            if not np.max(np.abs(a - b), initial=0, where=seen) <= self.tol * scale:
                return False
        return True

    def fits(self, candidates):
        """Whether the gradient that came is this one, at every point."""
        return self.same(candidates, self.got)

    @property
    def small(self):
        """Whether Jacobians can be built."""
        inputs, outputs = self.points[0].arrays[self.i].size, sum(v.size for v in self.points[0].values)
        return len(self.points) > 1 and inputs * outputs <= JACOBIAN and max(inputs, outputs) <= WIDE

    def jacobians(self, point=0):
        """(learner's, true): (entries of the input, entries of the outputs), by one-hot gradients of the outputs."""
        if not hasattr(self, "_pair"):
            self._pair = {}
        if point not in self._pair:
            p = self.points[point]
            learner, right = [], []
            for dys in onehots(p.values):
                learner.append(np.ravel(p.pull(copies(dys))[self.i]).astype(np.float64))
                if p.tape is not None:
                    right.append(np.ravel(p.true(self.i, dys)))
            self._pair[point] = np.array(learner).T, np.array(right).T if right else p.jacobian(self.i)
        return self._pair[point]

    def named(self, k):
        """{name: array} of everything with a name at point k."""
        p = self.points[k]
        arrays = {n: np.asarray(a, np.float64) for n, a in p.names.items()
                  if isinstance(a, (np.ndarray, np.floating, float)) and np.asarray(a).dtype.kind in "fb"}
        for n, a in zip(self.subject.names, p.arrays):
            if isinstance(a, np.ndarray) and a.dtype.kind in "fb":
                arrays[n] = a.astype(np.float64)
        known = list(arrays.values())
        for v in p.values:
            if not any(a.shape == v.shape and np.array_equal(a, v) for a in known):
                arrays["the value"] = v
        return arrays


def onehots(values):
    """Gradients of the outputs that are 1 at one entry and 0 elsewhere, for each entry in turn."""
    for which, v in enumerate(values):
        for k in range(v.size):
            dys = [np.zeros(w.shape) for w in values]
            dys[which].reshape(-1)[k] = 1
            yield dys


def points(subject, cotangents, eps):
    """The place that was checked and others beside it: every entry 0.8 to 1.2 times what it was."""
    found = [Point(subject, copies(subject.arrays), eps, copies(cotangents))]
    for seed in range(1, POINTS):
        rng = np.random.default_rng([seed, 3])
        try:
            beside = [a * rng.uniform(0.8, 1.2, a.shape) if wanted else a
                      for a, wanted in zip(copies(subject.arrays), subject.wanted)]
            point = Point(subject, beside, eps, rng=rng)
        except Exception:                                   # the function may not take it, or be a closure over fixed arrays
            continue
        if all(np.isfinite(v).all() for v in point.values):
            found.append(point)
    return found
