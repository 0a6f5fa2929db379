"""Training: ``fit`` for your own model; recipes for tinyformer's models; what is saved, measured and compared."""

from typing import TYPE_CHECKING

from ..names import module_attributes
from . import scores
from .evaluation import compare, evaluate
from .explanation import explain_text
from .explanation_scores import evaluate_explanations
from .fitting import fit
from .history import History
from .loop import Step, training_steps
from .recipe import Recipe, RecipeError, load_recipe
from .repeated import repeat
from .run import Result, train
from .saved_run import SavedRun, open_run
from .trainer import Interrupted

__all__ = ["History", "Interrupted", "Recipe", "RecipeError", "Result", "SavedRun", "Step", "compare", "evaluate",
           "evaluate_explanations", "explain_text", "fit", "load_recipe", "open_run", "repeat", "scores", "train",
           "training_steps"]

if not TYPE_CHECKING:                                       # to a type checker an unknown name is an error
    __getattr__, __dir__ = module_attributes(__name__, __all__)
