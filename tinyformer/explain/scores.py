"""What all methods of attribution share: checked inputs, one score for each example, and its gradient.

    f       maps a Tensor (N, …) to scores, (N,) or (N, classes). Row n of the scores reads row n of the input only
    x       array or Tensor (N, …) of floating-point numbers
    target  None for scores (N,); a class, or an array (N,) of classes, for scores (N, classes)

Every call of f receives N rows, so that f may close over a mask or over lengths of the same batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import FLOATS
from ..autograd import Tensor, is_recording, no_grad
from ..graph import topological_order
from ..nn import Module
from ..option_checks import check_callable

if TYPE_CHECKING:
    from ..typing import Array, TensorLike

Scores = Callable[[Tensor], Any] | Module      # type checkers see no Callable in a module: its forward has the types
PURPOSE = "or a model that maps x (N, …) to scores"


def checked_input(owner: str, x: TensorLike) -> Array:
    """``x`` as an array (N, …) of float32 or float64; TypeError or ValueError that begins with ``owner``."""
    array = x.data if isinstance(x, Tensor) else np.asarray(x)
    if array.dtype not in FLOATS:
        raise TypeError(f"{owner}: x is {array.dtype}, expected float32 or float64; for token ids, "
                        "explain the vectors of their embedding")
    if array.ndim == 0:
        raise ValueError(f"{owner}: x is a single number, expected (N, …): examples along the first axis")
    return array


def checked_baseline(owner: str, baseline: TensorLike | None, x: Array) -> Array:
    """The baseline in the shape and type of ``x``, from None (zeros), a number, an array like x, or one like x[0]."""
    given = np.asarray(0.0 if baseline is None else baseline.data if isinstance(baseline, Tensor) else baseline)
    if given.dtype.kind not in "fiu":
        raise TypeError(f"{owner}: baseline is {given.dtype}, expected numbers")
    if given.shape not in ((), x.shape, x.shape[1:]):
        raise ValueError(f"{owner}: baseline has shape {given.shape}, expected a number, the shape {x.shape} of x, or "
                         f"{x.shape[1:]} for one example")
    return np.broadcast_to(given.astype(x.dtype), x.shape)


def chosen(owner: str, scores: Any, target: Any, N: int) -> Any:
    """The score of each example, (N,), out of what f returned; ValueError where ``target`` does not fit."""
    shape = getattr(scores, "shape", None)
    if shape is None:
        raise TypeError(f"{owner}: f returned {type(scores).__name__}, expected a Tensor of scores, (N,) or "
                        "(N, classes)")
    if len(shape) not in (1, 2) or shape[0] != N:
        raise ValueError(f"{owner}: f returned the shape {tuple(shape)} for {N} example{'s' * (N != 1)}, expected "
                         f"({N},) or ({N}, classes)")
    if len(shape) == 1:
        if target is not None:
            raise ValueError(f"{owner}: target is {target!r}, expected None: f returns one score for each example")
        return scores
    if target is None:
        raise ValueError(f"{owner}: target is missing: f returns {shape[1]} scores for each example; name a class")
    wanted = np.asarray(target.data if isinstance(target, Tensor) else target)
    if wanted.dtype.kind not in "iu" or wanted.shape not in ((), (N,)):
        raise ValueError(f"{owner}: target is {target!r}, expected an integer, or an array of {N} integers")
    if wanted.size and not (0 <= wanted.min() and wanted.max() < shape[1]):
        raise ValueError(f"{owner}: target is {target!r}, expected classes from 0 to {shape[1] - 1}")
    return scores[np.arange(N), np.broadcast_to(wanted, (N,))]


def score_values(owner: str, f: Scores, x: Array, target: Any) -> Array:
    """The scores (N,) of ``x`` in float64, without a graph. f may also return an array."""
    check_callable(owner, "f", f, PURPOSE)
    with no_grad(), evaluation(f):
        scores = chosen(owner, f(Tensor(x.copy())), target, len(x))
    return np.array(scores.data if isinstance(scores, Tensor) else scores, np.float64)


def score_gradient(owner: str, f: Scores, x: Array, target: Any) -> Array:
    """∂ score of n / ∂ x[n] for each example n: an array like ``x``. No other gradient is changed."""
    if not is_recording():
        raise RuntimeError(f"{owner}: gradients are switched off here; call it outside of no_grad()")
    check_callable(owner, "f", f, PURPOSE)
    leaf = Tensor(x.copy(), requires_grad=True)
    with evaluation(f):
        scores = chosen(owner, f(leaf), target, len(x))
    if not isinstance(scores, Tensor):
        raise TypeError(f"{owner}: f returned {type(scores).__name__}, expected a Tensor: {owner} needs its gradient")
    if scores.requires_grad:
        with _gradients_kept(scores, leaf):
            scores.sum().backward(retain_graph=True)        # the graph may reach back to one of the caller's
    if leaf.grad is None:
        raise ValueError(f"{owner}: no gradient reaches x: f computes its scores from x.data, under no_grad, or not "
                         "from x at all")
    return leaf.grad


@contextmanager
def evaluation(f: Scores) -> Iterator[None]:
    """Evaluation mode for a module, or for the module of a method; each part has its former mode again afterwards."""
    owner = f if isinstance(f, Module) else getattr(f, "__self__", None)
    modes = [(part, part.training) for _, part in owner.named_modules()] if isinstance(owner, Module) else []
    for part, _ in modes:
        part.training = False
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


@contextmanager
def _gradients_kept(scores: Tensor, leaf: Tensor) -> Iterator[None]:
    """All tensors below ``scores`` but ``leaf`` have their former gradient afterwards, None included."""
    nodes = topological_order(scores)
    tensors = [tensor for node in nodes for tensor in node.inputs if tensor is not None and tensor.node is None]
    tensors += [tensor for node in nodes for _, kept in node.retained if (tensor := kept()) is not None]
    before = [(tensor, tensor.grad) for tensor in tensors if tensor.requires_grad and tensor is not leaf]
    try:
        yield
    finally:
        for tensor, gradient in before:
            tensor.grad = gradient
