"""Classifiers of texts: which class a text belongs to."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ...data import SETS, Examples, alike, fetch, load, padded, read_csv, read_imdb
from ...data.sparse import SparseRows
from ...models import BagOfWords, Bert, BertClassifierConfig
from ...nn import evaluating
from ...text import WordPieceTokenizer, load_tokenizer
from ...text.ngrams import UNITS, NGramTokenizer
from .. import scores
from ..baseline import bag_of_words
from ..classes import load_classes, save_classes
from ..loop import why_not_finite
from .base import Task


@dataclass
class TextSettings:
    """Whose texts are learned from, and how they are read."""

    set: str = "movie-snippets"         # a set that `tinyformer data list` shows, a .csv or .tsv file, or IMDb's folder
    text: str = "text"                  # the columns of such a file
    label: str = "label"
    unit: str = "words"                 # "words" or "characters"
    ngrams: int = 1                     # tokens are runs of 1 … that many units
    min_count: int = 2                  # texts that a token stands in, at least
    vocab_size: int = 10000             # tokens at most, the commonest; 0: all
    checkpoint: str = ""                # "minilm", or the folder of a BERT: its tokens are read and its weights trained on
    scratch: bool = False               # from random weights nevertheless
    folds: int = 0                      # k: instead of the set's own split, k parts of what is not its test split, of which …
    fold: int = 1                       # … this one is tested on and the next one validates

    def check(self):
        """ValueError for a setting that cannot be used."""
        if self.unit not in UNITS:
            raise ValueError(f"data.unit: got {self.unit!r}, expected {' or '.join(map(repr, UNITS))}")
        for name, least, most in (("ngrams", 1, 9), ("min_count", 1, math.inf), ("vocab_size", 0, math.inf)):
            if not least <= getattr(self, name) <= most:
                bound = f" and at most {most}" * (most < math.inf)
                raise ValueError(f"data.{name}: got {getattr(self, name)}, expected at least {least}{bound}")
        if self.folds and self.folds < 3:
            raise ValueError(f"data.folds: got {self.folds}, expected at least 3 (or 0 for the set's own split)")
        if self.folds and not 1 <= self.fold <= self.folds:
            raise ValueError(f"data.fold: got {self.fold}, expected 1…{self.folds}")


class Classification(Task):
    """Texts with labels, split, and the tokenizer of the training part: a new one, unless one stands in ``folder``."""

    name, unit = "classification", "nats per text"
    Data, Sizes = TextSettings, ("vocab_size", "n_classes")

    def __init__(self, data, folder=None):
        self.data, dataset = data, load_texts(data, load_classes(folder) if folder else None)
        self.classes = dataset.classes
        self.train, self.validation, self.test = _folded(dataset, data) if data.folds else (
            dataset.train, dataset.validation, dataset.test)
        for part in ("train", "validation", "test"):
            _check_labels(data.set, part, getattr(self, part).y, self.classes)
        if folder:
            self.tokenizer = load_tokenizer(folder / "tokenizer.json")
        elif data.checkpoint:
            self.tokenizer = load_tokenizer(_checkpoint(data.checkpoint))
        else:
            self.tokenizer = NGramTokenizer.train(self.train.x, data.unit, data.ngrams, data.min_count, data.vocab_size or None)
        self._encoded = {}

    def sizes(self):
        return {"vocab_size": self.tokenizer.vocab_size, "n_classes": len(self.classes)}

    def encode(self, model, texts):
        """``texts`` in the form that ``model`` reads, one for each: ids, or (ids, weights)."""
        if model.reads == "counts":
            return SparseRows.of(map(self.tokenizer.tf_idf, texts))
        return [read_ids(self.tokenizer, text, model.config.block_size) for text in texts]

    def encoded(self, model, part):
        """The texts of a part, encoded once."""
        if (part, model.reads) not in self._encoded:
            self._encoded[part, model.reads] = self.encode(model, getattr(self, part).x)
        return self._encoded[part, model.reads]

    def check(self, config):
        """An error unless the model and the checkpoint are both of BERT's kind or neither is."""
        if isinstance(config, BertClassifierConfig) != bool(self.data.checkpoint):
            raise ValueError("data.checkpoint: it is for model.architecture 'bert-classifier', which needs one")

    def prepare(self, model):
        if self.data.checkpoint and not self.data.scratch:
            model.bert.load_state_dict(Bert.from_pretrained(_checkpoint(self.data.checkpoint)).state_dict())
        if hasattr(model, "prepare"):
            model.prepare(self.encoded(model, "train"), self.train.y)

    def batch(self, model, size, rng):
        """Texts that are about as long as each other: of a draw eight times as large, sorted by length, one eighth."""
        texts, labels = self.encoded(model, "train"), self.train.y
        if model.reads == "counts":
            chosen = rng.choice(len(labels), size, replace=False) if size < len(labels) else np.arange(len(labels))
            return texts[chosen], labels[chosen]
        chosen = rng.integers(0, len(labels), 8 * size)
        chosen = chosen[np.argsort([len(texts[i]) for i in chosen], kind="stable")]
        chosen = chosen[rng.integers(0, 8) * size:][:size]
        return padded([texts[i] for i in chosen]), labels[chosen]

    def probabilities(self, model, part):
        """(N, K) for the texts of "train", "validation" or "test", in evaluation mode."""
        texts = self.encoded(model, part)
        with evaluating(model):
            if model.reads == "counts":
                return model.probabilities(texts)
            found = np.empty((len(texts), len(self.classes)))
            for chosen in alike(texts, 128):
                found[chosen] = model.probabilities(padded([texts[j] for j in chosen]))
            return found

    def measure(self, model, at_most=None):
        """Loss and accuracy, on the whole validation part always."""
        p, labels = self.probabilities(model, "validation"), self.validation.y
        loss = float(-np.log(p[np.arange(len(labels)), labels].clip(1e-300)).mean())
        if not math.isfinite(loss):
            batch = self.batch(model, 8, np.random.default_rng(0))
            raise FloatingPointError(f"the validation loss is {loss}: {why_not_finite(model, model.loss(*batch))}")
        return {"val_loss": loss, "val_accuracy": scores.accuracy(labels, p.argmax(axis=1))}

    def cost(self, figures):
        """The share of wrong answers: the loss rises early, with the models' confidence, while they still learn."""
        return 1 - figures["val_accuracy"]

    def evaluate(self, model):
        """All figures of the test part, and the accuracy of a bag of words on it."""
        labels, K = self.test.y, len(self.classes)
        self._encoded.clear()                                                   # reading the texts is part of the work
        began = time.perf_counter()
        p = self.probabilities(model, "test")
        seconds = time.perf_counter() - began
        predicted, n = p.argmax(axis=1), len(labels)
        right = predicted == labels
        figures = {"set": self.data.set, "split": f"fold {self.data.fold} of {self.data.folds}" if self.data.folds else "test",
                   "texts": n, "accuracy": scores.accuracy(labels, predicted)}
        figures["standard_error"] = scores.standard_error(figures["accuracy"], n)
        figures["confidence_interval"] = list(scores.bootstrap(lambda chosen: right[chosen].mean(), n))
        baseline = right if type(model) is BagOfWords else self.baseline == labels
        figures["bag_of_words_accuracy"] = float(baseline.mean())
        figures["against_bag_of_words"] = scores.mcnemar(right, baseline)
        figures["commonest_class_accuracy"] = float((labels == np.bincount(self.train.y).argmax()).mean())
        confusion = scores.confusion_matrix(labels, predicted, K)
        figures.update(scores.precision_recall_f1(confusion))
        figures["roc_auc"] = scores.roc_auc_one_vs_rest(labels, p)
        curve, figures["calibration_error"] = scores.calibration(labels, p)
        figures["test_loss"] = float(-np.log(p[np.arange(n), labels].clip(1e-300)).mean())
        figures["perplexity"] = math.exp(figures["test_loss"])
        figures.update(classes=list(self.classes), confusion=confusion.tolist(), reliability=curve)
        size = sum(parameter.data.nbytes for parameter in model.parameters())
        return {**figures, "parameters": model.num_parameters(), "megabytes": round(size / 1e6, 3),
                "texts_per_s": round(n / max(seconds, 1e-9))}

    @cached_property
    def baseline(self):
        """The classes (N,) that a bag of words, trained on the same texts, gives the test part."""
        return bag_of_words(self.train, self.test.x, self.data.unit, len(self.classes))

    def baselines(self):
        """A guess knows how many classes there are, or how often each occurs."""
        shares = np.bincount(self.train.y, minlength=len(self.classes)) / len(self.train.y)
        return {"uniform": math.log(len(self.classes)), "shares": float(-np.log(shares[self.validation.y]).mean())}

    def describe(self):
        return (f"{self.data.set}: {len(self.train.y):,} texts to train on, {len(self.validation.y):,} to validate, "
                f"{len(self.test.y):,} to test, {len(self.classes)} classes, vocabulary {self.tokenizer.vocab_size:,}")

    def save(self, folder):
        self.tokenizer.save(folder / "tokenizer.json")
        save_classes(folder, self.classes)

    def sha256(self):
        parts = [text for part in (self.train, self.validation) for text in part.x] + self.tokenizer.tokens
        return hashlib.sha256("\0".join(parts).encode() + self.train.y.tobytes() + self.validation.y.tobytes()).hexdigest()


def read_ids(tokenizer, text, longest):
    """The ids of ``text``, int64 (T,), cut to ``longest``; BERT's stand between [CLS] and [SEP]."""
    if not isinstance(tokenizer, WordPieceTokenizer):
        return tokenizer.encode(text)[:longest]
    return tokenizer.encode(text, special=True, longest=longest)


def _checkpoint(name):
    """The folder of the published model ``name``, fetched if need be, or the folder that it is."""
    return fetch(name) if name in SETS else Path(name)


def load_texts(data, classes=None):
    """The data set that ``data.set`` names, or that stands in the file or folder of that path.

    classes     those that a model knows already: another label in a file is an error then
    """
    if data.set in SETS:
        dataset = load(data.set)
        if not getattr(dataset, "classes", None) or not isinstance(dataset.train.x, list):
            raise ValueError(f"data.set: {data.set} has no texts with classes; expected movie-snippets, chinese-reviews or "
                             f"sms-spam, a .csv or .tsv file, or IMDb's folder")
        return dataset
    path = Path(data.set)
    if path.is_dir():
        return read_imdb(path)
    if path.is_file():
        return read_csv(path, data.text, data.label, classes)
    raise ValueError(f"data.set: {data.set!r} is neither a file or folder nor one of the sets {', '.join(SETS)}")


def _folded(dataset, data):
    """(training, validation, test) of one fold. The set's test split stays unseen."""
    x, y = dataset.train.x + dataset.validation.x, np.concatenate([dataset.train.y, dataset.validation.y])
    held = [part for _, part in scores.k_fold(len(x), data.folds)]
    test, validation = held[data.fold - 1], held[data.fold % data.folds]
    rest = np.setdiff1d(np.arange(len(x)), np.concatenate([test, validation]))
    return [Examples([x[i] for i in part], y[part]) for part in (rest, validation, test)]


def _check_labels(name, part, labels, classes):
    """An error unless each class occurs in the part."""
    if not len(labels):
        raise ValueError(f"{name}: its {part} part has no texts; expected more texts (it is split by their content)")
    missing = [kind for i, kind in enumerate(classes) if not (labels == i).any()]
    if missing:
        raise ValueError(f"{name}: no text of the class {missing[0]!r} in its {part} part, expected each class in each part")
