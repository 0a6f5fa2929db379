"""The registry of tasks: a new task and its model are trained and resumed like the others."""

import ast
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tinyformer import nn
from tinyformer.models import MODELS
from tinyformer.models import register as register_model
from tinyformer.models.pretrained import Pretrained
from tinyformer.train import RecipeError, evaluate, load_recipe, open_run, train
from tinyformer.train.settings import check_settings, setting
from tinyformer.train import tasks
from tinyformer.train.tasks import TASKS, Task, register


def test_the_tasks_by_name():
    assert set(TASKS) >= {"language", "classification", "masked", "pictures", "translation"}
    assert all(TASKS[name].name == name and TASKS[name].Data().check() is None for name in TASKS)


def test_type_checkers_are_told_of_every_file():
    tree = ast.parse(Path(tasks.__file__).read_text(encoding="utf-8"))
    block, = (node for node in tree.body if isinstance(node, ast.If))
    assert {node.module for node in block.body} == {
        path.stem for path in Path(tasks.__file__).parent.glob("*.py")
        if path.stem != "__init__" and "\n__all__ = " in path.read_text(encoding="utf-8")}


@pytest.mark.parametrize("name", ("language", ""))
def test_names_that_are_taken_or_missing(name):
    with pytest.raises(ValueError,
                       match="register: Mine has (the name 'language', which Language has already|no name)"):
        register(type("Mine", (Task,), {"name": name}))


@pytest.fixture
def line():
    """A task in a few lines, whose model fits a line to points, in recipes while the test runs."""
    @dataclass
    class Points:
        n: int = setting(50, "The number of points.", at_least=2)

        def check(self):
            check_settings("data", self)

    @register
    class Line(Task):
        name, unit, Data, Sizes = "line", "squared error", Points, ("n_features",)

        def __init__(self, data, folder=None):
            rng = np.random.default_rng(0)
            self.x = rng.standard_normal((data.n, 2)).astype(np.float32)
            self.y = self.x @ np.float32([[1], [2]])

        def sizes(self):
            return {"n_features": 2}

        def batch(self, model, size, rng):
            chosen = rng.integers(0, len(self.x), size)
            return self.x[chosen], self.y[chosen]

        def measure(self, model, at_most=None):
            return {"val_loss": model.loss(self.x, self.y).item()}

        def evaluate(self, model):
            return {**self.measure(model), **self.footprint(model)}

        def baselines(self):
            return {"mean": float(self.y.var())}

        def describe(self):
            return f"{len(self.x)} points"

        def sha256(self):
            return str(len(self.x))

    @dataclass
    class FitConfig:
        n_features: int = 1
        scale: float = 1.0                                  # its type is a class: this file postpones no annotations
        shape: tuple[int, ...] = ()                         # which no recipe can set

    @register_model
    class Fit(Pretrained):
        architecture, task, Config = "fit", "line", FitConfig

        def __init__(self, config):
            self.config, self.linear = config, nn.Linear(config.n_features, 1)

        def loss(self, x, y):
            return nn.functional.mse_loss(self.linear(x), y)

    assert register(type("Line", (Line,), {"__module__": Line.__module__, "__qualname__": Line.__qualname__}))
    yield
    del TASKS["line"], MODELS["fit"]


def test_a_new_task_is_trained_resumed_and_evaluated(tmp_path, line, monkeypatch):
    monkeypatch.setattr("tinyformer.train.run.draw_losses", lambda *_, **__: None)
    (tmp_path / "mine.toml").write_text('[model]\narchitecture = "fit"\nscale = 2\n[data]\nn = 20\n[train]\n'
                                        'max_steps = 150\nlr = 0.1\nmin_lr = 0.0\n'
                                        'warmup_steps = 5\nweight_decay = 0.0\n')
    recipe = load_recipe(tmp_path / "mine.toml")
    assert recipe.model["scale"] == 2.0
    with pytest.raises(RecipeError, match="unknown setting 'model.shape'.*model.scale"):
        load_recipe(tmp_path / "mine.toml", ["model.shape=3"])
    assert train(recipe, tmp_path / "run").val_loss < 0.01
    longer = load_recipe(tmp_path / "run" / "recipe.toml", ["train.max_steps=300"])
    assert train(longer, tmp_path / "run", resume=True).step == 300
    np.testing.assert_allclose(open_run(tmp_path / "run").model.linear.weight.data, [[1, 2]], atol=0.05)
    assert evaluate(tmp_path / "run")["parameters"] == 3
