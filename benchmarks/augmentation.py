"""What augmentation is worth with 50, 200 and all labels: one change at a time, three seeds, 95 % intervals.

    python benchmarks/augmentation.py pictures      an MLP with two hidden layers on digits
    python benchmarks/augmentation.py texts         mean and maximum of word vectors, on film snippets
    python benchmarks/augmentation.py order         an LSTM, which reads the order of the words, on film snippets
    python benchmarks/augmentation.py labels        changes that do not keep the label: half a turn, a deleted "not"

Each seed draws other labeled examples. The first figure of a cell is the validation accuracy: choose by it. The second
is the test accuracy: report it.
"""

from __future__ import annotations

import re
import sys

import numpy as np
from measure import interval

import tinyformer as tfm
from tinyformer.data import load, padded
from tinyformer.data.augmentation import drawn_words, moved, swapped_words, word_shares
from tinyformer.models import MLP, Average, AverageConfig, LSTMClassifier, LSTMConfig, MLPConfig
from tinyformer.nn import evaluating
from tinyformer.optim import AdamW, CosineSchedule
from tinyformer.train.bag_of_words_baseline import bag_of_words
from tinyformer.train.tasks.classification import Classification, TextSettings
from tinyformer.train.tasks.pictures import Pictures, PictureSettings

PICTURES = {"none": {}, "shift by 2 pixels": {"shift": 2}, "turn by 15°": {"rotate": 15.0},
            "scale by 15 %": {"scale": 0.15}, "cut-out of 8 pixels": {"cut_out": 8},
            "mix-up, α = 0.4": {"mix_up": 0.4}, "turn by 180°": {"rotate": 180.0}}
TEXTS = {"none": ({}, {}), "word dropout 0.2": ({}, {"word_dropout": 0.2}), "back-off 0.2": ({"back_off": 0.2}, {})}
ORDER = {**TEXTS, "swaps 0.2": ({"swap": 0.2}, {})}
SEEDS = (1, 2, 3)


def fit(model, task, seed, steps, size, lr):
    """Train ``model`` on batches of ``task``; return its (validation, test) accuracy."""
    optimizer = AdamW(model.parameters(), lr=lr, weight_decay=0.01)
    schedule, rng = CosineSchedule(optimizer, 20, steps, lr, lr / 50), np.random.default_rng(seed)
    model.train()
    for _ in range(steps):
        model.loss(*task.batch(model, size, rng)).backward()
        tfm.optim.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    return tuple((task.probabilities(model, part).argmax(axis=1) == getattr(task, part).y).mean()
                 for part in ("validation", "test"))


def pictures(labels, seed, settings):
    tfm.seed(seed)
    return fit(MLP(MLPConfig(784, 10)), Pictures(PictureSettings(labels=labels, draw=seed, **settings)), seed, 300, 64,
               1e-3)


def snippets(labels, seed, data):
    tfm.seed(seed)
    return Classification(TextSettings(labels=labels, draw=seed, min_count=1 if labels else 2, **data))


def texts(labels, seed, settings):
    data, model = settings
    task = snippets(labels, seed, data)
    config = AverageConfig(task.tokenizer.vocab_size, 2, block_size=64, n_embd=64, dropout=0.5, init_std=0.02, **model)
    return fit(Average(config), task, seed, 300, 128, 5e-3)


def reader(task, **settings):
    """A model that reads the order of the words."""
    return LSTMClassifier(LSTMConfig(task.tokenizer.vocab_size, 2, block_size=64, n_embd=64, n_hidden=64, dropout=0.5,
                                     **settings))


def order(labels, seed, settings):
    data, model = settings
    task = snippets(labels, seed, data)
    return fit(reader(task, **model), task, seed, 300, 128, 5e-3)


def kept():
    """What the changes do to the answers of readers that were trained on all labels without them."""
    found = {}
    for seed in SEEDS:
        task, rng = snippets(0, seed, {}), np.random.default_rng(seed)
        model = reader(task)
        fit(model, task, seed, 300, 128, 5e-3)
        encoded, labels = task.encoded(model, "test"), task.test.y
        shares = word_shares(task.encoded(model, "train"), task.tokenizer.vocab_size, 2)
        changes = {"as they are": lambda ids: ids,
                   "word dropout 0.2": lambda ids: np.where(rng.random(len(ids)) < 0.2, 1, ids),        # 1 is <unk>
                   "back-off 0.2": lambda ids: drawn_words(ids, 0.2, shares, rng),
                   "swaps 0.2": lambda ids: swapped_words(ids, 0.2, rng),
                   "all words in random order": rng.permutation}
        plain = answers(model, encoded)
        for name, change in changes.items():
            answered = answers(model, [change(ids) for ids in encoded])
            found.setdefault(name, []).append(((answered == labels).mean(), (answered != plain).mean()))
    print(f"\n{'changed test texts':<28}{'right':>14}{'answered differently':>24}")
    for name, pairs in found.items():
        right, other = map(interval, zip(*pairs))
        print(f"{name:<28}{right:>14}{other:>24}")


def answers(model, encoded):
    with evaluating(model):                                 # without dropout
        return np.concatenate([model.probabilities(padded(encoded[i:i + 256]))
                               for i in range(0, len(encoded), 256)]).argmax(axis=1)


def table(variants, run):
    print(f"{'':<22}" + "".join(f"{title:>28}" for title in ("50 labels", "200 labels", "all labels")))
    for name, settings in variants.items():
        cells = []
        for labels in (50, 200, 0):
            validation, test = zip(*(run(labels, seed, settings) for seed in SEEDS))
            cells.append(f"{interval(validation)} | {interval(test)}")
        print(f"{name:<22}" + "".join(f"{cell:>28}" for cell in cells), flush=True)


def labels():
    """Changes that a person sees as another label."""
    data, task = load("mnist-5k"), Pictures(PictureSettings(shift=1))
    model = MLP(MLPConfig(784, 10))
    print(f"digits: test accuracy {fit(model, task, 1, 1500, 64, 1e-3)[1]:.1%}")
    for digit, other in ((6, 9), (9, 6), (8, 8), (0, 0)):
        turned = model.predict(moved(data.test.x[data.test.y == digit], angle=180))
        print(f"    a {digit}, turned by 180°, is a {other} for it: {(turned == other).mean():.0%}")
    snippets = load("movie-snippets")
    negation = re.compile(r"\bnot\b |\bnever\b |n't\b")
    has = [(text, label) for text, label in zip(*snippets.test) if negation.search(text)]
    rng = np.random.default_rng(0)

    def without_one(text):
        words = text.split()
        return " ".join(np.delete(words, rng.integers(len(words)))) if len(words) > 1 else text

    found = [text for text, _ in has]
    versions = {"as they are": found, "without their negation": [negation.sub("", text) for text in found],
                "without one random word": list(map(without_one, found))}
    answers = {name: bag_of_words(snippets.train, found, "words", 2) for name, found in versions.items()}
    print(f"film snippets: {len(has)} test texts with a negation, bag of words")
    for name, found in answers.items():
        right, same = (found == [label for _, label in has]).mean(), (found == answers["as they are"]).mean()
        print(f"    {name:<26}{right:.1%} right, {1 - same:.1%} answered differently")


if __name__ == "__main__":
    run = {"pictures": lambda: table(PICTURES, pictures), "texts": lambda: table(TEXTS, texts),
           "order": lambda: (table(ORDER, order), kept()), "labels": labels}
    run[sys.argv[1]]()
