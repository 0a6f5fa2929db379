"""What can be learned, a task a file. The architecture of a recipe's model says which one it is."""

from .base import Task
from .classification import Classification
from .labelled import Labelled
from .language import Language
from .masked import Masked
from .pictures import Pictures
from .translation import Translation

TASKS = {task.name: task for task in (Language, Classification, Masked, Pictures, Translation)}

__all__ = ["TASKS", "Classification", "Labelled", "Language", "Masked", "Pictures", "Task", "Translation"]
