"""What models are trained for, a task a file. The class of a recipe's model names its task.

Each module of this folder that has ``__all__`` gives its names to this package, so a new task is a new file.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from .base import Task
from .registry import TASKS, register

__all__ = ["TASKS", "Task", "register"]

if TYPE_CHECKING:                       # what the loop below does, for type checkers and editors
    from .classification import *
    from .labeled import *
    from .language import *
    from .masked import *
    from .pictures import *
    from .translation import *


def _collect() -> None:
    for info in iter_modules(__path__):
        module = import_module(f"{__name__}.{info.name}")
        for name in getattr(module, "__all__", ()):
            globals()[name] = getattr(module, name)
            __all__.append(name)


_collect()


def __dir__() -> list[str]:
    return sorted(__all__)
