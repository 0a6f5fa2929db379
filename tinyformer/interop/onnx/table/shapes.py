"""Operations that rearrange entries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .... import ops
from ..graph import Graph, Value, Varying
from ..sizes import Size
from . import converts
from .arithmetic import operands


@converts(ops.reshape)
def reshape(g: Graph, x: Value, *, shape: Any) -> Value:
    """In ONNX 0 keeps the length of x's axis and −1 is worked out, so most shapes are constants."""
    sizes = _sizes(g, shape)
    here = [_axis_size(g, x, axis) for axis in range(x.ndim)]
    fixed = [0 if isinstance(size, Size) and i < x.ndim and here[i] == size else size for i, size in enumerate(sizes)]
    computed = [i for i, size in enumerate(fixed) if isinstance(size, Size)]
    if len(computed) == 1 and -1 not in fixed:
        fixed[computed[0]] = -1
    return g.Reshape(x, g.shape(fixed))


def _sizes(g: Graph, shape: Any) -> list[int | Size]:
    shapes = list(shape) if isinstance(shape, Varying) else [shape]
    shapes = [(int(s),) if isinstance(s, (int, np.integer)) else tuple(s) for s in shapes]
    return [g.size_of(lengths) if len(shapes) > 1 else int(lengths[0]) for lengths in zip(*shapes)]


def _axis_size(g: Graph, x: Value, axis: int) -> int | Size | None:
    try:
        return g.size_of(x.lengths(axis))
    except ValueError:
        return None


@converts(ops.transpose)
def transpose(g: Graph, x: Value, *, axes: Sequence[int] | None = None) -> Value:
    """Transpose."""
    return g.Transpose(x, perm=[a % x.ndim for a in axes] if axes is not None else list(range(x.ndim))[::-1])


@converts(ops.split)
def split(g: Graph, x: Value, *, sections: int | Sequence[int], axis: int = 0) -> list[Value]:
    """Split."""
    n = x.lengths(axis)[0]
    lengths = [n // sections] * sections if isinstance(sections, (int, np.integer)) else list(sections)
    if len(set(x.lengths(axis))) > 1:
        raise ValueError("it splits an axis whose length depends on the input, expected a fixed one")
    if len(lengths) == 1:
        return [x]
    return g.Split(x, lengths, axis=axis, outputs=len(lengths))


@converts(ops.concatenate)
def concatenate(g: Graph, *arrays: Value, axis: int = 0) -> Value:
    """Concat."""
    return g.Concat(*operands(g, *arrays), axis=axis)


@converts(ops.stack)
def stack(g: Graph, *arrays: Value, axis: int = 0) -> Value:
    """Concat of inputs with the new axis."""
    return g.Concat(*(g.Unsqueeze(array, [axis]) for array in operands(g, *arrays)), axis=axis)


@converts(ops.broadcast_to)
def broadcast_to(g: Graph, x: Value, *, shape: Any) -> Value:
    """Expand."""
    return g.Expand(x, g.shape(_sizes(g, shape)))


@converts(ops.pad)
def pad(g: Graph, x: Value, *, widths: Sequence[tuple[int, int]], value: float = 0.0) -> Value:
    """Pad."""
    before, after = zip(*widths)
    return g.Pad(x, [*before, *after], float(value))


@converts(ops.flip)
def flip(g: Graph, x: Value, *, axis: Any = None) -> Value:
    """Slice with the step −1."""
    from .reductions import axes
    chosen = axes(x, axis) or []
    return g.Slice(x, [-1] * len(chosen), [np.iinfo(np.int64).min + 1] * len(chosen), chosen, [-1] * len(chosen))


@converts(ops.getitem)
def getitem(g: Graph, x: Value, index: Any) -> Value:
    """x[index] for integers, slices, None, … and one integer array, as Slice, Squeeze, Unsqueeze and Gather."""
    parts = list(index) if isinstance(index, tuple) else [index]
    if isinstance(index, Varying):
        raise ValueError("an index changes with the inputs' sizes, expected a fixed one")
    at = next((i for i, part in enumerate(parts) if part is Ellipsis), len(parts))
    taken = sum(part is not None for part in parts if part is not Ellipsis)
    parts[at:at + 1] = [slice(None)] * (x.ndim - taken)
    starts, ends, steps, cut, squeezed, new, gathered, axis, out = [], [], [], [], [], [], None, 0, 0
    for part in parts:
        if part is None:
            new.append(out)
        elif isinstance(part, slice):
            if part != slice(None):
                step = part.step or 1
                starts.append(part.start if part.start is not None else 0 if step > 0 else -1)
                ends.append(part.stop if part.stop is not None else np.iinfo(np.int64).max * np.sign(step))
                steps.append(step)
                cut.append(axis)
        elif isinstance(part, (int, np.integer)):
            starts.append(int(part))
            ends.append(int(part) + 1 if part != -1 else np.iinfo(np.int64).max)
            steps.append(1)
            cut.append(axis)
            squeezed.append(axis)
        elif gathered is None and (part if isinstance(part, Value) else np.asarray(part)).dtype.kind in "iu":
            gathered = part, axis
        else:
            raise ValueError(f"an index of {type(part).__name__}, expected integers, slices, None, … or one array")
        axis += part is not None
        out += not isinstance(part, (int, np.integer))
    if gathered is not None and (new or squeezed):
        raise ValueError("an index of an array beside integers or None, expected the array alone or beside slices")
    y = g.Slice(x, starts, ends, cut, steps) if cut else x
    y = y if gathered is None else g.Gather(y, gathered[0], axis=gathered[1])
    y = g.Squeeze(y, squeezed) if squeezed else y
    return g.Unsqueeze(y, new) if new else y
