"""``check``: compare the gradient that a function returns with the numeric one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph import unbroadcast
from .agreement import Comparison
from .by_design import straight_through
from .function_forms import CheckedFunction, checked_function
from .report import Finding, InputReport, Report
from .run import DOUBLE, Run, index_of

if TYPE_CHECKING:
    from collections.abc import Callable

SHOWN = 5                               # entries that a report names
BY_HAND = 60                            # entries of an input for which a report computes one by hand


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
    run = Run(checked, rng)
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


def _grade(report: InputReport, gradient: Any, run: Run, i: int, rtol: float, rng: np.random.Generator) -> None:
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
        index = index_of(np.flatnonzero(~np.isfinite(gradient))[0], shape)
        return refuse("nonfinite", f"the gradient of {name} is {gradient[index]} at {list(index)}", index=index)

    comparison = Comparison(run.probe(i), gradient, rtol, rng)
    report.error, report.agrees, report.compared = comparison.error, comparison.agrees, comparison.compared
    report.numeric = comparison.numeric.reshape(shape)
    if comparison.kinks:
        places = [index_of(i, shape) for i in comparison.kinks]
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
        worst = [(index_of(i, shape), float(gradient.flat[i]), float(comparison.numeric[i]))
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
