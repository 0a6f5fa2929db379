"""JAX: ``custom_vjp`` and ``custom_jvp`` functions, and functions of JAX arrays.

Of a ``custom_vjp`` the two rules are called directly; everything else is asked through ``jax.vjp``. All of it runs in
float64, whatever JAX's configuration says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from .base import CheckedFunction, Unreadable, arguments_of, differentiable, with_floats
from .jaxpr import replay, x64
from .program import Translated
from .sources import refers_to, unpacked_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray


def adapt(fn: Any, inputs: Sequence[Any], options: Mapping[str, Any]) -> CheckedFunction | None:
    """A function of JAX arrays; None for anything else."""
    if not callable(fn) or isinstance(fn, type):
        return None
    if not refers_to(fn, "jax") and not any(isinstance(v, jax.Array) for v in inputs):
        return None
    arrays = differentiable([np.asarray(v) if isinstance(v, jax.Array) else v for v in inputs])
    names, values, given, options = arguments_of(fn, arrays, options)
    kind = CustomVjp if isinstance(fn, jax.custom_vjp) and getattr(fn, "bwd", None) is not None else JaxFunction
    values = [np.asarray(v) if isinstance(v, jax.Array) else v for v in values]
    return with_floats(kind(fn, names, values, given, options))


class JaxFunction(CheckedFunction):
    """A function of arrays, differentiated by ``jax.vjp``."""

    def __init__(self, fn: Any, *arguments: Any) -> None:
        super().__init__(fn, *arguments)
        self.compiled: Any = jax.jit(lambda *floats: self._call(*self._with_others(floats, self.arrays)))
        self.residuals: dict[str, Any] = {}

    def _call(self, *arrays: Any) -> Any:
        return self.fn(*arrays, **self.options)

    def _with_others(self, floats: Iterable[Any], arrays: Sequence[Any]) -> list[Any]:
        """All arguments: ``floats`` in the places of the differentiated ones, the others from ``arrays``."""
        each = iter(floats)
        return [next(each) if wanted else a for a, wanted in zip(arrays, self.wanted)]

    def _floats(self, arrays: Sequence[Any]) -> list[Any]:
        return [a for a, wanted in zip(arrays, self.wanted) if wanted]

    def _outputs(self, returned: Any) -> tuple[NDArray[Any], ...]:
        leaves = jax.tree_util.tree_leaves(returned)
        if not leaves or not all(isinstance(y, (jax.Array, np.ndarray, np.generic, float)) for y in leaves):
            raise TypeError(f"check: {self.name} returned {type(returned).__name__}, "
                            f"expected a JAX array or a tuple of them")
        return tuple(np.array(y) for y in leaves)

    def values(self, arrays: Sequence[Any]) -> tuple[NDArray[Any], ...]:
        """The outputs, compiled where JAX can compile the function."""
        with x64():
            if self.compiled is not None:
                try:
                    return self._outputs(self.compiled(*self._floats(arrays)))
                except Exception:                           # it cannot be compiled: Python's ``if`` on a value
                    self.compiled = None
            return self._outputs(self._call(*arrays))

    def linearize(self, arrays: Sequence[Any]) -> tuple[tuple[NDArray[Any], ...], Callable[[Sequence[Any]], list[Any]]]:
        """The outputs, and the vjp that JAX makes."""
        with x64():
            returned, vjp = jax.vjp(lambda *floats: self._call(*self._with_others(floats, arrays)),
                                    *map(jax.numpy.asarray, self._floats(arrays)))

        def pull_back(dys):
            with x64():
                try:
                    found = iter(vjp(_like(returned, dys)))
                except TypeError as error:                  # a custom rule inside returned something else
                    raise Unreadable(" ".join(str(error).split())) from error
                return [np.asarray(next(found)) if wanted else None for wanted in self.wanted]

        return self._outputs(returned), pull_back

    def kept(self) -> dict[str, Any]:
        """Of a ``custom_vjp``, its residuals."""
        return self.residuals

    def _primal(self) -> Callable[..., Any]:
        return self._call

    @property
    def steps(self) -> Callable[..., Any] | None:
        """The forward pass in NumPy, from JAX's trace."""
        return Translated(lambda arrays: replay(
            lambda *floats: self._primal()(*self._with_others(floats, arrays)), self._floats(arrays)))


class CustomVjp(JaxFunction):
    """A ``custom_vjp``: its ``fwd`` and ``bwd`` are called directly, so that a wrong shape is shown, not refused."""

    def linearize(self, arrays: Sequence[Any]) -> tuple[tuple[NDArray[Any], ...], Callable[[Sequence[Any]], list[Any]]]:
        """The outputs, and ``bwd`` with what ``fwd`` keeps."""
        fixed = sorted(i % len(arrays) for i in self.fn.nondiff_argnums)
        inputs = [a if i in fixed or not isinstance(a, np.ndarray) else None for i, a in enumerate(arrays)]
        with x64():
            inputs = [jax.numpy.asarray(a) if kept is None else kept for a, kept in zip(arrays, inputs)]
            returned, residuals = self.fn.fwd(*inputs, **self.options)
            own = self._outputs(self.fn.fun(*inputs, **self.options))
        values = self._outputs(returned)
        leaves = jax.tree_util.tree_leaves(residuals)
        names = unpacked_names(self.fn.bwd, _parameter(self.fn.bwd, len(fixed)), len(leaves))
        self.residuals = {name: np.asarray(a) for name, a in zip(
            names or [f"residual {i}" for i in range(len(leaves))], leaves)}

        def pull_back(dys):
            if any(v.shape != o.shape or not np.allclose(v, o, equal_nan=True) for v, o in zip(values, own)):
                raise Unreadable("fwd returns another value than the function itself", "forward")
            with x64():
                found = self.fn.bwd(*(inputs[i] for i in fixed), residuals, _like(returned, dys))
            if not isinstance(found, (tuple, list)):
                raise Unreadable("bwd returned an array, expected a tuple with one gradient for each input")
            found = self._with_count(list(found), len(arrays) - len(fixed))
            each = iter(found)
            gradients = [None if i in fixed else next(each) for i in range(len(arrays))]
            return [g if g is None else np.asarray(g) for g in gradients]

        return own, pull_back

    def _primal(self) -> Callable[..., Any]:
        return lambda *arrays: self.fn.fun(*arrays, **self.options)


def _like(returned: Any, dys: Sequence[Any]) -> Any:
    """The gradients of the outputs in the structure of the outputs."""
    leaves, structure = jax.tree_util.tree_flatten(returned)
    return jax.tree_util.tree_unflatten(structure, [
        jax.numpy.asarray(dy, y.dtype) if y.dtype.kind == "f" else np.zeros(y.shape, jax.dtypes.float0)
        for y, dy in zip(leaves, dys)])


def _parameter(function: Any, i: int) -> str:
    code = getattr(function, "__code__", None)
    return code.co_varnames[i] if code is not None and code.co_argcount > i else ""
