"""What each operation adds to the gradients of single examples.

A node of the graph has batched inputs, which have an axis of examples, and shared inputs, which are the same for all
examples: parameters, and what is computed from parameters alone. A rule gives the gradients of both kinds from the
upstream gradient. Operations without a rule run again for each example, and their own vjp gives its gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kernels, ops
from ..graph import unbroadcast
from ..kernels.convolution import Windows, im2col
from ..ops.convolution import _padding, pair
from ..ops.products import rows
from .factors import Outer, Stored

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..graph import Node

    Found = dict[int, Outer | Stored | NDArray[Any]]        # by the number of the input: of all examples, or of each

__all__: list[str] = []


@dataclass
class Use:
    """A node that was applied to a batch of B examples.

    arrays, options     of the call
    axes, option_axes   the axis of examples of each array and option, None for those that are shared
    out_axes            that of each output
    """

    node: Node
    B: int
    axes: list[int | None]
    option_axes: dict[str, int | None]
    out_axes: list[int | None]

    @property
    def batched(self) -> bool:
        """Whether any input has an axis of examples."""
        return any(axis is not None for axis in (*self.axes, *self.option_axes.values()))

    @property
    def arrays(self) -> Any:
        """The inputs of the operation."""
        return self.node.call[0]

    def wanted(self, i: int) -> bool:
        """Whether input ``i`` requires a gradient."""
        tensor = self.node.inputs[i]
        return tensor is not None and tensor.requires_grad

    def by_example(self, array: NDArray[Any], axis: int | None) -> NDArray[Any]:
        """``array`` as (B, T, width): the axis of examples first, the axes between it and the last one merged.

        A shared array is repeated for each example.
        """
        array = np.asarray(array)
        moved = np.broadcast_to(array, (self.B, *array.shape)) if axis is None else np.moveaxis(array, axis, 0)
        return moved.reshape(self.B, -1, moved.shape[-1])


def linear(use: Use, dys: list[Any]) -> Found:
    """dWₙ = Σₜ dyₙₜ xₙₜᵀ,  dbₙ = Σₜ dyₙₜ;  dx = dy W, as for the batch."""
    return _affine(use, dys[0])


def linear_gelu(use: Use, dys: list[Any]) -> Found:
    """As ``linear``, with du = GELU′(u) dy in the place of dy."""
    x, weight, bias = use.arrays
    _, backward = kernels.linear_gelu(rows(x), weight, bias)
    return _affine(use, backward(rows(dys[0])).reshape(dys[0].shape))


def _affine(use: Use, dy: NDArray[Any]) -> Found:
    x, weight, _ = use.arrays
    by_example, found = use.by_example(dy, use.out_axes[0]), {}
    if use.wanted(0) and use.axes[0] is not None:
        found[0] = kernels.matmul(rows(dy), weight).reshape(x.shape)
    if use.wanted(1):
        found[1] = Outer(by_example, use.by_example(x, use.axes[0]))
    if use.wanted(2):
        found[2] = Stored(by_example.sum(axis=1))
    return found


def conv2d(use: Use, dys: list[Any]) -> Found:
    """A convolution is a linear layer on patches: dWₙ = Σ dyₙₚ (patch p of xₙ)ᵀ over the windows p,  dbₙ = Σ dyₙₚ."""
    (x, weight, _), options, dy = use.arrays, use.node.call[1], dys[0]
    if options.get("groups", 1) != 1 or use.axes[0] != 0:
        return each_example(use, dys)
    kernel = weight.shape[2:]
    stride, dilation = (pair("conv2d", name, options.get(name, 1), 1) for name in ("stride", "dilation"))
    _, before = _padding(options.get("padding", 0), kernel, stride, dilation)
    windows, found = Windows(stride, before, dilation), {}
    if use.wanted(0):
        found[0] = kernels.conv2d_input_gradient(dy, weight, windows, x.shape[2:])
    if use.wanted(1):
        patches = im2col(x, kernel, windows, dy.shape[2:])[:, 0]                # (B, C · kh · kw, windows)
        found[1] = Outer(dy.reshape(*dy.shape[:2], -1).swapaxes(1, 2), patches.swapaxes(1, 2))
    if use.wanted(2):
        found[2] = Stored(dy.sum(axis=(2, 3)))
    return found


def embedding(use: Use, dys: list[Any]) -> Found:
    """dWₙ[v] = Σ dyₙₜ over the positions t of example n with index v."""
    indices, weight = np.asarray(use.arrays[0]), use.arrays[1]
    dy = use.by_example(dys[0], use.out_axes[0] or 0)
    ids = use.by_example(indices[..., None], use.axes[0])[..., 0] % len(weight)
    padding = use.node.call[1].get("padding_idx")
    if padding is not None:
        dy = np.where((ids == padding % len(weight))[..., None], 0, dy)
    return {1: Outer(ids, dy, rows=len(weight))}


def layer_norm(use: Use, dys: list[Any]) -> Found:
    """dγₙ = Σₜ dyₙₜ ⊙ x̂ₙₜ,  dβₙ = Σₜ dyₙₜ; x̂ is the norm of x without γ and β."""
    return _norm(use, dys[0], ops.layer_norm)


def rms_norm(use: Use, dys: list[Any]) -> Found:
    """dγₙ = Σₜ dyₙₜ ⊙ x̂ₙₜ."""
    return _norm(use, dys[0], ops.rms_norm)


def _norm(use: Use, dy: NDArray[Any], norm: Any) -> Found:
    x, found = use.arrays[0], {}
    if use.wanted(0) and use.axes[0] is not None:
        found[0] = use.node.pull_back([dy])[0]
    by_example = use.by_example(dy, use.out_axes[0])
    if use.wanted(1):
        xhat = use.by_example(norm.raw(x, **use.node.call[1])[0], use.axes[0])
        found[1] = Stored((by_example * xhat).sum(axis=1))
    if len(use.arrays) > 2 and use.wanted(2):
        found[2] = Stored(by_example.sum(axis=1))
    return found


def each_example(use: Use, dys: list[Any]) -> Found:
    """For operations without a rule: apply it to one example after the other, and let its vjp give the gradients."""
    node, (arrays, options) = use.node, use.node.call
    shared = [i for i in range(len(arrays)) if use.wanted(i) and use.axes[i] is None]
    found = {i: [] for i in shared}
    for n in range(use.B):
        if use.batched:
            vjp = node.operation.raw(*(_one(array, axis, n) for array, axis in zip(arrays, use.axes)),
                                     **{name: _one(value, use.option_axes[name], n)
                                        for name, value in options.items()})[1]
            one = [_one(dy, axis, n) for dy, axis in zip(dys, use.out_axes)]
        else:                                               # parameters alone, and a gradient for each example
            vjp, one = node.vjp, [dy[n] if axis is None else _only(dy, axis, n)
                                  for dy, axis in zip(dys, use.out_axes)]
        result = vjp(tuple(one) if len(one) > 1 else one[0])
        result = result if isinstance(result, (tuple, list)) else (result,)
        for i in shared:
            g, shape = result[i], arrays[i].shape
            found[i].append(np.zeros(shape, arrays[i].dtype) if g is None else unbroadcast(np.asarray(g), shape))
    stored: Found = {i: Stored(np.stack(gradients)) for i, gradients in found.items()}
    if any(use.wanted(i) and axis is not None for i, axis in enumerate(use.axes)):
        batched = node.pull_back(dys)
        stored.update((i, dx) for i, dx in enumerate(batched) if use.axes[i] is not None and dx is not None)
    return stored


def _one(value: Any, axis: int | None, n: int) -> Any:
    """Example ``n`` of ``value``, as a batch of one; all of what is shared."""
    if axis is None:
        return value
    return np.take(np.asarray(value), [n], axis=axis)


def _only(dy: NDArray[Any], axis: int, n: int) -> NDArray[Any]:
    """``dy`` with zeros for all examples but ``n``: of a parameter that was repeated for each example."""
    kept, place = np.zeros_like(dy), (slice(None),) * axis + (n,)
    kept[place] = dy[place]
    return kept


RULES: dict[str, Callable[..., Any]] = {
    "conv2d": conv2d, "embedding": embedding, "layer_norm": layer_norm, "linear": linear, "linear_gelu": linear_gelu,
    "rms_norm": rms_norm,
}
SHARED = {"embedding": embedding}                           # those that also work where all inputs are shared


def rule(use: Use) -> Callable[[Use, list[Any]], Found]:
    """The rule for a node some of whose shared inputs want a gradient."""
    return (RULES if use.batched else SHARED).get(use.node.operation.__name__, each_example)
