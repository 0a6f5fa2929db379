"""Which mistake gives the wrong value of an exercise without a vjp: an optimizer's step, a metric, a table.

The solution is varied: by its named wrong answers, by two of them at once, and by one change of an operator, a
constant, a name or a call. If a variation gives the learner's numbers on two draws of inputs, it is the mistake. If
none does, the wrong output is compared with the other quantities of the solution.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..gradcheck.function_forms import copies
from ..sandbox import call
from .cases import as_tuple, first_difference, text_difference
from .mutations import mutants

if TYPE_CHECKING:
    from .exercise import Exercise, WrongAnswer

__all__ = ["ValueDiagnosis", "diagnose_value"]


@dataclass(frozen=True)
class ValueDiagnosis:
    """What is wrong with a value.

    codes       codes of the doctor, the first one first
    message     the explanation for the learner, several lines
    mistake     the name of the known wrong answer, or of two; "" if the mistake is none of them
    hint        the hint of these wrong answers
    """

    codes: tuple[str, ...]
    message: str
    mistake: str = ""
    hint: str = ""


def diagnose_value(exercise: Exercise, function: Callable[..., Any]) -> ValueDiagnosis:
    """Name the mistake of ``function``, whose value differs from that of the exercise's solution."""
    draws = [exercise.draw(square=square) for square in (False, True)]
    came = [as_tuple(call(function, *copies(inputs))) for inputs in draws]
    expected = [as_tuple(exercise.function(*copies(inputs))) for inputs in draws]
    # the mistake may show only where all sizes are equal
    shown = 0 if any(first_difference(one, other) for one, other in zip(expected[0], came[0])) else 1
    where = _where(exercise, came[shown], expected[shown])

    def matches(variation: Callable[..., Any]) -> bool:
        return all(_equal(_run(variation, inputs), values) for inputs, values in zip(draws, came))

    for several in itertools.chain(zip(exercise.wrong), itertools.combinations(exercise.wrong, 2)):
        variation = _with_mistakes(exercise, several)
        if variation and matches(variation):
            names = " and ".join(wrong.name for wrong in several)
            more = "Two mistakes together give your numbers" if len(several) > 1 else "One change gives your numbers"
            return ValueDiagnosis(tuple(dict.fromkeys(wrong.code for wrong in several)),
                                  f"{where}\n{more}: {names}.", names, "\n".join(wrong.hint for wrong in several))
    for mutant in mutants(exercise.function):
        if matches(mutant.build(exercise.function)):
            return ValueDiagnosis((_code_of_line(exercise, mutant.number),),
                                  f"{where}\nYour numbers are those of this line:\n"
                                  f"    {mutant.line}\nCompare it with the formula, symbol by symbol.")
    relation = _relation(exercise, draws[shown], expected[shown], came[shown])
    return ValueDiagnosis(("forward",), "\n".join(filter(None, [where, relation])))


def _where(exercise: Exercise, came: Sequence[Any], expected: Sequence[Any]) -> str:
    """Which outputs are right, and the worst entry of the first that is not."""
    names = output_names(exercise)
    wrong = {i: difference for i, (one, other) in enumerate(zip(expected, came))
             if (difference := first_difference(one, other)) is not None}
    first = min(wrong, default=0)
    if exercise.returns_text:
        return f"{_capitalized(text_difference(expected[first], came[first]))}."
    index, should, is_ = wrong.get(first, ((), np.nan, np.nan))
    place = f" at {list(index)}" if index else ""
    sentence = (f"{names[first]} is wrong: {is_:.6g}{place}, expected {should:.6g}." if index is not None
                else f"{names[first]} has shape {is_}, expected {should}.")
    right = [name for i, name in enumerate(names) if i not in wrong]
    if right:
        sentence += f" {_capitalized(_listed(right))} {'is' if len(right) == 1 else 'are'} right."
    return _capitalized(sentence)


def output_names(exercise: Exercise) -> list[str]:
    """The outputs by their names in the solution's return statement: "the new param", "the output u", "the value"."""
    last = exercise.tree.body[-1]
    elements = last.value.elts if isinstance(last, ast.Return) and isinstance(last.value, ast.Tuple) else []
    if not elements:
        return ["the value"]
    return [f"the new {e.id}" if isinstance(e, ast.Name) and e.id in exercise.parameters
            else f"the output {e.id}" if isinstance(e, ast.Name) else f"value {i} of {len(elements)}"
            for i, e in enumerate(elements, 1)]


def _with_mistakes(exercise: Exercise, several: Sequence[WrongAnswer]) -> Callable[..., Any] | None:
    """The solution with the edits of several wrong answers; None if one edit changes what another one needs."""
    edits: dict[str, str] = {}
    for wrong in several:
        if any(old in other or other in old for old in wrong.edits for other in edits):
            return None
        edits.update(wrong.edits)
    return exercise.edited(edits, " and ".join(wrong.name for wrong in several))


def _code_of_line(exercise: Exercise, number: int) -> str:
    """The code of the named wrong answers that change line ``number`` of the solution, if they agree; else formula."""
    def lines(text: str) -> range:
        first = exercise.source[:exercise.source.index(text)].count("\n") + 1
        return range(first, first + text.rstrip("\n").count("\n") + 1)

    codes = {wrong.code for wrong in exercise.wrong for old in wrong.edits if number in lines(old)} - {"mutates"}
    return codes.pop() if len(codes) == 1 else "formula"


def _run(variation: Callable[..., Any], inputs: Sequence[Any]) -> tuple[Any, ...] | None:
    """The outputs of a variation of the solution; None if it fails, as many do."""
    try:
        with np.errstate(all="ignore"):
            return as_tuple(variation(*copies(inputs)))
    except Exception:                                       # a change may break the types or the shapes
        return None


def _equal(these: Sequence[Any] | None, those: Sequence[Any]) -> bool:
    """Whether all outputs agree to 8 digits."""
    return these is not None and len(these) == len(those) and all(
        np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-8, atol=1e-13, equal_nan=True)
        for a, b in zip(these, those))


def _relation(exercise: Exercise, inputs: Sequence[Any], expected: Sequence[Any], came: Sequence[Any]) -> str:
    """How the wrong output relates to the right one and to the other quantities of the solution, if simply."""
    names = output_names(exercise)
    for name, should, is_ in zip(names, expected, came):
        if first_difference(should, is_) is None or np.shape(should) != np.shape(is_):
            continue
        if (factor := _factor(is_, should)) is not None:
            return f"{_capitalized(name)} is {factor:.6g} times the right one."
        for other, quantity in _quantities(exercise, inputs):
            if _equal((is_,), (quantity,)):
                return f"Your numbers are those of {other}."
            if (factor := _factor(np.subtract(is_, should), quantity)) is not None:
                return (f"{_capitalized(name)} differs from the right one by {factor:.6g} times {other}: "
                        f"is a term with {other} missing, or there twice?")
    return ""


def _factor(a: Any, b: Any) -> float | None:
    """c if a = c b up to rounding; None otherwise, and for arrays of fewer than two entries."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    if a.shape != b.shape or a.size < 2 or not (np.isfinite(a).all() and np.isfinite(b).all()) or not b.any():
        return None
    c = float((a * b).sum() / (b * b).sum())
    return c if c and np.abs(a - c * b).max() <= 1e-9 * np.abs(a).max() else None


def _quantities(exercise: Exercise, inputs: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """(name, array) of the parameters and the variables of the solution."""
    yield from ((name, value) for name, value in zip(exercise.parameters, inputs) if isinstance(value, np.ndarray))
    last = exercise.tree.body[-1]
    source = ast.unparse(exercise.tree).replace(ast.unparse(last), "return dict(locals())")
    names = dict(exercise.function.__globals__)
    exec(compile(source, f"<{exercise.name}>", "exec"), names)
    found = names[exercise.name](*copies(inputs))
    yield from ((name, value) for name, value in found.items() if name not in exercise.parameters
                and isinstance(value, np.ndarray) and value.dtype.kind == "f")


def _capitalized(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
