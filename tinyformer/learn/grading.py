"""Grade a function as an answer to an exercise: a verdict, with a message that helps."""

from __future__ import annotations

import inspect
import re
import warnings
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..gradcheck import check
from ..gradcheck.function_forms import copies
from ..sandbox import Refused, call, captured, unwritten_is_nan, within
from ..sandbox.limits import Stopped
from ..sandbox.messages import learners_frame
from ..sandbox.unwritten import LARGEST_INTEGER
from . import cases
from .advice import ADVICE
from .value_diagnosis import diagnose_value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..sandbox.capture import Captured
    from .exercise import Exercise, WrongAnswer

LIMIT = 10                                          # seconds for the check of one exercise
# the function was never called
UNCALLED = ("import", "file", "missing file", "name", "signature", "changed", "checker")
# codes that the second round may replace by a more specific one
GENERAL = ("shape", "error", "unexplained", "returns")
# what an unwritten entry looks like in a message
UNWRITTEN = re.compile(rf"\bnan\b|{LARGEST_INTEGER}")


@dataclass
class Verdict:
    """The result of grading an answer.

    name        the name of the exercise
    state       "passed"; "not attempted"; "wrong": the doctor found a mistake; "broken": the answer could not be
                checked
    code        the doctor's first code, or what happened: "error", "time", "import", …
    message     the explanation for the learner, several lines
    hint        the hint for this mistake
    mistake     the name of the known wrong answer that this is, "" if it is none of them
    codes       all codes of the doctor
    printed     what the learner's code printed in its first call
    unprinted   how many further bytes it printed, which are not kept
    predicted   whether the prediction is right; None if there is none
    """

    name: str
    state: str = "passed"
    code: str = ""
    message: str = ""
    hint: str = ""
    mistake: str = ""
    codes: tuple[str, ...] = ()
    printed: str = ""
    unprinted: int = 0
    predicted: bool | None = None

    @property
    def ok(self) -> bool:
        """Whether the exercise is passed."""
        return self.state == "passed"

    @property
    def is_try(self) -> bool:
        """Whether the function was called. A file that Python cannot run does not count as a try."""
        return self.state != "not attempted" and self.code not in UNCALLED

    def refuse(self, refused: Refused) -> None:
        """Set state, code, codes and message from the exception that ended the check."""
        self.state, self.code, self.codes, self.message = refused.state, refused.code, refused.codes, str(refused)

    as_dict = asdict

    def __repr__(self) -> str:
        return f"<{self.name}: {self.state}{f' ({self.code})' if self.code else ''}>"


class WrongResult(Refused):
    """The answer runs, and its result is wrong. ``code`` is a code of the doctor."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message, codes=(code,))


def grade(exercise: Exercise, function: Callable[..., Any], prediction: Any = ...,
          limit: float | None = None) -> Verdict:
    """Grade ``function`` as an answer to ``exercise``.

    prediction  the learner's answer to the exercise's question; ... for none
    limit       seconds for the whole check; None: ``LIMIT``

    An exception in ``function`` becomes part of the verdict. Nothing is printed or recorded.
    """
    verdict = Verdict(exercise.name, predicted=exercise.predicted(prediction))
    with captured() as printed, warnings.catch_warnings(), unwritten_is_nan() as unwritten:
        warnings.simplefilter("ignore")                     # the file may have turned warnings into errors
        try:
            within(LIMIT if limit is None else limit, _grade, exercise, function, verdict, printed)
        except Refused as refused:
            verdict.refuse(refused)
            if unwritten and UNWRITTEN.search(verdict.message):
                _point_to_unwritten(verdict, unwritten)
    if not verdict.printed:
        verdict.printed, verdict.unprinted = printed.result()
    return verdict


def _point_to_unwritten(verdict: Verdict, lines: dict[int, str]) -> None:
    """Add to a verdict about NaN that it may come from an entry which was never written.

    lines       {line number: text} of the lines that call np.empty or np.empty_like
    """
    where = "\n".join(f"  in line {number}: {line}".removesuffix(": ") for number, line in sorted(lines.items()))
    verdict.message += ("\n\nAn array of np.empty has arbitrary entries until you write them; this check makes them "
                        f"NaN, or the largest integer.\n{where}")
    verdict.hint = verdict.hint if verdict.mistake else ("Does your code write every entry of the array from np.empty? "
                                                        "If some entries stay 0, start from np.zeros.")


def _grade(exercise: Exercise, function: Callable[..., Any], verdict: Verdict, printed: Captured) -> None:
    with np.errstate(all="ignore"):
        try:
            every = _try_once(exercise, function)
            verdict.printed, verdict.unprinted = printed.result()       # later the doctor calls it hundreds of times
            _examine(exercise, function, every)
            if message := cases.complaint(exercise, function, _cotangent, call):
                raise WrongResult("case", message)
        except Refused as refused:
            verdict.printed, verdict.unprinted = (verdict.printed,
                                                  verdict.unprinted) if verdict.printed else printed.result()
            if refused.code == "forward" and not exercise.has_vjp:
                raise _named_value(exercise, function, verdict) from None
            wrong = _named_mistake(exercise, function) if refused.codes else None
            verdict.mistake = wrong.name if wrong else ""
            verdict.hint = wrong.hint if wrong else ADVICE.get(refused.code, "")
            raise


# ------------------------------------------------------------------------------------------------ one plain call

def _try_once(exercise: Exercise, function: Callable[..., Any]) -> bool:
    """Call the function and its vjp once and check the form of the results.

    Returns whether vjp returned an entry for every argument, and not only for those with a gradient.
    """
    inputs = exercise.draw()
    _signature(exercise, function, inputs)
    reference = exercise.function(*copies(inputs))
    given = copies(inputs)
    returned = call(function, *given)
    for name, before, after in zip(exercise.parameters, inputs, given):
        if isinstance(before, np.ndarray) and not np.array_equal(before, after):
            raise WrongResult("mutates", f"your function changes its input {name} in place: create a new array instead")

    def value_and_vjp(returned: Any) -> Any:
        return _value_and_vjp(exercise, returned) if exercise.has_vjp else (returned, None)

    value, vjp = value_and_vjp(returned)
    try:
        _value(value, reference[0] if exercise.has_vjp else reference)
    except WrongResult as wrong:
        if wrong.code == "forward" and not _alike(
                [cases.as_tuple(value)], [cases.as_tuple(value_and_vjp(call(function, *copies(inputs)))[0])]):
            raise WrongResult("nondeterministic",
                              "two calls with the same inputs return different values: do not draw random "
                              "numbers, and keep nothing between calls") from None
        raise
    if vjp is None:
        return False
    try:
        gradients = call(vjp, _cotangent(value))
    except Refused as refused:
        if refused.code == "error":
            # perhaps only for unequal sizes, so the doctor has a second round
            return False
        raise
    wanted = exercise.wanted(inputs)
    selected = exercise.selected(gradients, wanted)
    _gradients(selected, [exercise.parameters[i] for i in wanted])
    return selected is not gradients


def _value_and_vjp(exercise: Exercise, returned: Any) -> tuple[Any, Callable[..., Any]]:
    if not (isinstance(returned, tuple) and len(returned) == 2 and callable(returned[1])):
        raise Refused("returns", f"{exercise.name} returned {_what(returned)}, "
                                 "expected (value, vjp): a value and a function")
    return returned


def _gradients(gradients: Any, names: Sequence[str]) -> None:
    """Raise unless there is one float64 array, or None, for each of ``names``."""
    expected = "one array" if len(names) == 1 else f"{len(names)} arrays, one for each of {', '.join(names)}"
    if gradients is None:
        raise Refused("returns", f"vjp returned None, expected {expected}: is the return statement missing?")
    if isinstance(gradients, dict):
        raise Refused("returns", f"vjp returned a dict, expected {expected}, in this order: return "
                                 f"{', '.join('d' + name for name in names)}")
    if isinstance(gradients, (set, str)) or callable(gradients):
        raise Refused("returns", f"vjp returned {_what(gradients)}, expected {expected}")
    several = cases.as_tuple(gradients)
    if any(isinstance(one, (list, tuple)) or isinstance(gradients, list) and np.isscalar(one) for one in several):
        raise Refused("returns", "vjp returned a list of numbers, "
                                 f"expected {expected}: return NumPy arrays, without .tolist()")
    if len(several) != len(names):
        raise Refused("returns", f"vjp returned {len(several)} gradient{'s' * (len(several) != 1)} "
                                 f"({', '.join(map(_what, several))}), expected {expected}")
    for name, gradient in zip(names, several):
        if gradient is None:
            continue                                        # the doctor decides whether None is right
        if not isinstance(gradient, np.ndarray) and not np.isscalar(gradient) or isinstance(gradient, str):
            raise Refused("returns", f"the gradient of {name} is {_what(gradient)}, expected an array")
        _float64(f"the gradient of {name}", np.asarray(gradient).dtype)


def _float64(name: str, dtype: np.dtype[Any]) -> None:
    if dtype.kind in "iub":
        raise WrongResult("dtype", f"{name} has the type {dtype}, "
                                   "expected float64: integer arrays drop the fractional part")
    if dtype == np.float32:
        raise WrongResult("float32", f"{name} is float32, but the inputs are float64: half of the digits are lost. "
                                     "Where does your code use float32?")


def _signature(exercise: Exercise, function: Any, inputs: Sequence[Any]) -> None:
    expected = f"{exercise.name}({', '.join(exercise.parameters)})"
    if not callable(function):
        raise Refused("name", f"{exercise.name} is {_what(function)}, expected a function: def {expected}")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*inputs)
    except TypeError:
        raise Refused("signature", f"your function is {exercise.name}{signature}, expected {expected}") from None


def _value(value: Any, reference: Any) -> None:
    """Raise unless the value equals the reference."""
    if isinstance(reference, tuple):
        if not isinstance(value, (tuple, list)) or len(value) != len(reference):
            raise Refused("returns", f"the value is {_what(value)}, expected {len(reference)} arrays")
        for i, (one, expected) in enumerate(zip(value, reference), 1):
            _one_value(f"value {i} of {len(reference)}", one, expected)
    else:
        _one_value("the value", value, reference)


def _one_value(name: str, value: Any, expected: Any) -> None:
    if isinstance(expected, bytes):
        if not isinstance(value, bytes):
            raise Refused("returns", f"{name} is {_what(value)}, expected bytes: encode the text")
        if value != expected:
            raise WrongResult("forward", cases.text_difference(*cases.as_tuple((expected, value))))
        return
    expected = np.asarray(expected)
    if value is None or isinstance(value, (dict, str, set)) or callable(value):
        raise Refused("returns", f"{name} is {_what(value)}, expected {_what(expected)}")
    if isinstance(value, (list, tuple)):
        raise Refused("returns",
                      f"{name} is a {type(value).__name__}, expected {_what(expected)}: return a NumPy array")
    value = np.asarray(value)
    if value.dtype.kind not in "fiub":
        raise Refused("returns", f"{name} is {_what(value)}, expected numbers in float64")
    if value.shape != expected.shape:
        raise WrongResult("forward", f"{name} has shape {value.shape}, expected {expected.shape}")
    if value.dtype.kind != "f" and expected.dtype.kind == "f":
        _float64(name, value.dtype)
    close = 1e-4 if value.dtype == np.float32 else 1e-8
    off = np.abs(value - expected)
    if not np.all(off <= close * np.max(np.abs(expected), initial=1e-300)):
        index = tuple(map(int, np.unravel_index(np.argmax(np.where(np.isnan(off), np.inf, off)), off.shape)))
        where = f" at {list(index)}" if index else ""
        raise WrongResult("forward", f"{name} is wrong: {value[index]:.6g}{where}, expected {expected[index]:.6g}")
    if expected.dtype.kind == "f":
        _float64(name, value.dtype)


def _what(value: Any) -> str:
    """A short description of a value."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if value is None:
        return "None"
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    if callable(value):
        return "a function"
    kind = type(value).__name__
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _cotangent(value: Any, seed: int = 0) -> Any:
    """A random upstream gradient for ``value``; ones would hide mistakes."""
    rng = np.random.default_rng([seed, 7])
    draws = tuple(np.asarray(rng.standard_normal(np.shape(v))) for v in cases.as_tuple(value))
    return draws if isinstance(value, tuple) else draws[0]


# ------------------------------------------------------------------------------------------------ the doctor

def _examine(exercise: Exercise, function: Callable[..., Any], every: bool = False) -> None:
    """Check the gradients, or only the value if there is no vjp, with unequal sizes and then with equal ones.

    The second round is skipped if the first one has found a specific code.

    every       whether vjp returns an entry for every argument, and not only for those with a gradient
    """
    found: list[str] = []
    parts: list[str] = []
    failure = None
    for square in (False, True):
        if not set(found) <= set(GENERAL):
            break
        inputs = exercise.draw(square=square)
        returned, reference = call(function, *copies(inputs)), exercise.function(*copies(inputs))
        if not exercise.has_vjp:
            _value(returned, reference)
            continue
        _value(_value_and_vjp(exercise, returned)[0], reference[0])
        g, arrays = exercise.differentiable_part(function, inputs, every)
        try:
            report = call(check, g, *arrays)
        except Refused as refused:
            if refused.code != "error":
                raise
            if learners_frame(refused.__cause__.__traceback__) is None:
                raise refused.__cause__ from None           # a bug of the library
            failure = failure or refused
            found.append("error")
            parts += [str(refused)] * (not square)
            continue
        if not report.ok:
            parts += ["With all sizes equal, the function runs:" if failure else
                      "With all sizes equal:" if square else "", str(report)]
            found += [finding.code for one in report.inputs for finding in one.findings if finding.is_mistake]
    if found:
        codes = tuple(dict.fromkeys([code for code in found if code not in GENERAL] or found))
        broken = codes == ("error",)
        raise Refused(codes[0], "\n\n".join(filter(None, parts)), codes=() if broken else codes)


def _named_value(exercise: Exercise, function: Callable[..., Any], verdict: Verdict) -> WrongResult:
    """The wrong value of an answer without a vjp, with the mistake that gives it; the verdict gets mistake and hint."""
    found = diagnose_value(exercise, function)
    verdict.mistake, verdict.hint = found.mistake, found.hint or ADVICE[found.codes[0]]
    wrong = WrongResult(found.codes[0], found.message)
    wrong.codes = found.codes
    return wrong


def _named_mistake(exercise: Exercise, function: Callable[..., Any]) -> WrongAnswer | None:
    """The known wrong answer that gives the results of ``function``, or fails as it does; None if there is none."""
    came = _behavior(exercise, function)
    for wrong in exercise.wrong:
        if _alike(came, _behavior(exercise, exercise.build(wrong))):
            return wrong
    return None


def _behavior(exercise: Exercise, function: Callable[..., Any]) -> list[Any]:
    """For each round, the inputs after the call, the value and the gradients; or the name of the exception."""
    rounds = []
    for square in (False, True):
        inputs = copies(exercise.draw(square=square))
        try:
            value = function(*inputs)
            gradients = ()
            if exercise.has_vjp:
                value, vjp = value
                gradients = exercise.selected(vjp(_cotangent(value)), exercise.wanted(inputs))
            rounds.append([*inputs, *cases.as_tuple(value), *cases.as_tuple(gradients)])
        except Stopped:
            raise
        except BaseException as error:
            rounds.append(type(error).__name__)
    return rounds


def _alike(these: Sequence[Any], those: Sequence[Any]) -> bool:
    def same(a: Any, b: Any) -> bool:
        if a is None or b is None:
            return a is b
        if callable(a):
            return callable(b)                              # an argument of the exercise
        try:
            return np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-7, atol=1e-10, equal_nan=True)
        except (TypeError, ValueError):                     # not numbers
            return False

    if all(isinstance(one, str) for one in these):
        return False                                        # an answer that never runs is not recognized
    return all(one == other if isinstance(one, str) or isinstance(other, str)
               else len(one) == len(other) and all(map(same, one, other)) for one, other in zip(these, those))
