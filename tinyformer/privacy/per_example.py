"""The gradient of each example of a batch, by one forward and one backward pass over the whole batch.

The backward pass walks the graph as ``Tensor.backward`` does. Where it arrives at a parameter, it does not sum over the
examples, but keeps the factors of each example's gradient (``factors``). The axis of examples of each array is the one
whose length differs when the first example runs alone.

Source: Goodfellow (2015) for linear layers; Li et al. (2022), ghost clipping; book (18.4) to (18.6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import Tensor, is_recording
from ..graph import topological_order
from ..option_checks import check_callable
from .factors import Outer, Stored, squared_norms
from .losses import example_losses
from .rules import Use, rule

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..graph import Node
    from ..nn import Module

__all__ = ["PerExample", "gradient_factors", "per_example_gradients", "per_example_norms"]

OWNER = "per-example gradients"
BATCH_NORM = ("batch norm mixes the examples of a batch, so that no example has a gradient of its own and clipping one "
              "bounds nothing; expected a model without it, such as one with layer norm or group norm")


class PerExample:
    """The gradients of B examples for several parameters, in factors, as ``gradient_factors`` finds them.

    losses      the loss of each example, (B,)
    """

    def __init__(self, losses: NDArray[Any], parameters: list[Tensor], parts: list[list[Outer | Stored]]):
        self.losses = losses
        self._B, self._parameters, self._parts = len(losses), parameters, parts

    def __len__(self) -> int:
        return self._B

    def norms(self) -> NDArray[Any]:
        """‖gₙ‖ over all parameters together, (B,), without forming the gradients."""
        found = [squared_norms(parts, self._B) for parts in self._parts if parts and self._B]
        return np.sqrt(sum(found, np.zeros(self._B))).astype(self.losses.dtype)

    def weighted_sum(self, s: NDArray[Any]) -> list[NDArray[Any]]:
        """Σₙ sₙ gₙ of each parameter, with the weights s (B,)."""
        return [sum((part.weighted_sum(s.astype(p.dtype, copy=False)).reshape(p.shape) for part in parts),
                    np.zeros(p.shape, p.dtype)) for p, parts in zip(self._parameters, self._parts)]

    def arrays(self) -> list[NDArray[Any]]:
        """gₙ of each parameter, (B, *shape)."""
        found = []
        for p, parts in zip(self._parameters, self._parts):
            g = np.zeros((self._B, *p.shape), p.dtype)
            for n in range(self._B):
                for part in parts:
                    g[n] += part.of(n).reshape(p.shape)
            found.append(g)
        return found


def per_example_gradients(loss: Callable[[Any, Any], Tensor], parameters: Iterable[Tensor], x: Any,
                          y: Any) -> list[NDArray[Any]]:
    """The gradient of each example's loss: an array (B, *shape) for each of ``parameters``.

    loss        loss(x, y) -> Tensor (B,), one loss for each example
    x, y        a batch, examples first

    A parameter that the loss does not depend on gets zeros. The ``.grad`` of tensors stays as it is. If operations mix
    examples, each example runs alone. TypeError for parameters that are no list of tensors. ValueError for tensors that
    are no leaves, losses of another shape, and batch norm in training.
    """
    check_callable(OWNER, "loss", loss, "loss(x, y) of a batch")
    return _factors(loss, parameters, x, y).arrays()


def per_example_norms(model: Module, x: Any, y: Any) -> NDArray[Any]:
    """‖gₙ‖ for each example, (B,): the 2-norm over all parameters of the gradient of ``model.loss`` of example n.

    The gradients are not stored. Raises the errors of ``per_example_gradients``.
    """
    return gradient_factors(model, x, y).norms()


def gradient_factors(model: Module, x: Any, y: Any, parameters: Iterable[Tensor] | None = None) -> PerExample:
    """The gradients of ``model.loss`` of each example in factors: their norms and weighted sums.

    parameters      those whose gradients are wanted; by default all of the model

    >>> found = gradient_factors(model, x, y)
    >>> found.weighted_sum(np.minimum(1, C / found.norms()))
    """
    chosen = model.parameters() if parameters is None else parameters
    return _factors(lambda x, y: example_losses(model, x, y), chosen, x, y)


def _checked(parameters: Any) -> list[Tensor]:
    """``parameters`` as a list. TypeError for other things than tensors, ValueError for a tensor that is no leaf."""
    if isinstance(parameters, Tensor) or not isinstance(parameters, Iterable):
        raise TypeError(f"{OWNER}: parameters is a {type(parameters).__name__}, expected a list of tensors, such as "
                        f"model.parameters()")
    found = list(parameters)
    for i, p in enumerate(found):
        if not isinstance(p, Tensor):
            raise TypeError(f"{OWNER}: parameters[{i}] is a {type(p).__name__}, expected a Tensor")
        if p.node is not None:
            raise ValueError(f"{OWNER}: parameters[{i}] was computed by {p.node.operation.__name__}, expected a leaf, "
                             f"such as a parameter of a model")
    return found


def _factors(loss: Callable[[Any, Any], Tensor], given: Iterable[Tensor], x: Any, y: Any) -> PerExample:
    B, parameters = len(x), _checked(given)
    if not B:
        return PerExample(np.zeros(0), parameters, [[] for _ in parameters])
    if not is_recording():
        raise RuntimeError(f"{OWNER}: gradients are switched off here; call it outside of no_grad()")
    losses = loss(x, y)
    if not isinstance(losses, Tensor) or losses.shape != (B,):
        came = f"has shape {losses.shape}" if isinstance(losses, Tensor) else f"is a {type(losses).__name__}"
        raise ValueError(f"{OWNER}: the loss {came}, expected a Tensor ({B},), one loss for each example")
    try:
        found = _walk(losses, loss(x[:1], y[:1]), B) if B > 1 else _alone([losses])
    except Mixed:
        found = _alone([loss(x[n:n + 1], y[n:n + 1]) for n in range(B)])
    return PerExample(losses.data, parameters, [found.get(id(p), []) for p in parameters])


class Mixed(Exception):
    """The graph does not say which row belongs to which example."""


def _walk(losses: Tensor, first: Tensor, B: int) -> dict[int, list[Outer | Stored]]:
    """{id of a leaf: the parts of its gradient} of ``losses`` (B,), given the loss of the first example alone."""
    order, uses = topological_order(losses), {}
    alone = topological_order(first)
    if len(order) != len(alone):
        raise Mixed
    for node, one in zip(order, alone):
        uses[node] = _use(node, one, B)
    if losses.node is None:                                 # it depends on no parameter
        return {}
    arrived: dict[Node, dict[int, Any]] = {losses.node: {losses.slot: np.ones(B, losses.dtype)}}
    found: dict[int, list[Outer | Stored]] = {}
    while order:
        node = order.pop()
        slots, use = arrived.pop(node, None), uses[node]
        if slots is None:
            continue
        dys = [_gradient(use, slot, slots.get(slot)) for slot in range(len(node.outputs))]
        shared = any(use.wanted(i) and axis is None for i, axis in enumerate(use.axes))
        if shared:
            gradients = rule(use)(use, dys)
        else:
            gradients = dict(enumerate(node.pull_back(dys)))
        for i, dx in gradients.items():
            tensor = node.inputs[i]
            if dx is None or tensor is None or not tensor.requires_grad:
                continue
            if tensor.node is None:
                if isinstance(dx, (Outer, Stored)):         # else an input with an axis of examples: no parameter
                    found.setdefault(id(tensor), []).append(dx)
                continue
            if isinstance(dx, (Outer, Stored)):
                dx = np.stack([dx.of(n) for n in range(B)])
            into = arrived.setdefault(tensor.node, {})
            into[tensor.slot] = into[tensor.slot] + dx if tensor.slot in into else dx
    return found


def _gradient(use: Use, slot: int, dy: Any) -> Any:
    """The upstream gradient of an output, zeros for one that was not used.

    That of a shared output has an axis for the examples in front.
    """
    shape, dtype = use.node.outputs[slot]
    shape = shape if use.out_axes[slot] is not None else (use.B, *shape)
    return np.zeros(shape, dtype) if dy is None else np.asarray(dy).reshape(shape)


def _use(node: Node, alone: Node, B: int) -> Use:
    """The axes of examples of a node, from the same node in the graph of the first example alone."""
    if node.operation is not alone.operation or len(node.call[0]) != len(alone.call[0]):
        raise Mixed
    name = node.operation.__name__
    (arrays, options), (ones, other) = node.call, alone.call
    if name == "batch_norm" and options.get("mean") is None:
        raise ValueError(f"{OWNER}: {BATCH_NORM}")
    axes = [_axis(array, one, B) for array, one in zip(arrays, ones)]
    option_axes = {name: _axis(options[name], other[name], B) for name in options}
    out_axes = [_axis_of_shapes(shape, one, B) for (shape, _), (one, _) in zip(node.outputs, alone.outputs)]
    use = Use(node, B, axes, option_axes, out_axes)
    if use.batched and any(axis is None for axis in out_axes):
        raise Mixed                                         # a sum or a mean over the examples
    if use.batched and any(use.wanted(i) and axis is None for i, axis in enumerate(axes)):
        lengths = [shape[axis] for (shape, _), axis in zip(node.outputs, out_axes) if axis is not None]
        lengths += [np.shape(array)[axis] for array, axis in zip(arrays, axes) if axis is not None]
        if any(length != B for length in lengths):
            raise Mixed                                     # rows of an example, in an unknown order
    return use


def _axis(array: Any, one: Any, B: int) -> int | None:
    listed = isinstance(array, (np.ndarray, list))
    return _axis_of_shapes(np.shape(array), np.shape(one), B) if listed else None


def _axis_of_shapes(shape: tuple[int, ...], one: tuple[int, ...], B: int) -> int | None:
    """The axis that is B times as long in ``shape`` as in ``one``; None if the shapes are equal."""
    if shape == one:
        return None
    differ = [axis for axis, (many, few) in enumerate(zip(shape, one)) if many != few]
    if len(shape) != len(one) or len(differ) != 1 or shape[differ[0]] != B * one[differ[0]]:
        raise Mixed
    return differ[0]


def _alone(losses: list[Tensor]) -> dict[int, list[Outer | Stored]]:
    """As ``_walk``, from the loss of each example in a graph of its own."""
    found: dict[int, list[NDArray[Any]]] = {}
    for n, loss in enumerate(losses):
        nodes = topological_order(loss)
        if any(node.operation.__name__ == "batch_norm" and node.call[1].get("mean") is None for node in nodes):
            raise ValueError(f"{OWNER}: {BATCH_NORM}")
        leaves = {id(tensor): tensor for node in nodes for tensor in node.inputs
                  if tensor is not None and tensor.node is None and tensor.requires_grad}
        before = {key: tensor.grad for key, tensor in leaves.items()}
        try:
            for tensor in leaves.values():
                tensor.grad = None
            loss.backward(np.ones(loss.shape, loss.dtype))
            for key, tensor in leaves.items():
                if tensor.grad is not None:
                    rows = found.setdefault(key, [np.zeros(tensor.shape, tensor.dtype)] * len(losses))
                    rows[n] = tensor.grad
        finally:
            for key, tensor in leaves.items():
                tensor.grad = before[key]
    return {key: [Stored(np.stack(rows))] for key, rows in found.items()}
