"""What models are trained for, a task a file. The class of a recipe's model names its task.

Each module of this folder that has ``__all__`` gives its names to this package, so a new task is a new file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...packages import collect
from .base import Task
from .registry import TASKS, register

__all__ = ["TASKS", "Task", "register"]

if TYPE_CHECKING:                       # what ``collect`` below does, for type checkers and editors
    from .adversarial import *
    from .classification import *
    from .generation import *
    from .labeled import *
    from .language import *
    from .likelihood import *
    from .masked import *
    from .pairs import *
    from .pictures import *
    from .translation import *
    from .views import *


collect(__name__)


def __dir__() -> list[str]:
    return sorted(__all__)
