"""Containers of modules and parameters, under PyTorch's names. What they hold is trained and saved with their owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from ..autograd import Tensor
from ..number_checks import check_integer
from .module import Module, Parameter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from typing_extensions import Self


class ModuleList(Module):
    """A list of modules. It has no forward pass of its own.

    State-dict keys are the modules' indices: "0.weight", "1.weight", …
    Raises TypeError for an entry that is not a module.
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self.extend(modules)

    def append(self, module: Module) -> Self:
        """Add ``module`` at the end."""
        setattr(self, str(len(self)), _as_module(self, str(len(self)), module))
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add each of ``modules`` at the end."""
        for module in modules:
            self.append(module)
        return self

    def __len__(self) -> int:
        return len(self.named_children())

    @overload
    def __getitem__(self, i: int) -> Any: ...
    @overload
    def __getitem__(self, i: slice) -> list[Any]: ...

    def __getitem__(self, i: int | slice) -> Any:
        return [module for _, module in self.named_children()][i]

    def __setitem__(self, i: int, module: Module) -> None:
        name = _index(self, i)
        setattr(self, name, _as_module(self, name, module))

    def __iter__(self) -> Iterator[Any]:
        return iter([module for _, module in self.named_children()])


class Sequential(ModuleList):
    """Modules applied one after another: y = fₙ(… f₂(f₁(x)))."""

    def __init__(self, *modules: Module) -> None:
        super().__init__(modules)

    def forward(self, x: Any) -> Any:
        """y = fₙ(… f₂(f₁(x)))."""
        for module in self:
            x = module(x)
        return x


class ModuleDict(Module):
    """A dictionary of modules, in the order in which they were set. It has no forward pass of its own.

    State-dict keys begin with the modules' keys. Raises TypeError for a key that is not text and for a value that is
    not a module. Raises KeyError for a key that is empty, has a dot, is the name of an attribute, or does not exist.
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()) -> None:
        self.update(modules)

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Set each module of ``modules``, a mapping or pairs (key, module)."""
        for key, module in dict(modules).items():
            self[key] = module

    def keys(self) -> list[str]:
        """The keys."""
        return [name for name, _ in self.named_children()]

    def values(self) -> list[Any]:
        """The modules."""
        return [module for _, module in self.named_children()]

    def items(self) -> list[tuple[str, Any]]:
        """(key, module) of each."""
        return self.named_children()

    def pop(self, key: str) -> Any:
        """Remove the module ``key`` and return it."""
        module = self[key]
        del self[key]
        return module

    def __getitem__(self, key: str) -> Any:
        if key not in self:
            raise KeyError(f"ModuleDict: there is no {key!r}, expected one of {', '.join(self.keys()) or 'none'}")
        return getattr(self, key)

    def __setitem__(self, key: str, module: Module) -> None:
        if not isinstance(key, str):
            raise TypeError(f"ModuleDict: a key is {key!r}, expected text")
        if not key or "." in key or (key not in self and hasattr(self, key)):
            raise KeyError(f"ModuleDict: a key is {key!r}, expected text without a dot that is no attribute's name")
        setattr(self, key, _as_module(self, key, module))

    def __delitem__(self, key: str) -> None:
        self[key]                                           # KeyError if it is not there
        delattr(self, key)

    def __contains__(self, key: object) -> bool:
        return key in self.keys()

    def __len__(self) -> int:
        return len(self.named_children())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())


class ParameterList(Module):
    """A list of parameters. It has no forward pass.

    A tensor that is not a ``Parameter`` becomes a ``Parameter``. State-dict keys are the parameters' indices: "0",
    "1", …   Raises TypeError for an entry that is not a tensor.
    """

    def __init__(self, parameters: Iterable[Tensor] = ()) -> None:
        self.extend(parameters)

    def append(self, parameter: Tensor) -> Self:
        """Add ``parameter`` at the end."""
        name = str(len(self))
        setattr(self, name, _as_parameter(name, parameter))
        return self

    def extend(self, parameters: Iterable[Tensor]) -> Self:
        """Add each of ``parameters`` at the end."""
        for parameter in parameters:
            self.append(parameter)
        return self

    def _list(self) -> list[Parameter]:
        return [value for value in vars(self).values() if isinstance(value, Parameter)]

    def __len__(self) -> int:
        return len(self._list())

    @overload
    def __getitem__(self, i: int) -> Parameter: ...
    @overload
    def __getitem__(self, i: slice) -> list[Parameter]: ...

    def __getitem__(self, i: int | slice) -> Parameter | list[Parameter]:
        return self._list()[i]

    def __setitem__(self, i: int, parameter: Tensor) -> None:
        name = _index(self, i)
        setattr(self, name, _as_parameter(name, parameter))

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._list())

    def extra_repr(self) -> str:
        """The shape of each parameter."""
        return ", ".join(str(parameter.shape) for parameter in self)


def _index(container: ModuleList | ParameterList, i: int) -> str:
    """The attribute name of the entry ``i``, which may count from the end."""
    i = check_integer(container, "the index", i)
    if not -len(container) <= i < len(container):
        raise IndexError(f"{type(container).__name__}: the index is {i}, expected one of {len(container)} entries")
    return str(i % len(container))


def _as_module(container: Module, name: str, module: Any) -> Module:
    if not isinstance(module, Module):
        advice = (f"; write {module.__name__}(…)" if isinstance(module, type) else
                  "; write a Module whose forward calls the function" if callable(module) else "")
        raise TypeError(f"{type(container).__name__}: "
                        f"the entry {name} is a {type(module).__name__}, expected a Module{advice}")
    return module


def _as_parameter(name: str, parameter: Any) -> Parameter:
    if not isinstance(parameter, Tensor):
        raise TypeError(f"ParameterList: the entry {name} is a {type(parameter).__name__}, expected a Tensor")
    return parameter if isinstance(parameter, Parameter) else Parameter(parameter.data)
