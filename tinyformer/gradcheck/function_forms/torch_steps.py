"""The forward pass of a function of PyTorch tensors as NumPy steps.

PyTorch's dispatcher shows every operation of a forward pass, those inside its own functions and layers too. ``capture``
keeps them; ``replay`` computes them again with NumPy. Views and writes in place become copies and selections: a view is
read from its base, and a write into a view is a write into its base.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from .aten import CREATES, MOVES, SAME, SELECTS, STEPS
from .program import Untranslated, learners_place, moved, recorded, run_at, written

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RESHAPES = {"squeeze_", "unsqueeze_", "t_", "transpose_", "swapaxes_"}
LIBRARIES = (str(Path(torch.__file__).parent), str(Path(np.__file__).parent), "<frozen")


def array_of(tensor: Any) -> Any:
    """A tensor as an array, with its memory; anything else unchanged."""
    return tensor.detach().numpy() if isinstance(tensor, torch.Tensor) else tensor


def capture(call: Callable[[], Any]) -> tuple[list[Any], Any]:
    """(the operations, what ``call()`` returned)"""
    recorder = _Recorder()
    with torch.no_grad(), recorder:
        returned = call()
    return recorder.operations, returned


class _Recorder(TorchDispatchMode):
    """Keeps each operation: (name, whether it is a view, arguments, options, results, values of constants, place)."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[Any] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        constants = {id(t): (t, t.detach().clone().numpy()) for t in _tensors([*args, *(kwargs or {}).values()])}
        result = func(*args, **(kwargs or {}))
        name = func._schema.name.partition("::")[2]
        place = learners_place(LIBRARIES)
        after = [t.detach().clone().numpy() for t in _tensors([result])]
        self.operations.append((name, func.is_view, func, args, kwargs or {}, result, constants, after, place))
        return result


def _tensors(values: Any) -> list[torch.Tensor]:
    found = []
    for value in values:
        if isinstance(value, torch.Tensor):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            found += _tensors(value)
    return found


def replay(operations: Sequence[Any], inputs: Sequence[tuple[torch.Tensor, Any]], outputs: Sequence[torch.Tensor]
           ) -> list[Any]:
    """The arrays of ``outputs``, where ``inputs`` pairs tensors with the arrays to use in their place.

    Raises ``Untranslated`` for an operation without a NumPy form that a recorded array enters.
    """
    memory = _Memory(inputs)
    for operation in operations:
        run_at(operation[-1], memory.run, operation)
    return [memory.read(t) if memory.knows(t) else array_of(t) for t in outputs]


class _Memory:
    """The arrays of tensors. A view has no array of its own: it is read from its base and written into it."""

    def __init__(self, inputs: Sequence[tuple[torch.Tensor, Any]]) -> None:
        self.arrays: dict[int, Any] = {id(t): array for t, array in inputs}
        self.views: dict[int, tuple[torch.Tensor, Callable[[Any], Any], np.ndarray]] = {}
        self.fresh: dict[int, tuple[Any, Any]] = {}         # views that were read: (array of the base, array)

    def knows(self, t: torch.Tensor) -> bool:
        return id(t) in self.arrays or id(t) in self.views

    def read(self, t: torch.Tensor) -> Any:
        if id(t) not in self.views:
            return self.arrays[id(t)]
        base, view, _ = self.views[id(t)]
        below = self.read(base)
        if id(t) not in self.fresh or self.fresh[id(t)][0] is not below:
            self.fresh[id(t)] = below, view(below)
        return self.fresh[id(t)][1]

    def write(self, t: torch.Tensor, value: Any) -> None:
        if id(t) in self.views:
            base, _, source = self.views[id(t)]
            self.write(base, written(self.read(base), source, value))
        else:
            self.arrays[id(t)] = value

    def run(self, operation: Any) -> None:
        """Compute one operation and keep its results."""
        name, is_view, func, args, options, result, constants, after, _ = operation
        for number, (t, value) in constants.items():
            if not self.knows(t):
                self.arrays[number] = value
        results = _tensors([result])
        entering = [self.read(t) for t in _tensors([*args, *options.values()])]
        target = args[0] if name.endswith("_") and not name.startswith("__") else None
        if not any(map(recorded, entering)):                # a constant, as PyTorch computed it
            for t, value in zip(results, after):
                (self.write if self.knows(t) else self._keep)(t, value)
        elif is_view or name in ("_reshape_alias",):
            for k, t in enumerate(results):
                self._keep_view(args[0], t, lambda x, k=k: _nth(func(x, *args[1:], **options), k))
        elif name in RESHAPES:
            self._reshape(target, lambda x: func(x, *args[1:], **options))
        elif target is not None:
            self.write(target, self._in_place(name.rstrip("_"), func, args, options, target))
        else:
            values = self._value(name, func, args, options, after)
            for k, t in enumerate(results):
                self._keep(t, after[k] if after[k].dtype.kind != "f" or k >= len(values) else values[k])

    def _keep(self, t: torch.Tensor, value: Any) -> None:
        self.arrays[id(t)] = value

    def _keep_view(self, base: torch.Tensor, t: torch.Tensor, view: Callable[[torch.Tensor], torch.Tensor]) -> None:
        numbers = torch.arange(base.numel(), dtype=torch.float64).reshape(base.shape)
        source = view(numbers).numpy()
        natural = tuple(base.shape) == source.shape and np.array_equal(source, numbers.numpy())
        step = (lambda x: x) if natural else _named_view(source, numbers.numpy())
        self.views[id(t)] = base, step, source.astype(int)

    def _reshape(self, t: torch.Tensor, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
        """Give a tensor another shape in place."""
        before = self.read(t)
        numbers = torch.arange(int(np.prod(before.shape)), dtype=torch.float64).reshape(tuple(before.shape))
        after = change(numbers.clone()).numpy()
        step = _named_view(after, numbers.numpy())
        if id(t) in self.views:
            base, view, source = self.views[id(t)]
            self.views[id(t)] = base, lambda x: step(view(x)), source.reshape(-1)[after.astype(int)]
            self.fresh.pop(id(t), None)
        else:
            self.arrays[id(t)] = step(before)

    def _in_place(self, name: str, func: Any, args: Any, options: Any, target: torch.Tensor) -> Any:
        values = [self._read_all(a) for a in args]
        if name in ("copy", "fill"):
            value = values[1]
        elif name == "zero":
            value = np.zeros(tuple(target.shape))
        elif name in ("index_put", "_index_put_impl"):
            numbers = np.arange(target.numel()).reshape(tuple(target.shape))
            chosen = numbers[tuple(slice(None) if i is None else i for i in values[1])]
            value = np.broadcast_to(values[2], chosen.shape)
            if len(values) > 3 and values[3]:
                raise Untranslated("index_put with accumulate")
            return written(values[0], chosen, value)
        elif name in STEPS:
            value = STEPS[name](*values, **{k: self._read_all(v) for k, v in options.items()})
        else:
            raise Untranslated(f"PyTorch's {name}_")
        shape = tuple(target.shape)
        return np.broadcast_to(value, shape) if np.shape(value) != shape else value

    def _value(self, name: str, func: Any, args: Any, options: Any, after: list[np.ndarray]) -> list[Any]:
        values = [self._read_all(a) for a in args]
        if all(v.dtype.kind != "f" for v in after):
            return []
        if name in CREATES:
            return after
        if name in SAME:
            return [values[0]]
        if name in MOVES:
            return [moved(lambda n: func(torch.from_numpy(n), *args[1:], **options).numpy())(values[0])]
        if name in SELECTS and len(after) == 2:
            dim = next((a for a in args[1:] if isinstance(a, int)), -1) if name != "topk" else \
                (args[2] if len(args) > 2 else -1)
            index = after[1] if after[1].ndim == np.ndim(values[0]) else np.expand_dims(after[1], dim)
            taken = np.take_along_axis(values[0], index, dim)
            return [taken if np.shape(taken) == after[0].shape else np.reshape(taken, after[0].shape)]
        if name not in STEPS:
            raise Untranslated(f"PyTorch's {name}")
        value = STEPS[name](*values, **{k: self._read_all(v) for k, v in options.items()
                                        if k not in ("dtype", "layout", "device", "pin_memory", "memory_format")})
        return list(value) if isinstance(value, tuple) else [value]

    def _read_all(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return self.read(value)
        return [self._read_all(v) for v in value] if isinstance(value, (list, tuple)) else value


def _nth(result: Any, k: int) -> torch.Tensor:
    return result[k] if isinstance(result, (list, tuple)) else result


def _named_view(source: np.ndarray, numbers: np.ndarray) -> Callable[[Any], Any]:
    """A view as the NumPy function that a reader would use for it: transpose, reshape, an index; else a selection."""
    shape, n = numbers.shape, numbers.ndim
    if source.size == numbers.size and np.array_equal(source.reshape(-1), numbers.reshape(-1)):
        return lambda x: np.reshape(x, source.shape)
    if source.ndim == n and sorted(source.shape) == sorted(shape):
        for axes in ([*range(n - 2), n - 1, n - 2], _order(source, numbers)):
            if axes and len(axes) == n >= 2 and np.array_equal(np.transpose(numbers, axes), source):
                return lambda x, axes=tuple(axes): np.transpose(x, axes)
    if all(k in (m, 1) or m == 1 for k, m in zip(source.shape[::-1], shape[::-1])) and source.ndim >= n:
        spread = np.broadcast_to(numbers, source.shape) if _fits(shape, source.shape) else None
        if spread is not None and np.array_equal(spread, source):
            return lambda x: np.broadcast_to(x, source.shape)
    for axis in range(n):
        for k in range(shape[axis]):
            index = (slice(None),) * axis + (k,)
            if source.shape == shape[:axis] + shape[axis + 1:] and np.array_equal(numbers[index], source):
                return lambda x, index=index: x[index]
        if source.ndim == n and source.size:
            ahead = np.take(numbers, 0, axis)
            start = [k for k in range(shape[axis]) if np.array_equal(np.take(source, 0, axis), ahead + k * _stride(
                shape, axis))]
            for k in start:
                index = (slice(None),) * axis + (slice(k, k + source.shape[axis]),)
                if np.array_equal(numbers[index], source):
                    return lambda x, index=index: x[index]
    return moved(lambda _: source)


def _stride(shape: tuple[int, ...], axis: int) -> int:
    return int(np.prod(shape[axis + 1:]))


def _fits(shape: tuple[int, ...], wide: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, wide) == wide
    except ValueError:
        return False


def _order(source: np.ndarray, numbers: np.ndarray) -> list[int]:
    """The order of axes that a transposed array shows by its steps between entries."""
    steps = [_stride(numbers.shape, a) for a in range(numbers.ndim)]
    first = source.reshape(-1)[0]
    seen = [int(np.take(source, 1, a).reshape(-1)[0] - first) if source.shape[a] > 1 else None
            for a in range(source.ndim)]
    order = [steps.index(s) if s in steps else -1 for s in seen]
    spare = [a for a in range(numbers.ndim) if a not in order]
    return [a if a >= 0 else spare.pop(0) for a in order] if len(spare) == order.count(-1) else []
