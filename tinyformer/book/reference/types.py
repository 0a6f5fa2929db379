"""The types of ``tinyformer.typing`` as reStructuredText: what an annotation such as ``TensorLike`` stands for."""

from __future__ import annotations

import ast
import inspect
from functools import cache

from ... import typing
from .names import comment_at


@cache
def aliases() -> dict[str, tuple[str, str]]:
    """{name: (what it stands for, the comment on it)} of the aliases that the file defines."""
    source = inspect.getsource(typing)
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id in typing.__all__:
            found[node.target.id] = ast.unparse(node.value), comment_at(source, node)
    return found


def as_markdown() -> str:
    """An entry for each type."""
    lines = [".. py:currentmodule:: tinyformer.typing", ""]
    for name, (meaning, comment) in aliases().items():
        lines += [f".. py:type:: {name}", f"   :canonical: {meaning}", "", f"   {comment}".rstrip(), ""]
    classes = [name for name, value in vars(typing).items() if name in typing.__all__ and name not in aliases()
               and getattr(value, "__module__", "") == typing.__name__]
    for name in classes:
        lines += [f".. autoclass:: tinyformer.typing.{name}", "   :no-index-entry:", ""]
    return "\n".join(["````{eval-rst}", *lines, "````"]) + "\n"
