"""A function of JAX arrays as NumPy steps: JAX's own trace of the function, computed again with NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from .program import Place, Untranslated, moved, plain, recorded, run_at

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Equations that hold a function: the parameter with its jaxpr.
CALLS = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "core_call": "call_jaxpr",
         "remat": "jaxpr", "remat2": "jaxpr", "checkpoint": "jaxpr", "custom_jvp_call": "call_jaxpr",
         "custom_vjp_call": "call_jaxpr", "custom_vjp_call_jaxpr": "fun_jaxpr"}


def x64() -> Any:
    """The context in which JAX computes in float64."""
    try:
        return jax.enable_x64(True)
    except (AttributeError, TypeError):                     # before JAX 0.8
        from jax.experimental import enable_x64
        return enable_x64()


def replay(fn: Callable[..., Any], arrays: Sequence[Any]) -> list[Any]:
    """The outputs of fn, computed with NumPy on ``arrays``, some of which record.

    Raises ``Untranslated`` for an operation without a NumPy form that a recorded array enters.
    """
    with x64():
        closed = jax.make_jaxpr(fn)(*plain(arrays))
        return _evaluate(closed.jaxpr, closed.consts, list(jax.tree_util.tree_leaves(list(arrays))))


def _evaluate(jaxpr: Any, consts: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
    memory: dict[Any, Any] = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*map(_array, consts), *arguments]))
    for equation in jaxpr.eqns:
        values = [_read(memory, v) for v in equation.invars]
        place = _place(equation)

        def step(results, equation=equation, values=values):
            results += _apply(equation, values)
        results: list[Any] = []
        run_at(None if equation.primitive.name in CALLS else place, step, results)
        memory.update(zip(equation.outvars, results))
    return [_read(memory, v) for v in jaxpr.outvars]


def _read(memory: dict[Any, Any], variable: Any) -> Any:
    return np.asarray(variable.val) if hasattr(variable, "val") else memory[variable]


def _array(x: Any) -> Any:
    return x if recorded(x) and not isinstance(x, jax.Array) else np.asarray(x)


def _place(equation: Any) -> Place | None:
    try:
        from jax._src import source_info_util
        frame = source_info_util.user_frame(equation.source_info.traceback)
        return Place(frame.file_name, frame.start_line, frame.start_column)
    except Exception:                                       # no public function tells the line; without it, no line
        return None


def _apply(equation: Any, values: list[Any]) -> list[Any]:
    """The results of one equation."""
    name, params = equation.primitive.name, equation.params
    if name in CALLS:
        inner = params[CALLS[name]]
        return _evaluate(getattr(inner, "jaxpr", inner), getattr(inner, "consts", ()), values)
    if not any(map(recorded, values)):
        return _computed(equation, values)
    if name == "scan":
        return _scan(params, values)
    if name == "while":
        return _while(params, values)
    if name == "cond":
        branch = params["branches"][int(np.clip(plain(values)[0], 0, len(params["branches"]) - 1))]
        return _evaluate(branch.jaxpr, branch.consts, values[1:])
    if all(v.aval.dtype.kind != "f" for v in equation.outvars):
        return _computed(equation, plain(values))           # comparisons, positions: constants
    if name in STEPS:
        result = STEPS[name](*values, **params)
        return list(result) if isinstance(result, (list, tuple)) else [result]
    if name in MOVES and not any(map(recorded, values[1:])):
        return [moved(lambda numbers: _computed(equation, [numbers, *values[1:]])[0])(values[0])]
    if name in ("scatter", "scatter-add"):
        return [_scattered(equation, *values)]
    raise Untranslated(f"JAX's {name}")


def _computed(equation: Any, values: Sequence[Any]) -> list[Any]:
    """The results as JAX computes them."""
    found = equation.primitive.bind(*values, **equation.params)
    return [np.asarray(y) for y in (found if equation.primitive.multiple_results else [found])]


def _scan(params: Any, values: list[Any]) -> list[Any]:
    constants, carried = params["num_consts"], params["num_carry"]
    inner, length = params["jaxpr"], params["length"]
    fixed, carry, rows = values[:constants], values[constants:constants + carried], values[constants + carried:]
    collected: list[list[Any]] = []
    for t in reversed(range(length)) if params["reverse"] else range(length):
        out = _evaluate(inner.jaxpr, inner.consts, [*fixed, *carry, *(x[t] for x in rows)])
        carry = out[:carried]
        collected.append(out[carried:])
    if params["reverse"]:
        collected.reverse()
    return [*carry, *(np.stack(column) for column in zip(*collected))]


def _while(params: Any, values: list[Any]) -> list[Any]:
    first, second = params["cond_nconsts"], params["body_nconsts"]
    asked, fixed, carry = values[:first], values[first:first + second], values[first + second:]
    test, body = params["cond_jaxpr"], params["body_jaxpr"]
    while bool(plain(_evaluate(test.jaxpr, test.consts, [*asked, *carry]))[0]):
        carry = _evaluate(body.jaxpr, body.consts, [*fixed, *carry])
    return carry


def _scattered(equation: Any, x: Any, indices: Any, updates: Any) -> Any:
    """x with the updates at the indices: in the place of what was there, or added to it."""
    size, count = int(np.prod(np.shape(x))), int(np.prod(np.shape(updates)))
    flat = np.reshape(updates, (-1,))
    if equation.primitive.name == "scatter":
        origin = _computed(equation, [np.arange(size, dtype=float).reshape(np.shape(x)), indices,
                                      size + np.arange(count, dtype=float).reshape(np.shape(updates))])[0]
        both = np.concatenate([np.reshape(x, (-1,)), flat])
        return np.reshape(np.take(both, origin.astype(int).reshape(-1)), np.shape(x))
    where = [_computed(equation, [np.zeros(np.shape(x)), indices, one.reshape(np.shape(updates))])[0].reshape(-1)
             for one in np.eye(count)]
    return x + np.reshape(np.matmul(np.array(where).T, flat), np.shape(x))


# ------------------------------------------------------------------------------------------------ operations

def _dot(x: Any, y: Any, *, dimension_numbers: Any, **_: Any) -> Any:
    (left, right), (batch_x, batch_y) = dimension_numbers
    m, n, b = np.ndim(x), np.ndim(y), len(batch_x)
    if tuple(batch_x) == tuple(batch_y) == tuple(range(b)) and len(left) == 1 and left[0] == m - 1 \
            and m - b in (1, 2) and n - b in (1, 2):
        if right[0] == b and (b == 0 or m - b == n - b == 2):
            return np.matmul(x, y)
        if right[0] == n - 1 and m - b == n - b == 2:
            return np.matmul(x, np.swapaxes(y, -1, -2))
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    one, two = [next(letters) for _ in range(m)], [next(letters) for _ in range(n)]
    for a, b in [*zip(left, right), *zip(batch_x, batch_y)]:
        two[b] = one[a]
    out = [one[a] for a in batch_x] + [one[a] for a in range(m) if a not in (*left, *batch_x)] \
        + [two[a] for a in range(n) if a not in (*right, *batch_y)]
    return np.einsum(f"{''.join(one)},{''.join(two)}->{''.join(out)}", x, y)


def _broadcast(x: Any, *_: Any, shape: Any, broadcast_dimensions: Any, **__: Any) -> Any:
    aligned = [1] * len(shape)
    for axis, length in zip(broadcast_dimensions, np.shape(x)):
        aligned[axis] = length
    y = x if list(np.shape(x)) == aligned else np.reshape(x, aligned)
    return y if list(shape) == aligned else np.broadcast_to(y, shape)


def _slice(x: Any, *, start_indices: Any, limit_indices: Any, strides: Any, **_: Any) -> Any:
    return x[tuple(map(slice, start_indices, limit_indices, strides or [None] * len(start_indices)))]


def _cumulative(function: Callable[..., Any]) -> Callable[..., Any]:
    def step(x: Any, *, axis: int, reverse: bool, **_: Any) -> Any:
        return np.flip(function(np.flip(x, axis), axis=axis), axis) if reverse else function(x, axis=axis)
    return step


def _erf(x: Any, **_: Any) -> Any:
    from scipy.special import erf                           # JAX needs SciPy, so it is there
    return erf(x)


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """An operation of its operands alone."""
    return lambda *values, **_: function(*values)


def _over(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, *, axes, **_: function(x, axis=tuple(axes))


def _sorted(*operands: Any, dimension: int, **_: Any) -> list[Any]:
    order = np.argsort(plain(operands)[0], axis=dimension, kind="stable")
    return [np.take_along_axis(x, order, dimension) for x in operands]


def _split(x: Any, *, sizes: Any, axis: int, **_: Any) -> Any:
    ends = np.cumsum(sizes)
    return [x[(slice(None),) * axis + (slice(int(end - size), int(end)),)] for size, end in zip(sizes, ends)]


def _padded(x: Any, value: Any, *, padding_config: Any, **_: Any) -> Any:
    if any(low < 0 or high < 0 or inner for low, high, inner in padding_config):
        raise Untranslated("JAX's pad with negative or inner widths")
    return np.pad(x, [(int(low), int(high)) for low, high, _ in padding_config],
                  constant_values=float(plain([value])[0]))


STEPS = {
    **{name: _plain(f) for name, f in {
        "add": lambda x, y: x + y, "add_any": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y,
        "div": lambda x, y: x / y, "neg": lambda x: -x, "max": np.maximum, "min": np.minimum,
        "pow": lambda x, y: x ** y,
        "exp": np.exp, "exp2": lambda x: np.exp(x * np.log(2)), "expm1": np.expm1, "log": np.log, "log1p": np.log1p,
        "sqrt": np.sqrt, "rsqrt": lambda x: 1 / np.sqrt(x), "cbrt": lambda x: x ** (1 / 3), "square": lambda x: x * x,
        "sin": np.sin, "cos": np.cos, "tan": lambda x: np.sin(x) / np.cos(x), "tanh": np.tanh, "abs": np.abs,
        "sinh": np.sinh, "cosh": np.cosh, "atan": np.arctan, "sign": np.sign, "floor": np.floor, "ceil": np.ceil,
        "round": np.rint, "logistic": lambda x: 1 / (1 + np.exp(-x)), "stop_gradient": lambda x: x,
        "copy": lambda x: x, "copy_p": lambda x: x, "convert_element_type": lambda x: x,
        "reduce_precision": lambda x: x, "optimization_barrier": lambda *x: x, "erf": _erf,
        "select_n": lambda which, *cases: np.where(which, cases[1], cases[0]),
        "clamp": lambda low, x, high: np.minimum(np.maximum(x, low), high)}.items()},
    "integer_pow": lambda x, *, y, **_: x * x if y == 2 else x ** y,
    "reduce_sum": _over(np.sum), "reduce_max": _over(np.max), "reduce_min": _over(np.min),
    "reduce_prod": _over(np.prod), "cumsum": _cumulative(np.cumsum), "cumprod": _cumulative(np.cumprod),
    "dot_general": _dot, "broadcast_in_dim": _broadcast, "slice": _slice, "sort": _sorted, "split": _split,
    "pad": _padded,
    "transpose": lambda x, *, permutation, **_: np.transpose(x, permutation),
    "reshape": lambda x, *, new_sizes, **_: np.reshape(x, new_sizes),
    "squeeze": lambda x, *, dimensions, **_: np.squeeze(x, axis=tuple(dimensions)),
    "expand_dims": lambda x, *, dimensions, **_: np.expand_dims(x, tuple(dimensions)),
    "rev": lambda x, *, dimensions, **_: np.flip(x, axis=tuple(dimensions)),
    "concatenate": lambda *xs, dimension, **_: np.concatenate(xs, axis=dimension),
    "stack": lambda *xs, axis, **_: np.stack(xs, axis=axis),
}
# Operations that only move the entries of their first operand. JAX applies them to the entries' numbers.
MOVES = {"gather", "dynamic_slice", "tile", "real"}
