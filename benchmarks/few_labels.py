"""Digits with 1, 5 and 20 labels of each class: from scratch, or from encoders that were trained without labels.

    tinyformer train simclr-mnist
    tinyformer train vae-mnist --out runs/vae-encoder --set model.encoder=convolutional --set model.n_hidden=256 \
        --set model.n_latent=64
    python benchmarks/few_labels.py [--contrastive runs/simclr-mnist] [--vae runs/vae-encoder] [--draws 5]

Each row is the mean test accuracy over draws of which examples have labels, with its 95 % interval (Student's t). The
encoders saw the pictures of the training split, not their labels; they have the same layers and outputs as the network
from scratch. Settings are the recipe's; none was chosen on the test split. "nearest mean" is a prototype network
without training: on the unit vectors that SimCLR's loss compares, and on the VAE's posterior means.
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
    parser.add_argument("--contrastive", default="runs/simclr-mnist")
    parser.add_argument("--vae", default="runs/vae-encoder")
    parser.add_argument("--draws", type=int, default=5)
    options = parser.parse_args()
    data = load("mnist-5k")
    contrastive, vae = load_model(options.contrastive), load_model(options.vae)
    # name: (folder, vectors for the nearest mean, features for the linear probe)
    encoders = {
        "contrastive": (options.contrastive, lambda x: contrastive.vectors(x).data, lambda x: contrastive(x).data),
        "VAE": (options.vae, *[lambda x: vae.encode(x)[0].data] * 2)}
    seen = {name: [part(data.test.x) for part in parts] for name, (_, *parts) in encoders.items()}
    found: dict[str, list[list[float]]] = {}

    def note(name: str, accuracy: float) -> None:
        found.setdefault(name, [[], [], []])[column].append(float(accuracy))

    for column, labels in enumerate((10, 50, 200)):
        for draw in range(1, options.draws + 1):
            x, y = few(data.train, labels, 10, np.random.default_rng(draw))
            note("pixels, nearest mean", (nearest_mean(x, y, data.test.x) == data.test.y).mean())
            note("pixels, logistic regression", (probe(x, y, data.test.x) == data.test.y).mean())
            note("from scratch", trained(labels, draw))
            for name, (folder, vectors, features) in encoders.items():
                nearest = nearest_mean(vectors(x), y, seen[name][0])
                note(f"{name}, nearest mean", (nearest == data.test.y).mean())
                note(f"{name}, linear probe", (probe(features(x), y, seen[name][1]) == data.test.y).mean())
                note(f"{name}, fine-tuned", trained(labels, draw, folder, "train.lr=3e-4"))
    print(f"{'':<34}{'1 a class':>16}{'5 a class':>16}{'20 a class':>16}")
    for name, columns in found.items():
        print(f"{name:<34}" + "".join(f"{interval(column):>16}" for column in columns))


if __name__ == "__main__":
    main()
