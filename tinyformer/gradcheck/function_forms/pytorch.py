"""PyTorch: subclasses of ``torch.autograd.Function``, functions of torch tensors, and ``nn.Module``s.

They are asked as they are: a Function's ``backward`` with the context of its forward pass, anything else through
``torch.autograd.grad``. Inputs and parameters are float64 copies, so the module itself does not change, and each call
starts from the same state of PyTorch's random generator.
"""

from __future__ import annotations

import inspect
import types
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .base import CheckedFunction, Unreadable, arguments_of, differentiable, instance_of, with_floats
from .program import Translated, plain
from .sources import refers_to, unpacked_names
from .torch_steps import array_of, capture, replay

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray


def adapt(fn: Any, inputs: Sequence[Any], options: Mapping[str, Any]) -> CheckedFunction | None:
    """A Function, a Module, or a function of tensors; None for anything else."""
    own = getattr(fn, "__self__", None)
    if isinstance(fn, types.BuiltinMethodType | types.MethodType) and isinstance(own, type) and fn.__name__ == "apply" \
            and issubclass(own, torch.autograd.Function):
        fn = own                                            # MyFunction.apply
    if isinstance(fn, type) and issubclass(fn, torch.nn.Module):
        fn = instance_of(fn)
    if isinstance(fn, type) and issubclass(fn, torch.autograd.Function):
        kind, called = AutogradFunction, _forward_of(fn)
    elif isinstance(fn, torch.nn.Module):
        kind, called = TorchModule, fn.forward
    elif callable(fn) and not isinstance(fn, type) and (
            any(isinstance(v, torch.Tensor) for v in inputs) or refers_to(fn, "torch")):
        kind, called = TorchFunction, fn
    else:
        return None
    arrays = [array_of(v) for v in inputs]
    if kind is not TorchModule:
        arrays = differentiable(arrays)
    names, values, given, options = arguments_of(called, arrays, options)
    return with_floats(kind(fn, names, [array_of(v) for v in values], given, options))


def _forward_of(fn: Any) -> Any:
    """The forward pass of a Function without its context, for its parameters' names."""
    forward = fn.forward
    if fn.setup_context is not torch.autograd.Function.setup_context:
        return forward
    signature = inspect.signature(forward)
    _, *parameters = signature.parameters.values()

    def called(*args):
        return forward(*args)
    called.__signature__ = signature.replace(parameters=parameters)
    return called


class TorchFunction(CheckedFunction):
    """A function of tensors, differentiated by ``torch.autograd.grad``."""

    dtype = torch.float64

    def __init__(self, fn: Any, *arguments: Any) -> None:
        super().__init__(fn, *arguments)
        self.random = torch.get_rng_state()
        self.kept_now: dict[str, Any] = {}
        if any(self.wanted):
            try:
                self.values(self.arrays)
            except RuntimeError as error:
                if "dtype" not in str(error) and "Float" not in str(error):
                    raise
                self.dtype = torch.float32                  # fn has float32 constants, which PyTorch does not convert

    def close(self) -> None:
        """Restore the state before the check, PyTorch's random generator included."""
        super().close()
        torch.set_rng_state(self.random)

    def _call(self, tensors: Sequence[Any]) -> Any:
        return self.fn(*tensors, **self.options)

    def _tensors(self, arrays: Sequence[Any], gradients: bool) -> list[Any]:
        tensors = [torch.from_numpy(np.asarray(a)) if isinstance(a, np.ndarray) and a.dtype.kind in "fiub" else a
                   for a in arrays]
        return [t.to(self.dtype).requires_grad_(gradients) if wanted else t for t, wanted in zip(tensors, self.wanted)]

    def _outputs(self, tensors: Sequence[Any]) -> tuple[Any, ...]:
        torch.set_rng_state(self.random)
        returned = self._call(tensors)
        if isinstance(returned, dict):
            returned = tuple(returned.values())
        outputs = tuple(_flat(returned))
        for y in outputs:
            if not isinstance(y, torch.Tensor):
                raise TypeError(f"check: {self.name} returned {type(y).__name__}, "
                                f"expected a torch tensor or a tuple of them")
        return outputs

    def values(self, arrays: Sequence[Any]) -> tuple[NDArray[Any], ...]:
        """The outputs, computed without a graph."""
        with torch.no_grad():
            return tuple(map(array_of, self._outputs(self._tensors(arrays, False))))

    def linearize(self, arrays: Sequence[Any]) -> tuple[tuple[NDArray[Any], ...], Callable[[Sequence[Any]], list[Any]]]:
        """The outputs, and PyTorch's backward pass from them."""
        with torch.enable_grad():
            leaves = self._tensors(arrays, True)
            outputs = self._outputs(leaves)

        def pull_back(dys):
            paired = [(y, torch.from_numpy(np.asarray(dy)).to(y.dtype)) for y, dy in zip(outputs, dys)
                      if y.requires_grad]
            wanted = [t for t, wanted in zip(leaves, self.wanted) if wanted]
            if not paired:
                return [None] * len(leaves)
            try:
                found = iter(torch.autograd.grad([y for y, _ in paired], wanted, [dy for _, dy in paired],
                                                 retain_graph=True, allow_unused=True))
            except RuntimeError as error:
                raise _unreadable(error) from error
            return [array_of(next(found)) if wanted else None for wanted in self.wanted]

        return tuple(map(array_of, outputs)), pull_back

    def kept(self) -> dict[str, Any]:
        """Of a Function, its context; otherwise nothing."""
        return self.kept_now

    @property
    def steps(self) -> Callable[..., Any] | None:
        """The forward pass in NumPy, from what PyTorch's dispatcher shows."""
        def outputs_of(arrays):
            tensors = self._tensors([np.array(a) if isinstance(a, np.ndarray) else a for a in plain(arrays)], False)
            operations, outputs = capture(lambda: self._outputs(tensors))
            pairs = [(t, a) for t, a in zip(tensors, arrays) if isinstance(t, torch.Tensor)]
            return replay(operations, pairs, outputs)
        return Translated(outputs_of)


def _flat(value: Any) -> list[Any]:
    return [v for part in value for v in _flat(part)] if isinstance(value, (tuple, list)) else [value]


def _unreadable(error: RuntimeError) -> Unreadable:
    """PyTorch's refusal of a gradient, as a finding."""
    text = " ".join(str(error).split())
    if "modified by an inplace operation" in text:
        return Unreadable("the forward or the backward pass changes a saved tensor in place: " + text, "mutates")
    return Unreadable(text)


class TorchModule(TorchFunction):
    """A module. Its parameters count as inputs; each call gets float64 copies of them and of the buffers."""

    def __init__(self, fn: Any, names: list[str], values: Sequence[Any], given: list[bool],
                 options: Mapping[str, Any]) -> None:
        self.n = len(names)
        parameters = [(name, p) for name, p in fn.named_parameters() if p.requires_grad]
        self.parameter_names = [name for name, _ in parameters]
        self.fixed = {name: t for name, t in [*fn.named_parameters(), *fn.named_buffers()]
                      if name not in self.parameter_names}
        super().__init__(fn, names + self.parameter_names, [*values, *(p.detach().numpy() for _, p in parameters)],
                         given + [True] * len(parameters), options)

    def _call(self, tensors: Sequence[Any]) -> Any:
        state = {name: t.detach().clone().to(self.dtype if t.is_floating_point() else t.dtype)
                 for name, t in self.fixed.items()}
        state.update(zip(self.parameter_names, tensors[self.n:]))
        return torch.func.functional_call(self.fn, state, tuple(tensors[:self.n]), dict(self.options))


class AutogradFunction(TorchFunction):
    """A ``torch.autograd.Function``.

    Its ``backward`` is called directly: PyTorch would refuse a gradient of a wrong shape.
    """

    def _call(self, tensors: Sequence[Any]) -> Any:
        return self.fn.apply(*tensors)

    def linearize(self, arrays: Sequence[Any]) -> tuple[tuple[NDArray[Any], ...], Callable[[Sequence[Any]], list[Any]]]:
        """The outputs, and the Function's own backward pass."""
        with torch.enable_grad():
            leaves = self._tensors(arrays, True)
            # Not leaves, so that a Function may declare with mark_dirty that it works in place.
            tensors = [t.clone() if wanted else t for t, wanted in zip(leaves, self.wanted)]
            outputs = self._outputs(tensors)
        for leaf, t, wanted in zip(leaves, tensors, self.wanted):
            if wanted and not torch.equal(leaf, t) and not any(y is t for y in outputs):
                leaf.detach().copy_(t.detach())             # shows as a change of the input
        context = next((y.grad_fn for y in outputs if isinstance(y.grad_fn, self.fn._backward_cls)), None)
        self.kept_now = self._context(context, leaves) if context is not None else {}

        def pull_back(dys):
            if context is None:
                return [None] * len(arrays)
            try:
                with torch.no_grad():
                    upstream = [torch.from_numpy(np.asarray(dy)).to(y.dtype) if y.is_floating_point() else
                                torch.zeros_like(y) for y, dy in zip(outputs, dys)]
                    returned = _backward_of(self.fn)(context, *upstream)
            except RuntimeError as error:
                if "modified by an inplace operation" in str(error):
                    raise _unreadable(error) from error
                raise
            gradients = list(returned) if isinstance(returned, (tuple, list)) else [returned]
            while len(gradients) > len(arrays) and gradients[-1] is None:
                gradients.pop()                             # PyTorch allows them
            gradients = [array_of(g) for g in gradients]
            return self._with_count(gradients, len(arrays))

        return tuple(map(array_of, outputs)), pull_back

    def _context(self, context: Any, leaves: Sequence[Any]) -> dict[str, Any]:
        """{name: array} of the context: saved tensors under the names that ``backward`` gives them."""
        saved = context.saved_tensors
        names = unpacked_names(_backward_of(self.fn), "saved_tensors", len(saved)) or \
            [f"saved tensor {i}" for i in range(len(saved))]
        found = {name: array_of(t) for name, t in zip(names, saved) if t is not None}
        return {**found, **{f"ctx.{name}": array_of(value) for name, value in vars(context).items()}}


def _backward_of(fn: Any) -> Any:
    return fn.backward if fn.backward is not torch.autograd.Function.backward else fn.vjp
