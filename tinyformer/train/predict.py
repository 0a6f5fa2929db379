"""The class of a text, and the contribution of each token to it; and the class of a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..autograd import no_grad
from ..data.picture_files import read_picture
from ..data.sparse import SparseRows
from ..models import load_model
from ..nn import evaluating
from ..nn.argument_checks import check_finite
from ..ops import softmax
from ..text import load_tokenizer
from ..text.base import check_text
from ..text.ngrams import UNKNOWN, NGramTokenizer, units
from .classes import load_classes
from .tasks.classification import read_ids

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..text.base import Tokenizer

LINEAR = "weight × value: the addition of each token to the log-odds"
MEASURES = {"bow": LINEAR, "bayes-bow": LINEAR, "attention-lstm": "attention weights",
            None: "gradient · vector: the approximate addition of each token to the log-odds"}


def predict(folder: str | Path, text: str) -> dict[str, Any]:
    """What the classifier in ``folder`` says of ``text``, as a dictionary.

    Its fields are {"class", "probability", "probabilities", "measure", "contributions": [{"token", "value"}],
    "unknown", "cut"}. ValueError for a text without a word, and for a folder with another kind of model.
    """
    folder = Path(folder)
    check_text("predict", text)
    model, classes = _model_and_classes(folder)
    if model.task != "classification":
        raise ValueError(f"{folder}: a {type(model).__name__} does not read texts, expected the name of a file that "
                         f"ends in .png")
    return predict_with(model, load_tokenizer(folder / "tokenizer.json"), classes, text, str(folder))


def predict_with(model: Any, tokenizer: Any, classes: Sequence[str], text: str,
                 where: str = "predict") -> dict[str, Any]:
    """As ``predict``, with a classifier of texts that is open already; its errors begin with ``where``."""
    words = tokenizer.encode(text)
    if not words.size:
        raise ValueError("predict: the text is empty, expected at least one word")
    if model.input_type == "counts":
        x, cut = SparseRows.of([tokenizer.tf_idf(text)]), False
        shown = x.columns
    else:
        shown, cut = read_ids(tokenizer, text, model.config.block_size)
        x = shown[None]
    p = model.probabilities(x)[0]
    check_finite(f"{where}: the model's probabilities", p)
    label = int(p.argmax())
    values = model.contributions(x, label)
    return {"class": classes[label], "probability": float(p[label]), "probabilities": dict(zip(classes, map(float, p))),
            "measure": MEASURES.get(model.architecture, MEASURES[None]),
            "contributions": [{"token": tokenizer.tokens[id], "value": float(value)}
                              for id, value in zip(shown, values)],
            "unknown": unknown(tokenizer, text, words), "cut": cut}


def predict_picture(folder: str | Path, path: str | Path) -> dict[str, Any]:
    """What the classifier of pictures in ``folder`` says of the PNG file ``path``, as a dictionary.

    Its fields are {"class", "probability", "probabilities", "notes"}: the notes say how the file was read.
    ``data.read_picture`` describes that. ValueError for a file without a picture, and for a folder with another kind
    of model.
    """
    folder = Path(folder)
    model, classes = _model_and_classes(folder)
    if model.task != "pictures":
        raise ValueError(f"{folder}: a {type(model).__name__} does not read pictures; "
                         f"expected one such as lenet-mnist trains")
    n = model.config.n_features
    side = math.isqrt(n)
    if side * side != n:
        raise ValueError(f"{folder}: the model reads {n} numbers, expected the pixels of a square picture")
    x, notes = read_picture(path, side)
    with evaluating(model), no_grad():
        p = softmax(model(x.reshape(1, n))).data[0]
    check_finite(f"{folder}: the model's probabilities", p)
    label = int(p.argmax())
    return {"class": classes[label], "probability": float(p[label]), "probabilities": dict(zip(classes, map(float, p))),
            "notes": notes}


def _model_and_classes(folder):
    model = load_model(folder)
    if model.task not in ("classification", "pictures"):
        raise ValueError(f"{folder}: a {type(model).__name__} predicts no class, expected the folder of a trained "
                         f"classifier")
    classes = load_classes(folder)
    if len(classes) != model.config.n_classes:
        raise ValueError(f"{folder / 'classes.json'}: it has {len(classes)} names of classes, expected "
                         f"{model.config.n_classes}, those of the model")
    return model, classes


def unknown(tokenizer: Tokenizer, text: str, ids: NDArray[Any]) -> list[str]:
    """The words of ``text`` that are not in the vocabulary. WordPiece splits unknown words, so it has none."""
    if not isinstance(tokenizer, NGramTokenizer):
        return []
    return [part for part, id in zip(units(text, tokenizer.unit), ids) if id == UNKNOWN]
