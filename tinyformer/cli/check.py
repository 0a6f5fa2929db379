"""tinyformer check FILE.py[:function]"""

from __future__ import annotations

from typing import Annotated

import typer

from .console import say

SECONDS = 20                            # time limit for a learner's function


def command(
    target: Annotated[str, typer.Argument(
        metavar="FILE.py[:FUNCTION]", help="A function of arrays that returns (value, vjp).")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random inputs.")] = 0,
    seconds: Annotated[float, typer.Option(min=0.1, metavar="S", help="Time limit in seconds.")] = SECONDS,
) -> None:
    """Check a gradient that you wrote. If it is wrong, the report names the probable mistake.

    Annotate each parameter with one letter per axis, as in `def linear(x: "BI", weight: "OI", bias: "O")`. "C+" draws
    positive numbers, "BT<V" integers below V, "TS?" booleans. Or add a function inputs() to the file that returns the
    arrays. With letters, the function is checked twice: with different sizes, so that a wrong factor names its axis,
    and with equal sizes, so that a transpose does not show as a wrong shape. The exit code is 1 if something is wrong.
    """
    from ..sandbox import Refused
    from ..sandbox.parent import run
    from ..sandbox.messages import printed_lines, visible
    path, _, name = target.rpartition(":") if not target.endswith(".py") else (target, "", "")
    if not path.endswith(".py"):
        raise ValueError(f"expected FILE.py or FILE.py:FUNCTION, not {target}")
    answer, = run("tinyformer.gradcheck.check_file", [[path, name or None, seed, seconds]], seconds)
    if isinstance(answer, Refused):
        answer = {"ok": False, "refused": str(answer), "printed": "", "unprinted": 0}
    for line in printed_lines(answer["printed"], answer["unprinted"]):
        say(line)
    if "refused" in answer:
        raise ValueError(visible(on_one_line(answer["refused"])))
    say(visible(answer["report"]))
    if not answer["ok"]:
        raise SystemExit(1)


def on_one_line(message):
    """A message of several lines as one line, without the caret that points into a line of code."""
    first, *rest = [line for line in message.splitlines() if line.strip() != "^"]
    return first + "".join(f"{':' if line.startswith('    ') else ','} {line.strip()}" for line in rest)
