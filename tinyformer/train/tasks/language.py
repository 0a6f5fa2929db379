"""Language models: the next token, given all tokens before it."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...data import random_lines, random_windows, split, split_lines
from ...text import load_corpus, load_tokenizer, train_tokenizer
from ...text.registry import TOKENIZERS, trainable
from ...data.lines import padded_lines
from ..losses import (
    bigram_loss, evaluate_loss, evaluate_losses, in_one, kneser_ney_losses, loss_interval, mean_loss, uniform_loss)
from ..settings import check_settings, setting
from .base import Task
from .registry import register

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from ...models.pretrained import Pretrained

__all__ = ["Language"]


@dataclass
class CorpusSettings:
    """The section [data] of a language model: a text and its tokenizer."""

    corpus: str = setting("pydocs", "A corpus that `tinyformer.text.CORPORA` lists, or the path of a text file.")
    tokenizer: str = setting("char", "The kind of tokens.", one_of=trainable)
    vocab_size: int = setting(1024, "Upper bound on the number of tokens; "
                                    "char has one for each distinct character.", at_least=1)
    train_fraction: float = setting(0.9, "Share of the text, from its beginning, that is the training split; "
                                         "the rest is the validation split.", above=0, below=1)
    lines: bool = setting(False, "Each line is a separate text; a hash of its content decides which split it is in.")

    def check(self) -> None:
        """ValueError for a setting that cannot be used."""
        check_settings("data", self)
        if self.lines and not TOKENIZERS[self.tokenizer].exact:
            exact = [name for name in trainable() if TOKENIZERS[name].exact]
            raise ValueError(f"data.tokenizer: got {self.tokenizer!r} with data.lines, but its tokens do not say where "
                             f"a line ends; expected one of {', '.join(exact)}")


@register
class Language(Task):
    """The tokens of a text, split, and their tokenizer: that in ``folder``, or else a new one.

    The splits are arrays (N,), or lists of such arrays where each line is a separate text. Then there is a test split,
    too.
    """

    name, unit = "language", "nats per token"
    noun, command = "language model", "generate"
    Data, Sizes = CorpusSettings, ("vocab_size",)

    def __init__(self, data: Any, folder: Path | None = None):
        self.text, self.lines = load_corpus(data.corpus), data.lines
        parts = split_lines(self.text) if data.lines else split(self.text, data.train_fraction)
        for part, lines in zip(("train", "validation", "test"), parts if data.lines else ()):
            if not lines:
                raise ValueError(f"corpus {data.corpus}: no line falls into its {part} part; expected more lines")
        if folder is None:
            # A closed vocabulary, such as the characters, comes from the whole text, so that the validation split can
            # be encoded. An open one, such as merges, is learned from the training split only.
            learned_from = "".join(parts[0]) if data.lines else parts[0]
            seen = learned_from if TOKENIZERS[data.tokenizer].open_vocabulary else self.text
            self.tokenizer = train_tokenizer(data.tokenizer, seen, data.vocab_size)
        else:
            self.tokenizer = load_tokenizer(folder / "tokenizer.json")
        self.corpus = data.corpus
        if data.lines:
            self.train, self.validation, self.test = ([self.tokenizer.encode(line) for line in part] for part in parts)
        else:                                               # cut in characters: the same split for every tokenizer
            self.train, self.validation = map(self.tokenizer.encode, parts)

    def sizes(self) -> dict[str, int]:
        """The size of the vocabulary."""
        return {"vocab_size": self.tokenizer.vocab_size}

    def check(self, config: Any) -> None:
        """ValueError unless each split of a continuous text holds at least one window and the token after it."""
        for part, tokens in () if self.lines else (("training", self.train), ("validation", self.validation)):
            if len(tokens) <= config.block_size:
                raise ValueError(f"corpus {self.corpus}: its {part} part has {len(tokens)} tokens, expected more than "
                                 f"model.block_size = {config.block_size}")

    def prepare(self, model: Pretrained) -> None:
        """ValueError for a line that does not fit into the model's block, since lines are not cut."""
        longest = max(len(line) - 1 for line in self.train + self.validation + self.test) if self.lines else 0
        if longest > model.config.block_size:
            raise ValueError(f"corpus {self.corpus}: its longest line has {longest} tokens, expected at most "
                             f"model.block_size = {model.config.block_size}")

    def batch(self, model: Pretrained, size: int, rng: np.random.Generator) -> tuple[Any, Any]:
        """Random windows of the training split, or random lines: ids x (B, T) and the ids that follow, y (B, T)."""
        if self.lines:
            return random_lines(self.train, size, rng)
        return random_windows(self.train, size, model.config.block_size, rng)

    def number_of_examples(self) -> int:
        """The number of training lines; ValueError for a text in one piece."""
        return len(self.train) if self.lines else super().number_of_examples()

    def select(self, model: Pretrained, chosen: NDArray[np.int64], rng: np.random.Generator) -> tuple[Any, Any]:
        """The lines with the indices ``chosen``: ids x (B, T) and the ids that follow, y (B, T)."""
        return padded_lines([self.train[i] for i in chosen])

    def measure(self, model: Pretrained, at_most: int | None = None) -> dict[str, float]:
        """The validation loss, in nats per token."""
        return {"val_loss": evaluate_loss(model, self.validation, at_most=at_most)}

    def evaluate(self, model: Pretrained) -> dict[str, Any]:
        """On the whole validation split.

        Characters compare what tokens do not: they are the same for every tokenizer that gives the text back.
        """
        self.check(model.config)
        predicted = in_one(self.validation)[1:]
        tokens = len(predicted)
        began = time.perf_counter()
        losses = list(evaluate_losses(model, self.validation))
        seconds = time.perf_counter() - began
        baselines = {f"{name.lower().replace('-', '_')}_loss": level for name, level in self.baselines().items()}
        loss, interval = mean_loss(losses), loss_interval(losses, self.lines)
        bits, sure, found = loss / math.log(2), {"confidence_interval": interval} if interval else {}, {}
        if self.tokenizer.exact:
            found["bits_per_character"] = bits * tokens / max(len(self.tokenizer.decode(predicted)), 1)
        return {"val_loss": loss, **sure, "perplexity": math.exp(loss), "bits_per_token": bits, **found, **baselines,
                "against_kneser_ney": verdict(loss, baselines["kneser_ney_loss"]), **self.footprint(model),
                "tokens": tokens, "tokens_per_s": round(tokens / seconds)}

    def baselines(self) -> dict[str, float]:
        """The losses of the uniform distribution, of bigrams, and of the best n-gram with Kneser–Ney smoothing."""
        V = self.tokenizer.vocab_size
        counted = kneser_ney_losses(self.train, self.validation, V)
        return {"uniform": uniform_loss(V), "bigram": bigram_loss(self.train, self.validation, V),
                "Kneser-Ney": min(counted.values())}

    def describe(self) -> str:
        """The data in words."""
        return (f"{self.corpus}: {len(self.train):,} {'lines' if self.lines else 'tokens'} to train on, "
                f"{len(self.validation):,} to validate, "
                f"vocabulary {self.tokenizer.vocab_size:,}")

    def save(self, folder: Path) -> None:
        """Write the tokenizer."""
        self.tokenizer.save(folder / "tokenizer.json")

    def sha256(self) -> str:
        """A hash of the ids of both splits."""
        return hashlib.sha256(in_one(self.train).tobytes() + b"|" + in_one(self.validation).tobytes()).hexdigest()


def verdict(loss: float, counted: float) -> str:
    """Whether a loss is lower than that of the best n-gram, in words."""
    gap = abs(loss - counted)
    if gap < 0.0005:
        return "as good as counting"
    return f"better than counting by {gap:.3f} nats" if loss < counted else f"LOSES to counting by {gap:.3f} nats"
