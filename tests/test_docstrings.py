"""Every public class, function and method of the package says what it does."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import tinyformer

HOUSE = Path(tinyformer.__file__).parent
FILES = sorted(path for path in HOUSE.rglob("*.py"))

# What these methods do is said where they are first defined: the class says what differs.
INHERITED = {"forward", "loss", "from_dict", "to_dict"}


def undocumented(tree, prefix="", inherited=frozenset()):
    """Yield (line, name) of each public definition in the syntax tree that has no docstring.

    Nested functions are private.
    """
    for node in tree.body:
        if isinstance(node, (ast.If, ast.Try)):
            yield from undocumented(node, prefix, inherited)
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) or node.name.startswith("_"):
            continue
        setter = any(isinstance(d, ast.Attribute) and d.attr in ("setter", "deleter", "overload") or
                     isinstance(d, ast.Name) and d.id == "overload" for d in node.decorator_list)
        if ast.get_docstring(node) is None and not setter and node.name not in inherited:
            yield node.lineno, prefix + node.name
        if isinstance(node, ast.ClassDef):
            yield from undocumented(node, f"{node.name}.", INHERITED if node.bases else frozenset())


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_public_definitions_have_a_docstring(path):
    found = [f"{path.relative_to(HOUSE.parent)}:{line} {name}"
             for line, name in undocumented(ast.parse(path.read_text(encoding="utf-8")))]
    assert not found, "\n".join(found)


def test_a_missing_docstring_is_found():
    code = ('class A:\n    "a"\n    def f(self): pass\n    def _g(self): pass\n'
            '    @property\n    def p(self): "p"\n    @p.setter\n    def p(self, x): pass\n'
            'class B(A):\n    "b"\n    def forward(self): pass\n    def other(self): pass\n'
            'def h():\n    def inner(): pass\n')
    assert [name for _, name in undocumented(ast.parse(code))] == ["A.f", "B.other", "h"]
