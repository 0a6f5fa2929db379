"""Packages to which a new file is all that a new thing needs: models, tasks and tokenizers."""

from __future__ import annotations

import sys
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType


def import_files(package: str) -> list[ModuleType]:
    """Import every module in the folder of ``package``, in the order of their names, and return them."""
    return [import_module(f"{package}.{info.name}") for info in iter_modules(sys.modules[package].__path__)]


def collect(package: str) -> None:
    """``import_files``, after which the names in each module's ``__all__`` are names of ``package`` too."""
    home = vars(sys.modules[package])
    for module in import_files(package):
        for name in getattr(module, "__all__", ()):
            home[name] = getattr(module, name)
            home["__all__"].append(name)
