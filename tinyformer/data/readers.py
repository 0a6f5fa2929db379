"""Reading your own examples: a CSV file, and the folders of IMDb."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..files import read_text
from .dataset import Dataset, Examples, by_content, tenth


def read_csv(path: str | os.PathLike[str], text: str = "text", label: str = "label",
             classes: Sequence[str] | None = None) -> Dataset:
    """The data set in a UTF-8 file of comma-separated values (tabs in a .tsv file), whose first line names the columns.

    text, label     the names of the columns of the texts and of their labels
    classes         the possible labels, in the order of their numbers; None: the labels that occur, sorted

    ``by_content`` splits the rows. Raises ValueError for a missing column, bytes that are not UTF-8, an empty text or
    label, a label that is not one of ``classes``, and fewer than two classes; OSError for a file that cannot be read.
    """
    texts, labels = [], []
    for line, one, kind in _records(path, text, label):
        if classes is not None and kind not in classes:
            raise ValueError(f"read_csv: {path}, line {line}: unknown label {kind!r}, "
                             f"expected one of {', '.join(classes)}")
        texts.append(one)
        labels.append(kind)
    occurring = sorted(set(labels))
    if len(occurring) < 2:
        found = f"only the class {occurring[0]!r}" if occurring else "no rows"
        raise ValueError(f"read_csv: {path} has {found}, expected at least two classes")
    classes = tuple(occurring if classes is None else classes)
    return by_content(Path(path).stem, texts, [classes.index(label) for label in labels], classes)


def read_columns(path: str | os.PathLike[str], *columns: str) -> list[list[str]]:
    """The named columns of a .csv or .tsv file, each a list of texts, without white space around them.

    The errors are those of ``read_csv``, which also splits the rows; and ValueError for a file without rows.
    """
    rows = [fields for _, *fields in _records(path, *columns)]
    if not rows:
        raise ValueError(f"read_columns: {path} has no rows, expected at least one")
    return [list(column) for column in zip(*rows)]


def _records(path: str | os.PathLike[str], *columns: str) -> Iterator[tuple[Any, ...]]:
    """Yield (line, field, …) for each row: the number of the line and the fields of the ``columns``."""
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True,
                        delimiter="\t" if Path(path).suffix == ".tsv" else ",")
    try:
        header = next(reader, [])
        places = [_column(path, header, name) for name in columns]
        for row in reader:
            if row:                                     # an empty line is not a row
                if len(row) != len(header):
                    raise ValueError(f"read_csv: {path}, line {reader.line_num}: "
                                     f"{len(row)} fields, expected {len(header)}")
                fields = [row[place].strip() for place in places]
                for name, field in zip(columns, fields):
                    if not field:
                        raise ValueError(f"read_csv: {path}, line {reader.line_num}: the column {name!r} is empty")
                yield (reader.line_num, *fields)
    except csv.Error as error:
        raise ValueError(f"read_csv: {path}, line {reader.line_num}: {error}") from None


def read_imdb(folder: str | os.PathLike[str]) -> Dataset:
    """IMDb's film reviews (Maas et al. 2011) from the unpacked ``folder``: {train,test}/{neg,pos}/*.txt.

    The test split is IMDb's. The validation split is tenth 1 (see ``by_content``) of IMDb's training split. Line
    breaks, <br />, become spaces. Raises ValueError for a folder without texts, and for a text that is empty or not
    UTF-8.
    """
    folder = Path(folder)
    parts = {part: _reviews(folder, part) for part in ("train", "test")}
    held_out = [tenth(text) == 1 for text in parts["train"].x]
    chosen = [[i for i, held in enumerate(held_out) if held == wanted] for wanted in (False, True)]
    splits = [Examples([parts["train"].x[i] for i in places], parts["train"].y[places]) for places in chosen]
    return Dataset("imdb", *splits, parts["test"], ("negative", "positive"))


def _reviews(folder, part):
    texts, labels = [], []
    for label, kind in enumerate(("neg", "pos")):
        files = sorted((folder / part / kind).glob("*.txt"))
        if not files:
            raise ValueError(f"read_imdb: no texts in {folder / part / kind}, expected the folder aclImdb with "
                             f"train/neg, train/pos, test/neg and test/pos")
        for file in files:
            texts.append(read_text(file).replace("<br />", " ").strip())
            if not texts[-1]:
                raise ValueError(f"read_imdb: {file} is empty, expected a text")
        labels += [label] * len(files)
    return Examples(texts, np.array(labels, np.int64))


def _column(path, header, name):
    if name not in header:
        found = ", ".join(map(repr, header)) or "no columns"
        raise ValueError(f"read_csv: {path} has no column {name!r}, it has {found}")
    return header.index(name)
