"""tinyformer recipes"""

from __future__ import annotations

import itertools


def command():
    """Show what can be trained, and in how many minutes. Of two cores of a laptop; 0 was not measured."""
    from ..train.recipe import FOLDER, load_recipe, names
    from .console import say

    def task(recipe):
        return recipe.task.name

    for name, recipes in itertools.groupby(sorted(map(load_recipe, names()), key=task), task):
        print(f"{name}\n")
        for recipe in recipes:
            say(f"{recipe.minutes:>5.1f} min  {recipe.name:<27}{recipe.about}")
        print()
    say(f"`tinyformer train NAME` trains one. Their files, to copy and change: {FOLDER}")
