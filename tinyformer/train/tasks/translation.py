"""Sequence to sequence: from a text to its answer."""

from __future__ import annotations

import hashlib
import math
import re
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ...autograd import no_grad
from ...data import Dataset, Examples, alike, by_content, draw_alike, load, padded, synthetic
from ...files import read_text
from ...nn import evaluating
from ...text import load_tokenizer
from ...text.pairs import PAD, UNITS, UNKNOWN, PairTokenizer
from .. import scores
from ..loop import not_finite
from .base import Task

RULES = {"copy": synthetic.copy, "reverse": synthetic.reverse, "sort": synthetic.sort, "add": synthetic.add}
PAIRED = "opencc-phrases", "cmudict"            # data sets whose answers are texts


@dataclass
class PairSettings:
    """What is learned from, and how it is read."""

    set: str = "reverse"                # copy, reverse, sort or add, made up by rule; opencc-phrases or cmudict; or the path
                                        # of a file with a source, a tab and a target in each line
    source: str = "characters"          # one symbol of a source: "characters" or "words"
    target: str = "characters"          # the same for a target
    examples: int = 20000               # how many are made up …
    length: int = 10                    # … and of how many symbols; digits of each number for add
    unknown: float = 0.0                # share of the training texts of which one symbol, common to both sides, is made
                                        # unknown, so that the model learns to copy what it does not know
    stress: bool = True                 # cmudict: whether vowels keep the digit that says how they are stressed
    beams: int = 1                      # with which answers are searched for in the evaluation; 1: greedy

    def check(self):
        """ValueError for a setting that cannot be used."""
        for name in ("source", "target"):
            if getattr(self, name) not in UNITS:
                raise ValueError(f"data.{name}: got {getattr(self, name)!r}, expected {' or '.join(map(repr, UNITS))}")
        for name in ("examples", "length", "beams"):
            if getattr(self, name) < 1:
                raise ValueError(f"data.{name}: got {getattr(self, name)}, expected at least 1")
        if not self.stress and self.set != "cmudict":
            raise ValueError(f"data.stress: got false, but {self.set} has no stress; expected true")
        if not 0 <= self.unknown <= 1:
            raise ValueError(f"data.unknown: got {self.unknown}, expected a share, 0 … 1")


class Translation(Task):
    """Texts and their answers, split, and the vocabulary of the training part: a new one, unless one stands in ``folder``."""

    name, unit, headline = "translation", "nats per symbol", "exact_match"
    Data, Sizes = PairSettings, ("vocab_size",)

    def __init__(self, data, folder=None):
        self.data, dataset = data, load_pairs(data)
        self.train, self.validation, self.test = dataset.train, dataset.validation, dataset.test
        for part in ("train", "validation", "test"):
            if not getattr(self, part).x:
                raise ValueError(f"{data.set}: its {part} part has no texts; expected more (it is split by their content)")
        self.tokenizer = load_tokenizer(folder / "tokenizer.json") if folder else PairTokenizer.train(
            *self.train, data.source, data.target)
        self._encoded = {}

    def sizes(self):
        return {"vocab_size": self.tokenizer.vocab_size}

    def check(self, config):
        """An error unless the longest text fits into the model."""
        for part in ("train", "validation", "test"):
            longest = max(max(len(x), len(y) - 1) for x, y in zip(*self.encoded(part)))
            if longest > config.block_size:
                raise ValueError(f"{self.data.set}: a text of its {part} part has {longest} symbols, expected at most "
                                 f"model.block_size = {config.block_size}")

    def encoded(self, part):
        """Sources and targets of a part as lists of ids, encoded once."""
        if part not in self._encoded:
            x, y = getattr(self, part)
            self._encoded[part] = list(map(self.tokenizer.encode, x)), list(map(self.tokenizer.encode_target, y))
        return self._encoded[part]

    def batch(self, model, size, rng):
        """Texts that are about as long as each other."""
        x, y = self.encoded("train")
        rows = [(x[i], y[i]) for i in draw_alike(size, rng, x, y)]
        for i in np.flatnonzero(rng.random(size) < self.data.unknown):
            rows[i] = one_unknown(*rows[i], rng)
        return padded([x for x, _ in rows], PAD), padded([y for _, y in rows], PAD)

    def measure(self, model, at_most=None):
        x, y = self.encoded("validation")
        places = np.linspace(0, len(x) - 1, min(at_most or len(x), len(x))).astype(int)
        sources, listed = [self.validation.x[i] for i in places], self.listed("validation")
        right = [found in listed[source] for source, found in zip(sources, self.answers(model, sources))]
        return {"val_loss": self._loss(model, [x[i] for i in places], [y[i] for i in places]),
                "val_exact_match": float(np.mean(right))}

    def _loss(self, model, x, y):
        """Mean cross-entropy of the targets, each with its end."""
        total = count = 0
        with evaluating(model):
            for chosen in alike(x, 128):
                source, target = padded([x[i] for i in chosen], PAD), padded([y[i] for i in chosen], PAD)
                n = int((target[:, 1:] != PAD).sum())
                with no_grad():
                    loss = model.loss(source, target).item()
                if not math.isfinite(loss):
                    raise not_finite(model, model.loss(source, target))
                total, count = total + loss * n, count + n
        return total / count

    def answers(self, model, texts, beams=1):
        """What ``model`` writes for each of the texts."""
        x, found = list(map(self.tokenizer.encode, texts)), [None] * len(texts)
        for chosen in alike(x, 128):
            for i, ids in zip(chosen, model.translate(padded([x[i] for i in chosen], PAD), beams)):
                found[i] = self.tokenizer.decode(ids, texts[i])
        return found

    def listed(self, part):
        """{source: [its answers]} of a part: any of several is right."""
        answers = {}
        for x, y in zip(*getattr(self, part)):
            answers.setdefault(x, []).append(y)
        return answers

    def evaluate(self, model):
        """On the test split, each source asked once."""
        began, answers = time.perf_counter(), self.listed("test")
        found = self.answers(model, list(answers), self.data.beams)
        seconds = time.perf_counter() - began
        figures = {"set": self.data.set, "split": "test", "texts": len(answers), "beams": self.data.beams}
        figures.update(judged(found, answers, self.data.target))
        figures.update((f"baseline_{name}", value) for name, value in judged(
            list(map(self.baseline, answers)), answers, self.data.target).items())
        loss = self._loss(model, *self.encoded("test"))
        return {**figures, "test_loss": loss, "perplexity": math.exp(loss), **self.footprint(model),
                "texts_per_s": round(len(answers) / max(seconds, 1e-9))}

    @cached_property
    def _partners(self):
        """Each source symbol's commonest partner in the training texts that are as long as their answers."""
        counts = defaultdict(Counter)
        for x, y in zip(*self.train):
            x, y = UNITS[self.data.source][0](x), UNITS[self.data.target][0](y)
            if len(x) == len(y):
                for one, other in zip(x, y):
                    counts[one][other] += 1
        return {one: others.most_common(1)[0][0] for one, others in counts.items()}

    def baseline(self, text):
        """The answer without looking around: each symbol replaced by its commonest partner, an unknown one left as it is."""
        return UNITS[self.data.target][1].join(self._partners.get(one, one) for one in UNITS[self.data.source][0](text))

    def baselines(self):
        seen, targets = (np.concatenate([y[1:] for y in self.encoded(part)[1]]) for part in ("train", "validation"))
        counts = np.bincount(seen, minlength=self.tokenizer.vocab_size) + 1
        return {"uniform": math.log(len(counts)), "unigram": float(-np.log(counts[targets] / counts.sum()).mean())}

    def describe(self):
        return (f"{self.data.set}: {len(self.train.x):,} texts to train on, {len(self.validation.x):,} to validate, "
                f"{len(self.test.x):,} to test, vocabulary {self.tokenizer.vocab_size:,}")

    def save(self, folder):
        self.tokenizer.save(folder / "tokenizer.json")

    def sha256(self):
        parts = [text for part in (self.train, self.validation) for side in part for text in side]
        return hashlib.sha256("\0".join(parts + self.tokenizer.symbols).encode()).hexdigest()


def judged(found, answers, unit):
    """{"exact_match", "standard_error", "error_rate"} of the texts ``found``; right ``answers`` are {source: [target, …]}.

    The error rate is that of speech recognition: the changes that turn what was found into the nearest answer, for each
    symbol of that answer.
    """
    cut, right, changes, length = UNITS[unit][0], 0, 0, 0
    for one, targets in zip(found, answers.values()):
        right += one in targets
        distance, n = min((edit_distance(cut(one), cut(target)), len(cut(target))) for target in targets)
        changes, length = changes + distance, length + n
    exact = right / len(found)
    return {"exact_match": exact, "standard_error": scores.standard_error(exact, len(found)),
            "error_rate": changes / max(length, 1)}


def edit_distance(a, b):
    """How many symbols must be put in, left out or exchanged to make the list ``b`` of ``a``.   Source: Levenshtein (1966)."""
    row = list(range(len(b) + 1))                           # the distance of a[:i] to each b[:j]
    for i, one in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (one != other))
    return row[-1]


def one_unknown(x, y, rng):
    """Both sides with one of the symbols that they share, chosen by ``rng``, made UNKNOWN wherever it stands."""
    shared = np.intersect1d(x, y)
    shared = shared[shared > UNKNOWN]
    if not shared.size:
        return x, y
    symbol = rng.choice(shared)
    return np.where(x == symbol, UNKNOWN, x), np.where(y == symbol, UNKNOWN, y)


def without_digits(dataset):
    """The data set without the digits in its answers; pairs that have become the same stand there once."""
    parts = (dict.fromkeys((x, re.sub(r"\d", "", y)) for x, y in zip(*part))
             for part in (dataset.train, dataset.validation, dataset.test))
    return Dataset(dataset.name, *(Examples(*map(list, zip(*pairs))) for pairs in parts))


def load_pairs(data):
    """The data set that ``data.set`` names, makes up, or that stands in the file of that path."""
    if data.set in RULES:
        x, y = RULES[data.set](data.examples, 0, data.length)
        symbols = "0123456789+"
        texts = dict(zip(*(["".join(symbols[i] for i in row) for row in side] for side in (x, y))))     # none twice
        return by_content(data.set, texts, texts.values())
    if data.set in PAIRED:
        return load(data.set) if data.stress else without_digits(load(data.set))
    path = Path(data.set)
    if not path.exists():
        raise ValueError(f"data.set: {data.set!r} is neither a file nor one of {', '.join((*RULES, *PAIRED))}")
    rows = [line.split("\t") for line in read_text(path).splitlines() if line]
    for n, row in enumerate(rows, 1):
        if len(row) != 2 or not all(row):
            raise ValueError(f"{path}: text {n} is {' '.join(row)!r}, expected a source, a tab and a target")
    return by_content(path.stem, *zip(*rows)) if rows else by_content(path.stem, [], [])
