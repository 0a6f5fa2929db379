"""Module: a layer or model, with parameters of its own and modules inside."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import plain_array
from ..autograd import FLOATS, Tensor
from ..names import MODULES, UnknownName
from ..writes import write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import ParamSpec, Protocol, TypeVar

    from numpy.typing import DTypeLike
    from typing_extensions import Self

    from ..typing import Array, TensorLike

    P = ParamSpec("P")
    R = TypeVar("R", covariant=True)

    class _HasForward(Protocol[P, R]):
        def forward(self, *args: P.args, **kwargs: P.kwargs) -> R: ...

    class _CallsForward:
        """Tells type checkers that calling a module takes the arguments of its ``forward`` and returns its result."""

        def __get__(self, module: _HasForward[P, R], owner: Any = None) -> Callable[P, R]: ...

CONTAINERS = list, tuple, set, frozenset, dict
MOST = 20                               # names of each kind that an error lists; strict=False returns them all


class Parameter(Tensor):
    """A tensor that a module learns. It requires a gradient; as an attribute it is one of the module's parameters."""

    __slots__ = ()

    def __init__(self, data: TensorLike, requires_grad: bool = True) -> None:
        super().__init__(data, requires_grad)


@contextmanager
def evaluating(module: Module) -> Iterator[None]:
    """``with evaluating(model):`` puts the model in evaluation mode, and back in its former mode afterwards."""
    was_training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(was_training)


@contextmanager
def frozen(module: Module) -> Iterator[None]:
    """``with frozen(model):`` what is computed inside passes gradients through the model, but none to its parameters.

    Afterwards each parameter is learned or not, as before.
    """
    learned = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in learned:
        parameter.requires_grad = False
    try:
        yield
    finally:
        for parameter in learned:
            parameter.requires_grad = True


class Module:
    """Base of all layers and models.

    The parameters of a module are its attributes of the class ``Parameter``, its children those of the class
    ``Module``; both in the order in which they were set. Buffers (arrays that are saved but not learned) are declared
    with ``register_buffer``. Names, order and state-dict keys are PyTorch's: parameters, buffers, then children, joined
    by dots.

    Layers in a plain list, tuple, set or dict are not children: no optimizer would update their parameters, and no
    saved file would contain them. PyTorch ignores them silently. Here ``parameters``, ``state_dict`` and
    ``load_state_dict`` raise a ValueError that names the attribute. This is an error, not a warning, since such
    layers can never be trained. Parameters that are also registered elsewhere in the model, and frozen ones, may be
    in a list.

    A subclass writes ``forward``; calling the module calls ``forward``.
    """

    training: bool = True
    _buffers: tuple[str, ...] = ()

    if TYPE_CHECKING:
        __call__: _CallsForward
    else:
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return self.forward(*args, **kwargs)

        def __getattr__(self, name):
            raise UnknownName(type(self).__name__, name, lambda: dir(self), table=MODULES)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The output of the layer."""
        raise NotImplementedError(f"{type(self).__name__} does not define its forward pass")

    def register_buffer(self, name: str, array: Array) -> None:
        """Set the attribute ``name`` to ``array``: part of the state, not learned."""
        setattr(self, name, array)
        self._buffers = (*self._buffers, name)

    # -- what it consists of

    def named_children(self) -> list[tuple[str, Module]]:
        """(name, module) of each direct child."""
        return [(name, value) for name, value in vars(self).items() if isinstance(value, Module)]

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """(dotted name, module) of this module and all below it, parents first."""
        yield prefix, self
        for name, child in self.named_children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """(dotted name, Parameter), each parameter once: a tied one under its first name."""
        seen: set[int] = set()
        for name, tensor in self._state():
            if isinstance(tensor, Parameter) and id(tensor) not in seen:
                seen.add(id(tensor))
                yield name, tensor

    def parameters(self) -> Iterator[Parameter]:
        """The parameters, each once. Raises ValueError if a plain container hides one."""
        for _, parameter in self.named_parameters():
            yield parameter

    def num_parameters(self) -> int:
        """The number of entries of all parameters together."""
        return sum(parameter.size for parameter in self.parameters())

    def _state(self) -> Iterator[tuple[str, Parameter | Array]]:
        """(dotted name, Parameter or array) of all that is saved. ValueError if a container hides a parameter."""
        self._check_containers()
        for prefix, module in self.named_modules():
            own = {name: value for name, value in vars(module).items() if isinstance(value, Parameter)}
            own.update((name, getattr(module, name)) for name in module._buffers)
            for name, value in own.items():
                yield (f"{prefix}.{name}" if prefix else name), value

    def _check_containers(self) -> None:
        modules = dict(self.named_modules())
        known = {id(module) for module in modules.values()}
        known.update(id(value) for module in modules.values() for value in vars(module).values()
                     if isinstance(value, Parameter))
        for prefix, module in modules.items():
            for name, value in vars(module).items():
                if isinstance(value, CONTAINERS) and _hides(value, known, set()):
                    name = f"{prefix}.{name}" if prefix else name
                    raise ValueError(f"{type(self).__name__}: the attribute {name} holds layers or parameters in a "
                                     f"{type(value).__name__}, where neither training nor saving finds them; put "
                                     f"layers in an nn.ModuleList or nn.ModuleDict, parameters in an nn.ParameterList")

    # -- modes and gradients

    def train(self, mode: bool = True) -> Self:
        """Training mode for this module and all below it: dropout drops, batch norm uses the batch's statistics."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Evaluation mode for this module and all below it."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Set the gradients of all parameters to None."""
        for parameter in self.parameters():
            parameter.grad = None

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Learn all parameters, or freeze them."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def to(self, dtype: DTypeLike) -> Self:
        """Convert all parameters, their gradients and floating-point buffers to float32 or float64, in place."""
        if np.dtype(dtype) not in FLOATS:
            raise TypeError(f"to: expected float32 or float64, got {np.dtype(dtype)}")
        for _, module in self.named_modules():
            for name in module._buffers:
                buffer = getattr(module, name)
                setattr(module, name, buffer.astype(dtype) if buffer.dtype.kind == "f" else buffer)
        for parameter in self.parameters():
            parameter.data = parameter.data.astype(dtype, copy=False)
            if parameter.grad is not None:
                parameter.grad = parameter.grad.astype(dtype, copy=False)
        return self

    # -- state

    def state_dict(self) -> dict[str, Array]:
        """{dotted name: array}. The arrays are the module's own: copy what must not change with it."""
        return {name: value.data if isinstance(value, Parameter) else value for name, value in self._state()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> tuple[list[str], list[str]]:
        """Copy the arrays of ``state`` (NumPy's or PyTorch's) into the parameters and buffers of those names.

        Returns (missing names, unexpected names). With ``strict`` either is a ValueError that lists them. All shapes
        and types are checked first: either everything is loaded or nothing is.
        """
        if not hasattr(state, "keys"):
            raise TypeError(f"load_state_dict: state is of type {type(state).__name__}, "
                            f"expected {{name: array}}, such as tfm.load(path)")
        own = dict(self._state())
        missing = [name for name in own if name not in state]
        unexpected = [name for name in state if name not in own]
        if strict and (missing or unexpected):
            raise ValueError(f"load_state_dict: {type(self).__name__}: " + "; ".join(
                f"{what}: {', '.join(names[:MOST])}" + f" and {len(names) - MOST} more" * (len(names) > MOST)
                for what, names in (("missing", missing), ("unexpected", unexpected)) if names))
        arrays = {name: as_array(state[name]) for name in own if name in state}
        for name, array in arrays.items():
            if array.shape != own[name].shape:
                raise ValueError(f"load_state_dict: {name} has shape {array.shape}, expected {own[name].shape}")
            if not _converts(array.dtype, own[name].dtype):
                raise TypeError(f"load_state_dict: {name} is {array.dtype}, expected {own[name].dtype}")
        for name, array in arrays.items():
            target = own[name]
            write(target.data if isinstance(target, Parameter) else target, array)
        return missing, unexpected

    def __repr__(self) -> str:
        lines = [f"({name}): " + repr(child).replace("\n", "\n  ") for name, child in self.named_children()]
        inside = "\n  " + "\n  ".join(lines) + "\n" if lines else ""
        return f"{type(self).__name__}({self.extra_repr()}{inside})"

    def extra_repr(self) -> str:
        """The layer's own part of ``repr``: its sizes and options."""
        return ""


def _hides(value: Any, known: set[int], seen: set[int]) -> bool:
    """Whether ``value`` contains, at any depth, a parameter that learns and whose id is not ``known``."""
    if id(value) in known or id(value) in seen:
        return False
    seen.add(id(value))                                     # a container may contain itself
    if isinstance(value, Parameter):
        return value.requires_grad
    inside = (vars(value).values() if isinstance(value, Module) else value.values() if isinstance(value, dict)
              else value if isinstance(value, CONTAINERS) else ())
    return any(_hides(part, known, seen) for part in inside)


def as_array(array: Any) -> Array:
    """An array, or a tensor of PyTorch on any device, as an array of NumPy; without a copy where possible."""
    if hasattr(array, "cpu"):
        array = array.detach().cpu()
        array = array.float() if str(array.dtype) == "torch.bfloat16" else array            # NumPy has no such type
    return plain_array("load_state_dict", array)


def _converts(found: np.dtype[Any], wanted: np.dtype[Any]) -> bool:
    """Whether a state's array may be converted: to another width, but not between integers and floats.

    Integers in the place of weights are quantized by a scale that is not known here.
    """
    return np.can_cast(found, wanted, "same_kind") and (found.kind in "biu") == (wanted.kind in "biu")
