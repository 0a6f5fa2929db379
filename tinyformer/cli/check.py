"""tinyformer check FILE.py[:function]"""

from __future__ import annotations

from typing import Annotated

import typer

SECONDS = 20                            # how long a learner's function may take


def command(
    target: Annotated[str, typer.Argument(metavar="FILE.py[:FUNCTION]", help="A function of arrays that returns (value, vjp).")],
    seed: Annotated[int, typer.Option(min=0, help="Of the random inputs.")] = 0,
    seconds: Annotated[float, typer.Option(min=0.1, metavar="S", help="How long it may take.")] = SECONDS,
):
    """Check a gradient that you wrote. Where it is wrong, be told what is probably the mistake.

    Say the inputs' shapes by a letter for each axis, as in `def linear(x: "BI", weight: "OI", bias: "O")`; "C+" is positive,
    "BT<V" integers below V, "TS?" booleans. Or write a function inputs() in the file that returns the arrays. With letters the
    function is checked twice: with different sizes, in which a stray factor names itself, and with equal ones, in which a
    transpose cannot hide behind a wrong shape. Exit code 1 if something is wrong.
    """
    from ..gradcheck.learner import LearnerError, load_function, within
    path, _, name = target.rpartition(":") if not target.endswith(".py") else (target, "", "")
    if not path:
        raise LearnerError(f"expected FILE.py or FILE.py:FUNCTION, not {target}")
    report = within(seconds, lambda: _checked(load_function(path, name or None), path, seed))
    print(report)
    if not report.ok:
        raise SystemExit(1)


def _checked(function, path, seed):
    """The report on the first set of inputs at which something is wrong, or on the last."""
    import sys

    from ..gradcheck import check, sample
    from ..gradcheck.learner import LearnerError, own_words, shapes_of
    own = getattr(sys.modules.get(function.__module__), "inputs", None) or function.__globals__.get("inputs")
    shapes = shapes_of(function)
    if callable(own):
        given = own()
        drawn = [given if isinstance(given, (tuple, list)) else (given,)]
    elif shapes is not None:
        drawn = [sample(*shapes, seed=seed), sample(*shapes, seed=seed, square=True)]
    else:
        raise LearnerError(f"{function.__name__}: what are its inputs? Write the axes of each as a letter, as in "
                           f'def {function.__name__}(x: "BC", …), or a function inputs() that returns the arrays')
    report, failed = None, None
    for inputs in drawn:
        try:
            report = check(function, *inputs, seed=seed)
        except LearnerError:
            raise
        except NotImplementedError:
            raise LearnerError(f"{function.__name__}: not written yet") from None
        except Exception as error:                          # different sizes may not go together in a wrong vjp; equal ones do
            failed = LearnerError(f"{function.__name__}: {own_words(error, path)}")
            continue
        if not report.ok:
            return report
    if failed is not None:
        raise failed
    return report
