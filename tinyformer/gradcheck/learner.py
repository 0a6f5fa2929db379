"""A learner's file: read one function out of it, and run it without waiting for ever. What is wrong is said of their line."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import linecache
import sys
import threading
import traceback
from pathlib import Path


class LearnerError(ValueError):
    """One sentence about a learner's file, with the line that it is about."""


def load_function(path, name=None):
    """The function ``name`` of the Python file ``path``; without a name, the only one that it defines."""
    path = Path(path).resolve()
    if not path.is_file():
        raise LearnerError(f"{path}: no such file")
    spec = importlib.util.spec_from_file_location(path.stem.replace("-", "_"), path)
    if spec is None:
        raise LearnerError(f"{path}: expected a Python file, ending in .py")
    module = importlib.util.module_from_spec(spec)
    linecache.checkcache(str(path))
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise LearnerError(f"{path.name}, line {error.lineno}: {error.msg}: {(error.text or '').strip()}") from None
    except Exception as error:
        raise LearnerError(f"{path.name} does not import: {own_words(error, path)}") from None
    own = [n for n, value in vars(module).items()
           if inspect.isfunction(value) and value.__module__ == module.__name__ and n != "inputs" and not n.startswith("_")]
    listed = f"it has {', '.join(own)}" if own else "it defines no function"
    if name is None:
        if len(own) != 1:
            raise LearnerError(f"{path.name}: say which function, as {path.name}:NAME; {listed}")
        name = own[0]
    function = getattr(module, name, None)
    if not callable(function):
        raise LearnerError(f"{path.name} has no function {name}; {listed}")
    return function


def own_words(error, path):
    """What ``error`` says, and the last line of ``path`` that led to it."""
    name = type(error).__name__
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == Path(path).resolve()]
    where = f" (line {lines[-1].lineno}: {lines[-1].line})" if lines else ""
    return f"{name}: {' '.join(str(error).split())}{where}"


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


def within(seconds, call):
    """``call()``, or a LearnerError with the line at which it stood when the time was up.

    It runs in a thread of its own, as signals that could stop it do not exist on every system; one that never ends is left
    behind, and ends with the process.
    """
    outcome = {}

    def run():
        try:
            outcome["value"] = call()
        except BaseException as error:
            outcome["error"] = error

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        frames = traceback.extract_stack(sys._current_frames()[thread.ident])
        home = str(Path(__file__).parents[1])
        theirs = [f for f in frames if not f.filename.startswith((home, "<")) and "numpy" not in f.filename
                  and not f.filename.endswith("threading.py")]
        where = f", at {Path(theirs[-1].filename).name}, line {theirs[-1].lineno}: {theirs[-1].line}" if theirs else ""
        raise LearnerError(f"still running after {seconds:g} seconds{where}; does a loop never end?")
    if "error" in outcome:
        raise outcome["error"]
    return outcome["value"]
