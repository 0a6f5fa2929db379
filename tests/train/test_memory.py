"""The estimate of a training's memory."""

from __future__ import annotations

import pytest

import tinyformer.memory
from tinyformer.train import load_recipe, memory
from tinyformer.train.recipe import names

GROW = [name for name in names() if hasattr(load_recipe(name).model_class.Config, "n_layer")
        and not load_recipe(name).model_class.trained_by_counting]


@pytest.mark.parametrize("name", GROW)
def test_the_count_is_that_of_the_whole_model(name):
    recipe = load_recipe(name, ["model.n_layer=5"])
    sizes = {**dict.fromkeys(recipe.task.Sizes, 2), "n_features": 784}          # some models read square pictures only
    config = recipe.model_config(**{name: sizes[name] for name in recipe.task.Sizes})
    assert memory.count_parameters(recipe.model_class, config) == recipe.model_class(config).num_parameters()


@pytest.mark.parametrize("settings, message", (
    (["train.batch_size=1000000000000"],
     r"at least [0-9,.]+ [GT]B of memory "
      r"\([0-9.]+ kB for parameters, .* [GT]B for activations of a batch\), but this machine has .* GB"),
    (["model.n_layer=100000000"],
     r"at least [0-9,.]+ TB of memory \([0-9,.]+ TB for parameters, [0-9,.]+ TB for gradients"),
    (["model.n_layer=100000000", "train.optimizer=muon"], "TB for parameters"),
    (["model.n_embd=10000000000000"], "does not fit into the .* GB of memory of this machine"),
    (["model.n_embd=100000000000000000000"], "does not fit into the .* GB of memory of this machine"),
))
def test_what_cannot_fit_is_refused_before_it_is_built(train, tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        train(tmp_path / "run", *settings)
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_the_parts_are_those_of_the_optimizer(monkeypatch):
    monkeypatch.setattr(tinyformer.memory, "physical_memory", lambda: 10 ** 9)
    monkeypatch.setattr(memory, "count_parameters", lambda kind, config: 10 ** 9)
    for optimizer, states in (("adamw", "12.0 GB"), ("muon", "8.0 GB")):
        recipe = load_recipe("pydocs-char", [f"train.optimizer={optimizer}"])
        with pytest.raises(ValueError, match=f"4.0 GB for parameters, {states} for gradients and optimizer state"):
            memory.check_memory(recipe, recipe.model_config(vocab_size=2))


def test_another_error_of_the_model_stays_as_it_is():
    recipe = load_recipe("lstm-movie")
    with pytest.raises(ValueError, match="^SigmoidLSTM: n_classes is 50"):
        memory.check_memory(recipe, recipe.model_config(vocab_size=50, n_classes=50))
