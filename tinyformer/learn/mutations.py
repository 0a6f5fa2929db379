"""Mutants of a function: its source with one operator, constant, index, axis, name or statement changed at a time."""

from __future__ import annotations

import ast
import copy
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

BINARY = {ast.Add: [ast.Sub], ast.Sub: [ast.Add], ast.Mult: [ast.Div], ast.Div: [ast.Mult], ast.MatMult: [],
          ast.Pow: [ast.Mult], ast.FloorDiv: [], ast.Mod: [], ast.BitAnd: [ast.BitOr], ast.BitOr: [ast.BitAnd]}
COMMUTES = (ast.Add, ast.Mult, ast.BitAnd, ast.BitOr)
COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
FUNCTIONS = {
    "sum": ["mean", "max"], "mean": ["sum", "max"], "max": ["min", "mean"], "min": ["max", "mean"],
    "argmax": ["argmin"], "argmin": ["argmax"], "maximum": ["minimum"], "minimum": ["maximum"], "fmax": ["fmin"],
    "exp": ["expm1"], "expm1": ["exp"], "log": ["log1p", "log2"], "log1p": ["log"], "log2": ["log"], "sin": ["cos"],
    "cos": ["sin"], "tanh": ["sin"], "sqrt": ["square"], "zeros": ["ones"], "ones": ["zeros"],
    "zeros_like": ["ones_like"],
    "ones_like": ["zeros_like"], "tril": ["triu"], "triu": ["tril"], "add": ["subtract"], "any": ["all"],
    "all": ["any"],
    "cumsum": ["cumprod"], "argsort": ["sort"], "floor": ["ceil"], "ceil": ["floor"], "hstack": ["vstack"],
}


@dataclass(frozen=True)
class Mutant:
    """A function with one change.

    change      "line: old → new", which names the mutant
    source      the whole function
    line        the line with the change
    number      its number in the function's source, from 1
    """

    change: str
    source: str
    line: str
    number: int

    def build(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The mutant of ``function`` as a function."""
        names = dict(function.__globals__)
        exec(compile(self.source, f"<{self.change}>", "exec"), names)
        return names[function.__name__]


def mutants(function: Callable[..., Any]) -> list[Mutant]:
    """Every ``Mutant`` of ``function``, without repetitions, in the order of the source."""
    source = textwrap.dedent(inspect.getsource(function))
    tree = ast.parse(source)
    body = tree.body[0].body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        del body[0]                                         # the docstring
    lines, original, found = source.splitlines(), ast.unparse(tree).splitlines(), []
    seen = {"\n".join(original)}
    nodes = list(ast.walk(tree))
    for number, node in enumerate(nodes):
        node.number = number
    places = [n for statement in body for n in ast.walk(statement)]
    for node in sorted(places, key=lambda n: (getattr(n, "lineno", 0), getattr(n, "col_offset", 0))):
        for new in _changes(node):
            mutated = _Replace(node.number, new).visit(copy.deepcopy(tree))
            text = ast.unparse(ast.fix_missing_locations(mutated))
            if text not in seen:
                seen.add(text)
                new_text = ast.unparse(new if isinstance(new, ast.slice) else ast.fix_missing_locations(new))
                line = lines[node.lineno - 1].split("  #")[0].strip()
                changed = next((new for new in text.splitlines() if new not in original), "").strip()
                found.append(Mutant(f"{line}: {ast.unparse(node)} → {new_text}", text, changed, node.lineno))
    names = [mutant.change for mutant in found]
    return [replace(m, change=f"{m.change} ({names[:i].count(m.change) + 1})") if names[:i].count(m.change) else m
            for i, m in enumerate(found)]


class _Replace(ast.NodeTransformer):
    def __init__(self, number, new):
        self.number, self.new = number, new

    def visit(self, node):
        return copy.deepcopy(self.new) if getattr(node, "number", None) == self.number else self.generic_visit(node)


def _changes(node):
    """The nodes that may stand in the place of ``node``."""
    handler = globals().get(f"_of_{type(node).__name__.lower()}")
    return handler(node) if handler else []


def _with(node, **fields):
    """A copy of ``node`` with other fields."""
    new = copy.copy(node)
    new.__dict__.pop("number", None)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def _minus(node):
    return ast.UnaryOp(ast.USub(), node)


def _of_binop(node):
    left, right, op = node.left, node.right, node.op
    yield from (_with(node, op=other()) for other in BINARY[type(op)])
    yield left
    yield _minus(right) if isinstance(op, ast.Sub) else right
    if not isinstance(op, COMMUTES):
        yield _with(node, left=right, right=left)
    # ε into the root
    if isinstance(op, ast.Add) and isinstance(right, ast.Constant) and _is_call(left, "sqrt"):
        yield _with(left, args=[_with(node, left=left.args[0])])


def _is_call(node, name):
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == name


def _of_unaryop(node):
    if not isinstance(node.operand, ast.Constant):
        yield node.operand


def _of_boolop(node):
    yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    yield from node.values


def _of_compare(node):
    if type(node.ops[0]) in COMPARISONS:
        yield from (_with(node, ops=[other()]) for other in COMPARISONS if not isinstance(node.ops[0], other))


def _of_constant(node):
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield from map(ast.Constant, (value + 1, value - 1))
    elif isinstance(value, float):
        yield from map(ast.Constant, (2 * value, value / 2, value + 1, 0.0))


def _of_call(node):
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    module = (isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
              and node.func.value.id in ("np", "ops"))
    for other in FUNCTIONS.get(name, ()):
        yield _with(node, func=_with(node.func, attr=other) if isinstance(node.func, ast.Attribute)
                    else ast.Name(other))
    if isinstance(node.func, ast.Attribute) and name == "at":
        (target, index, value), ufunc = node.args, node.func.value
        yield _with(node, func=_with(node.func, value=_with(ufunc, attr="subtract")))
        place = ast.Subscript(target, index, ast.Load())
        yield ast.Call(ast.Attribute(ast.Name("np"), "copyto"), [target, value], [])                 # no scatter at all
        yield ast.Call(ast.Attribute(target, "__setitem__"), [index, ast.BinOp(place, ast.Add(), value)], [])
        yield ast.Call(ast.Attribute(target, "__setitem__"), [index, value], [])
    elif module and len(node.args) == 1 or name in ("reversed", "list", "float", "abs"):             # np.sqrt(x) → x
        yield node.args[0]
    elif isinstance(node.func, ast.Attribute) and not module:                                       # x.sum(axis=1) → x
        yield node.func.value
    if name == "where" and len(node.args) == 3:
        yield _with(node, args=[node.args[0], node.args[2], node.args[1]])
    if _is_call(node, "sqrt") and isinstance(node.args[0], ast.BinOp) and isinstance(node.args[0].op, ast.Add):
        inner = node.args[0]                                                                        # ε out of the root
        if isinstance(inner.right, ast.Constant):
            yield _with(inner, left=_with(node, args=[inner.left]))
    if name in ("transpose", "swapaxes", "arange", "full", "repeat"):
        yield from (_with(node, args=swapped) for swapped in _exchanges(node.args))
    for i, keyword in enumerate(node.keywords):
        others = node.keywords[:i] + node.keywords[i + 1:]
        yield _with(node, keywords=others)
        if keyword.arg == "axis" and isinstance(keyword.value, ast.Constant):
            for axis in sorted({0, 1, 2} - {keyword.value.value}):
                yield _with(node, keywords=[*others, ast.keyword("axis", ast.Constant(axis))])


def _exchanges(elements):
    for i in range(len(elements) - 1):
        yield [*elements[:i], elements[i + 1], elements[i], *elements[i + 2:]]


def _of_attribute(node):
    if node.attr == "T":
        yield node.value


def _of_tuple(node):
    if isinstance(node.ctx, ast.Load):
        yield from (_with(node, elts=elements) for elements in _exchanges(node.elts))


def _of_list(node):
    yield from (_with(node, elts=elements) for elements in _exchanges(node.elts))


def _of_subscript(node):
    if isinstance(node.ctx, ast.Load):
        yield node.value
    if isinstance(node.slice, ast.Name):
        yield _with(node, slice=ast.BinOp(node.slice, ast.Sub(), ast.Constant(1)))
    elements = node.slice.elts if isinstance(node.slice, ast.Tuple) else []
    for i, element in enumerate(elements):
        if isinstance(element, ast.Name):                   # d[each, targets] → d[:, targets]; and one further
            for other in (ast.Slice(), ast.BinOp(element, ast.Sub(), ast.Constant(1))):
                yield _with(node, slice=ast.Tuple([*elements[:i], other, *elements[i + 1:]], ast.Load()))


def _of_slice(node):
    for name in ("lower", "upper", "step"):
        if getattr(node, name) is not None:
            yield _with(node, **{name: None})


def _of_return(node):
    if isinstance(node.value, ast.Tuple):
        for i, element in enumerate(node.value.elts):
            if not (isinstance(element, ast.Name) and element.id == "vjp"):
                yield _with(node, value=_with(node.value, elts=[*node.value.elts[:i], _minus(element),
                                                                *node.value.elts[i + 1:]]))
    else:
        yield _with(node, value=_minus(node.value))


def _of_augassign(node):
    yield ast.Assign([node.target], node.value, lineno=node.lineno)
    yield from (_with(node, op=other()) for other in BINARY[type(node.op)])
    yield ast.Pass()


def _of_assign(node):
    yield ast.Pass()


def _of_expr(node):
    yield ast.Pass()
