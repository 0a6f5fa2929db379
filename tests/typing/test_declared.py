"""``tensor_methods.pyi`` declares exactly what ``Tensor`` gets at run time beside its own definitions."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

import tinyformer
from tinyformer import Tensor

PACKAGE = Path(tinyformer.__file__).parent


def class_body(file, name):
    """The statements in the body of the class ``name``."""
    tree = ast.parse((PACKAGE / file).read_text(encoding="utf-8"))
    return next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)


DECLARED = {node.name: node for node in class_body("tensor_methods.pyi", "TensorMethods")
            if isinstance(node, ast.FunctionDef)}
WRITTEN = {node.name for node in class_body("autograd.py", "Tensor") if isinstance(node, ast.FunctionDef)}
ASSIGNED = {target.id for node in class_body("autograd.py", "Tensor") if isinstance(node, ast.Assign)
            for target in node.targets if isinstance(target, ast.Name)}
SLOTS = {*Tensor.__slots__, "__slotnames__", "__module__", "__doc__", "__slots__", "__annotations__"}


def declared_parameters(node):
    """[(name, default or None)] of a declared method, without ``self``."""
    first = [None] * (len(node.args.args) - len(node.args.defaults))
    pairs = [(a.arg, d and ast.unparse(d)) for a, d in zip(node.args.args, first + node.args.defaults)][1:]
    return pairs + ([(f"*{node.args.vararg.arg}", None)] if node.args.vararg else [])


def registered_parameters(function):
    """The same of the function that ``Tensor`` has."""
    return [(f"*{p.name}" if p.kind is p.VAR_POSITIONAL else p.name, None if p.default is p.empty else repr(p.default))
            for p in list(inspect.signature(function).parameters.values())[1:]]


def test_the_declared_names_are_the_registered_ones():
    assert set(DECLARED) == set(vars(Tensor)) - WRITTEN - ASSIGNED - SLOTS


@pytest.mark.parametrize("name", DECLARED)
def test_the_declared_parameters_are_the_registered_ones(name):
    found = vars(Tensor)[name]
    decorators = {ast.unparse(decorator) for decorator in DECLARED[name].decorator_list}
    if isinstance(found, property):
        assert decorators == {f"{name}.setter" if found.fset else "property"}       # the setter is declared last
    else:
        assert not decorators
        assert declared_parameters(DECLARED[name]) == registered_parameters(found)
