"""Check a function in a learner's file. ``tinyformer check`` runs this module in a separate process."""

from __future__ import annotations

import inspect
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..sandbox import Refused, call, captured, run_file, within
from ..sandbox.child import serve
from .checker import check
from .function_forms import checked_function
from .function_forms.sources import refers_to
from .function_forms.tensors import TensorFunction
from .inputs import Inputs, Unknown, find_inputs, letters_of, positive
from .samples import sample
from .targets import find_target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .report import Report

FORM = "expected (value, vjp)"          # in the refusal of a function whose return value is of none of the forms


def main() -> None:
    """Answer jobs for ``sandbox.parent.run``. A job is [file, name or None, seed, seconds, {input: shape}].

    An answer is {"ok", "inputs" and "report", or "refused", "printed", "unprinted"}. "report" is the report as text,
    and "inputs" says at which inputs it was made. "refused" says what is wrong with a file that cannot be checked. For
    the last two, see ``Captured.result``.
    """
    serve(_answer)


def _answer(job: list[Any], changed: Callable[[], None]) -> dict[str, Any]:
    path, name, seed, seconds, shapes = job
    with captured() as printed, warnings.catch_warnings():
        try:
            inputs, report = within(seconds, _checked, Path(path), name, seed, shapes)
            changed()
            answer = {"ok": report.ok, "inputs": inputs, "report": str(report)}
        except Refused as refused:
            answer = {"ok": False, "refused": str(refused)}
    text, lost = printed.result()
    return {**answer, "printed": text, "unprinted": lost}


def _checked(path: Path, name: str | None, seed: int, shapes: dict[str, str]) -> tuple[str, Report]:
    """(at which inputs, the report) for the first set of inputs at which something is wrong, or for the last set."""
    try:
        names = run_file(path)
    except Refused as refused:
        missing = getattr(refused.__cause__, "name", None) if isinstance(refused.__cause__, ImportError) else None
        if missing in ("torch", "jax"):
            raise Refused("import", f"{path.name} imports {missing}, which is not installed here; "
                                    f"pip install {missing}, then check again") from None
        raise
    called, target = find_target(names, path, name)
    warnings.simplefilter("ignore")                         # the file may have turned warnings into errors, ours too
    own = names.get("inputs")
    if callable(own) and not shapes:
        given = call(own)
        given = given if isinstance(given, (tuple, list)) else (given,)
        return "the inputs of inputs()", _one(called, target, given, seed)
    try:
        found = find_inputs(target, shapes)
    except Unknown as unknown:
        raise Refused("inputs", f"{called}: {unknown}") from None
    return _at(called, target, found, seed)


def _at(name: str, target: Any, found: Inputs, seed: int) -> tuple[str, Report]:
    report, failed, said = None, None, ""
    for square in (False, True) if letters_of(found.texts) else (False,):
        try:
            said, report = _sampled(name, target, found, seed, square)
        except Refused as refused:                          # a wrong vjp may fail with different sizes, not with equal
            if refused.code == "not attempted" or not square and not letters_of(found.texts):
                raise
            failed = refused
            continue
        if not report.ok:
            return said, report
    if failed is not None:
        if found.guessed and FORM not in str(failed):       # another form returns the same at every input
            raise Refused("inputs", f"{name}: its inputs are unknown, and {said or 'an array (3, 5)'} does not fit "
                                    f"({str(failed).partition(': ')[2]}). Say their shapes, as in --shape x=N,C; or "
                                    f'annotate them, as in def {name}(x: "NC"); or add a function inputs()')
        raise failed
    return said, report


def _sampled(name: str, target: Any, found: Inputs, seed: int, square: bool) -> tuple[str, Report]:
    texts, more = found.texts, ""
    report = _one(name, target, arrays := _draw(texts, seed, square), seed)
    if any(f.code == "nonfinite" and "the value itself" in f.message for one in report.inputs for f in one.findings) \
            and positive(texts) != texts:
        arrays, more = _draw(positive(texts), seed, square), "; positive, since the value at others is not finite"
        report = _one(name, target, arrays, seed)
    shapes = ", ".join(f"{one.name} {one.shape}" for one in report.inputs[:len(arrays)])
    return f"random inputs {shapes}, from {found.source}{more}", report


def _draw(texts: Sequence[Any], seed: int, square: bool) -> list[Any]:
    drawn = iter(call(sample, *(t for t in texts if isinstance(t, str)), seed=seed, square=square))
    return [next(drawn) if isinstance(t, str) else call(t) for t in texts]


def _one(name: str, target: Any, inputs: Sequence[Any], seed: int) -> Report:
    try:
        if inspect.isfunction(target) and not refers_to(target, "tinyformer") \
                and isinstance(call(checked_function, target, inputs, {}), TensorFunction):
            raise Refused("form", "it returns a value alone and has no gradient to check; expected (value, vjp), or "
                                  "two functions NAME_forward and NAME_backward")
        return call(check, target, *inputs, seed=seed)
    except Refused as refused:
        if refused.code == "not attempted":
            raise Refused(refused.code, f"{name}: not written yet", refused.state) from None
        said = re.sub(r"^(TypeError|ValueError): check: ", "", str(refused))         # of check, not of the function
        raise Refused(refused.code, f"{name}: {said.removeprefix(f'{name} ')}") from None
