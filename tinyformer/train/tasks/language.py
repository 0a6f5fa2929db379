"""Language models: the next token, from all before it."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass

from ...data import random_windows, split
from ...text import load_corpus, load_tokenizer, train_tokenizer
from ..evaluate import bigram_loss, evaluate_loss, uniform_loss
from .base import Task


@dataclass
class CorpusSettings:
    """What is learned from."""

    corpus: str = "pydocs"              # a name that `tinyformer.text.CORPORA` has, or the path of a text file
    tokenizer: str = "char"             # "char" or "bpe"
    vocab_size: int = 1024              # of the BPE; the characters count themselves
    train_fraction: float = 0.9         # the first part is trained on, the rest is for validation

    def check(self):
        """ValueError for a setting that cannot be used."""
        if self.tokenizer not in ("char", "bpe"):
            raise ValueError(f"data.tokenizer: got {self.tokenizer!r}, expected 'char' or 'bpe'")
        if not 0 < self.train_fraction < 1:
            raise ValueError(f"data.train_fraction: got {self.train_fraction}, expected more than 0 and less than 1")


class Language(Task):
    """The tokens of a text, split, and the tokenizer that made them: a new one, unless one stands in ``folder``."""

    name, unit = "language", "nats per token"
    Data, Sizes = CorpusSettings, ("vocab_size",)

    def __init__(self, data, folder=None):
        self.text = load_corpus(data.corpus)
        if folder is None:
            # The characters are those of the whole text, so that the validation part can be written in them; merges are
            # learned from the training part alone.
            seen = self.text if data.tokenizer == "char" else self.text[:int(data.train_fraction * len(self.text))]
            self.tokenizer = train_tokenizer(data.tokenizer, seen, data.vocab_size)
        else:
            self.tokenizer = load_tokenizer(folder / "tokenizer.json")
        self.corpus = data.corpus
        self.train, self.validation = split(self.tokenizer.encode(self.text), data.train_fraction)

    def sizes(self):
        return {"vocab_size": self.tokenizer.vocab_size}

    def check(self, config):
        """An error unless each part holds a window and the token after it."""
        for part, tokens in (("training", self.train), ("validation", self.validation)):
            if len(tokens) <= config.block_size:
                raise ValueError(f"corpus {self.corpus}: its {part} part has {len(tokens)} tokens, expected more than "
                                 f"model.block_size = {config.block_size}")

    def batch(self, model, size, rng):
        return random_windows(self.train, size, model.config.block_size, rng)

    def measure(self, model, at_most=None):
        return {"val_loss": evaluate_loss(model, self.validation, at_most=at_most)}

    def evaluate(self, model):
        """On the whole validation split. Characters compare what tokens do not: they are the same for every tokenizer."""
        self.check(model.config)
        tokens, characters = len(self.validation) - 1, len(self.tokenizer.decode(self.validation[1:]))
        began = time.perf_counter()
        loss = evaluate_loss(model, self.validation)
        seconds = time.perf_counter() - began
        baselines = {f"{name}_loss": level for name, level in self.baselines().items()}
        return {"val_loss": loss, "perplexity": math.exp(loss), "bits_per_token": loss / math.log(2),
                "bits_per_character": loss / math.log(2) * tokens / max(characters, 1), **baselines,
                "parameters": model.num_parameters(), "tokens": tokens, "tokens_per_s": round(tokens / seconds)}

    def baselines(self):
        V = self.tokenizer.vocab_size
        return {"uniform": uniform_loss(V), "bigram": bigram_loss(self.train, self.validation, V)}

    def describe(self):
        return (f"{self.corpus}: {len(self.train):,} tokens to train on, {len(self.validation):,} to validate, "
                f"vocabulary {self.tokenizer.vocab_size:,}")

    def save(self, folder):
        self.tokenizer.save(folder / "tokenizer.json")

    def sha256(self):
        return hashlib.sha256(self.train.tobytes() + b"|" + self.validation.tobytes()).hexdigest()
