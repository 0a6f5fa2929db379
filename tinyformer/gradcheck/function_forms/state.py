"""The state that a function can reach and change, kept so that it can be restored."""

from __future__ import annotations

import collections
import dis
import functools
import random
import sys
import types
from typing import TYPE_CHECKING, Any

import numpy as np

from .sources import is_the_learners, names_in

if TYPE_CHECKING:
    from collections.abc import Callable

LARGE = 1 << 22                         # arrays of more entries are not copied
MISSING = object()
# Objects of these libraries are not the learner's.
LIBRARIES = {*sys.stdlib_module_names, "numpy", "scipy", "jax", "jaxlib", "matplotlib"}


def _root(cls: type) -> str:
    return cls.__module__.partition(".")[0]


def _is_container(value: Any) -> bool:
    return isinstance(value, (dict, list, tuple, set, frozenset, collections.deque, types.SimpleNamespace))


class Snapshot:
    """The contents of all that ``roots`` refer to: objects' attributes, containers, arrays, variables, generators.

    It follows closures, bound methods, the global names that a function uses, and the functions of the learner's that
    it calls. Modules and classes are left out. ``restore`` puts back what has changed since.
    """

    def __init__(self, *roots: Any) -> None:
        self.restorers: list[Callable[[], None]] = []
        self._seen: dict[int, Any] = {}
        waiting = list(roots)
        while waiting:
            value = waiting.pop()
            if id(value) not in self._seen and not isinstance(value, (type, types.ModuleType, str, int, float)):
                self._seen[id(value)] = value               # which also keeps the id its own
                waiting += self._keep(value)
        self._keep_random()

    def restore(self) -> None:
        """Put back everything that has changed."""
        for restorer in self.restorers:
            restorer()

    def _keep(self, value: Any) -> list[Any]:
        """Keep the contents of one object. Returns what it refers to."""
        if isinstance(value, types.FunctionType):
            return self._keep_function(value) if is_the_learners(value.__code__) else []
        if isinstance(value, types.MethodType):
            return [value.__self__, value.__func__]
        if isinstance(value, functools.partial):
            return [value.func, *value.args, *value.keywords.values()]
        if isinstance(value, np.ndarray):
            self._keep_array(value)
            return list(value.flat) if value.dtype == object else []
        if isinstance(value, (np.random.Generator, np.random.RandomState)):
            holder = value.bit_generator if isinstance(value, np.random.Generator) else value._bit_generator
            state = holder.state
            self.restorers.append(lambda: setattr(holder, "state", state))
            return []
        if isinstance(value, random.Random):
            drawn = value.getstate()
            self.restorers.append(lambda: value.setstate(drawn))
            return []
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(value, torch.Tensor):
            self._keep_tensor(value, torch)
            return []
        return [] if _root(type(value)) in LIBRARIES and not _is_container(value) else self._keep_contents(value)

    def _keep_function(self, fn: types.FunctionType) -> list[Any]:
        found = list(fn.__defaults__ or ()) + list((fn.__kwdefaults__ or {}).values())
        for cell in fn.__closure__ or ():
            try:
                inside = cell.cell_contents
            except ValueError:                              # an empty cell
                continue
            self.restorers.append(lambda cell=cell, inside=inside: setattr(cell, "cell_contents", inside))
            found.append(inside)
        scope = fn.__globals__
        stored = {name for name in names_in(fn.__code__) if not name.startswith("__")}
        for name in stored & scope.keys():
            inside = scope[name]
            if not isinstance(inside, (types.ModuleType, type)):
                self.restorers.append(lambda name=name, inside=inside: scope.__setitem__(name, inside))
                found.append(inside)
        for name in {i.argval for i in dis.get_instructions(fn.__code__) if i.opname == "STORE_GLOBAL"} - scope.keys():
            self.restorers.append(lambda name=name: scope.pop(name, None))
        found += [w for w in (getattr(fn, "__wrapped__", None),) if w is not None]
        return found

    def _keep_array(self, array: np.ndarray) -> None:
        if array.size <= LARGE and array.flags.writeable:
            before = array.copy()

            def restore():
                if not np.array_equal(array, before):
                    array[...] = before
            self.restorers.append(restore)

    def _keep_tensor(self, tensor: Any, torch: Any) -> None:
        before, grad = tensor.detach().clone(), tensor.grad

        def restore():
            with torch.no_grad():
                if not torch.equal(tensor.detach(), before):
                    tensor.copy_(before)
            if tensor.is_leaf:
                tensor.grad = grad
        self.restorers.append(restore)

    def _keep_contents(self, value: Any) -> list[Any]:
        """A container, or the attributes of an object."""
        if isinstance(value, dict):
            items = dict(value)
            self.restorers.append(lambda: _refill(value, items))
            return [*items.values(), *getattr(value, "__dict__", {}).values()]
        if isinstance(value, (list, collections.deque)):
            entries = list(value)

            def restore():
                if len(value) != len(entries) or any(a is not b for a, b in zip(value, entries)):
                    value.clear()
                    value.extend(entries)
            self.restorers.append(restore)
            return entries
        if isinstance(value, set):
            members = set(value)
            self.restorers.append(lambda: (value.clear(), value.update(members)) if value != members else None)
            return []
        if isinstance(value, (tuple, frozenset)):
            return list(value)
        found = []
        if isinstance(getattr(value, "__dict__", None), dict):
            attributes = dict(value.__dict__)
            self.restorers.append(lambda: _refill(value.__dict__, attributes))
            found += attributes.values()
        for name in {slot for cls in type(value).__mro__ for slot in _slots(cls)}:
            inside = getattr(value, name, MISSING)
            if inside is not MISSING and not callable(inside):
                self.restorers.append(lambda name=name, inside=inside: _set(value, name, inside))
                found.append(inside)
        return found

    def _keep_random(self) -> None:
        numpy, python = np.random.get_state(), random.getstate()
        self.restorers.append(lambda: (np.random.set_state(numpy), random.setstate(python)))


def _slots(cls: type) -> tuple[str, ...]:
    slots = cls.__dict__.get("__slots__", ())
    return tuple(s for s in ((slots,) if isinstance(slots, str) else slots) if not s.startswith("__"))


def _set(value: Any, name: str, inside: Any) -> None:
    try:
        if getattr(value, name, MISSING) is not inside:
            setattr(value, name, inside)
    except AttributeError:                                  # read-only: it cannot have changed by assignment
        pass


def _refill(mapping: dict[Any, Any], items: dict[Any, Any]) -> None:
    if len(mapping) != len(items) or any(mapping.get(k, MISSING) is not v for k, v in items.items()):
        mapping.clear()
        mapping.update(items)
