"""``check``: is the gradient that a function gives the gradient that it has?"""

from __future__ import annotations

import functools

import numpy as np

from ..autograd import Tensor, unbroadcast
from .agreement import Comparison
from .doctor import Doctor
from .evidence import captured
from .numeric import Probe
from .report import Finding, InputReport, Report
from .function_forms import Unreadable, copies, open_subject

SHOWN = 5                               # entries that a report names
DOUBLE = np.finfo(np.float64).eps


def check(fn, *inputs, reference=None, rtol=1e-5, seed=0, **options):
    """Compare the gradients of ``fn`` at ``inputs`` with numeric ones, in float64.

    fn          arrays → (value, vjp); or a lifted operation; or a function of tensors to a tensor or a tuple of them; or a
                module, whose parameters then count as inputs
    inputs      floating-point arrays and tensors are differentiated (as float64 copies); integers, booleans, None, strings,
                lists and Python numbers are passed on. Without any such array, floats and lists of floats become arrays
    reference   a function of the same inputs that is known to be right (its value, or (value, vjp)): the values are compared too
    rtol        the relative error up to which a gradient is right
    seed        of the random gradient of the output, which is never ones: those hide a softmax whose vjp gives zeros
    options     passed on to fn; where it has options named ``reference``, ``rtol`` or ``seed``, wrap it in a lambda

    Returns a ``Report``: ``report.ok``, ``report.inputs[i].error``, ``.ok`` and ``.findings``, and ``print(report)``.
    A raw function gives one gradient for each positional parameter, of exactly its shape, or one for each floating-point input
    alone. An error in fn itself is raised.

    >>> print(check(ops.linear, x, weight, bias))
    """
    # A stream of its own: inputs drawn from default_rng(seed) must not meet themselves as the gradient of the output.
    rng = np.random.default_rng([seed, 1])
    with np.errstate(all="ignore"):                         # NaN and infinity are reported, as findings
        subject = open_subject(fn, inputs, options)
        try:
            return _check(subject, reference, rtol, rng)
        finally:
            subject.close()


def _check(subject, reference, rtol, rng):
    run = _Run(subject, rng)
    if reference is not None:
        run.compare_values(reference, rtol)
    reports = []
    for i, name in enumerate(subject.names):
        value = subject.arrays[i]
        report = InputReport(name, getattr(value, "shape", ()), differentiated=subject.wanted[i])
        report.findings += run.findings[i]
        if report.differentiated:
            if run.gradients is None:
                report.error, report.agrees = np.inf, False
            else:
                _grade(report, run.gradients[i], run, i, rtol, rng)
            if run.eps > DOUBLE:
                report.findings.append(Finding("float32", "the value is float32: compared to its few digits only"))
        for finding in report.findings:
            finding.evidence.setdefault("input", name)
        if subject.given[i]:
            reports.append(report)
    return Report(subject.name, rtol, reports)


def diagnose(fn, *inputs, **options):
    """What is probably wrong with the gradients of ``fn`` at ``inputs``: findings, the surest first; none where all is right.

    Takes what ``check`` takes, or a ``Report`` that it gave. ``finding.evidence["input"]`` says which input it is about.

    >>> [finding.code for finding in diagnose(my_softmax, x)]
    ['softmax-diagonal']
    """
    report = fn if isinstance(fn, Report) else check(fn, *inputs, **options)
    return sorted((finding for one in report.inputs for finding in one.findings if finding.is_mistake),
                  key=lambda f: -f.confidence)


# ------------------------------------------------------------------------------------------------ what fn does

class _Run:
    """The function called as the engine would call it: its gradients, and what it did that it must not.

    gradients       of each argument; None where they cannot be judged
    findings        for each argument, what was seen besides
    """

    def __init__(self, subject, rng):
        self.subject = subject
        self.findings = [[] for _ in subject.names]
        self.gradients = None
        inputs = copies(subject.arrays)
        values, pull_back = subject.linearize(inputs)
        before = copies(values)
        floats = [v.dtype.kind == "f" for v in before]
        if not any(floats):
            raise TypeError(f"check: the value of {subject.name} is {before[0].dtype}, expected a floating-point type")
        self.eps = max(float(np.finfo(v.dtype).eps) for v, is_float in zip(before, floats) if is_float)
        self.cotangents = [np.asarray(rng.standard_normal(v.shape) if is_float else np.zeros(v.shape)).astype(v.dtype)
                           for v, is_float in zip(before, floats)]
        mutated = self._changed(inputs)
        for i in mutated:
            self._add("mutates", f"{subject.name} changes its input {subject.names[i]}", i)
        if not all(np.isfinite(v).all() for v in before):
            return self._add("nonfinite", "the value itself is NaN or infinite here: there is no gradient to compare")

        kept = captured(subject.last_vjp)
        kept_before = dict(zip(kept, copies(kept.values())))
        try:
            first, dys = self._pull(pull_back)
        except Unreadable as error:
            return self._add("returns", str(error))
        if not _same(dys, self.cotangents):
            self._add("mutates", "vjp changes the gradient that it is given")
        if not _same(values, before):
            self._add("mutates", "vjp changes the value")
        for i in self._changed(inputs):
            if i not in mutated:
                self._add("mutates", f"vjp changes the input {subject.names[i]}", i)
        written = [name for name, array in kept.items() if not _same([array], [kept_before[name]])]

        again, pull_again = subject.linearize(copies(subject.arrays))
        if not _same(again, before):
            return self._add("nondeterministic", "a second call with the same inputs gives another value: is it random? "
                                                 "Give it a fixed seed")
        second = self._pull(pull_again)[0]
        # A call elsewhere: does what the first one kept survive it?
        subject.linearize([a * (1 - 1e-3 * rng.random(a.shape)) if wanted else a
                           for a, wanted in zip(copies(subject.arrays), subject.wanted)])
        third = self._pull(pull_back)[0]
        if not _same(second, first):
            self._add("stale", "a second call gives another gradient: something is kept from the first")
        elif not _same(third, first) and written:
            self._add("mutates", f"vjp changes {', '.join(written)} of its forward pass in place: asked again, it gives another "
                                 f"gradient. Change a copy", evidence={"arrays": tuple(written)})
        elif not _same(third, first):
            self._add("stale", "after another call the first vjp gives another gradient: it does not keep its own values")
        self.gradients = first

    def _pull(self, pull_back):
        dys = copies(self.cotangents)
        return copies(pull_back(dys)), dys

    def _changed(self, inputs):
        return [i for i, (now, was) in enumerate(zip(inputs, self.subject.arrays)) if not _same([now], [was])]

    def _add(self, code, message, *which, evidence=()):
        """Note a finding on the inputs ``which``, or on all that are differentiated."""
        for i in which or [i for i, wanted in enumerate(self.subject.wanted) if wanted]:
            self.findings[i].append(Finding(code, message, dict(evidence)))

    def compare_values(self, reference, rtol):
        """Hold the value against that of a function that is known to be right."""
        values = self.subject.values(copies(self.subject.arrays))
        right = _values_of(reference, self.subject)
        if len(values) != len(right) or any(np.shape(v) != np.shape(r) for v, r in zip(values, right)):
            came, expected = (", ".join(str(np.shape(v)) for v in several) for several in (values, right))
            return self._add("forward", f"the value has shape {came}, expected {expected}")
        for v, r in zip(values, right):
            off = np.abs(v - r)
            off = np.where(np.isnan(off), np.where(np.isnan(v) & np.isnan(r), 0, np.inf), off)
            if np.max(off, initial=0) > max(rtol, 100 * self.eps) * np.max(np.abs(r), initial=0):
                worst = _index(int(np.argmax(off)), off.shape)
                return self._add("forward", f"the value is wrong, whatever its gradient: at {list(worst)} it is "
                                            f"{v[worst]:.6g}, expected {r[worst]:.6g}",
                                 evidence={"index": worst, "came": float(v[worst]),
                                                                         "expected": float(r[worst])})

    @functools.cached_property
    def doctor(self):
        """Who says what is wrong; asked only where something is."""
        return Doctor(self.subject, self.cotangents, self.eps)

    def probe(self, i):
        """The numeric side of input i."""
        subject, rng = self.subject, np.random.default_rng(i)

        def at(x):
            values = subject.values([x.copy() if j == i else a for j, a in enumerate(copies(subject.arrays))])
            return np.concatenate([np.ravel(v).astype(np.float64) for v in values])

        c = np.concatenate([np.ravel(dy) for dy in self.cotangents]).astype(np.float64)
        return Probe(at, subject.arrays[i], c, self.eps, rng)


def _values_of(reference, subject):
    """The values of a function that is known to be right: arrays, tensors, or (value, vjp)."""
    try:
        result = reference(*copies(subject.arrays), **subject.options)
    except (TypeError, AttributeError):                     # it takes tensors
        result = reference(*(Tensor(a) if isinstance(a, np.ndarray) else a for a in copies(subject.arrays)), **subject.options)
    if isinstance(result, tuple) and len(result) == 2 and callable(result[1]):
        result = result[0]
    return tuple(np.asarray(getattr(v, "data", v) if isinstance(v, Tensor) else v)
                 for v in (result if isinstance(result, tuple) else (result,)))


def _same(these, those):
    """Whether arrays are equal but for the last digits, which a BLAS may round differently from call to call."""
    def same(a, b):
        if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)) or a.dtype.kind not in "fiub":
            return True
        if a.shape != b.shape:
            return False
        close = 1e-10 if a.dtype == np.float64 else 1e-5
        size = np.max(np.abs(b), initial=0, where=np.isfinite(b)) if b.dtype.kind == "f" else 0
        return np.allclose(a, b, rtol=0, atol=close * size, equal_nan=True)
    return all(map(same, these, those))


# ------------------------------------------------------------------------------------------------ one input

def _grade(report, gradient, run, i, rtol, rng):
    """Hold ``gradient`` against the numeric one and write the outcome into ``report``."""
    def refuse(code, message, **evidence):
        report.error, report.agrees = np.inf, False
        report.findings.append(Finding(code, message, evidence))

    name, shape, eps = report.name, report.shape, run.eps
    missing = gradient is None
    try:
        gradient = np.zeros(shape) if missing else np.asarray(gradient)
    except ValueError:
        return refuse("returns", f"the gradient of {name} is no array")
    if run.subject.sums and unbroadcast(gradient, shape) is not None:
        gradient = unbroadcast(gradient, shape)
    if gradient.dtype.kind != "f" or gradient.dtype != np.float64 and eps == DOUBLE:
        return refuse("dtype", f"the gradient of {name} is {gradient.dtype}, expected float64 as its input")
    if gradient.shape != shape:
        report.error, report.agrees = np.inf, False
        report.findings += run.doctor.shape(i, gradient.shape)
        return None
    report.analytic = gradient = gradient.astype(np.float64)
    if not np.isfinite(gradient).all():
        index = _index(np.flatnonzero(~np.isfinite(gradient))[0], shape)
        return refuse("nonfinite", f"the gradient of {name} is {gradient[index]} at {list(index)}", index=index)

    comparison = Comparison(run.probe(i), gradient, rtol, rng)
    report.error, report.agrees, report.compared = comparison.error, comparison.agrees, comparison.compared
    report.numeric = comparison.numeric.reshape(shape)
    if comparison.kinks:
        places = [_index(i, shape) for i in comparison.kinks]
        shown = ", ".join(f"{name}{list(place)}" for place in places[:SHOWN]) + ", …" * (len(places) > SHOWN)
        report.findings.append(Finding("kink", f"set aside where the function has a kink: {shown}", {"entries": places}))
    if report.agrees and gradient.size and not missing and not gradient.any() and not np.nan_to_num(comparison.numeric).any():
        report.findings.append(Finding("flat", f"the value does not change with {name} here, so that zeros alone were compared"))
    if missing and not report.agrees:
        report.findings.append(Finding("missing", f"vjp gives None for {name}, but the value depends on it"))
    elif not report.agrees:
        worst = [(_index(i, shape), float(gradient.flat[i]), float(comparison.numeric[i])) for i in comparison.worst[:SHOWN]]
        if any(finding.code in ("mutates", "stale", "nondeterministic") for finding in report.findings):
            return None                                     # said already, and what else is wrong may come of it
        findings = run.doctor.explain(i, report.numeric) if comparison.code == "unexplained" else []
        for finding in findings:
            finding.evidence.setdefault("worst", worst)
        report.findings += findings or [Finding(comparison.code, comparison.reason, {"worst": worst}, confidence=0.0)]


def _index(i, shape):
    return tuple(int(n) for n in np.unravel_index(i, shape))
