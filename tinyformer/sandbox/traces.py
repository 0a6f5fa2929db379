"""Find what a learner's file changed outside itself."""

from __future__ import annotations

import builtins
import os
import sys
import threading
import types
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

WATCHED = ("numpy", "tinyformer")
CODE = (types.ModuleType, property, classmethod, staticmethod)         # in addition to everything that can be called


class Traces:
    """The current functions and classes of NumPy, tinyformer and Python, and the settings of the process."""

    def __init__(self) -> None:
        self.code: dict[str, tuple[Mapping[str, Any], dict[str, Any]]] = {}
        for name, module in [*sys.modules.items()]:
            if module is builtins or name.partition(".")[0] in WATCHED and isinstance(module, types.ModuleType):
                self.code[name] = vars(module), _code(vars(module))
                if name.startswith("tinyformer"):
                    for key, value in self.code[name][1].items():
                        if isinstance(value, type) and value.__module__ == name:
                            self.code[f"{name}.{key}"] = value.__dict__, _code(value.__dict__)
        self.settings = _settings()

    def replaced(self) -> list[str]:
        """The dotted names of functions and classes that were replaced."""
        return [f"{owner}.{key}" for owner, (now, before) in self.code.items()
                for key, value in before.items() if now.get(key) is not value]

    def unsettled(self) -> bool:
        """Whether code or settings have changed, or a thread still runs, so that no other file may run here."""
        return bool(self.replaced()) or self.settings != _settings()


def _code(names: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in names.items() if callable(value) or isinstance(value, CODE)}


def _settings() -> tuple[Any, ...]:
    try:
        folder = os.getcwd()
    except OSError:
        folder = None
    return (folder, sys.getrecursionlimit(), threading.active_count(), np.geterr(), repr(np.get_printoptions()),
            dict(os.environ), warnings.filters[:], sys.gettrace(), sys.getprofile(), sys.stdout, sys.stderr)
