"""BERT's pre-training: masked words, and whether one text follows another."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...autograd import no_grad
from ...data.masking import Lines, join, mask_tokens
from ...models.bert_heads import UNMASKED, Pairs
from ...nn import evaluating
from ...ops import cross_entropy
from ...text import WordPieceTokenizer, load_corpus, load_tokenizer
from ..counting_baselines import Neighbours, Shared
from ..loop import not_finite
from ..settings import check_settings, setting
from .base import Task
from .registry import register

__all__ = ["Masked"]

SHORTEST = 16                                               # tokens that two texts need
COUNTED = 2000                                              # pairs that guesses by counting learn from, and are judged by


@dataclass
class DocumentSettings:
    """The section [data] of BERT's pre-training: documents, and how their tokens are masked."""

    corpus: str = setting("shakespeare-plays", "A corpus that `tinyformer.text.CORPORA` lists, or the path of a text file.")
    begins: str = setting("ACT I", "The line that each document begins with; empty: documents end with a blank line.")
    vocab_size: int = setting(4096, "Upper bound on the number of WordPiece tokens.", at_least=1)
    train_fraction: float = setting(0.9, "Documents that begin within this share of the text are the training split; the others "
                                         "are the validation split.", above=0, below=1)
    masked: float = setting(0.15, "Share of the tokens that the model has to predict.", above=0, below=1)
    whole_words: bool = setting(False, "Mask all pieces of a word or none.")
    short: float = setting(0.0, "Share of the batches with eight times as many texts, each an eighth as long.",
                           at_least=0, at_most=1)

    def check(self) -> None:
        """ValueError for a setting that cannot be used."""
        check_settings("data", self)


@register
class Masked(Task):
    """Documents as lines of WordPiece tokens, split, and the tokenizer: a new one, unless one stands in ``folder``."""

    name, unit = "masked", "nats per masked token, and per pair"
    noun, example, command = "BERT", "bert-tiny", "fill-mask"
    Data, Sizes = DocumentSettings, ("vocab_size",)

    def __init__(self, data, folder=None):
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

    def sizes(self):
        return {"vocab_size": self.tokenizer.vocab_size}

    def check(self, config):
        """An error unless two texts and their marks fit into a block."""
        if config.block_size < SHORTEST:
            raise ValueError(f"model.block_size: got {config.block_size}, expected at least {SHORTEST}, for two texts")

    def examples(self, lines, size, T, rng):
        """(Pairs, (labels, classes)) of ``size`` random pairs of texts, T tokens each."""
        t = self.tokenizer
        pairs = [lines.pair(T - 3, rng) for _ in range(size)]
        ids, types = join(pairs, T, t.cls, t.sep, t.pad)
        masked, labels = mask_tokens(ids, self.data.masked, t.mask, self.special, t.vocab_size, rng, self.continues, UNMASKED)
        return Pairs(masked, ids != t.pad, types), (labels, np.array([not follows for *_, follows in pairs], np.int64))

    def batch(self, model, size, rng):
        """Pairs as long as a block; or shorter ones, from which a network that attends to all places alike, as a new one does,
        learns much sooner to look at a masked word's neighbours."""
        T = model.config.block_size
        if rng.random() < self.data.short:
            short = max(T // 8, SHORTEST)
            size, T = size * T // short, short
        return self.examples(self.train, size, T, rng)

    def held_out(self, T, at_most=None):
        """Batches of the validation part, the same ones every time: as many pairs as cover it, or ``at_most``."""
        rng, pairs = np.random.default_rng(0), -(-len(self.validation.tokens) // T)
        pairs = min(pairs, at_most or pairs)
        return (self.examples(self.validation, min(32, pairs - i), T, rng) for i in range(0, pairs, 32))

    def measure(self, model, at_most=None):
        """The sum of both losses, and how often the word and the class are guessed."""
        sums = np.zeros(6)                                  # loss, right and number, of words and of pairs
        with evaluating(model):
            for pairs, (labels, classes) in self.held_out(model.config.block_size, at_most):
                with no_grad():
                    words, following = model.asked(pairs, labels)
                for place, logits, answers in ((0, words.data, labels[labels != UNMASKED]), (3, following.data, classes)):
                    loss, _ = cross_entropy.raw(logits, answers, reduction="sum")
                    sums[place:place + 3] += loss, (logits.argmax(axis=1) == answers).sum(), len(answers)
                if not np.isfinite(sums).all():
                    raise not_finite(model, model.loss(pairs, (labels, classes)))
        masked, right, n, following, right_pairs, pairs = map(float, sums)
        return {"val_loss": masked / n + following / pairs, "masked_loss": masked / n, "masked_accuracy": right / n,
                "following_loss": following / pairs, "following_accuracy": right_pairs / pairs}

    def evaluate(self, model):
        """On the whole validation part, beside guesses by counting: the commonest token, what its two neighbours suggest, and
        for pairs what both have in common."""
        figures = self.measure(model)
        T, commonest, neighbours, n, count = model.config.block_size, 0.0, 0.0, 0, 0
        for pairs, (labels, classes) in self.held_out(T):
            asked = (labels != UNMASKED).sum()
            neighbours += self.neighbours.accuracy(pairs.ids, labels) * asked
            commonest += (labels == self.neighbours.commonest).sum()
            n, count = n + asked, count + len(classes)
        rng = np.random.default_rng(0)
        seen, held = ([lines.pair(T - 3, rng) for _ in range(COUNTED)] for lines in (self.train, self.validation))
        shared = Shared(self.train.tokens, self.tokenizer.vocab_size, seen).accuracy(held)
        return {**figures, "perplexity": math.exp(figures["masked_loss"]), "neighbours_accuracy": float(neighbours / n),
                "commonest_accuracy": float(commonest / n), "shared_tokens_accuracy": shared,
                **self.footprint(model), "masked_tokens": int(n), "pairs": count}

    @cached_property
    def neighbours(self):
        """The counts of the training part."""
        return Neighbours(self.train.tokens, self.tokenizer.vocab_size, self.special)

    def baselines(self):
        """One that knows the vocabulary alone, and one that knows how often each token occurs; both toss a coin for pairs."""
        V = self.tokenizer.vocab_size
        p = (np.bincount(self.train.tokens, minlength=V) + 1) / (len(self.train.tokens) + V)
        return {"uniform": math.log(V) + math.log(2), "unigram": float(-np.log(p[self.validation.tokens]).mean()) + math.log(2)}

    def describe(self):
        return (f"{self.data.corpus}: {len(self.train.tokens):,} tokens in {self.documents[0]} documents to train on, "
                f"{len(self.validation.tokens):,} in {self.documents[1]} to validate, vocabulary {self.tokenizer.vocab_size:,}")

    def save(self, folder):
        self.tokenizer.save(folder / "tokenizer.json")

    def sha256(self):
        return hashlib.sha256(self.train.tokens.tobytes() + b"|" + self.validation.tokens.tobytes()).hexdigest()


def split_documents(text, begins, train_fraction):
    """(training, validation) documents of ``text``: each begins with the line ``begins``, or else ends with a blank line."""
    cuts, place = [0], 0
    for line in text.splitlines(keepends=True):
        place += len(line)
        if begins and line.strip() == begins:
            cuts.append(place - len(line))
        elif not begins and not line.strip():
            cuts.append(place)
    documents = [(start, text[start:end]) for start, end in zip(cuts, [*cuts[1:], len(text)]) if text[start:end].strip()]
    limit = train_fraction * len(text)
    return [part for start, part in documents if start < limit], [part for start, part in documents if start >= limit]
