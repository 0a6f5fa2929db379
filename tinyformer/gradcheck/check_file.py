"""Check a function in a learner's file: the program of the process in which ``tinyformer check`` runs that file."""

from __future__ import annotations

import ast
import inspect
import warnings
from pathlib import Path

from ..sandbox import Refused, call, captured, find_function, run_file, within
from ..sandbox.child import serve
from .checker import check
from .samples import sample


def main():
    """Answer jobs for ``sandbox.parent.run``: [file, name of the function or None, seed, seconds].

    An answer is {"ok", "report": the report as text, "refused": what is wrong with the file in place of a report, "printed"
    and "unprinted": see ``Captured.result``}.
    """
    serve(_answer)


def shapes_of(function):
    """What ``sample`` is to draw, from the annotations of a function's parameters: ``def f(x: "BTC", w: "VC")``.

    Parameters with a default need none and are left out; None where another has none.
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


def _answer(job, changed):
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


def _checked(path, name, seed):
    """The report on the first set of inputs at which something is wrong, or on the last."""
    names = run_file(path)
    function = find_function(names, path, name)
    warnings.simplefilter("ignore")                         # the file may have made errors of them, ours too
    report, failed = None, None
    for inputs in _inputs(function, names.get("inputs"), seed):
        try:
            report = call(check, function, *inputs, seed=seed)
        except Refused as refused:                          # different sizes may not go together in a wrong vjp; equal ones do
            if refused.code == "not attempted":
                raise Refused(refused.code, f"{function.__name__}: not written yet", refused.state) from None
            failed = Refused(refused.code, f"{function.__name__}: {refused}")
            continue
        if not report.ok:
            return report
    if failed is not None:
        raise failed
    return report


def _inputs(function, own, seed):
    """The sets of inputs to check at: what ``inputs()`` of the file returns, or two that the annotations describe."""
    if callable(own):
        given = call(own)
        return [given if isinstance(given, (tuple, list)) else (given,)]
    shapes = shapes_of(function)
    if shapes is None:
        raise Refused("inputs", f"{function.__name__}: what are its inputs? Write the axes of each as a letter, as in "
                                f'def {function.__name__}(x: "BC", …), or a function inputs() that returns the arrays')
    return [call(sample, *shapes, seed=seed, square=square) for square in (False, True)]
