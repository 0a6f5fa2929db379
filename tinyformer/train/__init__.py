"""Training: recipes, the loop, checkpoints, metrics, evaluation."""

from .loop import Step, fit
from .recipe import Recipe, RecipeError, load_recipe
from .run import Interrupted, Result, train

__all__ = ["Interrupted", "Recipe", "RecipeError", "Result", "Step", "fit", "load_recipe", "train"]
