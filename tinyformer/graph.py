"""The graph of a computation: a node for each application of an operation, and the order of the backward pass.

``autograd`` records the nodes and walks them; here stands what a node checks of its vjp's gradients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import writes

if TYPE_CHECKING:
    import weakref
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from .autograd import Tensor
    from .typing import Array, MaybeNone, Operation, Vjp

DETACHED = -1                               # the slot of a tensor that detach_ has taken out of the graph


class Node:
    """One application of an operation: its inputs, and the vjp that leads back to them.

    A node outlives neither the tensors made by it nor the backward pass through it: ``free`` drops what it holds.
    """

    __slots__ = ("operation", "inputs", "wanted", "vjp", "outputs", "retained", "call", "time")

    operation: Operation[..., Any]          # the lifted function: its name and the names of its inputs
    inputs: list[Tensor | None] | MaybeNone             # a Tensor for each positional argument, None for other values
    wanted: list[bool]                      # for each input: whether it required a gradient then
    vjp: Vjp | MaybeNone
    outputs: tuple[tuple[tuple[int, ...], np.dtype[Any]], ...]      # (shape, dtype) of each output
    call: tuple[Sequence[Any], dict[str, Any]] | MaybeNone      # (arrays, options) that it was applied to
    time: int                               # of the application: what the vjp keeps must not be written later
    retained: list[tuple[int, weakref.ref[Tensor]]]     # (slot, weak reference) of outputs that keep their gradient

    def __init__(self, operation, inputs, vjp, outputs, call):
        self.operation = operation
        self.inputs = inputs
        self.wanted = [tensor is not None and tensor.requires_grad for tensor in inputs]
        self.vjp = vjp
        self.outputs = outputs
        self.call = call
        self.time = writes.clock
        self.retained = []

    def free(self) -> None:
        """Drop the inputs and what the vjp keeps."""
        self.vjp = self.inputs = self.call = None

    def pull_back(self, gradients: Sequence[Array | None]) -> list[Array | None]:
        """The gradients of the inputs from those of the outputs (None: that output was not used), checked."""
        name = self.operation.__name__
        if self.time != writes.clock:
            self._expect_unchanged()
        dys = tuple(np.zeros(shape, dtype) if dy is None else dy
                    for dy, (shape, dtype) in zip(gradients, self.outputs))
        wanted = [tensor is not None and tensor.requires_grad and then
                  for tensor, then in zip(self.inputs, self.wanted)]
        dy = dys if len(self.outputs) > 1 else dys[0]
        result = self.vjp(dy, *([wanted] if self.operation.selective else []))
        if not isinstance(result, (tuple, list)):
            result = (result,)
        if len(result) != len(self.inputs):
            names = ", ".join(map(self.operation.input_name, range(len(self.inputs))))
            raise ValueError(f"{name}: vjp returned {len(result)} gradient{'s' * (len(result) != 1)}, expected "
                             f"{len(self.inputs)}, one for each of its inputs {names}; a parameter that is an option "
                             f"stands after * in the signature")
        for i, tensor in enumerate(self.inputs):
            if tensor is not None and tensor.slot == DETACHED and self.wanted[i]:
                raise RuntimeError(f"{name}: its input {self.operation.input_name(i)} was detached in place after the "
                                   f"forward pass, which cuts the graph; use detach() instead of detach_()")
        return [_checked(gradient, tensor, name, self.operation.input_name(i))
                if needed and tensor is not None and gradient is not None else None
                for i, (tensor, gradient, needed) in enumerate(zip(self.inputs, result, wanted))]

    def _expect_unchanged(self) -> None:
        """Refuse to go on when an array that the vjp reads was changed in place: the gradient would mix old and new."""
        wanted = {i for i, tensor in enumerate(self.inputs) if tensor is not None and tensor.requires_grad}
        for array in writes.stale(self.vjp, self.time):
            places = [i for i, given in enumerate(self.call[0])
                      if isinstance(given, np.ndarray) and writes.owner(given) is array]
            if self.operation.multilinear and places and all(wanted <= {i} for i in places):
                continue                                    # read for the gradients of the others, and not needed
            which = (f"its input {self.operation.input_name(places[0])}" if places
                     else "an array that it keeps for the backward pass")
            raise RuntimeError(f"{self.operation.__name__}: "
                               f"{which} was changed in place after the forward pass; compute the value again")


def _checked(gradient: ArrayLike, tensor: Tensor, operation: str, argument: str) -> Array:
    """``gradient``, summed to the tensor's shape; an error that names the operation when it cannot be its gradient."""
    gradient = np.asarray(gradient)
    if gradient.dtype != tensor.dtype:
        raise TypeError(f"{operation}: the gradient of {argument} is {gradient.dtype}, expected {tensor.dtype}")
    if gradient.shape == tensor.shape:
        return gradient
    summed = unbroadcast(gradient, tensor.shape)
    if summed is None:
        raise ValueError(f"{operation}: the gradient of {argument} has shape {gradient.shape}, expected {tensor.shape}")
    return summed


def unbroadcast(gradient: Array, shape: tuple[int, ...]) -> Array | None:
    """Sum ``gradient`` over the axes along which an array of ``shape`` was broadcast; None if it was not.

    Broadcasting copies an entry to many places, so its gradient is the sum over those places.
    """
    extra = gradient.ndim - len(shape)
    if extra < 0:
        return None
    axes = list(range(extra))
    for axis, (have, want) in enumerate(zip(gradient.shape[extra:], shape)):
        if have != want:
            if want != 1:
                return None
            axes.append(extra + axis)
    return gradient.sum(axis=tuple(axes)).reshape(shape)


def topological_order(*tensors: Tensor) -> list[Node]:
    """The nodes that ``tensors`` were computed by, each after those that its inputs were computed by.

    Iterative, so that the depth of a graph is bounded by memory and not by Python's stack.
    """
    order, seen = [], set()
    stack = [(tensor.node, False) for tensor in tensors if tensor.node is not None]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            if node.inputs is None:
                raise RuntimeError(f"backward: the graph below {node.operation.__name__} was freed by an earlier "
                                   f"backward pass; give that one retain_graph=True, or compute the value again")
            stack.append((node, True))
            stack.extend((tensor.node, False) for tensor in node.inputs
                         if tensor is not None and tensor.node is not None and tensor.node not in seen)
    return order


def first_nonfinite(tensor: Tensor) -> tuple[str, tuple[int, ...]] | None:
    """What first made ``tensor`` NaN or infinite: (name of the operation, shape of its output); None if all is finite.

    A leaf that was not finite to begin with has the name ``"input"``. Needs the graph: call it before ``backward``.
    """
    for node in topological_order(tensor):
        for source in node.inputs:
            if source is not None and not np.isfinite(source.data).all():
                return (source.node.operation.__name__ if source.node else "input"), source.shape
    if np.isfinite(tensor.data).all():
        return None
    return (tensor.node.operation.__name__ if tensor.node else "input"), tensor.shape
