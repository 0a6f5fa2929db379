"""The tasks by name: what a model can be trained for.

A new task is one file in this folder: a subclass of ``Task`` with a ``name``, decorated with ``@register``. A model
whose class says ``task = "name"`` is then trained, evaluated and resumed like all others.
"""

from __future__ import annotations

from typing import TypeVar

from ...names import same_definition
from .base import Task

Class = TypeVar("Class", bound=type[Task])

TASKS: dict[str, type[Task]] = {}                           # by the name that the models' classes give as task


def register(task: Class) -> Class:
    """Class decorator: ``TASKS`` holds ``task`` under its name.

    ValueError if it has none, or if another class has it already.
    """
    if not task.name:
        raise ValueError(f"register: {task.__name__} has no name, expected one such as 'language'")
    if not same_definition(TASKS.get(task.name, task), task):
        raise ValueError(f"register: {task.__name__} has the name {task.name!r}, "
                         f"which {TASKS[task.name].__name__} has already")
    TASKS[task.name] = task
    return task
