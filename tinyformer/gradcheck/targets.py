"""Find in a learner's file what is to be checked: a function, a pair, a class, an object of another library."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..sandbox import Refused


def find_target(names: Mapping[str, Any], path: Path, name: str | None = None) -> tuple[str, Any]:
    """(name, what to check) of a file's ``names``.

    If a file has ``X_forward`` and ``X_backward``, either name means the pair. Without a name, the file must have one
    function that can be checked; helpers of a class, a pair or a ``custom_vjp`` do not count.
    """
    if name is not None:
        if name not in names:
            listed = ", ".join(key for key, _ in _own(names, path))
            raise Refused("name", f"{path.name} has no function {name}; "
                                  f"{f'it has {listed}' if listed else 'it defines no function'}")
        found = _with_partner(names, name) or names[name]
        if not callable(found) and not isinstance(found, tuple) and not hasattr(found, "backward"):
            raise Refused("name", f"{name} is a value of type {type(found).__name__}, expected a function")
        return name, found
    for group in _groups(names, path):
        if len(group) == 1:
            return group[0]
        if group:
            raise Refused("name", f"{path.name}: name one function, as {path.name}:NAME; it has "
                                  f"{', '.join(key for key, _ in group)}")
    raise Refused("name", f"{path.name}: name one function, as {path.name}:NAME; it defines no function")


def _with_partner(names: Mapping[str, Any], name: str) -> tuple[Any, Any] | None:
    """(forward, backward) if the file has both."""
    forward = re.sub("backward|bwd", lambda m: {"backward": "forward", "bwd": "fwd"}[m[0]], name)
    backward = re.sub("forward|fwd", lambda m: {"forward": "backward", "fwd": "bwd"}[m[0]], name)
    if forward != backward and inspect.isfunction(names.get(forward)) and inspect.isfunction(names.get(backward)):
        return names[forward], names[backward]
    return None


def _own(names: Mapping[str, Any], path: Path) -> Iterator[tuple[str, Any]]:
    """What the file itself defines, without ``inputs`` and private names."""
    for key, value in names.items():
        own = getattr(value, "__module__", None) == path.stem or type(value).__module__ == path.stem
        if own and callable(value) and not key.startswith("_") and key != "inputs":
            yield key, value


def _groups(names: Mapping[str, Any], path: Path) -> Iterator[list[tuple[str, Any]]]:
    """What can be checked, the clearest kind first."""
    own = list(_own(names, path))
    yield [(k, v) for k, v in own if type(v).__name__ in ("custom_vjp", "custom_jvp")]
    yield [(k, v) for k, v in own if isinstance(v, type) and callable(getattr(v, "backward", None))
           and callable(getattr(v, "forward", None))]
    pairs = {k: _with_partner(names, k) for k, _ in own if re.search("forward|fwd", k)}
    yield [(k, pair) for k, pair in pairs.items() if pair]
    yield [(k, v) for k, v in own if inspect.isfunction(v)]
    yield [(k, v) for k, v in own if hasattr(v, "named_parameters")]
