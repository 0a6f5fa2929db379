"""Module: a thing with parameters, made of smaller such things."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np

from ..autograd import FLOATS, Tensor
from ..writes import write


CONTAINERS = list, tuple, set, frozenset, dict
MOST = 20                               # names that an error lists of each kind; strict=False returns them all


class Parameter(Tensor):
    """A tensor that a module learns: it requires a gradient, and the module that holds it counts it among its own."""

    __slots__ = ()

    def __init__(self, data, requires_grad=True):
        super().__init__(data, requires_grad)


@contextmanager
def evaluating(module):
    """``with evaluating(model):`` it is in evaluation mode, and afterwards in the mode that it was in before."""
    was_training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(was_training)


class Module:
    """Base of all layers and models.

    A module's parameters are those of its attributes that are a ``Parameter``; its children those that are a ``Module``;
    both in the order in which they were set. Buffers (arrays that are saved but not learned) are declared with
    ``register_buffer``. Names, order and state-dict keys are PyTorch's: parameters, buffers, then children, joined by dots.

    Layers in a plain list, tuple, set or dict are not children: no optimizer would move their parameters, and no file would
    hold them. PyTorch passes over them in silence. Here ``parameters``, ``state_dict`` and ``load_state_dict`` raise a
    ValueError that names the attribute. It is an error and no warning, since such layers can never be trained. Parameters
    that are also registered elsewhere in the model, and frozen ones, may stand in a list.

    A subclass writes ``forward``; calling the module calls it.
    """

    training = True
    _buffers: tuple[str, ...] = ()

    def __call__(self, *args, **kwargs):
        return self.forward(*args, **kwargs)

    def forward(self, *args, **kwargs):
        """What the layer computes."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its forward pass is")

    def register_buffer(self, name, array):
        """Hold ``array`` as the attribute ``name``: part of the state, not learned."""
        setattr(self, name, array)
        self._buffers = (*self._buffers, name)

    # -- what it is made of

    def named_children(self):
        """(name, module) of each direct child."""
        return [(name, value) for name, value in vars(self).items() if isinstance(value, Module)]

    def named_modules(self, prefix=""):
        """(dotted name, module) of this module and all below it, parents first."""
        yield prefix, self
        for name, child in self.named_children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def named_parameters(self):
        """(dotted name, Parameter), each parameter once: of a tied one the first name counts."""
        seen = set()
        for name, tensor in self._state():
            if isinstance(tensor, Parameter) and id(tensor) not in seen:
                seen.add(id(tensor))
                yield name, tensor

    def parameters(self):
        """The parameters, each once."""
        for _, parameter in self.named_parameters():
            yield parameter

    def num_parameters(self):
        """How many numbers are learned."""
        return sum(parameter.size for parameter in self.parameters())

    def _state(self):
        """(dotted name, Parameter or array) of all that is saved. ValueError if a container hides a parameter."""
        self._check_containers()
        for prefix, module in self.named_modules():
            own = {name: value for name, value in vars(module).items() if isinstance(value, Parameter)}
            own.update((name, getattr(module, name)) for name in module._buffers)
            for name, value in own.items():
                yield (f"{prefix}.{name}" if prefix else name), value

    def _check_containers(self):
        modules = dict(self.named_modules())
        known = {id(module) for module in modules.values()}
        known.update(id(value) for module in modules.values() for value in vars(module).values() if isinstance(value, Parameter))
        for prefix, module in modules.items():
            for name, value in vars(module).items():
                if isinstance(value, CONTAINERS) and _hides(value, known, set()):
                    raise ValueError(f"{type(self).__name__}: the attribute {f'{prefix}.{name}' if prefix else name} holds layers "
                                     f"or parameters in a {type(value).__name__}, where neither training nor saving finds them; "
                                     f"put layers in an nn.ModuleList, and make each Parameter an attribute of its own")

    # -- modes and gradients

    def train(self, mode=True):
        """Training mode (dropout drops, batch norm measures) here and below; ``train(False)`` is ``eval()``."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self):
        """Evaluation mode, here and below."""
        return self.train(False)

    def zero_grad(self):
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def requires_grad_(self, requires_grad=True):
        """Learn the parameters here and below, or freeze them."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def to(self, dtype):
        """Convert all floating-point parameters, their gradients and buffers to ``dtype``, in place."""
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

    def state_dict(self):
        """{dotted name: array}. The arrays are the module's own: copy what must not change with it."""
        return {name: value.data if isinstance(value, Parameter) else value for name, value in self._state()}

    def load_state_dict(self, state, strict=True):
        """Copy the arrays of ``state`` (NumPy's or PyTorch's) into the parameters and buffers of those names.

        With ``strict`` an error lists the names that are missing and those that are not known. All shapes and types are
        checked first: either everything is loaded or nothing is. Returns (missing, unexpected).
        """
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
            if not _becomes(array.dtype, own[name].dtype):
                raise TypeError(f"load_state_dict: {name} is {array.dtype}, expected {own[name].dtype}")
        for name, array in arrays.items():
            target = own[name].data if isinstance(own[name], Parameter) else own[name]
            write(target, array)
        return missing, unexpected

    def __repr__(self):
        lines = [f"({name}): " + repr(child).replace("\n", "\n  ") for name, child in self.named_children()]
        inside = "\n  " + "\n  ".join(lines) + "\n" if lines else ""
        return f"{type(self).__name__}({self.extra_repr()}{inside})"

    def extra_repr(self):
        """What to say between the brackets of ``repr``."""
        return ""


def _hides(value, known, seen):
    """Whether there is, somewhere inside of ``value``, a parameter that learns and is not ``known`` by its id."""
    if id(value) in known or id(value) in seen:
        return False
    seen.add(id(value))                                     # a container may hold itself
    if isinstance(value, Parameter):
        return value.requires_grad
    inside = (vars(value).values() if isinstance(value, Module) else value.values() if isinstance(value, dict)
              else value if isinstance(value, CONTAINERS) else ())
    return any(_hides(part, known, seen) for part in inside)


def as_array(array):
    """An array of NumPy's, or a tensor of PyTorch's wherever it lies, as one of NumPy's; without a copy where there is a way."""
    if hasattr(array, "cpu"):
        array = array.detach().cpu()
        array = array.float() if str(array.dtype) == "torch.bfloat16" else array            # NumPy has no such type
    return np.asarray(array)


def _becomes(found, wanted):
    """Whether an array of one type may be put into one of the other: of another width, but whole numbers are no fractions
    (where a file has them for weights, they stand for others by a scale that is not known here)."""
    return np.can_cast(found, wanted, "same_kind") and (found.kind in "biu") == (wanted.kind in "biu")


class ModuleList(Module):
    """A list of modules whose parameters count as the holder's. It has no forward pass of its own."""

    def __init__(self, modules=()):
        for module in modules:
            self.append(module)

    def append(self, module):
        setattr(self, str(len(self)), module)
        return self

    def __len__(self):
        return len(self.named_children())

    def __getitem__(self, i):
        return self.named_children()[i][1]

    def __iter__(self):
        return iter(module for _, module in self.named_children())


class Sequential(ModuleList):
    """Modules one after the other: y = fₙ(… f₂(f₁(x)))."""

    def __init__(self, *modules):
        super().__init__(modules)

    def forward(self, x):
        for module in self:
            x = module(x)
        return x
