"""The pre-training of BERT: masked words, and whether one text follows another."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ...autograd import no_grad
from ...data.masking import Lines, join, mask_tokens
from ...models.bert_heads import UNMASKED, Pairs
from ...nn import evaluating
from ...ops import cross_entropy
from ...text import WordPieceTokenizer, load_corpus, load_tokenizer
from ..counting_baselines import Neighbors, Shared
from ..loop import not_finite
from ..settings import check_settings, setting
from .base import Task
from .registry import register

if TYPE_CHECKING:
    from pathlib import Path

    from ...models.pretrained import Pretrained

__all__ = ["Masked"]

SHORTEST = 16                                               # the fewest tokens for two texts
COUNTED = 2000                                              # pairs that the baseline learns from and is evaluated on


@dataclass
class DocumentSettings:
    """The section [data] of BERT's pre-training: documents, and how their tokens are masked."""

    corpus: str = setting("shakespeare-plays", "A corpus that `tinyformer.text.CORPORA` lists, "
                                               "or the path of a text file.")
    begins: str = setting("ACT I", "The line that each document begins with; empty: documents end with a blank line.")
    vocab_size: int = setting(4096, "Upper bound on the number of WordPiece tokens.", at_least=1)
    train_fraction: float = setting(0.9, "Documents that begin within this share of the text are the training split; "
                                         "the others are the validation split.", above=0, below=1)
    masked: float = setting(0.15, "Share of the tokens that the model has to predict.", above=0, below=1)
    whole_words: bool = setting(False, "Mask all pieces of a word or none.")
    short: float = setting(0.0, "Share of the batches with eight times as many texts, each an eighth as long.",
                           at_least=0, at_most=1)

    def check(self) -> None:
        """ValueError for a setting that cannot be used."""
        check_settings("data", self)


@register
class Masked(Task):
    """Documents as lines of WordPiece tokens, split, and their tokenizer: that in ``folder``, or else a new one."""

    name, unit = "masked", "nats per masked token, and per pair"
    noun, example, command = "BERT", "bert-tiny", "fill-mask"
    Data, Sizes = DocumentSettings, ("vocab_size",)

    def __init__(self, data: Any, folder: Path | None = None):
        self.data = data
        parts = split_documents(load_corpus(data.corpus), data.begins, data.train_fraction)
        if not all(parts):
            raise ValueError(f"corpus {data.corpus}: it has no document to {'validate' if parts[0] else 'train'} on; "
                             f"see data.begins and data.train_fraction")
        if folder is None:
            self.tokenizer = WordPieceTokenizer.train("\n".join(parts[0]), data.vocab_size)
        else:
            self.tokenizer = load_tokenizer(folder / "tokenizer.json")
        t = self.tokenizer
        self.train, self.validation = (Lines([[line for line in map(t.encode, document.split("\n")) if line.size]
                                              for document in part]) for part in parts)
        self.documents = [len(part) for part in parts]
        self.special = [t.pad, t.unk, t.cls, t.sep, t.mask]
        self.continues = np.array([token.startswith("##") for token in t.tokens]) if data.whole_words else None

    def sizes(self) -> dict[str, int]:
        """The size of the vocabulary."""
        return {"vocab_size": self.tokenizer.vocab_size}

    def check(self, config: Any) -> None:
        """ValueError unless two texts and their special tokens fit into a block."""
        if config.block_size < SHORTEST:
            raise ValueError(f"model.block_size: got {config.block_size}, expected at least {SHORTEST}, for two texts")

    def examples(self, lines: Lines, size: int, T: int, rng: np.random.Generator) -> tuple[Pairs, tuple[Any, Any]]:
        """(Pairs, (labels, classes)) of ``size`` random pairs of texts, T tokens each."""
        t = self.tokenizer
        pairs = [lines.pair(T - 3, rng) for _ in range(size)]
        ids, types = join(pairs, T, t.cls, t.sep, t.pad)
        masked, labels = mask_tokens(ids, self.data.masked, t.mask, self.special, t.vocab_size, rng, self.continues,
                                     UNMASKED)
        return Pairs(masked, ids != t.pad, types), (labels, np.array([not follows for *_, follows in pairs], np.int64))

    def batch(self, model: Pretrained, size: int, rng: np.random.Generator) -> tuple[Any, Any]:
        """Pairs as long as a block, or shorter ones.

        A new network attends to all positions equally; from short pairs it learns much sooner to attend to the
        neighbors of a masked word.
        """
        T = model.config.block_size
        if rng.random() < self.data.short:
            short = max(T // 8, SHORTEST)
            size, T = size * T // short, short
        return self.examples(self.train, size, T, rng)

    def held_out(self, T: int, at_most: int | None = None) -> Iterator[tuple[Pairs, tuple[Any, Any]]]:
        """Batches of the validation split, the same ones each time: enough pairs to cover it, or ``at_most``."""
        rng, pairs = np.random.default_rng(0), -(-len(self.validation.tokens) // T)
        pairs = min(pairs, at_most or pairs)
        return (self.examples(self.validation, min(32, pairs - i), T, rng) for i in range(0, pairs, 32))

    def measure(self, model: Pretrained, at_most: int | None = None) -> dict[str, float]:
        """Both losses and their sum, and the accuracies for masked words and for pairs."""
        sums = np.zeros(6)                                  # loss, right and number, of words and of pairs
        with evaluating(model):
            for pairs, (labels, classes) in self.held_out(model.config.block_size, at_most):
                with no_grad():
                    words, following = model.asked(pairs, labels)
                for place, logits, answers in ((0, words.data, labels[labels != UNMASKED]),
                                               (3, following.data, classes)):
                    loss, _ = cross_entropy.raw(logits, answers, reduction="sum")
                    sums[place:place + 3] += loss, (logits.argmax(axis=1) == answers).sum(), len(answers)
                if not np.isfinite(sums).all():
                    raise not_finite(model, model.loss(pairs, (labels, classes)))
        masked, right, n, following, right_pairs, pairs = map(float, sums)
        return {"val_loss": masked / n + following / pairs, "masked_loss": masked / n, "masked_accuracy": right / n,
                "following_loss": following / pairs, "following_accuracy": right_pairs / pairs}

    def evaluate(self, model: Pretrained) -> dict[str, Any]:
        """The figures on the whole validation split, and baselines by counting.

        These predict the most frequent token, the token that both neighbors suggest, and for pairs the tokens
        that both texts share.
        """
        figures = self.measure(model)
        T, most_frequent, neighbors, n, count = model.config.block_size, 0.0, 0.0, 0, 0
        for pairs, (labels, classes) in self.held_out(T):
            asked = (labels != UNMASKED).sum()
            neighbors += self.neighbors.accuracy(pairs.ids, labels) * asked
            most_frequent += (labels == self.neighbors.most_frequent).sum()
            n, count = n + asked, count + len(classes)
        rng = np.random.default_rng(0)
        seen, held = ([lines.pair(T - 3, rng) for _ in range(COUNTED)] for lines in (self.train, self.validation))
        shared = Shared(self.train.tokens, self.tokenizer.vocab_size, seen).accuracy(held)
        return {**figures, "perplexity": math.exp(figures["masked_loss"]), "neighbors_accuracy": float(neighbors / n),
                "most_frequent_accuracy": float(most_frequent / n), "shared_tokens_accuracy": shared,
                **self.footprint(model), "masked_tokens": int(n), "pairs": count}

    @cached_property
    def neighbors(self) -> Neighbors:
        """The baseline that predicts a word from its neighbors, counted on the training split."""
        return Neighbors(self.train.tokens, self.tokenizer.vocab_size, self.special)

    def baselines(self) -> dict[str, float]:
        """The losses of the uniform distribution and of the token frequencies; for pairs both predict ½."""
        V = self.tokenizer.vocab_size
        p = (np.bincount(self.train.tokens, minlength=V) + 1) / (len(self.train.tokens) + V)
        return {"uniform": math.log(V) + math.log(2),
                "unigram": float(-np.log(p[self.validation.tokens]).mean()) + math.log(2)}

    def describe(self) -> str:
        """The data in words."""
        return (f"{self.data.corpus}: {len(self.train.tokens):,} tokens in {self.documents[0]} documents to train on, "
                f"{len(self.validation.tokens):,} in {self.documents[1]} to validate, vocabulary "
                f"{self.tokenizer.vocab_size:,}")

    def save(self, folder: Path) -> None:
        """Write the tokenizer."""
        self.tokenizer.save(folder / "tokenizer.json")

    def sha256(self) -> str:
        """A hash of the ids of both splits."""
        return hashlib.sha256(self.train.tokens.tobytes() + b"|" + self.validation.tokens.tobytes()).hexdigest()


def split_documents(text: str, begins: str, train_fraction: float) -> tuple[list[str], list[str]]:
    """(training, validation) documents of ``text``.

    Each begins with the line ``begins``, or else ends with a blank line.
    """
    cuts, place = [0], 0
    for line in text.splitlines(keepends=True):
        place += len(line)
        if begins and line.strip() == begins:
            cuts.append(place - len(line))
        elif not begins and not line.strip():
            cuts.append(place)
    documents = [(start, text[start:end]) for start, end in zip(cuts, [*cuts[1:], len(text)])
                 if text[start:end].strip()]
    limit = train_fraction * len(text)
    return [part for start, part in documents if start < limit], [part for start, part in documents if start >= limit]
