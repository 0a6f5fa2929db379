"""What the code of a function shows: whose it is, to which libraries it refers, how it names what it unpacks."""

from __future__ import annotations

import dis
import functools
import inspect
import sysconfig
import types
from pathlib import Path
from typing import Any

import numpy as np

PACKAGE = str(Path(__file__).parents[2])                    # this library
# Python, NumPy and installed packages, which may include this library.
INSTALLED = tuple(str(Path(folder)) for folder in {
    Path(np.__file__).parent, *map(sysconfig.get_path, ("stdlib", "purelib", "platlib"))})


def is_the_learners(code: types.CodeType) -> bool:
    """Whether code belongs neither to this library nor to Python, NumPy or an installed package."""
    return not code.co_filename.startswith((PACKAGE, *INSTALLED))


def refers_to(fn: Any, library: str, depth: int = 3) -> bool:
    """Whether fn, or a function that it calls, refers to ``library``: to its modules, functions or classes."""
    if _is_from(fn, library):                               # before unwrapping: a custom_vjp wraps a plain function
        return True
    fn = inspect.unwrap(fn)
    if isinstance(fn, functools.partial):
        return refers_to(fn.func, library, depth) or any(_is_from(a, library) for a in fn.args)
    code = getattr(fn, "__code__", None)
    if code is None:
        call = vars(type(fn)).get("__call__")
        return isinstance(call, types.FunctionType) and depth > 0 and refers_to(call, library, depth - 1)
    used = [value for name, value in getattr(fn, "__globals__", {}).items() if name in names_in(code)]
    for cell in getattr(fn, "__closure__", None) or ():
        try:
            used.append(cell.cell_contents)
        except ValueError:                                  # an empty cell
            continue
    return any(_is_from(value, library) for value in used) or depth > 0 and any(
        refers_to(value, library, depth - 1) for value in used if isinstance(value, types.FunctionType))


def names_in(code: types.CodeType) -> set[str]:
    """The global names in a code object and in the functions and comprehensions within it."""
    return set(code.co_names).union(*(names_in(c) for c in code.co_consts if isinstance(c, types.CodeType)))


def _is_from(value: Any, library: str) -> bool:
    """Whether a value, its class or a base of its class was made by the library."""
    if isinstance(value, types.ModuleType):
        return _root(value.__name__) == library
    own = getattr(value, "__self__", None)                  # MyFunction.apply
    kinds = [k for v in (value, own) for k in (v.__mro__ if isinstance(v, type) else type(v).__mro__)]
    named = getattr(value, "__module__", None)
    return isinstance(named, str) and _root(named) == library or any(_root(k.__module__) == library for k in kinds)


def _root(module: str) -> str:
    root = module.partition(".")[0]
    return "jax" if root == "jaxlib" else root


def unpacked_names(function: Any, source: str, n: int) -> list[str] | None:
    """The n names of ``a, b = SOURCE`` or ``a, b = ctx.SOURCE`` in a function; None if there is no such line."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    steps = list(dis.get_instructions(code)) if code is not None else []
    for k, step in enumerate(steps[:-1]):
        if step.argval == source and steps[k + 1].opname == "UNPACK_SEQUENCE" and steps[k + 1].arg == n:
            names: list[str] = []
            for following in steps[k + 2:]:
                if not following.opname.startswith("STORE_FAST") or len(names) >= n:
                    break
                names += following.argval if isinstance(following.argval, tuple) else [following.argval]
            return names if len(names) == n else None
    return None
