"""tinyformer check FILE.py[:function]"""

from __future__ import annotations

import re
from typing import Annotated, Optional

import typer

from .console import say

SECONDS = 60                            # time limit for a learner's function


def command(
    target: Annotated[str, typer.Argument(
        metavar="FILE.py[:NAME]", help="A function, a class, or a pair NAME_forward and NAME_backward.")],
    shape: Annotated[Optional[list[str]], typer.Option(
        metavar="INPUT=SHAPE", help="Shape of an input, such as x=3,4, x=N,C or t=N<C (integers). Repeatable.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random inputs.")] = 0,
    seconds: Annotated[float, typer.Option(min=0.1, metavar="S", help="Time limit in seconds.")] = SECONDS,
) -> None:
    """Check a gradient that you wrote. If it is wrong, the report names the probable mistake.

    It takes functions that return (value, vjp), pairs X_forward and X_backward, classes with forward and backward,
    PyTorch's autograd Functions and modules, and JAX's custom_vjp functions. The shapes of the inputs come from
    --shape, from annotations with one letter per axis, as in `def linear(x: "BI", weight: "OI", bias: "O")`, or from
    the docstring, as in `x: (N, D)`. "C+" draws positive numbers, "BT<V" integers below V, "TS?" booleans. Or add a
    function inputs() to the file that returns the arrays. With letters, the function is checked twice: with different
    sizes, so that a wrong factor names its axis, and with equal sizes, so that a transpose does not show as a wrong
    shape. The exit code is 1 if something is wrong.
    """
    from ..sandbox import Refused
    from ..sandbox.parent import run
    from ..sandbox.messages import printed_lines, visible
    path, _, name = target.rpartition(":") if not target.endswith(".py") else (target, "", "")
    if not path.endswith(".py"):
        raise ValueError(f"expected FILE.py or FILE.py:FUNCTION, not {target}")
    shapes = dict(_stated(text) for text in shape or ())
    answer, = run("tinyformer.gradcheck.check_file", [[path, name or None, seed, seconds, shapes]], seconds)
    if isinstance(answer, Refused):
        answer = {"ok": False, "refused": str(answer), "printed": "", "unprinted": 0}
    for line in printed_lines(answer["printed"], answer["unprinted"]):
        say(line)
    if "refused" in answer:
        raise ValueError(visible(on_one_line(answer["refused"])))
    say(visible(f"At {answer['inputs']}:"))
    say(visible(answer["report"]))
    if not answer["ok"]:
        raise SystemExit(1)


def _stated(text: str) -> tuple[str, str]:
    """(input, shape) of an option --shape."""
    name, equals, axes = text.partition("=")
    axes = axes.strip(" ()").replace(" ", "")
    if not equals or not name.isidentifier() or not re.fullmatch(r"[\w,]*([+?]|<\w+)?", axes):
        raise ValueError(f"--shape {text}: expected INPUT=SHAPE, such as x=3,4, x=N,C, x=N,C+ or t=N<C")
    return name, axes + "," if axes.isdecimal() else axes     # "12" is one axis of length 12, "BC" two axes


def on_one_line(message):
    """A message of several lines as one line, without the caret that points into a line of code."""
    first, *rest = [line for line in message.splitlines() if line.strip() != "^"]
    return first + "".join(f"{':' if line.startswith('    ') else ','} {line.strip()}" for line in rest)
