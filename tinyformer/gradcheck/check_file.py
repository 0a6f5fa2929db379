"""Check a function in a learner's file. ``tinyformer check`` runs this module in a separate process."""

from __future__ import annotations

import ast
import inspect
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..sandbox import Refused, call, captured, find_function, run_file, within
from ..sandbox.child import serve
from .checker import check
from .samples import sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .report import Report


def main() -> None:
    """Answer jobs for ``sandbox.parent.run``. A job is [file, name of the function or None, seed, seconds].

    An answer is {"ok", "report" or "refused", "printed", "unprinted"}. "report" is the report as text. "refused" says
    what is wrong with a file that cannot be checked. For the last two, see ``Captured.result``.
    """
    serve(_answer)


def shapes_of(function: Callable[..., Any]) -> list[str] | None:
    """The shapes that ``sample`` should draw, from the annotations of the parameters: ``def f(x: "BTC", w: "VC")``.

    Parameters with a default but no annotation are left out. None if any other parameter has no annotation.
    """
    shapes = []
    for p in inspect.signature(function).parameters.values():
        if p.kind is p.KEYWORD_ONLY or p.annotation is p.empty and p.default is not p.empty:
            continue
        text = p.annotation
        if isinstance(text, str) and text[:1] in "'\"" and text:        # under `from __future__ import annotations`
            text = ast.literal_eval(text)
        if not isinstance(text, str) or p.annotation is p.empty:
            return None
        shapes.append(text)
    return shapes


def _answer(job: list[Any], changed: Callable[[], None]) -> dict[str, Any]:
    path, name, seed, seconds = job
    with captured() as printed, warnings.catch_warnings():
        try:
            report = within(seconds, _checked, Path(path), name, seed)
            changed()
            answer = {"ok": report.ok, "report": str(report)}
        except Refused as refused:
            answer = {"ok": False, "refused": str(refused)}
    text, lost = printed.result()
    return {**answer, "printed": text, "unprinted": lost}


def _checked(path: Path, name: str | None, seed: int) -> Report:
    """The report for the first set of inputs at which something is wrong, or for the last set."""
    names = run_file(path)
    function = find_function(names, path, name)
    warnings.simplefilter("ignore")                         # the file may have turned warnings into errors, ours too
    report, failed = None, None
    for inputs in _inputs(function, names.get("inputs"), seed):
        try:
            report = call(check, function, *inputs, seed=seed)
        # a wrong vjp may fail with different sizes, but not with equal ones
        except Refused as refused:
            if refused.code == "not attempted":
                raise Refused(refused.code, f"{function.__name__}: not written yet", refused.state) from None
            failed = Refused(refused.code, f"{function.__name__}: {refused}")
            continue
        if not report.ok:
            return report
    if failed is not None:
        raise failed
    return report


def _inputs(function: Callable[..., Any], own: Any, seed: int) -> list[Iterable[Any]]:
    """The sets of inputs: one from ``inputs()`` of the file, or two that the annotations describe."""
    if callable(own):
        given = call(own)
        return [given if isinstance(given, (tuple, list)) else (given,)]
    shapes = shapes_of(function)
    if shapes is None:
        raise Refused("inputs", f"{function.__name__}: its inputs are unknown. Annotate each parameter with one "
                                f"letter per "
                                f'axis, as in def {function.__name__}(x: "BC", …), or add a function inputs() that '
                                f'returns '
                                f"the arrays")
    return [call(sample, *shapes, seed=seed, square=square) for square in (False, True)]
