"""Special inputs of an exercise, on which the value and the gradients must equal those of the solution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .exercise import Exercise


def first_difference(expected: Any, came: Any) -> tuple[Any, Any, Any] | None:
    """(index, expected, came) of the entry with the largest error; None if the arrays agree to 8 digits.

    Entries of ``expected`` that are NaN or infinite are not compared. If the shapes differ, the index is None and the
    other two are the shapes.
    """
    expected, came = np.asarray(expected), np.asarray(came)
    if expected.shape != came.shape:
        return None, expected.shape, came.shape
    known = np.isfinite(expected)
    scale = np.max(np.abs(expected), initial=1e-300, where=known)
    off = np.where(known, np.abs(came - expected), 0)
    off = np.where(np.isnan(off), np.inf, off)
    if np.all(off <= 1e-8 * scale):
        return None
    index = tuple(map(int, np.unravel_index(np.argmax(off), off.shape)))
    return index, expected[index], came[index]


def as_tuple(values: Any) -> tuple[Any, ...]:
    """A tuple or list as a tuple; anything else as a tuple of one. Bytes are an array of numbers."""
    several = tuple(values) if isinstance(values, (tuple, list)) else (values,)
    return tuple(np.frombuffer(v, np.uint8).astype(float) if isinstance(v, bytes) else v for v in several)


def text_difference(expected: Any, came: Any) -> str:
    """Where two texts, given as the numbers of their bytes, differ first; "" if they are equal."""
    one, other = (bytes(np.asarray(text).astype(np.uint8).ravel()) for text in (expected, came))
    if one == other:
        return ""
    at = next((i for i, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))
    before = f", after {one[max(at - 12, 0):at]!r}" if at else ""
    found, right = (repr(text[at:at + 12]) if text[at:] else "its end" for text in (other, one))
    return f"from byte {at} on{before}, the text has {found}, expected {right}"


def outcomes(exercise: Exercise, function: Callable[..., Any], inputs: Sequence[Any], cotangents: Callable[[Any], Any],
             call: Callable[..., Any]) -> list[tuple[str, Any]]:
    """[(description, array)]: the value of ``function`` and, if the exercise has a vjp, its gradients.

    cotangents  value → the upstream gradient
    call        calls a function of the learner: ``sandbox.call``
    """
    arguments = [a.copy() if isinstance(a, np.ndarray) else a for a in inputs]
    returned = call(function, *arguments)
    value, vjp = returned if exercise.has_vjp else (returned, None)
    found = [("the value", one) for one in as_tuple(value)]
    if vjp is None:
        return found
    names = [exercise.parameters[i] for i in exercise.wanted(inputs)]
    gradients = as_tuple(exercise.selected(call(vjp, cotangents(value)), exercise.wanted(inputs)))
    return found + [(f"the gradient of {name}", np.zeros(()) if one is None else one) for name,
                    one in zip(names, gradients)]


def complaint(exercise: Exercise, function: Callable[..., Any], cotangents: Callable[[Any], Any],
              call: Callable[..., Any]) -> str:
    """What is wrong on the special inputs, as one sentence; "" if all are right.

    For the parameters, see ``outcomes``.
    """
    rng = np.random.default_rng(3)
    for case, inputs in exercise.cases.items():
        arguments = inputs(rng)
        right = outcomes(exercise, exercise.function, arguments, cotangents, call)
        for (what, expected), (_, came) in zip(right, outcomes(exercise, function, arguments, cotangents, call)):
            difference = first_difference(expected, came)
            if difference is not None:
                index, one, other = difference
                if exercise.returns_text:
                    return f"with {case}, {text_difference(expected, came)}"
                if index is None:
                    return f"with {case}, {what} has shape {other}, expected {one}"
                where = f" at {list(index)}" if index else ""
                return f"with {case}, {what} is {other:.6g}{where}, expected {one:.6g}"
    return ""
