"""Why a trained model says what it says of a text: an attribution to each token and word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import Tensor, no_grad
from ..data.sparse import SparseRows
from ..explain.tokens import METHODS, token_attributions, words_of
from ..models import model_class
from ..nn.argument_checks import check_finite
from ..option_checks import check_choice
from ..text import WordPieceTokenizer
from ..text.base import check_text
from .classes import load_classes
from .saved_run import SavedRun, model_folder, open_run
from .tasks.classification import read_ids

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..models.pretrained import Pretrained
    from ..text.base import Tokenizer
    from ..typing import Array

TOP = 10                                                    # next tokens of a language model that are reported


@dataclass
class Reading:
    """A text as a model reads it: ``f`` maps vectors (B, T, C) to logits (B, K).

    vectors     (T, C): the tokens' rows of the embedding, or the features of a bag of words, (T, 1)
    ids         (T,)
    special     (T,), True at tokens such as [CLS], which are no part of the text
    words       [(word, the positions of its tokens)]
    cut         whether the model reads only the beginning of the text
    """

    f: Callable[[Tensor], Tensor]
    vectors: Array
    ids: NDArray[np.int64]
    special: NDArray[np.bool_]
    words: list[tuple[str, list[int]]]
    cut: bool = False

    def logits(self) -> Array:
        """(K,), in float64."""
        with no_grad():
            return self.f(Tensor(self.vectors[None])).data[0].astype(np.float64)


def explain_text(folder: str | Path, text: str, method: str = "integrated-gradients",
                 target: str | None = None) -> dict[str, Any]:
    """Which tokens of ``text`` speak for the answer of the model in ``folder``, as a dictionary.

        "class", "probability"      the most likely class, or the most likely next token of a language model
        "probabilities"             of all classes, or of the ten most likely next tokens
        "target"                    the class whose logit is explained; by default "class"
        "method"                    integrated-gradients, saliency, input-x-gradient, smooth-grad, occlusion or shapley
        "tokens", "attributions"    one number for each token, special tokens included
        "words"                     [{"word", "attribution"}], sub-words put together, without special tokens
        "special"                   [{"token", "attribution"}]
        "logit", "baseline_logit"   of the target, for the text and for zero vectors in place of its tokens
        "completeness_gap"          sum of the attributions − (logit − baseline_logit)
        "cut"                       whether the model reads only the beginning of the text

    The inputs are the vectors of the embedding; for a bag of words they are its features: the known words in
    their order, then the longer n-grams. The baseline of every token is the zero vector; special tokens keep theirs.
    Raises ValueError for an unknown method or target, for a text of fewer than two tokens, and for a model that
    scores no text, or counts n-grams.
    """
    folder = model_folder(folder)
    expect_explainable(folder, model_class(folder))         # before weights and tokenizer are read
    return explain_with(open_run(folder), text, method, target)


def explain_with(run: SavedRun, text: str, method: str = "integrated-gradients",
                 target: str | None = None, longest: int | None = None) -> dict[str, Any]:
    """As ``explain_text``, with a model that is open already. ValueError for more than ``longest`` tokens."""
    folder = run.folder
    check_text("explain", text)
    check_choice("explain", "method", method, METHODS)
    if not text.strip():
        raise ValueError("explain: the text is empty, expected at least two tokens")
    model, tokenizer = run.model, run.tokenizer
    expect_explainable(folder, type(model))
    reading = read_text(folder, model, tokenizer, text)
    n = int((~reading.special).sum())
    if n < 2:
        raise ValueError(f"explain: the text has {n} token{'s' * (n != 1)} that the model reads, expected at least 2, "
                         "so that the logit can be divided among them")
    if longest is not None and n > longest:
        raise ValueError(f"explain: the text has {n} tokens that the model reads, expected at most {longest}")
    language = model.task == "language"
    classes = [] if language else load_classes(folder)
    logits = reading.logits()
    check_finite(f"{folder}: the model's logits", logits)
    p = np.exp(logits - logits.max())
    p /= p.sum()
    best, shown = int(p.argmax()), np.argsort(-p, kind="stable")[:TOP] if language else range(len(p))
    explained = best if target is None else _token(tokenizer, target) if language else _class(folder, classes, target)
    values, gap = token_attributions(reading.f, reading.vectors, explained, method, reading.special)

    def name(k: int) -> str:
        return tokenizer.pieces([k])[0] if language else classes[k]

    tokens = tokenizer.pieces(reading.ids)
    moved = float(values.sum(dtype=np.float64)) - gap
    return {
        "class": name(best), "probability": float(p[best]), "probabilities": {name(k): float(p[k]) for k in shown},
        "target": name(explained), "method": method, "tokens": tokens, "attributions": [float(v) for v in values],
        "words": [{"word": word, "attribution": float(values[places].sum())} for word, places in reading.words],
        "special": [{"token": tokens[i], "attribution": float(values[i])} for i in np.flatnonzero(reading.special)],
        "logit": float(logits[explained]), "baseline_logit": float(logits[explained]) - moved,
        "completeness_gap": gap, "cut": reading.cut}


def expect_explainable(folder: Path, model: type[Pretrained]) -> None:
    """ValueError unless models of this class give a text a class or a next token, from vectors or counts of words."""
    language = model.task == "language"
    if not hasattr(model, "read") and getattr(model, "input_type", "") != "counts" or not (
            language or model.task == "classification"):
        why = ("its probabilities come from counts, and there is no embedding whose vectors an attribution could follow"
               if language else "it gives no text a class or a next token")
        raise ValueError(f"{folder}: {model.__name__} cannot be explained: {why}; expected a classifier of texts, or a "
                         "language model with an embedding, such as GPT, an LSTM or a neural n-gram")


def read_text(folder: Path, model: Any, tokenizer: Any, text: str) -> Reading:
    """``text`` as the model in ``folder`` reads it; ValueError if it is longer than a language model reads."""
    if model.task == "classification" and model.input_type == "counts":
        x = SparseRows.of([tokenizer.tf_idf(text)])
        terms, bias = model.terms(x), model.bias.data                           # (K, T), (K,)
        first = {int(id): i for i, id in reversed(list(enumerate(tokenizer.encode(text))))}
        order = np.argsort([first[int(id)] for id in x.columns], kind="stable")      # the order of the text
        ids, terms = x.columns[order], terms[:, order]
        return Reading(lambda v: (v[:, :, 0] @ terms.T) + bias, np.ones((len(ids), 1), terms.dtype), ids,
                       np.zeros(len(ids), bool), [(piece, [i]) for i, piece in enumerate(tokenizer.pieces(ids))])
    with no_grad():
        if model.task == "classification":
            ids, cut = read_ids(tokenizer, text, model.config.block_size)
            special = np.zeros(len(ids), bool)
            if isinstance(tokenizer, WordPieceTokenizer):
                special[[0, -1]] = True                                         # [CLS] and [SEP]

            def f(v: Tensor) -> Tensor:
                return model.read(v, np.ones(v.shape[:2], bool))
        else:
            ids, most = tokenizer.prompt(text), model.config.block_size
            if len(ids) > most:
                raise ValueError(f"{folder}: the text has {len(ids)} tokens, expected at most {most}: the model reads "
                                 "no longer text")
            special, cut = np.arange(len(ids)) < len(ids) - len(tokenizer.encode(text)), False

            def f(v: Tensor) -> Tensor:
                return model.read(v)[:, -1]                                     # the token after the text
        vectors = model.embedding(ids[None]).data[0]
    return Reading(f, vectors, ids, special, words_of(tokenizer, ids, text, special), cut)


def _class(folder: Path, classes: Sequence[str], target: str) -> int:
    if target not in classes:
        raise ValueError(f"explain: target is {target!r}, expected one of the classes {', '.join(classes)} of {folder}")
    return classes.index(target)


def _token(tokenizer: Tokenizer, target: str) -> int:
    ids = tokenizer.encode(target)
    if len(ids) != 1:
        raise ValueError(f"explain: target {target!r} has {len(ids)} tokens, expected one, the next token to explain")
    return int(ids[0])
