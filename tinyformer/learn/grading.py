"""Is this function the exercise's? The verdict, in words that help."""

from __future__ import annotations

import inspect
import warnings
from dataclasses import asdict, dataclass

import numpy as np

from ..gradcheck import check
from ..sandbox import Refused, call, captured, within
from ..sandbox.limits import Stopped
from ..sandbox.messages import learners_frame
from . import cases
from .advice import ADVICE

LIMIT = 10                                          # seconds that a check of one exercise may take
UNCALLED = ("import", "file", "missing file", "name", "signature", "changed", "checker")      # the function never got its inputs
GENERAL = ("shape", "error", "unexplained", "returns")      # what the second round may name more closely


@dataclass
class Verdict:
    """What became of a try.

    state       "passed"; "not attempted"; "wrong", the doctor has found something; "broken", it could not be asked
    code        the doctor's first code, or what happened: "error", "time", "import", …
    message     for the learner, several lines
    hint        chosen by the diagnosis
    mistake     the name of the wrong answer that this is, "" if it is none of the known ones
    codes       all of the doctor's codes
    printed     what the learner's code printed in its first call; of this, ``unprinted`` bytes more were not kept
    predicted   whether the prediction is right; None: there is none
    """

    name: str
    state: str = "passed"
    code: str = ""
    message: str = ""
    hint: str = ""
    mistake: str = ""
    codes: tuple = ()
    printed: str = ""
    unprinted: int = 0
    predicted: bool | None = None

    @property
    def ok(self):
        return self.state == "passed"

    @property
    def is_try(self):
        """Whether the function was called: a file that Python cannot read is no try."""
        return self.state != "not attempted" and self.code not in UNCALLED

    def refuse(self, refused):
        """Take over why the check has ended."""
        self.state, self.code, self.codes, self.message = refused.state, refused.code, refused.codes, str(refused)

    as_dict = asdict

    def __repr__(self):
        return f"<{self.name}: {self.state}{f' ({self.code})' if self.code else ''}>"


class WrongAnswer(Refused):
    """The code can be run, and its answer is wrong."""

    def __init__(self, code, message):
        super().__init__(code, message, codes=(code,))


def grade(exercise, function, prediction=..., limit=None):
    """The ``Verdict`` on ``function``, within ``limit`` seconds."""
    verdict = Verdict(exercise.name, predicted=exercise.predicted(prediction))
    with captured() as printed, warnings.catch_warnings():
        warnings.simplefilter("ignore")                     # a file may have made errors of them, ours too
        try:
            within(LIMIT if limit is None else limit, _grade, exercise, function, verdict, printed)
        except Refused as refused:
            verdict.refuse(refused)
    if not verdict.printed:
        verdict.printed, verdict.unprinted = printed.result()
    return verdict


def _grade(exercise, function, verdict, printed):
    with np.errstate(all="ignore"):
        try:
            every = _try_once(exercise, function)
            verdict.printed, verdict.unprinted = printed.result()       # the doctor calls it hundreds of times
            _examine(exercise, function, every)
            if message := cases.complaint(exercise, function, _cotangent, call):
                raise WrongAnswer("case", message)
        except Refused as refused:
            verdict.printed, verdict.unprinted = (verdict.printed, verdict.unprinted) if verdict.printed else printed.result()
            wrong = _named_mistake(exercise, function) if refused.codes else None
            verdict.mistake = wrong.name if wrong else ""
            verdict.hint = wrong.hint if wrong else ADVICE.get(refused.code, "")
            raise


# ------------------------------------------------------------------------------------------------ one plain call

def _try_once(exercise, function):
    """Call it and its vjp a single time, and say what is not as it should be. Whether vjp returns something for every argument."""
    inputs = exercise.draw()
    _signature(exercise, function, inputs)
    reference = exercise.function(*_copies(inputs))
    given = _copies(inputs)
    returned = call(function, *given)
    for name, before, after in zip(exercise.parameters, inputs, given):
        if isinstance(before, np.ndarray) and not np.array_equal(before, after):
            raise WrongAnswer("mutates", f"your function changes its input {name}: make a new array in place of writing into it")
    if not exercise.has_vjp:
        _value(returned, reference)
        return False

    value, vjp = _value_and_vjp(exercise, returned)
    try:
        _value(value, reference[0])
    except WrongAnswer as wrong:
        if wrong.code == "forward" and not _alike([_as_tuple(value)], [_as_tuple(call(function, *_copies(inputs))[0])]):
            raise WrongAnswer("nondeterministic", "two calls with the same inputs give two values: draw nothing at random, "
                                            "keep nothing from call to call") from None
        raise
    try:
        gradients = call(vjp, _cotangent(value))
    except Refused as refused:
        if refused.code == "error":
            return False                                    # perhaps only where sizes differ: see the doctor's second round
        raise
    wanted = exercise.wanted(inputs)
    selected = exercise.selected(gradients, wanted)
    _gradients(selected, [exercise.parameters[i] for i in wanted])
    return selected is not gradients


def _value_and_vjp(exercise, returned):
    if not (isinstance(returned, tuple) and len(returned) == 2 and callable(returned[1])):
        raise Refused("returns", f"{exercise.name} returned {_what(returned)}, expected (value, vjp): a value, a function")
    return returned


def _gradients(gradients, names):
    """Refuse what is not one array of float64, or None, for each of ``names``."""
    expected = "one array" if len(names) == 1 else f"{len(names)} arrays, one for each of {', '.join(names)}"
    if gradients is None:
        raise Refused("returns", f"vjp returned nothing (None), expected {expected}: is its return missing?")
    if isinstance(gradients, dict):
        raise Refused("returns", f"vjp returned a dict, expected {expected}, in this order and without names: return "
                                 f"{', '.join('d' + name for name in names)}")
    if isinstance(gradients, (set, str)) or callable(gradients):
        raise Refused("returns", f"vjp returned {_what(gradients)}, expected {expected}")
    several = _as_tuple(gradients)
    if any(isinstance(one, (list, tuple)) or isinstance(gradients, list) and np.isscalar(one) for one in several):
        raise Refused("returns", f"vjp returned a list of numbers, expected {expected}: keep NumPy arrays (no .tolist())")
    if len(several) != len(names):
        raise Refused("returns", f"vjp returned {len(several)} gradient{'s' * (len(several) != 1)} "
                                 f"({', '.join(map(_what, several))}), expected {expected}")
    for name, gradient in zip(names, several):
        if gradient is None:
            continue                                        # the doctor says whether it may be
        if not isinstance(gradient, np.ndarray) and not np.isscalar(gradient) or isinstance(gradient, str):
            raise Refused("returns", f"the gradient of {name} is {_what(gradient)}, expected an array")
        _float64(f"the gradient of {name}", np.asarray(gradient).dtype)


def _float64(name, dtype):
    if dtype.kind in "iub":
        raise WrongAnswer("dtype", f"{name} is made of {dtype}, expected float64: whole numbers lose what stands behind the point")
    if dtype == np.float32:
        raise WrongAnswer("float32", f"{name} is float32, but the inputs are float64: half of the digits are lost. "
                               "Where do you write float32?")


def _signature(exercise, function, inputs):
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


def _value(value, reference):
    """Refuse a value that is not the reference."""
    if isinstance(reference, tuple):
        if not isinstance(value, (tuple, list)) or len(value) != len(reference):
            raise Refused("returns", f"the value is {_what(value)}, expected {len(reference)} arrays")
        for i, (one, expected) in enumerate(zip(value, reference), 1):
            _one_value(f"value {i} of {len(reference)}", one, expected)
    else:
        _one_value("the value", value, reference)


def _one_value(name, value, expected):
    expected = np.asarray(expected)
    if value is None or isinstance(value, (dict, str, set)) or callable(value):
        raise Refused("returns", f"{name} is {_what(value)}, expected {_what(expected)}")
    if isinstance(value, (list, tuple)):
        raise Refused("returns", f"{name} is a {type(value).__name__}, expected {_what(expected)}: keep it a NumPy array")
    value = np.asarray(value)
    if value.dtype.kind not in "fiub":
        raise Refused("returns", f"{name} is {_what(value)}, expected numbers in float64")
    if value.shape != expected.shape:
        raise WrongAnswer("forward", f"{name} has shape {value.shape}, expected {expected.shape}")
    if value.dtype.kind != "f":
        _float64(name, value.dtype)
    close = 1e-4 if value.dtype == np.float32 else 1e-8
    off = np.abs(value - expected)
    if not np.all(off <= close * np.max(np.abs(expected), initial=1e-300)):
        index = tuple(map(int, np.unravel_index(np.argmax(np.where(np.isnan(off), np.inf, off)), off.shape)))
        where = f" at {list(index)}" if index else ""
        raise WrongAnswer("forward", f"{name} is wrong: {value[index]:.6g}{where}, expected {expected[index]:.6g}")
    _float64(name, value.dtype)


def _what(value):
    """A value in few words."""
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


def _copies(values):
    return [v.copy() if isinstance(v, np.ndarray) else v for v in values]


def _cotangent(value, seed=0):
    """A gradient for ``value``: random, for ones would hide mistakes."""
    rng = np.random.default_rng([seed, 7])
    draws = tuple(np.asarray(rng.standard_normal(np.shape(v))) for v in _as_tuple(value))
    return draws if isinstance(value, tuple) else draws[0]


# ------------------------------------------------------------------------------------------------ the doctor

def _examine(exercise, function, every=False):
    """Both rounds of the gradient check, or the value again where there is no gradient. The second where it may say more.

    every       whether vjp returns something for every argument, not only for those that get a gradient
    """
    found, parts, fault = [], [], None
    for square in (False, True):
        if not set(found) <= set(GENERAL):
            break
        inputs = exercise.draw(square=square)
        returned, reference = call(function, *_copies(inputs)), exercise.function(*_copies(inputs))
        if not exercise.has_vjp:
            _value(returned, reference)
            continue
        _value(_value_and_vjp(exercise, returned)[0], reference[0])
        g, arrays = exercise.subject(function, inputs, every)
        try:
            report = call(check, g, *arrays)
        except Refused as refused:
            if refused.code != "error":
                raise
            if learners_frame(refused.__cause__.__traceback__) is None:
                raise refused.__cause__ from None           # not the learner's doing
            fault = fault or refused
            found.append("error")
            parts += [str(refused)] * (not square)
            continue
        if not report.ok:
            parts += ["With all sizes equal it runs:" if fault else "With all sizes equal:" if square else "", str(report)]
            found += [finding.code for one in report.inputs for finding in one.findings if finding.is_mistake]
    if found:
        codes = tuple(dict.fromkeys([code for code in found if code not in GENERAL] or found))
        broken = codes == ("error",)
        raise Refused(codes[0], "\n\n".join(filter(None, parts)), codes=() if broken else codes)


def _named_mistake(exercise, function):
    """The wrong answer that ``function`` is: it does the same, or fails where that fails. None if it is a new one."""
    came = _behaviour(exercise, function)
    for wrong in exercise.wrong:
        if _alike(came, _behaviour(exercise, exercise.build(wrong))):
            return wrong
    return None


def _behaviour(exercise, function):
    """In each round: the inputs afterwards, the value, the gradients; or the name of the error."""
    rounds = []
    for square in (False, True):
        inputs = _copies(exercise.draw(square=square))
        try:
            value = function(*inputs)
            gradients = ()
            if exercise.has_vjp:
                value, vjp = value
                gradients = exercise.selected(vjp(_cotangent(value)), exercise.wanted(inputs))
            rounds.append([*inputs, *_as_tuple(value), *_as_tuple(gradients)])
        except Stopped:
            raise
        except BaseException as error:
            rounds.append(type(error).__name__)
    return rounds


def _as_tuple(values):
    return tuple(values) if isinstance(values, (tuple, list)) else (values,)


def _alike(these, those):
    def same(a, b):
        if a is None or b is None:
            return a is b
        try:
            return np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-7, atol=1e-10, equal_nan=True)
        except (TypeError, ValueError):                     # no numbers
            return False

    if all(isinstance(one, str) for one in these):
        return False                                        # it never runs: that says too little
    return all(one == other if isinstance(one, str) or isinstance(other, str)
               else len(one) == len(other) and all(map(same, one, other)) for one, other in zip(these, those))
