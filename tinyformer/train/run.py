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
from ..files import remove_unfinished, replace_file
from ..models import ARCHITECTURES
from ..nn import Linear
from ..optim import AdamW, CosineSchedule, Muon, param_groups_by_decay, param_groups_for_muon
from ..text import load_corpus, load_tokenizer, train_tokenizer
from ..viz import draw_losses
from .checkpoint import checkpoints, load_checkpoint, save_checkpoint
from .evaluate import bigram_loss, evaluate_loss, uniform_loss
from .interrupt import Interruptible
from .loop import ADVICE, broken_parameter, fit
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
    """The tokens of a recipe's text, split, and the tokenizer that made them: a new one, unless one is given."""

    def __init__(self, settings, tokenizer=None):
        text = load_corpus(settings.corpus)
        if tokenizer is None:
            # The characters are those of the whole text, so that the validation part can be written in them; merges are
            # learned from the training part alone.
            seen = text if settings.tokenizer == "char" else text[:int(settings.train_fraction * len(text))]
            tokenizer = train_tokenizer(settings.tokenizer, seen, settings.vocab_size)
        self.name, self.tokenizer = settings.corpus, tokenizer
        self.train, self.validation = split(tokenizer.encode(text), settings.train_fraction)

    def sha256(self):
        """A number that is another one when text, tokenizer or split is."""
        return hashlib.sha256(self.train.tobytes() + b"|" + self.validation.tobytes()).hexdigest()

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
        self.optimizer = _optimizer(self.model, settings)
        self.schedule = CosineSchedule(self.optimizer, min(settings.warmup_steps, settings.max_steps), settings.max_steps,
                                       settings.lr, settings.min_lr)
        self.batches = np.random.default_rng(settings.seed)                     # where the windows of the batches start
        self.step, self.seconds = 0, 0.0

    def next_batch(self):
        return random_windows(self.corpus.train, self.recipe.train.batch_size, self.model.config.block_size, self.batches)

    def measure(self, at_most=None):
        """The validation loss; see ``evaluate_loss``."""
        try:
            return evaluate_loss(self.model, self.corpus.validation, at_most=at_most)
        except FloatingPointError as error:
            raise FloatingPointError(f"step {self.step}: {error}") from None

    def save(self, folder):
        """Write a checkpoint, and the model as it now is for ``generate`` and ``evaluate``."""
        if broken := broken_parameter(self.model):
            raise FloatingPointError(f"step {self.step}: the update left the parameter {broken} not finite, so it was not saved; "
                                     f"{ADVICE}")
        optimizer = self.optimizer.state_dict()
        arrays = {f"model.{name}": array for name, array in self.model.state_dict().items()}
        arrays.update((f"optimizer.{name}", array) for name, array in optimizer.pop("arrays").items())
        save_checkpoint(folder / "checkpoints", self.step, arrays, {
            "step": self.step, "seconds": self.seconds, "data_sha256": self.corpus.sha256(), "optimizer": optimizer,
            "schedule": self.schedule.state_dict(), "batches": self.batches.bit_generator.state,
            "random": randomness.generator().bit_generator.state})
        self.model.save_pretrained(folder)

    def load(self, path):
        """Put everything back as it was when the checkpoint at ``path`` was written. Options of the optimiser, such as the
        weight decay, are the recipe's: it may have been changed since."""
        arrays, state = load_checkpoint(path)

        def part(name):
            return {key.removeprefix(name): array for key, array in arrays.items() if key.startswith(name)}

        try:
            if state["data_sha256"] != self.corpus.sha256():
                raise ValueError(f"it was trained on other data: the corpus {self.corpus.name}, its tokenizer or its split changed")
            self.model.load_state_dict(part("model."))
            self.optimizer.load_state_dict({**state["optimizer"], "arrays": part("optimizer."),
                                            "param_groups": self.optimizer.state_dict()["param_groups"]})
            self.schedule.load_state_dict(state["schedule"])
            self.batches.bit_generator.state = state["batches"]
            randomness.generator().bit_generator.state = state["random"]
            self.step, self.seconds = int(state["step"]), float(state["seconds"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            reason = f"its state has no {error}" if isinstance(error, KeyError) else error
            raise ValueError(f"cannot resume from {path}: {reason}; go on with the recipe that it was made by, "
                             f"or start anew without --resume") from None


def _optimizer(model, settings):
    """The optimiser that the settings name, with no decay on vectors."""
    betas = (settings.beta1, settings.beta2)
    if settings.optimizer == "muon":
        hidden = [module.weight for _, module in model.named_modules() if isinstance(module, Linear)]
        groups = param_groups_for_muon(model.parameters(), hidden, settings.muon_lr, settings.weight_decay)
        return Muon(groups, lr=settings.lr, betas=betas)
    return AdamW(param_groups_by_decay(model.parameters(), settings.weight_decay), lr=settings.lr, betas=betas)


def train(recipe, folder, resume=False):
    """Carry out ``recipe`` in ``folder``; with ``resume``, go on from the last checkpoint there. Returns a ``Result``.

    A run that stands there already and is not resumed is moved aside, never overwritten.
    """
    folder, settings = Path(folder), recipe.train
    saved = checkpoints(folder / "checkpoints") if resume else []
    corpus = Corpus(recipe.data, load_tokenizer(folder / "tokenizer.json") if saved else None)
    run = Run(recipe, corpus)
    if saved:
        run.load(saved[-1])
        done = "; nothing is left to train, but a larger train.max_steps goes further" * (run.step >= settings.max_steps)
        print(f"resuming {folder} at step {run.step} of {settings.max_steps}{done}")
    else:
        if resume:
            print(f"{folder} holds no checkpoint to resume from: starting anew")
        _set_aside(folder)
    print(f"{recipe.data.corpus}: {len(corpus.train):,} tokens to train on, {len(corpus.validation):,} to validate, "
          f"vocabulary {corpus.tokenizer.vocab_size:,}; {type(run.model).__name__} of {run.model.num_parameters():,} parameters")
    _prepare(folder, run)
    metrics = Metrics(folder / "metrics.jsonl", run.step)
    try:
        val_loss = _loop(run, folder, settings, metrics)
    finally:
        metrics.close()
    if val_loss is None:                                    # there was nothing left to train
        val_loss = run.measure()
    V = corpus.tokenizer.vocab_size
    result = Result(folder, checkpoints(folder / "checkpoints")[-1], run.step, val_loss, uniform_loss(V),
                    bigram_loss(corpus.train, corpus.validation, V), run.seconds)
    draw_losses(metrics.records, folder / "loss.png", title=recipe.name, final=(run.step, val_loss),
                levels={"uniform": result.uniform, "bigram": result.bigram})
    return result


def _set_aside(folder):
    """Give a run that stands in ``folder`` another name: folder-1, folder-2, …"""
    if not (folder / "model.safetensors").exists() and not checkpoints(folder / "checkpoints"):
        return
    if Path.cwd().is_relative_to(folder.resolve()):
        raise ValueError(f"{folder} holds a run and cannot be moved aside, being the working folder; give another --out")
    n = 1
    while (aside := folder.with_name(f"{folder.name}-{n}")).exists():
        n += 1
    folder.rename(aside)
    print(f"the earlier run in {folder} is now in {aside}")


def _prepare(folder, run):
    """Make the folder, tidy up after a run that was killed, and write what a run has from the start."""
    for place in (folder, folder / "checkpoints"):
        place.mkdir(parents=True, exist_ok=True)
        remove_unfinished(place)
    replace_file(folder / "recipe.toml", run.recipe.to_toml())
    run.corpus.tokenizer.save(folder / "tokenizer.json")
    if run.step:                                            # it may have been killed between a checkpoint and these
        run.model.save_pretrained(folder)


def _loop(run, folder, settings, metrics):
    """Train to the last step: measure, show, save. Returns the loss on the whole validation split; None if no step was left."""
    began = time.monotonic() - run.seconds
    measured, val_loss = None, next((r["val_loss"] for r in reversed(metrics.records) if r["val_loss"] is not None), None)
    with Interruptible() as stop, progress(settings.max_steps, run.step) as bar:
        run.model.train()
        last = time.monotonic()
        steps = fit(run.model, run.optimizer, run.schedule, run.next_batch, start=run.step, max_steps=settings.max_steps,
                    accumulate=settings.accumulate, clip=settings.clip)
        for done in steps:
            run.step, measured = done.step, None
            tokens_per_s = done.tokens / max(time.monotonic() - last, 1e-9)
            finished = run.step == settings.max_steps
            if finished or run.step % settings.eval_every == 0:
                measured = val_loss = run.measure(at_most=None if finished else settings.eval_windows)
            metrics.add(step=run.step, train_loss=done.loss, val_loss=measured, lr=done.lr, grad_norm=done.grad_norm,
                        tokens_per_s=round(tokens_per_s, 1))
            bar.update(run.step, done.loss, val_loss, tokens_per_s)
            run.seconds = time.monotonic() - began
            stopping = stop.asked                           # asked once: Ctrl-C may come between the next two lines
            if finished or stopping or run.step % settings.checkpoint_every == 0:
                run.save(folder)
            if stopping and not finished:
                raise Interrupted(folder, run.step)
            last = time.monotonic()
    return measured
