"""tinyformer recipes: the list, and the settings of one."""

import pytest

from tinyformer.train.recipe import _fields, load_recipe, names


def test_the_list(cli):
    result = cli("recipes")
    assert result.code == 0 and all(any(name in line for line in result.lines) for name in names())


@pytest.mark.parametrize("name", ("pydocs-char", "minilm-movie", "kn-names", "mlp-mnist"))
def test_the_settings_of_one_are_those_that_can_be_set(cli, name):
    result = cli("recipes", name)
    shown = {line.partition("=")[0]: line for line in result.lines if "=" in line.split("  ")[0]
             and not line.startswith("`")}
    recipe = load_recipe(name)
    assert result.code == 0 and set(shown) == {key for key in _fields(recipe) if "." in key}
    if name == "pydocs-char":
        assert shown["train.lr"].split(maxsplit=1) == [f"train.lr={recipe.train.lr}",
                                                       "The highest learning rate, "
                                                       "at the end of the warm-up. At least 0."]


def test_an_unknown_recipe(refused):
    refused(2, "unknown recipe 'pydoc-char' (did you mean pydocs-char?)", "recipes", "pydoc-char")
