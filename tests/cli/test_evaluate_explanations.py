"""tinyformer evaluate --explanations, on a classifier that is trained here on sentences with telling words."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from tinyformer.train.explanation_scores import attention_of, attributions, evaluate_explanations

MODELS = {
    "attention-lstm": ("attention-lstm-movie", "model.n_embd=8", "model.n_hidden=8", "train.lr=0.02"),
    "encoder": ("btransformer-movie", "model.n_embd=8", "model.n_inner=8", "model.n_head=2", "model.n_layer=1",
                "train.lr=0.02"),
}


@pytest.fixture
def texts(cli):
    """A file of texts whose class is one telling word, in the folder of ``cli``."""
    rng = np.random.default_rng(0)
    with open("texts.csv", "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        for i in range(300):
            words = list(rng.choice("the film was on at a in seen by us".split(), 6))
            words[rng.integers(6)] = ("wonderful", "dreadful")[i % 2]
            rows.writerow([" ".join(words) + f" {i}", ("good", "bad")[i % 2]])
    return "texts.csv"


@pytest.fixture
def trained_on(cli, texts):
    def train(name):
        recipe, *sizes = MODELS[name]
        result = cli("train", recipe, "--out", name, "--set", f"data.set={texts}", "data.min_count=3",
                     "train.max_steps=30", "train.batch_size=32", "train.warmup_steps=0", "train.eval_every=15",
                     "model.dropout=0", *(["model.word_dropout=0"] * (name == "attention-lstm")), *sizes)
        assert result.code == 0, result
        return name
    return train


@pytest.mark.parametrize("name", MODELS)
def test_the_telling_word_is_found(cli, trained_on, name):
    folder = trained_on(name)
    found = evaluate_explanations(folder, n_texts=20)
    assert found["texts"] == 20 and set(found["methods"]) == {
        "integrated-gradients", "input-x-gradient", "saliency", "occlusion", "attention", "random"}
    area = {side: {method: part[side]["mean"] for method, part in found["methods"].items()}
            for side in ("deletion", "insertion")}
    for method in ("integrated-gradients", "occlusion"):
        assert area["deletion"][method] < area["deletion"]["random"]
        assert area["insertion"][method] > area["insertion"]["random"]
    for both in found["curves"].values():
        assert len(both["deletion"]) == len(both["insertion"]) == 11
        np.testing.assert_allclose(both["deletion"][0], both["insertion"][-1])
        np.testing.assert_allclose(both["deletion"][-1], both["insertion"][0])
    assert set(found["sanity"]) == set(found["methods"]) - {"random"}
    assert abs(found["sanity"]["integrated-gradients"]) < 0.6
    again = evaluate_explanations(folder, n_texts=20)
    assert again == found


@pytest.mark.slow
def test_what_is_printed(cli, refused, trained_on):
    folder = trained_on("encoder")
    result = cli("evaluate", folder, "--explanations")
    assert result.code == 0 and result.errors == []
    assert any(line.startswith("integrated-gradients ") and line.count("±") == 2 for line in result.lines)
    assert json.loads(cli("evaluate", folder, "--explanations", "--json").out)["texts"] > 10
    two = cli("evaluate", folder, folder, "--explanations")
    assert "the means of 2 models" in two.out and two.out.count("integrated-gradients") == 3
    refused(1, "--explanations draws no picture", "evaluate", folder, "--explanations", "--plot")


def test_a_model_without_order_is_refused(cli, refused, texts):
    assert cli("train", "bow-movie", "--out", "bow", "--set", f"data.set={texts}", "train.max_steps=5").code == 0
    refused(1, "a BagOfWords has no explanations to measure", "evaluate", "bow", "--explanations")


def test_pixels_are_found(cli, monkeypatch):
    """A classifier of strokes: the stroke counts, and the gray around it does not."""
    from tinyformer.data import Dataset, Examples
    from tinyformer.train.tasks import pictures

    def draw(n, rng):
        x, y = 0.2 * rng.random((n, 8, 8)).astype(np.float32), rng.integers(0, 4, n)
        x[np.arange(n), 2 * y] += 0.8
        return Examples(x.reshape(n, 64), y)

    rng = np.random.default_rng(0)
    dataset = Dataset("mnist-5k", draw(400, rng), draw(50, rng), draw(60, rng), tuple("0123"))
    monkeypatch.setattr(pictures, "load", lambda name: dataset)
    assert cli("train", "mlp-mnist", "--out", "mlp", "--set", "model.n_hidden=16", "train.max_steps=100",
               "train.eval_every=50", "data.shift=0").code == 0
    found = json.loads(cli("evaluate", "mlp", "--explanations", "--json").out)
    assert found["pictures"] == 60 and set(found["methods"]) == {
        "integrated-gradients", "input-x-gradient", "saliency", "occlusion", "random"}
    for method in ("integrated-gradients", "occlusion"):
        one, random = found["methods"][method], found["methods"]["random"]
        assert one["deletion"]["mean"] < random["deletion"]["mean"] - 0.05
        assert one["insertion"]["mean"] > random["insertion"]["mean"] + 0.05
    assert abs(found["sanity"]["integrated-gradients"]) < 0.6
    text = cli("evaluate", "mlp", "--explanations")
    assert text.code == 0 and "mlp, 60 pictures of the test split" in text.lines[0]


def test_padding_changes_nothing(cli, trained_on):
    """Attributions and attention of a text are the same alone and in a padded batch."""
    from tinyformer.train import open_run
    for name in MODELS:
        model = open_run(trained_on(name)).model
        short, long = np.array([[3, 4, 2]]), np.array([[2, 5, 6, 3, 4]])
        both = np.array([[3, 4, 2, 0, 0], [2, 5, 6, 3, 4]])
        target = np.array([0, 1])
        together = attributions(model, both, both != 0, target)
        for n, ids in enumerate((short, long)):
            for method, alone in attributions(model, ids, ids != 0, target[n:n + 1]).items():
                np.testing.assert_allclose(together[method][n, :ids.size], alone[0], atol=1e-4)
            np.testing.assert_allclose(attention_of(model, both)[n, :ids.size], attention_of(model, ids)[0], atol=1e-5)
