"""Digits with 1, 5 and 20 labels of each class: from scratch, or from an encoder that was trained without labels.

    tinyformer train simclr-mnist
    python benchmarks/few_labels.py [--encoder runs/simclr-mnist] [--draws 5]

Each row is the mean test accuracy over draws of which examples have labels, with its 95 % interval (Student's t). The
encoder saw the pictures of the training split, not their labels. Settings are the recipe's; none was chosen on the test
split. "nearest mean" is a prototype network without training, on the unit vectors that SimCLR's loss compares.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
from pathlib import Path

import numpy as np
from measure import interval

from tinyformer.data import load
from tinyformer.models import load_model
from tinyformer.train import evaluate, load_recipe, train
from tinyformer.train.tasks.labeled import few
from tinyformer.train.tasks.views import probe


def trained(labels: int, draw: int, encoder: str = "", *settings: str) -> float:
    """The test accuracy of a prototype network."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        recipe = load_recipe("prototypes-mnist", [f"data.labels={labels}", f"data.draw={draw}", f"train.seed={draw}",
                                                  f"data.encoder={encoder}", *settings])
        train(recipe, Path(folder) / "run")
        return evaluate(Path(folder) / "run", save=False)["accuracy"]


def nearest_mean(x: np.ndarray, y: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The class whose mean is nearest to each row of ``asked``."""
    means = np.stack([x[y == k].mean(axis=0) for k in range(10)])
    return ((asked[:, None] - means) ** 2).sum(axis=-1).argmin(axis=1)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--encoder", default="runs/simclr-mnist")
    parser.add_argument("--draws", type=int, default=5)
    options = parser.parse_args()
    data, model = load("mnist-5k"), load_model(options.encoder)

    def features(x: np.ndarray) -> np.ndarray:
        return model(x).data

    def vectors(x: np.ndarray) -> np.ndarray:
        return model.vectors(x).data

    test = features(data.test.x)
    print(f"{'':<34}{'1 a class':>16}{'5 a class':>16}{'20 a class':>16}")
    found: dict[str, list[list[float]]] = {}
    for labels in (10, 50, 200):
        for draw in range(1, options.draws + 1):
            x, y = few(data.train, labels, 10, np.random.default_rng(draw))
            accuracies = {
                "pixels, nearest mean": (nearest_mean(x, y, data.test.x) == data.test.y).mean(),
                "pixels, logistic regression": (probe(x, y, data.test.x) == data.test.y).mean(),
                "from scratch": trained(labels, draw),
                "encoder, nearest mean": (nearest_mean(vectors(x), y, vectors(data.test.x)) == data.test.y).mean(),
                "encoder, linear probe": (probe(features(x), y, test) == data.test.y).mean(),
                "encoder, fine-tuned": trained(labels, draw, options.encoder, "train.lr=3e-4")}
            for name, accuracy in accuracies.items():
                found.setdefault(name, [[], [], []])[(10, 50, 200).index(labels)].append(float(accuracy))
    for name, columns in found.items():
        print(f"{name:<34}" + "".join(f"{interval(column):>16}" for column in columns))


if __name__ == "__main__":
    main()
