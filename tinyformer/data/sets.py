"""From the fetched files to a data set: how each is read, and which rows are left out."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Callable
from typing import Literal, overload

import numpy as np

from .dataset import Dataset, Examples, by_content
from .download import card, fetch, read
from .overlap import without_overlap


@overload
def load(name: Literal["surnames", "shakespeare-plays", "sanguo"]) -> str: ...      # type: ignore[overload-overlap]
@overload
def load(name: str) -> Dataset: ...
def load(name: str) -> Dataset | str:
    """The data set ``name``, one of ``SETS``, fetched if it is not there yet: a ``Dataset``, or a str for one text.

    The files stay in ``data_folder()``: the folder that the environment variable TINYFORMER_DATA names, or the user's
    cache folder.

    >>> texts, labels = load("movie-snippets").train                                            # doctest: +SKIP

    Raises ValueError for an unknown name and for a file that has changed, OSError if the download fails.
    """
    card(name)
    if name not in READERS:
        raise ValueError(f"load: {name} is not a data set but the files of a model; fetch({name!r}) gives their folder")
    fetch(name)
    return READERS[name]()


def _movie_snippets():
    rows = [line.split("\t") for line in read("movie-snippets", "snippets.tsv").decode().splitlines()[1:]]
    labels = {text: int(float(score) > 0) for _, score, text in rows if abs(float(score)) > 0.5}
    return by_content("movie-snippets", labels, labels.values(), ("negative", "positive"))


def _chinese_reviews():
    negative, positive = (
        dict.fromkeys(filter(None, map(str.strip, read("chinese-reviews", file).decode().split("\n"))))
        for file in ("negative.txt", "positive.txt"))
    labels = {text: label for label, texts in enumerate((negative, positive)) for text in texts
              if not (text in negative and text in positive)}
    return by_content("chinese-reviews", labels, labels.values(), ("negative", "positive"))


def _sms_spam():
    rows = csv.DictReader(io.StringIO(read("sms-spam", "sms.csv").decode(), newline=""))
    labels = {row["text"]: int(row["spam"]) for row in rows}
    # the same spam occurs in many versions
    return without_overlap(by_content("sms-spam", labels, labels.values(), ("ham", "spam")))


def _names():
    female, male = (set(_census("names", file)) for file in ("female.txt", "male.txt"))
    names = sorted(female | male)
    labels = [(name in female) + 2 * (name in male) - 1 for name in names]
    return by_content("names", names, labels, ("female", "male", "both"))


def _surnames():
    return "\n".join(_census("surnames", "last.txt")) + "\n"


def _census(name, file):
    """A line has the name, its frequency, the cumulative frequency and its rank."""
    return [line.split()[0].lower() for line in read(name, file).decode().splitlines()]


def _cmudict():
    """A line is ``word P H O N E S # origin of the word``; the word of a second pronunciation ends in (2).

    Words that differ only in an apostrophe or period (abram's, abrams) mostly sound the same, so they share a split.
    """
    lines = [line.partition("#")[0].split(" ", 1) for line in read("cmudict", "cmudict.dict").decode().splitlines()]
    return by_content("cmudict", [re.sub(r"\(\d+\)$", "", word) for word, _ in lines],
                      [phones.strip() for _, phones in lines], key=lambda word: re.sub(r"[^a-z]", "", word))


def _opencc_phrases():
    """Phrases are split; all single characters are in the training split.

    A held-out phrase then tests which counterpart of a character is meant, not whether the character is known.
    """
    phrases, characters = _first_choices("phrases.txt"), _first_choices("characters.txt")
    dataset = by_content("opencc-phrases", phrases, phrases.values())
    dataset.train.x.extend(characters)
    dataset.train.y.extend(characters.values())
    return dataset


def _first_choices(file):
    """{simplified: traditional}. A line is ``simplified⇥traditional other-choice …``."""
    lines = [line.split("\t") for line in read("opencc-phrases", file).decode().splitlines()
             if line and not line.startswith("#")]
    return {simplified: traditional.split()[0] for simplified, traditional in lines}


def _mnist_5k():
    """Rows of 784 gray values and the digit, ordered by digit.

    Every 5th row is for testing, the 2nd of each ten for validation.
    """
    text = gzip.decompress(read("mnist-5k", "mnist_5k.csv.gz")).decode()
    rows = np.array(text.replace("\n", ",").rstrip(",").split(","), np.uint8).reshape(-1, 785)
    x, y, place = rows[:, :784].astype(np.float32) / 255, rows[:, 784].astype(np.int64), np.arange(len(rows))
    test, validation = place % 5 == 0, place % 10 == 1
    return Dataset("mnist-5k", *(Examples(x[part], y[part]) for part in (~(test | validation), validation, test)),
                   tuple("0123456789"))


def _shakespeare_plays():
    """Markdown without its markup: ``#`` before headings, stars around speakers, ``_`` around directions, ``\\``
    escapes."""
    text = read("shakespeare-plays", "plays.md").decode()
    text = re.sub(r"^# ", "\n", text, flags=re.MULTILINE)                      # a play begins after an empty line
    text = re.sub(r"^#+ |[*_\\]| +$", "", text, flags=re.MULTILINE)
    return text.lstrip("\n")


def _sanguo():
    return "\n".join(json.loads(read("sanguo", "sanguo.json")))                # 120 chapters


READERS: dict[str, Callable[[], Dataset | str]] = {
    "movie-snippets": _movie_snippets, "chinese-reviews": _chinese_reviews, "sms-spam": _sms_spam, "names": _names,
    "surnames": _surnames, "cmudict": _cmudict, "opencc-phrases": _opencc_phrases, "mnist-5k": _mnist_5k,
    "shakespeare-plays": _shakespeare_plays, "sanguo": _sanguo}
