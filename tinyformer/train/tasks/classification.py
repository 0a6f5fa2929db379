"""Classifiers of texts: which class a text belongs to."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...data import SETS, Examples, alike, draw_alike, fetch, load, padded, read_csv, read_imdb
from ...data.augmentation import drawn_words, swapped_words, word_shares
from ...data.sparse import SparseRows
from ...fairness import load_swaps, swap_augmented
from ...models import BagOfWords, Bert, BertClassifierConfig
from ...nn import evaluating
from ...text import WordPieceTokenizer, load_tokenizer
from ...text.ngrams import UNITS, NGramTokenizer
from ..bag_of_words_baseline import bag_of_words
from ..classes import load_classes, save_classes
from ..settings import setting
from .labeled import Folds, Labeled
from .registry import register

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...data import Dataset
    from ...models.pretrained import Pretrained
    from ...text.base import Tokenizer

__all__ = ["Classification"]

LABELED = ("movie-snippets", "chinese-reviews", "sms-spam", "names")
EXPECTED = f"{', '.join(LABELED)}, a .csv or .tsv file, or IMDb's folder"


@dataclass
class TextSettings(Folds):
    """The section [data] of a classifier of texts: labeled texts and their tokens."""

    set: str = setting("movie-snippets", "A data set that `tinyformer data list` shows, "
                                         "a .csv or .tsv file, or the folder of IMDb.")
    text: str = setting("text", "The column of the texts in such a file.")
    label: str = setting("label", "The column of the labels in such a file.")
    unit: str = setting("words", "What tokens are made of.", one_of=UNITS)
    ngrams: int = setting(1, "Tokens are sequences of 1 to this many units.", at_least=1, at_most=9)
    min_count: int = setting(2, "Tokens that occur in fewer texts are unknown.", at_least=1)
    vocab_size: int = setting(10000, "Upper bound on the number of tokens, "
                                     "the most frequent ones; 0: no bound.", at_least=0)
    swap_augment: str = setting("", "Also train on a swapped copy of each text that has a swap word: pronouns, gender, "
                                    "names, or a JSON file such as {\"he\": \"she\"}.")
    checkpoint: str = setting("", "minilm or the folder of a BERT, "
                                  "whose tokenizer and weights the training starts from.")
    swap: float = setting(0.0, "In training this share of the words of a text trades places with a neighbor. "
                               "For models that read ids.", at_least=0, at_most=1)
    back_off: float = setting(0.0, "In training a word is replaced with this probability by another, drawn by "
                                   "frequency. For models that read ids.", at_least=0, at_most=1)
    scratch: bool = setting(False, "With checkpoint: take its tokenizer only, and start from random weights.")


@register
class Classification(Labeled):
    """Labeled texts, split, and their tokenizer.

    The tokenizer is that in ``folder``, that of a checkpoint, or one trained on the training split.
    """

    name, unit = "classification", "nats per text"
    noun, example, command = "classifier", "bow-movie", "predict"
    Data, Sizes = TextSettings, ("vocab_size", "n_classes")
    examples, baseline, Baseline = "texts", "bag of words", BagOfWords

    def __init__(self, data: Any, folder: Path | None = None):
        swaps = load_swaps(data.swap_augment) if data.swap_augment else None    # before a data set is downloaded
        super().__init__(data, load_texts(data, load_classes(folder) if folder else None))
        self._own = self.train                              # what the baseline learns from
        if swaps is not None:
            self.train = Examples(*swap_augmented(*self.train, swaps))
        if folder:
            self.tokenizer = load_tokenizer(folder / "tokenizer.json")
        elif data.checkpoint:
            self.tokenizer = load_tokenizer(_checkpoint(data.checkpoint))
        else:
            self.tokenizer = NGramTokenizer.train(self.train.x, data.unit, data.ngrams, data.min_count,
                                                  data.vocab_size or None)
        self._encoded, self._cut = {}, {}

    def sizes(self) -> dict[str, int]:
        """The sizes of the vocabulary and of the set of classes."""
        return {"vocab_size": self.tokenizer.vocab_size, "n_classes": len(self.classes)}

    def encoded(self, model: Pretrained, part: str) -> Any:
        """The texts of a split in the form that ``model`` reads: ``SparseRows``, or a list of arrays of ids.

        They are encoded once.
        """
        if (part, model.input_type) not in self._encoded:
            found, cut = encoded_texts(model, self.tokenizer, getattr(self, part).x)
            self._encoded[part, model.input_type], self._cut[part, model.input_type] = found, cut
        return self._encoded[part, model.input_type]

    def cut(self, model: Pretrained, part: str) -> int:
        """The number of texts of a split that are longer than ``model`` reads."""
        self.encoded(model, part)
        return self._cut[part, model.input_type]

    def check(self, config: Any) -> None:
        """ValueError unless both the model and the checkpoint are a BERT, or neither is."""
        if isinstance(config, BertClassifierConfig) and (self.data.swap or self.data.back_off):
            raise ValueError("data.swap, data.back_off: expected 0 for a BERT, because they would move [CLS] and [SEP]")
        if isinstance(config, BertClassifierConfig) != bool(self.data.checkpoint):
            raise ValueError("data.checkpoint: it is for model.architecture 'bert-classifier', which needs one")

    def prepare(self, model: Pretrained) -> None:
        """Load the weights of the checkpoint, and let a model that counts do so on the training split.

        ValueError if the checkpoint has another architecture than the model.
        """
        if self.data.checkpoint and not self.data.scratch:
            folder = _checkpoint(self.data.checkpoint)
            with warnings.catch_warnings():                 # the head is new, so the old ones are meant to be left out
                warnings.filterwarnings("ignore", message=".*: left out ")
                bert = Bert.from_pretrained(folder)
            for field in fields(bert.config):               # with other heads the same weights would load, and be wrong
                theirs, ours = getattr(bert.config, field.name), getattr(model.config, field.name)
                if theirs != ours and field.name != "dropout":
                    raise ValueError(f"data.checkpoint: {folder} has {field.name} {theirs}, but the model has {ours}; "
                                     f"set model.{field.name}={theirs}")
            missing, _ = model.bert.load_state_dict(bert.state_dict(), strict=False)
            if missing:
                warnings.warn(f"{folder} has no {', '.join(missing)}; these start from random weights", stacklevel=2)
        if hasattr(model, "prepare"):
            model.prepare(self.encoded(model, "train"), self.train.y)

    def remark(self, model: Pretrained) -> str:
        """How many training texts are longer than the model reads."""
        cut = self.cut(model, "train")
        return (f"{cut:,} of the texts to train on are longer than model.block_size = {model.config.block_size} "
                f"tokens: the rest of each is not read") if cut else ""

    def batch(self, model: Pretrained, size: int, rng: np.random.Generator) -> tuple[Any, Any]:
        """Random texts, of similar length if the model reads ids, and their labels (B,)."""
        texts, labels = self.encoded(model, "train"), self.train.y
        if model.input_type == "counts":
            chosen = rng.choice(len(labels), size, replace=False) if size < len(labels) else np.arange(len(labels))
            return texts[chosen], labels[chosen]
        chosen = draw_alike(size, rng, texts)
        return padded([self.changed(texts[i], rng) for i in chosen]), labels[chosen]

    def changed(self, ids: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """The ids (T,) of a text with the random changes that the settings ask for."""
        if self.data.back_off:
            ids = drawn_words(ids, self.data.back_off, self._shares, rng)
        return swapped_words(ids, self.data.swap, rng) if self.data.swap else ids

    @cached_property
    def _shares(self):
        """The relative frequency of each word in the training split."""
        texts = [self.tokenizer.encode(text) for text in self.train.x]
        return word_shares(texts, self.tokenizer.vocab_size, 2)                 # not <pad> and <unk>

    def select(self, model: Pretrained, chosen: NDArray[np.int64], rng: np.random.Generator) -> tuple[Any, Any]:
        """The training texts with the indices ``chosen``, as ``model`` reads them, and their labels."""
        return self.examples_of(model, "train", chosen)

    def examples_of(self, model: Pretrained, part: str, chosen: NDArray[np.int64]) -> tuple[Any, Any]:
        """The texts with the indices ``chosen``, as ``model`` reads them, and their labels."""
        texts, labels = self.encoded(model, part), getattr(self, part).y
        x = texts[chosen] if model.input_type == "counts" else padded([texts[i] for i in chosen])
        return x, labels[chosen]

    def probabilities(self, model: Pretrained, part: str) -> NDArray[np.float64]:
        """(N, K) for the texts of "train", "validation" or "test", in evaluation mode."""
        return class_probabilities(model, self.encoded(model, part))

    def evaluate(self, model: Pretrained) -> dict[str, Any]:
        """The figures of ``Labeled.evaluate``, and "cut": the number of test texts longer than the model reads."""
        self._encoded.clear()                                                   # so that encoding counts in the speed
        return {**super().evaluate(model), "cut": self.cut(model, "test")}

    @cached_property
    def baseline_answers(self) -> NDArray[np.int64]:
        """The classes (N,) that the bag of words gives the test texts."""
        return bag_of_words(self._own, self.test.x, self.data.unit, len(self.classes))

    def describe(self) -> str:
        """The data in words."""
        return f"{super().describe()}, vocabulary {self.tokenizer.vocab_size:,}"

    def save(self, folder: Path) -> None:
        """Write the tokenizer and the names of the classes."""
        self.tokenizer.save(folder / "tokenizer.json")
        save_classes(folder, self.classes)

    def sha256(self) -> str:
        """A hash of the texts, the labels and the tokens."""
        parts = [text for part in (self.train, self.validation) for text in part.x] + self.tokenizer.tokens
        labels = self.train.y.tobytes() + self.validation.y.tobytes()
        return hashlib.sha256("\0".join(parts).encode() + labels).hexdigest()


def encoded_texts(model: Pretrained, tokenizer: Tokenizer, texts: Sequence[str]) -> tuple[Any, int]:
    """(``texts`` as ``SparseRows`` or a list of arrays of ids, whichever ``model`` reads; the number of cut texts)."""
    if model.input_type == "counts":
        return SparseRows.of(map(tokenizer.tf_idf, texts)), 0
    found, are_cut = zip(*(read_ids(tokenizer, text, model.config.block_size) for text in texts))
    return list(found), sum(are_cut)


def class_probabilities(model: Pretrained, texts: Any) -> NDArray[np.float64]:
    """(N, K) for texts as ``encoded_texts`` returns them, in evaluation mode."""
    with evaluating(model):
        if model.input_type == "counts":
            return model.probabilities(texts)
        found = np.empty((len(texts), model.config.n_classes))
        for chosen in alike(texts, 128):
            found[chosen] = model.probabilities(padded([texts[j] for j in chosen]))
        return found


def read_ids(tokenizer: Tokenizer, text: str, longest: int) -> tuple[NDArray[np.int64], bool]:
    """(the ids of ``text``, (T ≤ longest,); whether it was cut). The ids for a BERT are between [CLS] and [SEP]."""
    special = {"special": True} if isinstance(tokenizer, WordPieceTokenizer) else {}
    ids = tokenizer.encode(text, **special)
    if len(ids) <= longest:
        return ids, False
    return tokenizer.encode(text, **special, longest=longest) if special else ids[:longest], True


def _checkpoint(name: str) -> Path:
    """The folder ``name``, or that of the published model with this name, which is fetched if necessary."""
    return fetch(name) if name in SETS else Path(name)


def load_texts(data: TextSettings, classes: tuple[str, ...] | None = None) -> Dataset:
    """The data set with the name ``data.set``, or in the file or folder of that path.

    classes     those of a trained model; another label in a file is then a ValueError
    """
    if data.set in LABELED:
        return load(data.set)
    if data.set in SETS:
        raise ValueError(f"data.set: {data.set} has no texts with classes; expected {EXPECTED}")
    path = Path(data.set)
    if path.is_dir():
        return read_imdb(path)
    if path.is_file():
        return read_csv(path, data.text, data.label, classes)
    raise ValueError(f"data.set: {data.set!r} is no set, file or folder; expected {EXPECTED}")
