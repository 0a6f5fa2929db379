"""A run: a recipe carried out in a folder, from text to a model that writes text.

    text → tokens → batches → model → loss → backward → optimiser → checkpoint
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import rng as randomness
from ..data import random_windows, split
from ..files import replace_file
from ..models import ARCHITECTURES
from ..optim import AdamW, CosineSchedule, param_groups_by_decay
from ..text import load_corpus, load_tokenizer, train_tokenizer
from ..viz import draw_losses
from .checkpoint import checkpoints, load_checkpoint, save_checkpoint
from .evaluate import bigram_loss, evaluate_loss, uniform_loss
from .interrupt import Interruptible
from .loop import fit
from .metrics import Metrics
from .progress import progress


@dataclass
class Result:
    """How a run ended. Losses in nats a token on the whole validation split; ``seconds`` of training."""

    folder: Path
    checkpoint: Path
    step: int
    val_loss: float
    uniform: float
    bigram: float
    seconds: float


class Interrupted(Exception):
    """The run was asked to stop; it was saved first."""

    def __init__(self, folder, step):
        super().__init__(f"stopped at step {step}, saved in {folder}; the same command with --resume goes on")


class Corpus:
    """The tokens of a recipe's text, split, and the tokenizer that made them (one that was saved, when the run goes on)."""

    def __init__(self, settings, tokenizer_path=None):
        text = load_corpus(settings.corpus)
        if tokenizer_path is not None and tokenizer_path.is_file():
            self.tokenizer = load_tokenizer(tokenizer_path)
        else:
            # The characters are those of the whole text, so that the validation part can be written in them; merges are
            # learned from the training part alone.
            seen = text if settings.tokenizer == "char" else text[:int(settings.train_fraction * len(text))]
            self.tokenizer = train_tokenizer(settings.tokenizer, seen, settings.vocab_size)
        self.train, self.validation = split(self.tokenizer.encode(text), settings.train_fraction)
        self.sha256 = hashlib.sha256(text.encode()).hexdigest()
        self.name = settings.corpus

    def check_length(self, block_size):
        """An error unless each part holds a window and the token after it."""
        for part, tokens in (("training", self.train), ("validation", self.validation)):
            if len(tokens) <= block_size:
                raise ValueError(f"corpus {self.name}: its {part} part has {len(tokens)} tokens, expected more than "
                                 f"model.block_size = {block_size}")


class Run:
    """The moving parts of a run: what is saved in a checkpoint and put back from it."""

    def __init__(self, recipe, corpus):
        settings = recipe.train
        randomness.seed(settings.seed)
        self.recipe, self.corpus = recipe, corpus
        config = recipe.model_config(corpus.tokenizer.vocab_size)
        corpus.check_length(config.block_size)
        self.model = ARCHITECTURES[recipe.model["architecture"]][0](config)
        self.optimizer = AdamW(param_groups_by_decay(self.model.parameters(), settings.weight_decay), lr=settings.lr,
                               betas=(settings.beta1, settings.beta2))
        self.schedule = CosineSchedule(self.optimizer, min(settings.warmup_steps, settings.max_steps), settings.max_steps,
                                       settings.lr, settings.min_lr)
        self.batches = np.random.default_rng(settings.seed)                     # where the windows of the batches start
        self.step, self.seconds = 0, 0.0

    def next_batch(self):
        return random_windows(self.corpus.train, self.recipe.train.batch_size, self.model.config.block_size, self.batches)

    def save(self, folder):
        """Write a checkpoint, and the model as it now is for ``generate`` and ``evaluate``. Returns the checkpoint's path."""
        optimizer = self.optimizer.state_dict()
        arrays = {f"model.{name}": array for name, array in self.model.state_dict().items()}
        arrays.update((f"optimizer.{name}", array) for name, array in optimizer.pop("arrays").items())
        path = save_checkpoint(folder / "checkpoints", self.step, arrays, {
            "step": self.step, "seconds": self.seconds, "corpus_sha256": self.corpus.sha256, "optimizer": optimizer,
            "schedule": self.schedule.state_dict(), "batches": self.batches.bit_generator.state,
            "random": randomness.generator().bit_generator.state})
        self.model.save_pretrained(folder)
        return path

    def load(self, path):
        """Put everything back as it was when the checkpoint at ``path`` was written."""
        arrays, state = load_checkpoint(path)
        if state["corpus_sha256"] != self.corpus.sha256:
            raise ValueError(f"{path} was trained on another text than corpus {self.corpus.name} is now")

        def part(name):
            return {key.removeprefix(name): array for key, array in arrays.items() if key.startswith(name)}

        try:
            self.model.load_state_dict(part("model."))
            self.optimizer.load_state_dict({**state["optimizer"], "arrays": part("optimizer.")})
            self.schedule.load_state_dict(state["schedule"])
            self.batches.bit_generator.state = state["batches"]
            randomness.generator().bit_generator.state = state["random"]
            self.step, self.seconds = state["step"], state["seconds"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"checkpoint {path} does not fit this recipe: {error}") from None


def train(recipe, folder, resume=False):
    """Carry out ``recipe`` in ``folder``; with ``resume``, go on from the last checkpoint there. Returns a ``Result``.

    Without ``resume``, a run that stands there already is moved aside, never overwritten.
    """
    folder, settings = Path(folder), recipe.train
    saved = checkpoints(folder / "checkpoints") if resume else []
    corpus = Corpus(recipe.data, folder / "tokenizer.json" if saved else None)
    run = Run(recipe, corpus)
    if saved:
        run.load(saved[-1])
        print(f"resuming {folder} at step {run.step}")
    elif resume:
        print(f"{folder} holds no checkpoint to resume from: starting anew")
    else:
        _set_aside(folder)
    print(f"{recipe.data.corpus}: {len(corpus.train):,} tokens to train on, {len(corpus.validation):,} to validate, "
          f"vocabulary {corpus.tokenizer.vocab_size:,}; {type(run.model).__name__} of {run.model.num_parameters():,} parameters")
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / "recipe.toml", recipe.to_toml())
    corpus.tokenizer.save(folder / "tokenizer.json")
    metrics = Metrics(folder / "metrics.jsonl", run.step)
    try:
        _loop(run, folder, settings, metrics)
    finally:
        metrics.close()
    last = metrics.records[-1] if metrics.records else {}
    val_loss = last.get("val_loss") if last.get("step") == run.step else None
    if val_loss is None:                                    # metrics.jsonl was lost, or max_steps was lowered
        val_loss = evaluate_loss(run.model, corpus.validation)
    V = corpus.tokenizer.vocab_size
    result = Result(folder, checkpoints(folder / "checkpoints")[-1], run.step, val_loss, uniform_loss(V),
                    bigram_loss(corpus.train, corpus.validation, V), run.seconds)
    draw_losses(metrics.records, folder / "loss.png", title=recipe.name, final=(run.step, val_loss),
                levels={"uniform": result.uniform, "bigram": result.bigram})
    return result


def _set_aside(folder):
    """Give a run that stands in ``folder`` another name: folder-1, folder-2, …"""
    if not (folder / "recipe.toml").is_file():
        return
    n = 1
    while (aside := folder.with_name(f"{folder.name}-{n}")).exists():
        n += 1
    folder.rename(aside)
    print(f"the earlier run in {folder} is now in {aside}")


def _loop(run, folder, settings, metrics):
    """Train to the last step: measure, show, save."""
    began = time.monotonic() - run.seconds
    val_loss = next((r["val_loss"] for r in reversed(metrics.records) if r["val_loss"] is not None), None)
    with Interruptible() as stop, progress(settings.max_steps, run.step) as bar:
        run.model.train()
        last = time.monotonic()
        steps = fit(run.model, run.optimizer, run.schedule, run.next_batch, start=run.step, max_steps=settings.max_steps,
                    accumulate=settings.accumulate, clip=settings.clip)
        for done in steps:
            run.step, measured = done.step, None
            tokens_per_s = done.tokens / (time.monotonic() - last)
            finished = run.step == settings.max_steps
            if finished or run.step % settings.eval_every == 0:
                measured = val_loss = evaluate_loss(run.model, run.corpus.validation,
                                                    at_most=None if finished else settings.eval_windows)
            metrics.add(step=run.step, train_loss=done.loss, val_loss=measured, lr=done.lr, grad_norm=done.grad_norm,
                        tokens_per_s=round(tokens_per_s, 1))
            bar.update(run.step, done.loss, val_loss, tokens_per_s)
            run.seconds = time.monotonic() - began
            if finished or stop.asked or run.step % settings.checkpoint_every == 0:
                run.save(folder)
            if stop.asked and not finished:
                raise Interrupted(folder, run.step)
            last = time.monotonic()
