"""What can be learned, a task a file. The architecture of a recipe's model says which one it is."""

from .base import Task
from .classification import Classification
from .language import Language

TASKS = {task.name: task for task in (Language, Classification)}

__all__ = ["TASKS", "Classification", "Language", "Task"]
