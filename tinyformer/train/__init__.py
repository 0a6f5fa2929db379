"""Training: ``fit`` for your own model, recipes, the loop, checkpoints, metrics, evaluation."""

from .fitting import fit
from .history import History
from .loop import Step, training_steps
from .recipe import Recipe, RecipeError, load_recipe
from .run import Result, train
from .trainer import Interrupted

__all__ = ["History", "Interrupted", "Recipe", "RecipeError", "Result", "Step", "fit", "load_recipe", "train", "training_steps"]
