"""Pairs, such as a picture and its caption: which one belongs to which."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...autograd import no_grad
from ...nn import evaluating
from ...text import load_tokenizer
from ..loop import without_graph
from ..pair_sets import SETS
from ..retrieval import distinct, retrieval
from ..settings import check_settings, setting
from .base import Task
from .registry import register

if TYPE_CHECKING:
    from pathlib import Path

    from ...models.pretrained import Pretrained

__all__ = ["Pairs"]

GROUP = 125                                                 # pairs among which a partner is sought in validation


@dataclass
class ContrastSettings:
    """The section [data] of a model that compares two kinds of things."""

    set: str = setting("mnist-5k", "mnist-5k: digits and captions that describe them; "
                                   "cmudict: spellings and phonemes.", one_of=SETS)

    def check(self) -> None:
        """ValueError for a setting that cannot be used."""
        check_settings("data", self)


@register
class Pairs(Task):
    """Pairs, split, and the tokenizer of their texts."""

    name, unit, input_unit, headline = "pairs", "nats per pair", "inputs", "retrieval_at_1"
    noun, example = "model of pairs", "clip-mnist"
    Data, Sizes = ContrastSettings, ("n_features", "vocab_size")

    def __init__(self, data: Any, folder: Path | None = None):
        self.data = data
        self.pairs = SETS[data.set](load_tokenizer(folder / "tokenizer.json") if folder else None)
        self.tokenizer = self.pairs.tokenizer

    def sizes(self) -> dict[str, int]:
        """The numbers of a picture (0 for texts) and the size of the vocabulary."""
        return {"n_features": self.pairs.n_features, "vocab_size": self.tokenizer.vocab_size}

    def prepare(self, model: Pretrained) -> None:
        """Give the model the tokenizer, which its folder keeps."""
        model.tokenizer = self.tokenizer

    def batch(self, model: Pretrained, size: int, rng: np.random.Generator) -> tuple[Any, Any]:
        """Random pairs of the training split."""
        return self.pairs.draw(size, rng)

    def measure(self, model: Pretrained, at_most: int | None = None) -> dict[str, float]:
        """The loss among groups of 125 validation pairs, retrieval among all of them, and zero-shot accuracy."""
        x, texts = self.pairs.part("validation")
        losses, (told, owner) = [], distinct(texts)
        with evaluating(model):
            for first in range(0, len(texts) - GROUP + 1, GROUP):
                inputs = x[first:first + GROUP] if self.pairs.n_features else model.ids(x[first:first + GROUP])
                targets = self.pairs.encoded(texts[first:first + GROUP])
                [loss] = without_graph(model, lambda: [model.loss(inputs, targets)])
                losses.append(loss.item())
            with no_grad():
                found = retrieval(model.similarity(x, told).data, owner)
                figures = self.pairs.figures(model, "validation")
        extra = {"val_zero_shot": figures["zero_shot_accuracy"]} if figures else {}
        return {"val_loss": float(np.mean(losses)), "val_retrieval_at_1": found["at_1"], **extra}

    def evaluate(self, model: Pretrained) -> dict[str, Any]:
        """Retrieval on the test split, held-out combinations apart, beside a baseline; zero-shot accuracy."""
        x, texts = self.pairs.part("test")
        (told, owner), apart, n = distinct(texts), self.pairs.apart(x, "test"), len(texts)
        began = time.perf_counter()
        with evaluating(model), no_grad():
            similarity = model.similarity(x, told).data
            seconds = time.perf_counter() - began
            figures = self.pairs.figures(model, "test")
        found = retrieval(similarity, owner)
        known = {f"retrieval_at_1_{name}": retrieval(similarity, owner, rows)["at_1"]
                 for name, rows in (("seen", ~apart), ("held_out", apart))} if apart.any() else {}
        return {"set": self.data.set, "split": "test", "pairs": n, "texts": len(told), **figures,
                "retrieval_at_1": found["at_1"], "retrieval_to_text": found["to_text"],
                "retrieval_to_picture": found["to_picture"],
                **known, "held_out_pairs": int(apart.sum()),
                "retrieval_chance": 1 / len(told), "retrieval_baseline": self.pairs.baseline(x, texts),
                **self.footprint(model), "pairs_per_s": round(n / max(seconds, 1e-9))}

    def baselines(self) -> dict[str, float]:
        """The loss of a model that cannot tell the pairs of a group apart."""
        return {"uniform": math.log(GROUP)}

    def describe(self) -> str:
        """The data in words."""
        train, validation, test = (len(getattr(self.pairs.dataset, part).y) for part in ("train", "validation", "test"))
        return (f"{self.data.set}: {train:,} to train on, {validation:,} to validate, {test:,} to test, "
                f"vocabulary {self.tokenizer.vocab_size:,}")

    def save(self, folder: Path) -> None:
        """Write the tokenizer."""
        self.tokenizer.save(folder / "tokenizer.json")

    def sha256(self) -> str:
        """A hash of the fixed pairs and of the tokens."""
        parts = [text for part in ("validation", "test") for text in self.pairs.part(part)[1]] + self.tokenizer.tokens
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()
