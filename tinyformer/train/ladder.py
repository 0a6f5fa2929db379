"""A ladder of language models on one text, all judged on the same part of it: guessing, counting, networks, each rung with its
parameters and the seconds of its training.

    loss(uniform) > loss(unigram) > loss(bigram) > … > loss(Transformer)        what is hoped for, and told where it is not so
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from ..models import NGram, NGramConfig, load_model
from ..models.ngram_counts import Counts
from . import scores
from .checkpoint import checkpoints, load_checkpoint
from .losses import evaluate_loss, uniform_loss
from .locked import FolderLock
from .recipe import load_recipe
from .run import train

ORDERS = range(1, 7)
COUNTED = {1: "unigram", 2: "bigram"}


@dataclass(frozen=True)
class Ladder:
    """Which rungs. ``counted``: the n of the n-grams that are rungs; ``networks``: (name, recipe) each, from below.

    part        of the task that is judged on
    nats        what the unit is in nats
    note        what others publish that is like it
    """

    about: str
    networks: tuple
    counted: tuple
    seeds: int
    part: str
    unit: str
    nats: float
    note: str = ""


LADDERS = {
    "names": Ladder("Names, each read alone", (
        ("MLP", "mlp-names"), ("RNN", "rnn-names"), ("GRU", "gru-names"), ("LSTM", "lstm-names"), ("Transformer", "gpt-names")),
        counted=(1, 2), seeds=3, part="test", unit="nats per character", nats=1.0,
        note="the networks have the widths and depths of makemore (Karpathy, 2022), so the Transformer is by far the largest: an LSTM "
             "of as many parameters is better than it. makemore's bigram has 2.476, on a list of names of its own"),
    "shakespeare": Ladder("Tiny Shakespeare", (
        ("MLP", "mlp-shakespeare"), ("LSTM", "lstm-shakespeare"), ("GPT", "shakespeare-char-cpu-best")),
        counted=tuple(ORDERS), seeds=1, part="validation", unit="bits per character", nats=math.log(2)),
}


def climb(name, folder, seeds=None, given=()):
    """Everything about the ladder ``name``: a dict, see ``report``. What is not trained yet is trained into ``folder``.

    seeds       so many trainings of each network, from the seeds 1, 2, …
    given       folders of runs to take instead of training one of that recipe
    """
    ladder = LADDERS[name]
    given = {load_recipe(run / "recipe.toml").name: run for run in given}
    if strange := set(given) - {recipe for _, recipe in ladder.networks}:
        raise ValueError(f"a run of the recipe {min(strange)} is no rung of the ladder {name}, expected one of "
                         f"{', '.join(recipe for _, recipe in ladder.networks)}")
    recipe = load_recipe(ladder.networks[0][1])
    task = recipe.task(recipe.data)
    rungs = counted_rungs(task, getattr(task, ladder.part))
    with FolderLock(folder):
        for rung, recipe_name in ladder.networks:
            rungs.append(_network(rung, recipe_name, getattr(task, ladder.part), folder / recipe_name,
                                  range(1, (seeds or ladder.seeds) + 1), given.get(recipe_name)))
    return report(name, rungs, task.describe())


def counted_rungs(task, judged):
    """The uniform guess, and the n-grams of ``ORDERS`` with modified Kneser–Ney smoothing."""
    V = task.sizes()["vocab_size"]
    rungs = [rung("uniform", "guess", [uniform_loss(V)], 0, 0.0)]
    for n in ORDERS:
        began = time.perf_counter()
        model = NGram(NGramConfig(V, n)).fit(Counts(task.train, n, V))
        seconds = time.perf_counter() - began
        rungs.append({**rung(COUNTED.get(n, f"{n}-gram"), "counted", [evaluate_loss(model, judged)], model.num_parameters(),
                             seconds), "n": n})
    return rungs


def _network(name, recipe_name, judged, folder, seeds, given):
    losses, seconds = [], []
    for seed in seeds if given is None else (None,):
        place = given or folder / f"seed-{seed}"
        if given is None:
            recipe = load_recipe(recipe_name, [f"train.seed={seed}"])
            train(recipe, place, resume=_was_begun(recipe, place / "recipe.toml"))
        model = load_model(place)
        losses.append(evaluate_loss(model, judged))
        seconds.append(load_checkpoint(checkpoints(place / "checkpoints")[-1])[1]["seconds"])
    return {**rung(name, "network", losses, model.num_parameters(), sum(seconds) / len(seconds)), "recipe": recipe_name}


def _was_begun(recipe, path):
    """Whether the recipe in the file ``path`` says the same; what it promises (its minutes, its loss) may have changed."""
    begun = load_recipe(path) if path.is_file() else None
    return begun is not None and (begun.data, begun.model, begun.train) == (recipe.data, recipe.model, recipe.train)


def rung(name, kind, losses, parameters, seconds):
    """One rung: its losses in nats, one for each seed."""
    return {"name": name, "kind": kind, "nats": losses, "parameters": parameters, "seconds": round(seconds, 2)}


def report(name, rungs, data=""):
    """{ladder, unit, part, data, note, rungs, kneser_ney, findings}. A rung has its ``loss`` in the ladder's unit, the mean
    over the seeds, and their standard deviation ``sd`` (None for one); ``kneser_ney`` is the best model that counts."""
    ladder = LADDERS[name]
    for step in rungs:
        losses = [nats / ladder.nats for nats in step["nats"]]
        step["loss"], step["sd"] = sum(losses) / len(losses), scores.spread(losses)["sd"] if len(losses) > 1 else None
    best = min((step for step in rungs if step["kind"] == "counted"), key=lambda step: step["loss"])
    shown = [step for step in rungs if step.get("n") is None or step["n"] in ladder.counted]
    return {"ladder": name, "about": ladder.about, "unit": ladder.unit, "part": ladder.part, "data": data,
            "note": ladder.note, "rungs": shown, "kneser_ney": best, "findings": findings(shown, best)}


def findings(rungs, best):
    """What is not as hoped for, a sentence each: rungs that are no lower than the one before, or no further below it than their
    spreads reach, and networks that lose to counting."""
    said = []
    for lower, upper in zip(rungs, rungs[1:]):
        gap, spread = lower["loss"] - upper["loss"], (lower["sd"] or 0) + (upper["sd"] or 0)
        if gap <= 0:
            said.append(f"{upper['name']} is no better than {lower['name']}: {upper['loss']:.3f} against {lower['loss']:.3f}")
        elif gap <= spread:
            said.append(f"{upper['name']} and {lower['name']} do not separate: {gap:.3f} apart, their spreads reach {spread:.3f}")
    lost = [step["name"] for step in rungs if step["kind"] == "network" and step["loss"] >= best["loss"]]
    if lost:
        said.append(f"{', '.join(lost)} LOSE{'S' * (len(lost) == 1)} to counting: Kneser-Ney with n = {best['n']} "
                    f"has {best['loss']:.3f}")
    return said
