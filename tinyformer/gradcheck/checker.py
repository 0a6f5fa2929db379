"""``check``: compare the gradient that a function returns with the numeric one."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import Tensor
from ..graph import unbroadcast
from .agreement import Comparison
from .by_design import straight_through
from .doctor import Doctor
from .evidence import captured
from .function_forms import CheckedFunction, Unreadable, checked_function, copies
from .numeric import NARROW, Probe, computes_in_float32
from .report import Finding, InputReport, Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

SHOWN = 5                               # entries that a report names
BY_HAND = 60                            # entries of an input for which a report computes one by hand
DOUBLE = np.finfo(np.float64).eps


def check(fn: Callable[..., Any], *inputs: Any, reference: Callable[..., Any] | None = None, rtol: float = 1e-5,
          seed: int = 0, **options: Any) -> Report:
    """Compare the gradients of ``fn`` at ``inputs`` with numeric gradients, in float64.

    The upstream gradient c is random, L = Σ c ⊙ fn(x), and h ≈ ε^⅓ = 6e-6 max(1, |xᵢ|):

        analytic = vjp(c),    numericᵢ = (L(x + h eᵢ) − L(x − h eᵢ)) / 2h
        an entry agrees if |analyticᵢ − numericᵢ| ≤ rtol · max(|analytic|, |numeric|) + the rounding error of L,
        with the maximum over all entries of the input

    Inputs of up to 2000 entries are compared entry by entry. Larger ones are first compared along three random
    directions, and entry by entry where a direction disagrees. An entry at a kink agrees if it lies between the left
    and the right derivative. (Griewank & Walther, Evaluating Derivatives, 2008; chapter 04.)

    fn          a function of arrays that returns (value, vjp); or an operation, one of ``tinyformer.ops`` or your
                own under ``@differentiable``; or a function of tensors that returns a tensor or a tuple of tensors; or
                a module, whose parameters then count as inputs. Also (forward, backward); an object or a class with
                both; a function that returns (loss, gradients); a function of objects with data, grad and backward; a
                torch.autograd.Function, a function of torch tensors or an nn.Module; a JAX custom_vjp function. The
                page "Check your own gradient" has an example of each
    inputs      the arguments of fn. Floating-point arrays and tensors of any shape are differentiated, as float64
                copies; integers, booleans, None, strings, lists and Python numbers are passed on unchanged. If there is
                no floating-point array, floats and lists of floats become arrays
    reference   a function of the same inputs that is known to be right: it returns the value, or (value, vjp).
                ``check`` then compares the values too
    rtol        relative tolerance of a gradient
    seed        seed of the random upstream gradient. It is random because ones hide mistakes: for dy = 1, the vjp of a
                softmax is zero
    options     keyword arguments of fn. If fn has options named ``reference``, ``rtol`` or ``seed``, wrap it in a
                lambda

    A function that returns (value, vjp) gives one gradient for each positional parameter, or one for each
    floating-point input alone; each has exactly the shape of its input.

    Returns a ``Report``: ``report.ok``, ``report.inputs[i].error``, ``.ok`` and ``.findings``, and ``print(report)``.
    Raises ValueError if no input is a floating-point array, TypeError if fn is no function, if it returns
    neither (value, vjp) nor tensors, or if its value is not of a floating-point type. An exception inside fn is not
    caught.

    >>> print(check(ops.linear, x, weight, bias))
    """
    # A separate stream: inputs drawn from default_rng(seed) must not equal the upstream gradient.
    rng = np.random.default_rng([seed, 1])
    with np.errstate(all="ignore"):                         # NaN and infinity are reported as findings
        checked = checked_function(fn, inputs, options)
        try:
            return _check(checked, reference, rtol, rng)
        finally:
            checked.close()


def _check(checked: CheckedFunction, reference: Callable[..., Any] | None, rtol: float,
           rng: np.random.Generator) -> Report:
    run = _Run(checked, rng)
    if reference is not None:
        run.compare_values(reference, rtol)
    reports = []
    for i, name in enumerate(checked.names):
        value = checked.arrays[i]
        report = InputReport(name, getattr(value, "shape", ()), differentiated=checked.wanted[i])
        report.findings += run.findings[i]
        if report.differentiated:
            if run.gradients is None:
                report.error, report.agrees = np.inf, False
            else:
                _grade(report, run.gradients[i], run, i, rtol, rng)
            if run.eps > DOUBLE:
                what = "the function computes in float32 inside" if run.inside else "the value is float32"
                report.findings.append(Finding("float32", f"{what}, so only about 7 digits can be compared"))
        for finding in report.findings:
            finding.evidence.setdefault("input", name)
        if checked.given[i]:
            reports.append(report)
    notes, failures = list(checked.notes), []
    if "doctor" in vars(run):                               # it was asked
        failures = run.doctor.failures
        if run.doctor.unrecorded:
            notes.append(f"the forward pass could not be followed step by step ({run.doctor.unrecorded}), "
                         f"so the names of mistakes are less sure")
    return Report(checked.name, rtol, reports, notes, failures)


def diagnose(fn: Callable[..., Any] | Report, *inputs: Any, **options: Any) -> list[Finding]:
    """The probable mistakes in the gradients of ``fn`` at ``inputs``, the most certain first.

    The list is empty if all gradients are right.

    fn, inputs, options     as for ``check``, which raises the same errors; or one ``Report`` that ``check`` returned

    Returns a list of ``Finding``. ``finding.evidence["input"]`` is the name of the input whose gradient is wrong.

    >>> [finding.code for finding in diagnose(my_softmax, x)]
    ['softmax-diagonal']
    """
    report = fn if isinstance(fn, Report) else check(fn, *inputs, **options)
    return sorted((finding for one in report.inputs for finding in one.findings if finding.is_mistake),
                  key=lambda f: -f.confidence)


# ------------------------------------------------------------------------------------------------ what fn does

class _Run:
    """The function called as the engine calls it: its gradients, and any side effect that it must not have.

    gradients       of each argument; None if they cannot be compared
    findings        for each argument, the findings that need no comparison
    """

    def __init__(self, checked: CheckedFunction, rng: np.random.Generator) -> None:
        self.checked = checked
        self.findings: list[list[Finding]] = [[] for _ in checked.names]
        self.gradients: list[Any] | None = None
        narrow = computes_in_float32(self._varied, max([1.0] + [
            np.max(np.abs(a), initial=0, where=np.isfinite(a)) for a, wanted in zip(checked.arrays, checked.wanted)
            if wanted]))
        inputs = copies(checked.arrays)
        values, pull_back = checked.linearize(inputs)
        before = copies(values)
        floats = [v.dtype.kind == "f" for v in before]
        if not any(floats):
            raise TypeError(f"check: the value of {checked.name} is {before[0].dtype}, expected a floating-point type")
        self.eps = max(float(np.finfo(v.dtype).eps) for v, is_float in zip(before, floats) if is_float)
        self.inside = narrow and self.eps == DOUBLE
        self.eps = NARROW if self.inside else self.eps
        self.cotangents = [np.asarray(rng.standard_normal(v.shape) if is_float else np.zeros(v.shape)).astype(v.dtype)
                           for v, is_float in zip(before, floats)]
        mutated = self._changed(inputs)
        for i in mutated:
            self._add("mutates", f"{checked.name} changes its input {checked.names[i]} in place", i)
        if not all(np.isfinite(v).all() for v in before):
            self._add("nonfinite",
                      "the value itself is NaN or infinite at these inputs, so there is no gradient to compare")
            return

        kept = captured(checked.kept())
        kept_before = dict(zip(kept, copies(kept.values())))
        try:
            first, dys = self._pull(pull_back)
        except Unreadable as error:
            self._add(error.code, str(error))
            return
        if not _same(dys, self.cotangents):
            self._add("mutates", "vjp changes the upstream gradient in place")
        if not _same(values, before):
            self._add("mutates", "vjp changes the value in place")
        for i in self._changed(inputs):
            if i not in mutated:
                self._add("mutates", f"vjp changes the input {checked.names[i]} in place", i)
        written = [name for name, array in kept.items() if not _same([array], [kept_before[name]])]

        if not written and self._draws(pull_back, first):
            self._add("nondeterministic", "two calls of the same vjp return two gradients: it draws random numbers "
                                          "again, where it must reuse those of the forward pass")
            self.gradients = first
            return
        again, pull_again = checked.linearize(copies(checked.arrays))
        if not _same(again, before):
            self._add("nondeterministic", "a second call with the same inputs returns another value: if the function "
                                          "draws random numbers, give it a fixed seed")
            return
        second = self._pull(pull_again)[0]
        # A call at other inputs: the first vjp must not depend on it.
        checked.linearize([a * (1 - 1e-3 * rng.random(a.shape)) if wanted else a
                           for a, wanted in zip(copies(checked.arrays), checked.wanted)])
        third = self._pull(pull_back)[0]
        if not _same(second, first):
            self._add("stale", "a second call returns another gradient: the function keeps something between calls")
        elif not _same(third, first) and written:
            self._add("mutates", f"vjp changes {', '.join(written)} of its forward pass in place, so a second "
                                 f"backward pass gives another gradient: change a copy",
                      evidence={"arrays": tuple(written)})
        elif not _same(third, first):
            self._add("stale",
                      "after another call, the first vjp returns another gradient: it must keep its own values")
        self.gradients = first

    def _varied(self, s: float) -> NDArray[Any]:
        """The values, flat, with each entry of each input multiplied by 1 + s or 1 − s, the same signs for every s."""
        signs = [np.random.default_rng(i) for i in range(len(self.checked.arrays))]
        varied = [a * (1 + s * one.choice([-1, 1], a.shape)) if wanted else a
                  for a, wanted, one in zip(copies(self.checked.arrays), self.checked.wanted, signs)]
        return np.concatenate([np.ravel(v).astype(np.float64) for v in self.checked.values(varied)])

    def _draws(self, pull_back: Callable[[Any], Any], first: list[Any]) -> bool:
        """Whether the vjp returns another gradient at each call, and does not only add up."""
        try:
            second, third = self._pull(pull_back)[0], self._pull(pull_back)[0]
        except Exception:                                   # it can be called only once
            return False
        if _same(second, first):
            return False
        pairs = [(a, b, c) for a, b, c in zip(first, second, third) if isinstance(a, np.ndarray) and a.shape == b.shape]
        return not all(np.allclose(c - b, b - a, rtol=1e-6, atol=1e-9) for a, b, c in pairs)

    def _pull(self, pull_back: Callable[[Any], Any]) -> tuple[list[Any], list[NDArray[Any]]]:
        dys = copies(self.cotangents)
        return copies(pull_back(dys)), dys

    def _changed(self, inputs: list[Any]) -> list[int]:
        return [i for i, (now, was) in enumerate(zip(inputs, self.checked.arrays)) if not _same([now], [was])]

    def _add(self, code: str, message: str, *which: int, evidence: Any = ()) -> None:
        """Add a finding to the inputs ``which``, or to every differentiated input."""
        for i in which or [i for i, wanted in enumerate(self.checked.wanted) if wanted]:
            self.findings[i].append(Finding(code, message, dict(evidence)))

    def compare_values(self, reference: Callable[..., Any], rtol: float) -> None:
        """Compare the value with that of a function that is known to be right."""
        values = self.checked.values(copies(self.checked.arrays))
        right = _values_of(reference, self.checked)
        if len(values) != len(right) or any(np.shape(v) != np.shape(r) for v, r in zip(values, right)):
            came, expected = (", ".join(str(np.shape(v)) for v in several) for several in (values, right))
            self._add("forward", f"the value has shape {came}, expected {expected}")
            return
        for v, r in zip(values, right):
            off = np.abs(v - r)
            off = np.where(np.isnan(off), np.where(np.isnan(v) & np.isnan(r), 0, np.inf), off)
            if np.max(off, initial=0) > max(rtol, 100 * self.eps) * np.max(np.abs(r), initial=0):
                worst = _index(int(np.argmax(off)), off.shape)
                self._add("forward", f"the value is wrong, so its gradient says little: at {list(worst)} the value is "
                                     f"{v[worst]:.6g}, expected {r[worst]:.6g}",
                          evidence={"index": worst, "came": float(v[worst]), "expected": float(r[worst])})
                return

    @functools.cached_property
    def doctor(self) -> Doctor:
        """Explains a wrong gradient. It is built only if one is wrong."""
        return Doctor(self.checked, self.cotangents, self.eps)

    def input_that_tests(self, i: int) -> str:
        """A change of input i at which the value changes with it, in words; "" if none is found."""
        name, x = self.checked.names[i], self.checked.arrays[i]
        rng = np.random.default_rng(0)
        for words, changed in ((f"−{name}", -x), (f"{name} / 10", x / 10), (f"{name} + 1", x + 1),
                               (f"{name} − 1", x - 1), ("rng.standard_normal(shape)", rng.standard_normal(x.shape)),
                               (f"10 {name}", 10 * x)):
            try:
                around = [self.checked.values([changed * (1 + s) + s if j == i else a for j, a in
                                               enumerate(copies(self.checked.arrays))]) for s in (0.0, 1e-4)]
            except Exception:                               # the learner's function may refuse such an input
                continue
            if any(np.max(np.abs(a - b), initial=0) > 1e-7 * np.max(np.abs(a), initial=0) for a, b in zip(*around)):
                return words
        return ""

    def probe(self, i: int) -> Probe:
        """The numeric derivatives with respect to input i."""
        checked, rng = self.checked, np.random.default_rng(i)

        def at(x: NDArray[Any]) -> NDArray[Any]:
            values = checked.values([x.copy() if j == i else a for j, a in enumerate(copies(checked.arrays))])
            return np.concatenate([np.ravel(v).astype(np.float64) for v in values])

        c = np.concatenate([np.ravel(dy) for dy in self.cotangents]).astype(np.float64)
        return Probe(at, checked.arrays[i], c, self.eps, rng)


def _values_of(reference: Callable[..., Any], checked: CheckedFunction) -> tuple[NDArray[Any], ...]:
    """The values of a function that is known to be right: it may return arrays, tensors, or (value, vjp)."""
    try:
        result = reference(*copies(checked.arrays), **checked.options)
    except (TypeError, AttributeError):                     # it takes tensors
        tensors = (Tensor(a) if isinstance(a, np.ndarray) else a for a in copies(checked.arrays))
        result = reference(*tensors, **checked.options)
    if isinstance(result, tuple) and len(result) == 2 and callable(result[1]):
        result = result[0]
    return tuple(np.asarray(getattr(v, "data", v) if isinstance(v, Tensor) else v)
                 for v in (result if isinstance(result, tuple) else (result,)))


def _same(these: Iterable[Any], those: Iterable[Any]) -> bool:
    """Whether arrays are equal up to the last digits, which a BLAS may round differently from call to call."""
    def same(a: Any, b: Any) -> bool:
        if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)) or a.dtype.kind not in "fiub":
            return True
        if a.shape != b.shape:
            return False
        close = 1e-10 if a.dtype == np.float64 else 1e-5
        size = np.max(np.abs(b), initial=0, where=np.isfinite(b)) if b.dtype.kind == "f" else 0
        return np.allclose(a, b, rtol=0, atol=close * size, equal_nan=True)
    return all(map(same, these, those))


# ------------------------------------------------------------------------------------------------ one input

def _grade(report: InputReport, gradient: Any, run: _Run, i: int, rtol: float, rng: np.random.Generator) -> None:
    """Compare ``gradient`` with the numeric one and write the result into ``report``."""
    def refuse(code: str, message: str, **evidence: Any) -> None:
        report.error, report.agrees = np.inf, False
        report.findings.append(Finding(code, message, evidence))

    name, shape, eps = report.name, report.shape, run.eps
    missing = gradient is None
    try:
        gradient = np.zeros(shape) if missing else np.asarray(gradient)
    except ValueError:
        return refuse("returns", f"the gradient of {name} cannot be converted to an array")
    if run.checked.sums and unbroadcast(gradient, shape) is not None:
        gradient = unbroadcast(gradient, shape)
    if gradient.dtype.kind != "f" or gradient.dtype != np.float64 and eps == DOUBLE:
        return refuse("dtype", f"the gradient of {name} is {gradient.dtype}, expected float64, the type of the input")
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
        report.findings.append(Finding("kink", f"the function has a kink at {shown}, so these entries are not compared",
                                       {"entries": places}))
    if report.agrees and gradient.size and not missing and comparison.is_zero:
        other = run.input_that_tests(i)
        report.findings.append(Finding(
            "flat", f"the value does not change with {name} here, so only zeros were compared and nothing was tested: "
                    f"choose another input" + (f", such as {other}" if other else ""), {"input_to_try": other}))
    if missing and not report.agrees:
        report.findings.append(Finding("missing", f"vjp returns None for {name}, but the value depends on {name}"))
    elif not report.agrees:
        worst = [(_index(i, shape), float(gradient.flat[i]), float(comparison.numeric[i]))
                 for i in comparison.worst[:SHOWN]]
        if any(finding.code in ("mutates", "stale", "nondeterministic") for finding in report.findings):
            return None                                     # these may cause every other deviation
        by_design = straight_through(run.checked, i, report.numeric, rng)
        if by_design is not None:
            report.agrees = True
            report.findings.append(by_design)
            return None
        findings = run.doctor.explain(i, report.numeric) if comparison.code == "unexplained" else []
        for finding in findings:
            finding.evidence.setdefault("worst", worst)
        if findings and worst and gradient.size <= BY_HAND:
            first = comparison.worst[0]
            findings[0].evidence["by_hand"] = (worst[0][0], *comparison.probe.by_hand(first), worst[0][1])
        report.findings += findings or [Finding(comparison.code, comparison.reason, {"worst": worst}, confidence=0.0)]
    return None


def _index(i: Any, shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(n) for n in np.unravel_index(i, tuple(shape)))
