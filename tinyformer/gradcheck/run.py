"""The function as ``check`` calls it: its value and gradients, and the side effects that it must not have."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import Tensor
from .doctor import Doctor
from .evidence import captured
from .function_forms import CheckedFunction, Unreadable, copies
from .numeric import NARROW, Probe, computes_in_float32
from .report import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

DOUBLE = np.finfo(np.float64).eps


class Run:
    """The function called as the engine calls it: its gradients, and any side effect that it must not have.

    gradients       of each argument; None if they cannot be compared
    findings        for each argument, the findings that need no comparison
    """

    def __init__(self, checked: CheckedFunction, rng: np.random.Generator) -> None:
        self.checked = checked
        self.findings: list[list[Finding]] = [[] for _ in checked.names]
        self.gradients: list[Any] | None = None
        narrow = computes_in_float32(self._varied, max([1.0] + [
            np.max(np.abs(a), initial=0, where=np.isfinite(a)) for a, wanted in zip(checked.arrays, checked.wanted)
            if wanted]))
        inputs = copies(checked.arrays)
        values, pull_back = checked.linearize(inputs)
        before = copies(values)
        floats = [v.dtype.kind == "f" for v in before]
        if not any(floats):
            raise TypeError(f"check: the value of {checked.name} is {before[0].dtype}, expected a floating-point type")
        self.eps = max(float(np.finfo(v.dtype).eps) for v, is_float in zip(before, floats) if is_float)
        self.inside = narrow and self.eps == DOUBLE
        self.eps = NARROW if self.inside else self.eps
        self.cotangents = [np.asarray(rng.standard_normal(v.shape) if is_float else np.zeros(v.shape)).astype(v.dtype)
                           for v, is_float in zip(before, floats)]
        mutated = self._changed(inputs)
        for i in mutated:
            self._add("mutates", f"{checked.name} changes its input {checked.names[i]} in place", i)
        if not all(np.isfinite(v).all() for v in before):
            self._add("nonfinite",
                      "the value itself is NaN or infinite at these inputs, so there is no gradient to compare")
            return

        kept = captured(checked.kept())
        kept_before = dict(zip(kept, copies(kept.values())))
        try:
            first, dys = self._pull(pull_back)
        except Unreadable as error:
            self._add(error.code, str(error))
            return
        if not _same(dys, self.cotangents):
            self._add("mutates", "vjp changes the upstream gradient in place")
        if not _same(values, before):
            self._add("mutates", "vjp changes the value in place")
        for i in self._changed(inputs):
            if i not in mutated:
                self._add("mutates", f"vjp changes the input {checked.names[i]} in place", i)
        written = [name for name, array in kept.items() if not _same([array], [kept_before[name]])]

        if not written and self._draws(pull_back, first):
            self._add("nondeterministic", "two calls of the same vjp return two gradients: it draws random numbers "
                                          "again, where it must reuse those of the forward pass")
            self.gradients = first
            return
        again, pull_again = checked.linearize(copies(checked.arrays))
        if not _same(again, before):
            self._add("nondeterministic", "a second call with the same inputs returns another value: if the function "
                                          "draws random numbers, give it a fixed seed")
            return
        second = self._pull(pull_again)[0]
        # A call at other inputs: the first vjp must not depend on it.
        checked.linearize([a * (1 - 1e-3 * rng.random(a.shape)) if wanted else a
                           for a, wanted in zip(copies(checked.arrays), checked.wanted)])
        third = self._pull(pull_back)[0]
        if not _same(second, first):
            self._add("stale", "a second call returns another gradient: the function keeps something between calls")
        elif not _same(third, first) and written:
            self._add("mutates", f"vjp changes {', '.join(written)} of its forward pass in place, so a second "
                                 f"backward pass gives another gradient: change a copy",
                      evidence={"arrays": tuple(written)})
        elif not _same(third, first):
            self._add("stale",
                      "after another call, the first vjp returns another gradient: it must keep its own values")
        self.gradients = first

    def _varied(self, s: float) -> NDArray[Any]:
        """The values, flat, with each entry of each input multiplied by 1 + s or 1 − s, the same signs for every s."""
        signs = [np.random.default_rng(i) for i in range(len(self.checked.arrays))]
        varied = [a * (1 + s * one.choice([-1, 1], a.shape)) if wanted else a
                  for a, wanted, one in zip(copies(self.checked.arrays), self.checked.wanted, signs)]
        return np.concatenate([np.ravel(v).astype(np.float64) for v in self.checked.values(varied)])

    def _draws(self, pull_back: Callable[[Any], Any], first: list[Any]) -> bool:
        """Whether the vjp returns another gradient at each call, and does not only add up."""
        try:
            second, third = self._pull(pull_back)[0], self._pull(pull_back)[0]
        except Exception:                                   # it can be called only once
            return False
        if _same(second, first):
            return False
        pairs = [(a, b, c) for a, b, c in zip(first, second, third) if isinstance(a, np.ndarray) and a.shape == b.shape]
        return not all(np.allclose(c - b, b - a, rtol=1e-6, atol=1e-9) for a, b, c in pairs)

    def _pull(self, pull_back: Callable[[Any], Any]) -> tuple[list[Any], list[NDArray[Any]]]:
        dys = copies(self.cotangents)
        return copies(pull_back(dys)), dys

    def _changed(self, inputs: list[Any]) -> list[int]:
        return [i for i, (now, was) in enumerate(zip(inputs, self.checked.arrays)) if not _same([now], [was])]

    def _add(self, code: str, message: str, *which: int, evidence: Any = ()) -> None:
        """Add a finding to the inputs ``which``, or to every differentiated input."""
        for i in which or [i for i, wanted in enumerate(self.checked.wanted) if wanted]:
            self.findings[i].append(Finding(code, message, dict(evidence)))

    def compare_values(self, reference: Callable[..., Any], rtol: float) -> None:
        """Compare the value with that of a function that is known to be right."""
        values = self.checked.values(copies(self.checked.arrays))
        right = _values_of(reference, self.checked)
        if len(values) != len(right) or any(np.shape(v) != np.shape(r) for v, r in zip(values, right)):
            came, expected = (", ".join(str(np.shape(v)) for v in several) for several in (values, right))
            self._add("forward", f"the value has shape {came}, expected {expected}")
            return
        for v, r in zip(values, right):
            off = np.abs(v - r)
            off = np.where(np.isnan(off), np.where(np.isnan(v) & np.isnan(r), 0, np.inf), off)
            if np.max(off, initial=0) > max(rtol, 100 * self.eps) * np.max(np.abs(r), initial=0):
                worst = index_of(int(np.argmax(off)), off.shape)
                self._add("forward", f"the value is wrong, so its gradient says little: at {list(worst)} the value is "
                                     f"{v[worst]:.6g}, expected {r[worst]:.6g}",
                          evidence={"index": worst, "came": float(v[worst]), "expected": float(r[worst])})
                return

    @functools.cached_property
    def doctor(self) -> Doctor:
        """Explains a wrong gradient. It is built only if one is wrong."""
        return Doctor(self.checked, self.cotangents, self.eps)

    def input_that_tests(self, i: int) -> str:
        """A change of input i at which the value changes with it, in words; "" if none is found."""
        name, x = self.checked.names[i], self.checked.arrays[i]
        rng = np.random.default_rng(0)
        for words, changed in ((f"−{name}", -x), (f"{name} / 10", x / 10), (f"{name} + 1", x + 1),
                               (f"{name} − 1", x - 1), ("rng.standard_normal(shape)", rng.standard_normal(x.shape)),
                               (f"10 {name}", 10 * x)):
            try:
                around = [self.checked.values([changed * (1 + s) + s if j == i else a for j, a in
                                               enumerate(copies(self.checked.arrays))]) for s in (0.0, 1e-4)]
            except Exception:                               # the learner's function may refuse such an input
                continue
            if any(np.max(np.abs(a - b), initial=0) > 1e-7 * np.max(np.abs(a), initial=0) for a, b in zip(*around)):
                return words
        return ""

    def probe(self, i: int) -> Probe:
        """The numeric derivatives with respect to input i."""
        checked, rng = self.checked, np.random.default_rng(i)

        def at(x: NDArray[Any]) -> NDArray[Any]:
            values = checked.values([x.copy() if j == i else a for j, a in enumerate(copies(checked.arrays))])
            return np.concatenate([np.ravel(v).astype(np.float64) for v in values])

        c = np.concatenate([np.ravel(dy) for dy in self.cotangents]).astype(np.float64)
        return Probe(at, checked.arrays[i], c, self.eps, rng)


def _values_of(reference: Callable[..., Any], checked: CheckedFunction) -> tuple[NDArray[Any], ...]:
    """The values of a function that is known to be right: it may return arrays, tensors, or (value, vjp)."""
    try:
        result = reference(*copies(checked.arrays), **checked.options)
    except (TypeError, AttributeError):                     # it takes tensors
        tensors = (Tensor(a) if isinstance(a, np.ndarray) else a for a in copies(checked.arrays))
        result = reference(*tensors, **checked.options)
    if isinstance(result, tuple) and len(result) == 2 and callable(result[1]):
        result = result[0]
    return tuple(np.asarray(getattr(v, "data", v) if isinstance(v, Tensor) else v)
                 for v in (result if isinstance(result, tuple) else (result,)))


def _same(these: Iterable[Any], those: Iterable[Any]) -> bool:
    """Whether arrays are equal up to the last digits, which a BLAS may round differently from call to call."""
    def same(a: Any, b: Any) -> bool:
        if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)) or a.dtype.kind not in "fiub":
            return True
        if a.shape != b.shape:
            return False
        close = 1e-10 if a.dtype == np.float64 else 1e-5
        size = np.max(np.abs(b), initial=0, where=np.isfinite(b)) if b.dtype.kind == "f" else 0
        return np.allclose(a, b, rtol=0, atol=close * size, equal_nan=True)
    return all(map(same, these, those))


def index_of(i: Any, shape: Sequence[int]) -> tuple[int, ...]:
    """The index, in an array of this shape, of entry i of the flat array."""
    return tuple(int(n) for n in np.unravel_index(i, tuple(shape)))
