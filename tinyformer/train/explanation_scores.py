"""How well attributions find what a classifier reads in texts or pictures: areas under removal curves."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import Tensor, no_grad
from ..data import padded
from ..explain import input_x_gradient, integrated_gradients, occlusion, rollout, saliency
from ..explain.trust import curve_area, rank_correlation, removal_curves, with_random_weights
from ..models.bert import PublishedBert
from ..models.lstm import AttentionLSTM
from ..nn import evaluating
from ..number_checks import check_integer
from ..ops import softmax
from ..text import WordPieceTokenizer
from ..viz import watch_attention
from .saved_run import open_run

if TYPE_CHECKING:
    from ..typing import Array

SEEDS = 3                                                   # of the random orders, and of the random weights
COMPARED = 32                                               # examples whose attributions meet those of random weights
SHORTEST = 5                                                # tokens of a text: in shorter ones no order is much better
WINDOW = (4, 4)                                             # pixels that occlusion of a picture hides together


@dataclass
class Subject:
    """What is explained: N examples of D parts each, which can be taken out.

    noun            what an example is called: "texts"
    players         (N, D), True at the parts that can be taken out: words, or pixels that are not black
    target          (N,), the predicted classes
    probability     maps (N, D), True at the parts that are there, to the probabilities (N,) of the predicted classes
    attributions    maps a model and how many of the first examples to {method: (N, D)}
    """

    noun: str
    players: Array
    target: Array
    probability: Callable[[Array], Array]
    attributions: Callable[[Any, int], dict[str, Array]]


def evaluate_explanations(folder: str | Path, n_texts: int = 100, seed: int = 0) -> dict[str, Any]:
    """{name: figure} of the attributions of the classifier in ``folder`` on random examples of its test split.

        "texts"         how many texts; "pictures" for a classifier of pictures
        "methods"       {method: {"deletion", "insertion"}}: the mean area under the probability of the predicted class
                        against the fraction of parts removed, or kept, and its standard error over the examples
        "curves"        {method: {"deletion", "insertion"}}: the mean probabilities at 0, 10, … 100 %
        "sanity"        {method: mean rank correlation of the attributions with those of the model with random weights}

    The parts with the largest attribution go, or come, first; words are taken out of the text, pixels become black.
    Black pixels are no parts. "random" is the mean of three random orders. "attention" is the attention of an
    attention-lstm, or the rollout of a Transformer that reads text. A good explanation has a small area of deletion and
    a large one of insertion. Raises ValueError for a model that is no classifier of pictures or of token ids.
    """
    folder = Path(folder)
    check_integer("evaluate_explanations", "n_texts", n_texts, at_least=2)
    run, rng = open_run(folder), np.random.default_rng(seed)
    subject = (_pictures(run, n_texts, rng) if run.model.task == "pictures" else _texts(run, folder, n_texts, rng))
    players, n = subject.players, len(subject.target)
    found = subject.attributions(run.model, n)
    orders = {**{name: [map_] for name, map_ in found.items()},
              "random": [np.random.default_rng(k).random(players.shape) for k in range(SEEDS)]}
    curves = {name: np.mean([removal_curves(subject.probability, map_, players) for map_ in maps], axis=0)
              for name, maps in orders.items()}                                 # each (2, 11, N)
    sides = ("deletion", "insertion")
    return {
        "model": str(folder), subject.noun: n,
        "methods": {name: {side: _mean_and_error(curve_area(curve)) for side, curve in zip(sides, both)}
                    for name, both in curves.items()},
        "curves": {name: {side: curve.mean(axis=1).tolist() for side, curve in zip(sides, both)}
                   for name, both in curves.items()},
        "sanity": _sanity(run.model, subject, found)}


def _texts(run: Any, folder: Path, n_texts: int, rng: np.random.Generator) -> Subject:
    model = run.model
    if model.task != "classification" or not hasattr(model, "read"):
        raise ValueError(f"{folder}: a {type(model).__name__} has no explanations to measure, expected a classifier of "
                         "pictures, or of texts that reads tokens in order")
    encoded = run.task.encoded(model, "test")
    long = [ids for ids in encoded if len(ids) >= SHORTEST]
    if len(long) < 2:
        raise ValueError(f"{folder}: {len(long)} texts of its test split have {SHORTEST} tokens, expected at least 2")
    ids = padded([long[i] for i in rng.permutation(len(long))[:n_texts]])       # (N, T)
    players = ids != 0
    if isinstance(run.tokenizer, WordPieceTokenizer):
        players &= (ids != run.tokenizer.cls) & (ids != run.tokenizer.sep)
    with no_grad():
        target = model.probabilities(ids).argmax(axis=1)

    def probability(present: Array) -> Array:
        kept = padded([row[there & (row != 0)] for row, there in zip(ids, present)])
        return model.probabilities(kept)[np.arange(len(ids)), target]

    return Subject("texts", players, target, probability,
                   lambda model, n: attributions(model, ids[:n], players[:n], target[:n]))


def _pictures(run: Any, n_pictures: int, rng: np.random.Generator) -> Subject:
    """The pictures have black, 0, as the baseline of each pixel."""
    x = run.task.test.x
    x = x[rng.permutation(len(x))[:n_pictures]]                                 # (N, D)
    rows, side = np.arange(len(x)), math.isqrt(x.shape[1])

    def probabilities(x: Array) -> Array:
        with evaluating(run.model), no_grad():
            return softmax(run.model(x)).data

    target = probabilities(x).argmax(axis=1)

    def maps(model: Any, n: int) -> dict[str, Array]:
        def f(v: Tensor) -> Tensor:
            return model(v.reshape(len(v), side * side))

        with evaluating(model):
            given = f, x[:n], target[:n]
            hidden = occlusion(f, x[:n].reshape(n, side, side), WINDOW, target[:n])
            return {"integrated-gradients": integrated_gradients(f, x[:n], target=target[:n])[0],
                    "input-x-gradient": input_x_gradient(*given), "saliency": saliency(*given),
                    "occlusion": hidden.reshape(n, side * side)}

    return Subject("pictures", x != 0, target, lambda present: probabilities(x * present)[rows, target], maps)


def attributions(model: Any, ids: Array, players: Array, target: Array) -> dict[str, Array]:
    """{method: (N, T)} of the texts ids (N, T) for the classes ``target`` (N,); zero vectors are the baseline."""
    with no_grad():
        vectors = model.embedding(ids).data                                     # (N, T, C)
    mask, baseline = ids != 0, np.where(players[:, :, None], vectors.dtype.type(0), vectors)

    def f(v: Tensor) -> Tensor:
        return model.read(v, mask)

    found = {"integrated-gradients": integrated_gradients(f, vectors, baseline, target)[0].sum(axis=-1),
             "input-x-gradient": input_x_gradient(f, vectors, target).sum(axis=-1),
             "saliency": saliency(f, vectors, target).sum(axis=-1),
             "occlusion": occlusion(f, vectors, 1, target, baseline)[:, :, 0]}
    weights = attention_of(model, ids)
    return found if weights is None else {**found, "attention": weights}


def attention_of(model: Any, ids: Array) -> Array | None:
    """How much a classifier attends to each token, (N, T); None for a model without attention.

    The weights of an attention-lstm, or the rollout of a Transformer: of [CLS] for a BERT, else the mean over outputs.
    """
    if isinstance(model, AttentionLSTM):
        return np.stack([np.pad(model.contributions(row[None, row != 0], 0), (0, (row == 0).sum())) for row in ids])
    with no_grad(), watch_attention(model) as maps:
        model(ids)
    if not maps:
        return None
    flow = rollout(maps.stacked())                                              # (N, T, T)
    texts = (ids != 0)[:, :, None]
    return flow[:, 0] if isinstance(model, PublishedBert) else (flow * texts).sum(axis=1) / texts.sum(axis=1)


def _mean_and_error(values: Array) -> dict[str, float]:
    return {"mean": float(values.mean()), "standard_error": float(values.std(ddof=1) / np.sqrt(len(values)))}


def _sanity(model: Any, subject: Subject, found: dict[str, Array]) -> dict[str, float]:
    """The mean rank correlation of each method's attributions with those of the model with random weights."""
    players = subject.players[:COMPARED]
    others = [subject.attributions(with_random_weights(model, k), len(players)) for k in range(SEEDS)]
    return {name: float(np.nanmean([rank_correlation(map_[n:n + 1, there], other[name][n:n + 1, there])
                                    for other in others for n, there in enumerate(players)]))
            for name, map_ in found.items()}
