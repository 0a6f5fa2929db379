"""Operations, functions of tensors, and modules of this library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...autograd import Tensor
from ...graph import topological_order
from .base import CheckedFunction, as_list, closure, float64

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray


class _OnTensors(CheckedFunction):
    last_outputs: tuple[Tensor, ...] = ()

    def _call(self, arrays: Sequence[Any]) -> tuple[list[Tensor | None], tuple[Tensor, ...]]:
        """The tensors of the differentiated arguments (None for the others), and the outputs."""
        tensors = [Tensor(a, requires_grad=True) if wanted else None for a, wanted in zip(arrays, self.wanted)]
        outputs = self.fn(*(a if t is None else t for a, t in zip(arrays, tensors)), **self.options)
        outputs = tuple(outputs) if isinstance(outputs, (tuple, list)) else (outputs,)
        for output in outputs:
            if not isinstance(output, Tensor):
                raise TypeError(f"check: {self.name} returned {type(output).__name__}, "
                                "expected a Tensor or a tuple of them")
        self.last_outputs = outputs
        return tensors, outputs


class Operation(_OnTensors):
    """An operation, called on tensors.

    Its vjp is called directly, so that the engine does not reject a wrong gradient first.
    """

    sums = True
    _vjp: Callable[..., Any] | None = None

    @property
    def steps(self) -> Callable[..., Any] | None:
        """The operation's function of arrays."""
        return self.fn.raw

    def kept(self) -> dict[str, Any]:
        """The variables of the latest vjp."""
        return closure(self._vjp) if self._vjp else {}

    def linearize(self, arrays: Sequence[Any]) -> tuple[tuple[NDArray[Any], ...], Callable[[Sequence[Any]], list[Any]]]:
        """The outputs, and the vjp of the operation's node."""
        tensors, outputs = self._call(arrays)
        node = next((y.node for y in outputs if y.node is not None), None)
        self._vjp = node and node.vjp

        def pull_back(dys):
            gradients = [None] * len(arrays)
            if node is not None:
                result = self._with_count(as_list(node.vjp(tuple(dys) if len(dys) > 1 else dys[0])), len(node.inputs))
                for i, tensor in enumerate(tensors):
                    gradients[i] = next((dx for source, dx in zip(node.inputs, result)
                                         if source is tensor and tensor is not None), None)
            return gradients

        return tuple(y.data for y in outputs), pull_back


class TensorFunction(_OnTensors):
    """A function of tensors or a module, differentiated by ``backward``. A module's parameters count as inputs."""

    def __init__(self, fn: Callable[..., Any], names: list[str], values: Sequence[Any], given: list[bool],
                 options: Mapping[str, Any]) -> None:
        self.parameters = list(getattr(fn, "named_parameters", list)())
        learned = [(name, p) for name, p in self.parameters if p.requires_grad]
        super().__init__(fn, names + [name for name, _ in learned], [*values, *(p.data for _, p in learned)],
                         given + [True] * len(learned), options)
        self.differentiated = [p for _, p in learned]
        self.originals = [(p, p.data, p.grad) for _, p in self.parameters]
        for _, p in self.parameters:
            p.data = float64(p.data)

    def kept(self) -> dict[str, Any]:
        """The values of the latest graph's operations."""
        return {f"the value of {t.node.operation.__name__}": t.data for node in topological_order(*self.last_outputs)
                for t in node.inputs if t is not None and t.node is not None}

    def close(self) -> None:
        """Restore the data and the gradients of the parameters, and what the module keeps."""
        super().close()
        for parameter, data, grad in self.originals:
            parameter.data, parameter.grad = data, grad

    def linearize(self, arrays: Sequence[Any]) -> tuple[tuple[NDArray[Any], ...], Callable[[Sequence[Any]], list[Any]]]:
        """The outputs, and ``backward`` from them to the arguments and the parameters."""
        n = len(arrays) - len(self.differentiated)
        for parameter, array in zip(self.differentiated, arrays[n:]):
            parameter.data = array
        tensors, outputs = self._call(arrays[:n])
        tensors += self.differentiated

        def pull_back(dys):
            graph = topological_order(*outputs)
            leaves = [t for node in graph for t in node.inputs if t is not None and t.node is None]
            before = [(t, t.grad) for t in leaves]          # keep the gradients of leaves that fn closes over
            for tensor in tensors:
                if tensor is not None:
                    tensor.grad = None
            for y, dy in zip(outputs, dys):
                if y.requires_grad:
                    y.backward(dy, retain_graph=True)
            gradients = [None if tensor is None else tensor.grad for tensor in tensors]
            for tensor, grad in before:
                tensor.grad = grad
            return gradients

        return tuple(y.data for y in outputs), pull_back
