"""Every public name, the path under which people import it, and the file that defines it."""

from __future__ import annotations

import ast
import importlib
import inspect
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any

# The packages that people import from. Modules among their public names, such as ``nn.functional``, follow.
PACKAGES = ("tinyformer", "tinyformer.ops", "tinyformer.nn", "tinyformer.optim", "tinyformer.models",
            "tinyformer.generate", "tinyformer.gradcheck", "tinyformer.learn", "tinyformer.data", "tinyformer.text",
            "tinyformer.train", "tinyformer.interop", "tinyformer.viz", "tinyformer.explain", "tinyformer.privacy",
            "tinyformer.distributed", "tinyformer.fairness", "tinyformer.serve")


@dataclass(frozen=True)
class PublicName:
    """A name that people import.

    path        "tinyformer.ops.linear"
    package     the path of the package or module that exports the name, "tinyformer.ops"
    file        the file of the package that defines the name, "products", or "__init__"
    value       the object
    """

    path: str
    package: str
    file: str
    value: Any = field(compare=False, repr=False)

    @property
    def is_constant(self) -> bool:
        """Whether the object is neither a class nor something to call nor a module: a table, such as ``data.SETS``."""
        return not (callable(self.value) or isinstance(self.value, ModuleType))


def find(path: str) -> Any:
    """The object at the dotted ``path`` below ``tinyformer``; attributes come before submodules of the same name."""
    value = importlib.import_module("tinyformer")
    for part in path.split(".")[1:]:
        if not hasattr(value, part):
            importlib.import_module(f"{value.__name__}.{part}")
        value = getattr(value, part)
    return value


@cache
def public_names(package: str) -> tuple[PublicName, ...]:
    """The public names of a package or module: its ``__all__``.

    Without it, what a package imports from its own files, or the functions and classes that a file defines.
    """
    module = importlib.import_module(package) if package in PACKAGES else find(package)
    files = _files(module) if hasattr(module, "__path__") else {}
    names = getattr(module, "__all__", None) or [
        name for name, value in vars(module).items()
        if not name.startswith("_") and _is_own(name, value, module, files)]
    return tuple(PublicName(f"{package}.{name}", package, files.get(name) or _file_of(value, module), value)
                 for name in names for value in [getattr(module, name)])


@cache
def every_name() -> dict[str, PublicName]:
    """{path: name} of all packages, and of the modules among their public names."""
    found: dict[str, PublicName] = {}
    waiting = list(PACKAGES)
    while waiting:
        for name in public_names(waiting.pop(0)):
            found[name.path] = name
            if isinstance(name.value, ModuleType) and name.path not in PACKAGES:
                waiting.append(name.path)
    return found


def _is_own(name: str, value: Any, module: ModuleType, files: dict[str, str]) -> bool:
    """Whether ``module``, which has no ``__all__``, means its users to import the name."""
    if isinstance(value, ModuleType):
        return name in files and any(getattr(inner, "__module__", None) == value.__name__
                                     and not inner.__name__.startswith("_") for inner in vars(value).values()
                                     if callable(inner))
    return name in files or callable(value) and getattr(value, "__module__", None) == module.__name__


def _file_of(value: Any, module: ModuleType) -> str:
    """The file below ``module`` in which a class or function says that it was defined."""
    home = getattr(value, "__module__", None) or ""
    return home.removeprefix(f"{module.__name__}.") if home.startswith(f"{module.__name__}.") else "__init__"


def _files(module: ModuleType) -> dict[str, str]:
    """{name: file} of what the module imports from files beside it."""
    files = {}
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            for alias in node.names:
                files[alias.asname or alias.name] = node.module or alias.name
    return files


def comment_at(source: str, node: ast.stmt) -> str:
    """The comment above a statement of ``source``, or else the one behind it, with a capital letter."""
    lines = source.splitlines()
    above: list[str] = []
    while (line := lines[node.lineno - 2 - len(above)].strip()).startswith("#"):
        above.insert(0, line.lstrip("#: "))
    behind = lines[node.end_lineno - 1].encode()[node.end_col_offset:].decode().strip()     # columns count bytes
    text = " ".join(above) or behind.lstrip("#: ") * behind.startswith("#")
    return text[:1].upper() + text[1:]
