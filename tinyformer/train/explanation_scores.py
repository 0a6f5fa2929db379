"""How well attributions find the words that a classifier reads: areas under deletion and insertion curves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import Tensor, no_grad
from ..data import padded
from ..explain import input_x_gradient, integrated_gradients, occlusion, rollout, saliency
from ..explain.trust import curve_area, rank_correlation, removal_curves, with_random_weights
from ..models.bert import PublishedBert
from ..models.lstm import AttentionLSTM
from ..text import WordPieceTokenizer
from ..viz import watch_attention
from .saved_run import open_run

if TYPE_CHECKING:
    from ..typing import Array

SEEDS = 3                                                   # of the random orders, and of the random weights
COMPARED = 32                                               # texts whose attributions meet those of random weights
SHORTEST = 5                                                # tokens of a text: in shorter ones no order is much better


def evaluate_explanations(folder: str | Path, n_texts: int = 100, seed: int = 0) -> dict[str, Any]:
    """{name: figure} of the attributions of the classifier in ``folder`` on random texts of its test split.

        "texts"         how many texts
        "methods"       {method: {"deletion", "insertion"}}: the mean area under the probability of the predicted class
                        against the fraction of words removed, or kept, and its standard error over the texts
        "curves"        {method: {"deletion", "insertion"}}: the mean probabilities at 0, 10, … 100 %
        "sanity"        {method: mean rank correlation of the attributions with those of the model with random weights}

    The words with the largest attribution go, or come, first; words are taken out of the text. "random" is the mean of
    three random orders. "attention" is the attention of an attention-lstm, or the rollout of a Transformer, where the
    model has one. A good explanation has a small area of deletion and a large one of insertion. Raises ValueError for a
    model that is no classifier of token ids.
    """
    folder = Path(folder)
    run = open_run(folder)
    model = run.model
    if model.task != "classification" or model.input_type != "tokens" or not hasattr(model, "read"):
        raise ValueError(f"{folder}: a {type(model).__name__} has no explanations to measure, expected a classifier of "
                         "texts that reads tokens in order")
    encoded, rng = run.task.encoded(model, "test"), np.random.default_rng(seed)
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
        """(N,), of texts without the tokens that are not ``present`` (N, T)."""
        kept = padded([row[there & (row != 0)] for row, there in zip(ids, present)])
        return model.probabilities(kept)[np.arange(len(ids)), target]

    found = attributions(model, ids, players, target)
    orders = {**{name: [map_] for name, map_ in found.items()},
              "random": [np.random.default_rng(k).random(ids.shape) for k in range(SEEDS)]}
    curves = {name: np.mean([removal_curves(probability, map_, players) for map_ in maps], axis=0)      # (2, 11, N)
              for name, maps in orders.items()}
    sides = ("deletion", "insertion")
    return {
        "model": str(folder), "texts": len(ids),
        "methods": {name: {side: _mean_and_error(curve_area(curve)) for side, curve in zip(sides, both)}
                    for name, both in curves.items()},
        "curves": {name: {side: curve.mean(axis=1).tolist() for side, curve in zip(sides, both)}
                   for name, both in curves.items()},
        "sanity": _sanity(model, *(rows[:COMPARED] for rows in (ids, players, target)), found)}


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


def _sanity(model: Any, ids: Array, players: Array, target: Array, found: dict[str, Array]) -> dict[str, float]:
    """The mean rank correlation of each method's attributions with those of the model with random weights."""
    others = [attributions(with_random_weights(model, k), ids, players, target) for k in range(SEEDS)]
    return {name: float(np.nanmean([rank_correlation(map_[n:n + 1, there], other[name][n:n + 1, there])
                                    for other in others for n, there in enumerate(players)]))
            for name, map_ in found.items()}
