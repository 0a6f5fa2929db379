"""Ways to reduce a difference between groups, and their price in accuracy, on film snippets.

    python benchmarks/fairness.py [--split test] [--seeds 3]
    python benchmarks/fairness.py [--split test] --runs runs/average1 runs/average2 runs/average3

A bag of words (the recipe bow-movie) is trained as it is, on swapped copies of the texts with gender words, with
reweighing, and with thresholds for each group. Its loss has one minimum, so a seed draws 90 % of the training texts.
The groups are texts whose first gender word is male, female, or absent. By default the figures are for the validation
split, on which choices are made; the figures of chapter 22 are for the test split, measured once. --runs
takes models that are trained already, one for each seed, and compares their answers with the mean over each text and
its swapped copy.
"""

from __future__ import annotations

import argparse
import math

import numpy as np

from tinyformer import ops
from tinyformer.data import load, padded
from tinyformer.data.sparse import SparseRows
from tinyformer.fairness import (GENDER_WORDS, Swaps, apply_thresholds, counterfactual, demographic_parity_difference,
                                 equalized_odds_difference, group_thresholds, reweighing, swap_augmented, swap_averaged)
from tinyformer.fairness.intervals import t_quantile
from tinyformer.models.bag_of_words import BagOfWords, BagOfWordsConfig
from tinyformer.optim import AdamW, CosineSchedule
from tinyformer.text import NGramTokenizer
from tinyformer.train import open_run, training_steps

SWAPS = Swaps(GENDER_WORDS)
STEPS, LR, L2 = 100, 0.3, 4e-5                              # of the recipe bow-movie
FIGURES = ("accuracy", "accuracy, gender words", "flips", "mean gap", "parity difference", "odds difference")


def fitted(texts, labels, weights=None):
    """A function from texts to P(positive): a bag of words trained on ``texts``, each with its weight."""
    tokenizer = NGramTokenizer.train(texts, "words", 2, 2)
    model = BagOfWords(BagOfWordsConfig(tokenizer.vocab_size, 2))
    rows = SparseRows.of(map(tokenizer.tf_idf, texts))
    weights = (np.ones(len(labels)) if weights is None else weights).astype(np.float32)
    optimizer = AdamW(model.parameters(), lr=LR, betas=(0.9, 0.99), weight_decay=0)
    schedule = CosineSchedule(optimizer, 0, STEPS, LR, 0)

    def loss(rows, labels):
        each = ops.cross_entropy(model(rows), labels, reduction="none") * weights
        return each.mean() + (model.weight * model.weight).sum() * (L2 / 2)

    for _ in training_steps(model, optimizer, schedule, lambda: (rows, labels), loss=loss, max_steps=STEPS, clip=1.0):
        pass
    return lambda texts: model.probabilities(SparseRows.of(map(tokenizer.tf_idf, texts)))[:, 1]


def sides(texts):
    """The group of each text, (N,): "first" (male), "second" (female) or "none"."""
    return np.array([SWAPS.first_side(text) or "none" for text in texts])


def measured(predict, examples, decide=None):
    """FIGURES of ``examples``; ``decide`` maps probabilities and groups to labels, by default p > 0.5.

    Thresholds for groups belong to the groups of the swapped texts too.
    """
    decide = decide or (lambda p, groups: (p > 0.5).astype(int))
    texts, y = examples
    groups, p = sides(texts), predict(texts)
    labels = decide(p, groups)
    has = groups != "none"
    report = counterfactual(predict, texts, SWAPS)
    swapped = [SWAPS(texts[i]) for i in np.flatnonzero(has)]
    flips = (labels[has] != decide(predict(swapped), sides(swapped))).mean()
    gender = {"sensitive_features": groups[has]}
    return ((labels == y).mean(), (labels[has] == y[has]).mean(), flips, report.mean,
            demographic_parity_difference(y[has], labels[has], **gender),
            equalized_odds_difference(y[has], labels[has], **gender))


def run(dataset, split, seed):
    """{name of the method: FIGURES} for one seed."""
    rng = np.random.default_rng(seed)
    texts, labels = dataset.train
    chosen = np.sort(rng.permutation(len(texts))[:round(0.9 * len(texts))])
    texts, labels = [texts[i] for i in chosen], labels[chosen]
    examples, held = getattr(dataset, split), dataset.validation
    plain = fitted(texts, labels)
    found = {"as it is": measured(plain, examples)}
    found["swap augmentation"] = measured(fitted(*swap_augmented(texts, labels, SWAPS)), examples)
    found["mean over the swap"] = measured(swap_averaged(plain, SWAPS), examples)
    weights = reweighing(labels, sensitive_features=sides(texts))
    found["reweighing"] = measured(fitted(texts, labels, weights), examples)
    for rate in ("selection_rate", "true_positive_rate"):
        limits = group_thresholds(held.y, plain(held.x), sensitive_features=sides(held.x), rate=rate)
        found[f"thresholds, {rate}"] = measured(
            plain, examples, lambda p, groups, limits=limits: apply_thresholds(p, limits, sensitive_features=groups))
    return found


def trained(dataset, split, folder):
    """{name of the method: FIGURES} of the model in ``folder``, which reads ids."""
    saved = open_run(folder)

    def predict(texts):
        return saved.model.probabilities(padded([saved.tokenizer.encode(text) for text in texts]))[:, 1]

    examples = getattr(dataset, split)
    return {"as it is": measured(predict, examples),
            "mean over the swap": measured(swap_averaged(predict, SWAPS), examples)}


def main():
    """Print a row for each method: the mean over the seeds, and the difference from "as it is" with its interval."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--split", choices=("validation", "test"), default="validation")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--runs", nargs="+", metavar="DIR", default=[])
    arguments = parser.parse_args()
    dataset = load("movie-snippets")
    runs = ([trained(dataset, arguments.split, folder) for folder in arguments.runs] or
            [run(dataset, arguments.split, seed) for seed in range(1, arguments.seeds + 1)])
    n = int((sides(getattr(dataset, arguments.split).x) != "none").sum())
    print(f"{arguments.split} split, {n} texts with a gender word, {len(runs)} seeds")
    print(f"{'':28}" + "".join(f"{name:>24}" for name in FIGURES))
    for method in runs[0]:
        values = np.array([found[method] for found in runs])
        print(f"{method:28}" + "".join(f"{mean:>24.4f}" for mean in values.mean(axis=0)))
        if method != "as it is" and len(runs) > 1:
            change = values - np.array([found["as it is"] for found in runs])
            half = t_quantile(0.95, len(runs) - 1) * change.std(axis=0, ddof=1) / math.sqrt(len(runs))
            cells = [f"{mean:+.4f} ± {error:.4f}" for mean, error in zip(change.mean(axis=0), half)]
            print(f"{'  change':28}" + "".join(f"{cell:>24}" for cell in cells))


if __name__ == "__main__":
    main()
