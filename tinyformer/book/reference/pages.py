"""What a page of the reference asks for, as text for Sphinx.

    ```{api} tinyformer.ops products        the public names of tinyformer.ops that products.py defines
    ```

    ```{api} tinyformer.viz                 the package's docstring and all its public names
    ```

Without a file, the package itself is described; then its names follow, unless ``:overview:`` says that they have
pages of their own. ``{commands}``, ``{settings}``, ``{types}`` and ``{variables}`` stand for what the modules of these
names make.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from types import ModuleType
from typing import Any
from collections.abc import Iterator

from . import commands, settings, types, variables
from .names import PublicName, comment_at, every_name, find, public_names

BLOCK = re.compile(r"^```\{api\} (?P<package>[\w.]+)(?P<files>[ \w]*)\n(?P<options>(?::[\w-]+:[^\n]*\n)*)```$",
                   re.MULTILINE)
LIST = re.compile(r"^```\{(commands|settings|types|variables)\}\n```$", re.MULTILINE)
HIDDEN = {"extra_repr"}                                 # methods that only other methods call


def asked_for(text: str) -> list[PublicName]:
    """The public names that a page describes."""
    return [name for match in BLOCK.finditer(text) if ":overview:" not in match["options"] for name in _selected(match)]


def expand(text: str, command_line: Any = None) -> str:
    """``text`` of a page with directives of Sphinx's autodoc in place of each ``{api}``, and all other lists made.

    command_line    the typer.Typer that ``{commands}`` describes
    """
    text = BLOCK.sub(lambda match: "\n".join(["````{eval-rst}", *_directives(match), "````"]), text)
    lists = {"commands": lambda: commands.as_markdown(command_line), "settings": settings.as_markdown,
             "types": types.as_markdown, "variables": variables.as_markdown}
    return LIST.sub(lambda match: lists[match[1]](), text)


def _selected(match: re.Match[str]) -> list[PublicName]:
    files = match["files"].split()
    names = public_names(match["package"])
    unknown = set(files) - {name.file for name in names}
    if unknown:
        raise ValueError(f"{match[0].splitlines()[0]}: nothing public comes from {', '.join(sorted(unknown))}")
    return [name for name in names if not files or name.file in files]


def _directives(match: re.Match[str]) -> Iterator[str]:
    package, files = match["package"], match["files"].split()
    if not files:
        yield from _described(find(package), f".. py:module:: {package}")
    for file in files:
        if file != "__init__":
            yield from _described(_file(package, file), "")
    if ":overview:" in match["options"]:
        return
    yield f".. py:currentmodule:: {package}"
    yield ""
    for name in _in_order(_selected(match)):
        yield from _entry(name)


def _file(package: str, file: str) -> ModuleType:
    return importlib.import_module(f"{find(package).__name__}.{file}") if file != "__init__" else find(package)


def _described(module: ModuleType, heading: str) -> Iterator[str]:
    """The module's docstring, through the same hook as all others."""
    yield from (heading, "", f".. automodule:: {module.__name__}", "   :no-index:", "")


def _in_order(names: list[PublicName]) -> list[PublicName]:
    """Names file by file, as a file defines them, so that a base precedes its subclasses. Constants last."""
    files = list(dict.fromkeys(name.file for name in names))

    def place(name: PublicName) -> tuple[bool, int, int]:
        try:
            line = inspect.getsourcelines(inspect.unwrap(getattr(name.value, "raw", name.value)))[1]
        except (TypeError, OSError):                        # not Python, or made at run time
            line = 0
        return name.is_constant, files.index(name.file), line

    return sorted(names, key=place)


def _entry(name: PublicName) -> Iterator[str]:
    value = name.value
    if isinstance(value, ModuleType):
        return
    if name.is_constant:
        keys = ", ".join(f"``{key}``" for key in value) if isinstance(value, dict) else ""
        yield from (f".. py:data:: {name.path.rpartition('.')[2]}", "", f"   {comment(name)}", "",
                    f"   Keys: {keys}" if keys else "", "")
    elif inspect.isclass(value):
        yield f".. autoclass:: {name.path}"
        if any(base is not object and base not in _private_bases(value) for base in value.__bases__):
            yield "   :show-inheritance:"
        if shown := members(value):
            yield f"   :members: {', '.join(shown)}"
        yield ""
        yield from _operations(name)
    else:
        yield from (f".. autofunction:: {name.path}", "")


def members(cls: type) -> list[str]:
    """The public methods and properties that the class itself defines, or a base that is not public itself.

    Operations among them have an entry of their own. Functions of other libraries have no docstring in our form.
    """
    return [name for part in (cls, *_private_bases(cls)) for name, value in vars(part).items()
            if not name.startswith("_") and name not in HIDDEN and not hasattr(value, "raw")
            and inspect.isfunction(function := _function(value)) and function.__module__.startswith("tinyformer")]


def _private_bases(cls: type) -> list[type]:
    """The bases of the package that have no page, such as the one with Python's protocols below ``Tensor``."""
    public = [name.value for name in every_name().values()]
    return [base for base in cls.__mro__[1:] if base.__module__.startswith("tinyformer.") and base not in public]


def _function(value: Any) -> Any:
    """The function behind a method or property. What a plain attribute holds stands in the class's own docstring."""
    for attribute in ("fget", "func", "__func__"):
        value = getattr(value, attribute, None) or value
    return value


class _Bare(str):
    """An annotation that a signature shows without quotation marks."""

    def __repr__(self) -> str:
        return str(self)


def _operations(name: PublicName) -> Iterator[str]:
    """The methods of ``Tensor`` that are operations, each with a link to the operation."""
    lifted = {id(other.value): other.path for other in every_name().values() if other.package == "tinyformer.ops"}
    for method, value in vars(name.value).items():
        if not method.startswith("_") and id(value) in lifted:
            parameters = list(inspect.signature(value.raw).parameters.values())[1:]
            signature = inspect.Signature([p if p.annotation is p.empty else p.replace(annotation=_Bare(p.annotation))
                                           for p in parameters])
            short = lifted[id(value)].removeprefix("tinyformer.")
            yield from (f"   .. py:method:: {method}{signature}", "",
                        f"      :py:obj:`{short} <{lifted[id(value)]}>` of this tensor.", "")


def comment(name: PublicName) -> str:
    """The comment on the line that defines a constant."""
    source = inspect.getsource(_file(name.package, name.file))
    short = name.path.rpartition(".")[2]
    for node in ast.parse(source).body:
        targets = (node.targets if isinstance(node, ast.Assign) else
                   [node.target] if isinstance(node, ast.AnnAssign) else [])
        if any(isinstance(target, ast.Name) and target.id == short for target in targets):
            return comment_at(source, node)
    return ""
