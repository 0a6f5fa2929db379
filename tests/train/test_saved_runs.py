"""Trained models as a library sees them: opened, evaluated, compared and repeated, without the command line."""

import json

import pytest

from tinyformer.models import GPT
from tinyformer.train import RecipeError, compare, evaluate, load_recipe, open_run, repeat, scores
from tinyformer.train import train as train_recipe
from tinyformer.train.saved_run import model_folder

BAG = ("model.architecture=bow", "data.set=sms-spam", "data.vocab_size=200", "train.max_steps=30",
       "train.eval_every=15",
       "train.warmup_steps=2", "train.checkpoint_every=30")


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    monkeypatch.setattr("tinyformer.train.run.draw_losses", lambda *_, **__: None)


def test_open_run(tmp_path, train):
    train(tmp_path / "run")
    run = open_run(str(tmp_path / "run"))
    assert isinstance(run.model, GPT) and not run.model.training
    assert run.tokenizer.vocab_size == run.model.config.vocab_size
    assert run.recipe.train.max_steps == 12 and [record["step"] for record in run.metrics] == list(range(1, 13))
    assert run.tokenizer.decode(run.task.validation[:5]) and run.line_mark is None and run.end_ids == []
    (tmp_path / "run" / "recipe.toml").unlink()
    run = open_run(tmp_path / "run")
    assert run.recipe is None
    with pytest.raises(RecipeError, match="recipe.toml: no such file"):
        run.task


def test_a_tokenizer_of_another_model(tmp_path, train):
    train(tmp_path / "run")
    file = tmp_path / "run" / "tokenizer.json"
    values = json.loads(file.read_text())
    file.write_text(json.dumps({**values, "characters": values["characters"][:-1]}))
    with pytest.raises(ValueError, match="run: its tokenizer has 22 tokens, expected 23, those of the model"):
        open_run(tmp_path / "run")


def test_a_published_model_that_was_not_fetched(monkeypatch):
    monkeypatch.setattr("tinyformer.train.saved_run.cached", lambda name: False)
    with pytest.raises(FileNotFoundError,
                       match="minilm has not been fetched yet; `tinyformer data fetch minilm` downloads it"):
        model_folder("minilm")


def test_evaluate(tmp_path, train):
    result = train(tmp_path / "run")
    figures = evaluate(tmp_path / "run")
    assert figures["val_loss"] == result.val_loss and figures["model"] == str(tmp_path / "run")
    assert json.loads((tmp_path / "run" / "evaluation.json").read_text())["val_loss"] == result.val_loss
    (tmp_path / "run" / "evaluation.json").unlink()
    assert evaluate(tmp_path / "run", save=False)["val_loss"] == result.val_loss
    assert not (tmp_path / "run" / "evaluation.json").exists()


def test_repeat_over_seeds_and_compare(tmp_path):
    seen = []
    recipe = load_recipe("bow-sms", BAG[1:])
    figures = repeat(recipe, tmp_path, seeds=2,
                     after_each=lambda folder, figures: seen.append((folder.name, figures["accuracy"])))
    accuracies = [run["accuracy"] for run in figures["models"]]
    assert seen == [("seed-1", accuracies[0]), ("seed-2", accuracies[1])]
    assert figures["accuracy"] == scores.spread(accuracies) == json.loads((tmp_path
                                                                           / "seeds.json").read_text())["accuracy"]
    assert recipe.train.seed == load_recipe("bow-sms").train.seed               # the recipe itself stays as it was

    compared = compare([tmp_path / "seed-1", tmp_path / "seed-2"])
    assert [row["accuracy"] for row in compared["models"]] == accuracies and compared["accuracy"] == figures["accuracy"]
    assert "against_first" not in compared["models"][0] and "against_first" in compared["models"][1]
    assert compared["baseline"]["model"] == "bag of words"


@pytest.mark.parametrize("name, options, message", (
    ("bow-sms", {}, "neither seeds nor folds"), ("bow-sms", {"seeds": 2, "folds": 3}, "got seeds and folds"),
    ("bow-sms", {"seeds": 0}, "seeds is 0, expected an integer of at least 1"),
    ("bow-sms", {"folds": 1}, "folds is 1, expected an integer of at least 2"),
    ("bow-sms", {"seeds": "2"}, "seeds is '2', expected an integer"),
    ("pydocs-char", {"folds": 3}, "pydocs-char is no classifier"), ("kn-pydocs", {"seeds": 2}, "trained by counting")))
def test_what_cannot_be_repeated(tmp_path, name, options, message):
    with pytest.raises(RecipeError, match=message):
        repeat(load_recipe(name), tmp_path, **options)


def test_names_and_paths_in_place_of_recipes_and_lists(tmp_path):
    for function in (repeat, train_recipe):
        with pytest.raises(TypeError, match=r"recipe is 'bow-sms', expected a Recipe, such as load_recipe\("):
            function("bow-sms", tmp_path / "run")
    with pytest.raises(TypeError, match="compare: folders is 'run', expected a list of folders"):
        compare("run")
    with pytest.raises(ValueError, match="compare: folders is empty"):
        compare([])
    assert not (tmp_path / "run").exists()


def test_only_classifiers_can_be_compared(tmp_path, train):
    train(tmp_path / "run")
    with pytest.raises(ValueError, match="run: a model of the task 'language'; only classifiers can be compared"):
        compare([tmp_path / "run", tmp_path / "run"])
