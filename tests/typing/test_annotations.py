"""Every public function and method has a type for each argument and for its result.

The methods of ``Tensor`` are left out: ``tensor_methods.pyi`` declares them, and ``test_declared.py`` compares.
"""

from __future__ import annotations

import inspect
from types import FunctionType, ModuleType

from tinyformer.book.reference.names import every_name


def functions(path, value):
    """Yield (path, function) of a public function, of an operation, or of the public methods of a class."""
    value = inspect.unwrap(value)
    if isinstance(value, type):
        for name, member in vars(value).items():
            if name in ("__init__", "__call__") or not name.startswith("_"):
                yield from functions(f"{path}.{name}", getattr(member, "__func__", getattr(member, "fget", member)))
    elif isinstance(value, FunctionType) and value.__module__.partition(".")[0] == "tinyformer":
        yield path, value


def missing(function, is_method):
    """The names of arguments without a type; "return" if the result has none and the function is no ``__init__``."""
    parameters = list(inspect.signature(function).parameters.values())[is_method:]
    names = [p.name for p in parameters if p.annotation is p.empty]
    return names + ["return"] * (function.__name__ != "__init__" and "return" not in function.__annotations__)


def test_public_functions_are_annotated():
    found = {path: gaps for name in every_name().values()
             if name.path != "tinyformer.Tensor" and not isinstance(name.value, ModuleType)
             for path, function in functions(name.path, name.value)
             if (gaps := missing(function, isinstance(name.value, type)))}
    assert found == {}


def test_a_missing_type_is_found():
    class A:
        def method(self, x, *, y: int = 0): ...

        @property
        def size(self): ...

    A.__module__ = A.method.__module__ = A.size.fget.__module__ = "tinyformer.a"
    found = {path: missing(function, True) for path, function in functions("A", A)}
    assert found == {"A.method": ["x", "return"], "A.size": ["return"]}
