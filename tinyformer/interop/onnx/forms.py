"""What goes into the file of a model and what comes out: names, types and axes, by the model's architecture or task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


@dataclass(frozen=True)
class Input:
    """One input.

    axes        for each the symbol of a size that changes, or an integer
    draw        gives entries of a shape for a recorded forward pass
    default     what stands for the input where it is left out: an array that broadcasts; None for one that is needed
    """

    axes: tuple[str | int, ...]
    draw: Draw
    default: np.ndarray | None = None


@dataclass(frozen=True)
class Form:
    """The inputs of a file by name, and ``forward``, which takes them by name and gives the outputs by name.

    limits      the largest value of a symbol, such as {"sequence": block_size}
    """

    inputs: Mapping[str, Input]
    forward: Callable[..., Mapping[str, Any]]
    limits: Mapping[str, int] = field(default_factory=dict)


# ------------------------------------------------------------------------------------------------ inputs

def ids(vocab_size: int, axes: tuple[str, ...] = ("batch", "sequence"), pad: int | None = None) -> Input:
    """Ids of tokens. With ``pad`` the recorded texts end in padding, so that the recorded pass has its masks."""
    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        found = rng.integers(0, vocab_size, shape)
        return found if pad is None else np.where(_tokens(rng, shape), found, pad)
    return Input(axes, draw)


def mask() -> Input:
    """1 at tokens, 0 at padding."""
    return Input(("batch", "sequence"), lambda rng, shape: _tokens(rng, shape).astype(np.int64))


def _tokens(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """True at the tokens of texts (B, T) of random lengths, of which the first has padding."""
    lengths = rng.integers(1, shape[1] + 1, shape[:1])
    lengths[:1] = shape[1] - 1
    return np.arange(shape[1]) < lengths[:, None]


def floats(*axes: str | int) -> Input:
    """Any floating-point numbers."""
    return Input(axes, lambda rng, shape: rng.standard_normal(shape).astype(np.float32))


# ------------------------------------------------------------------------------------------------ forms

def language(model: Any) -> Form:
    """input_ids → logits of the next tokens"""
    return Form({"input_ids": ids(model.config.vocab_size)}, lambda input_ids: {"logits": model(input_ids)},
                {"sequence": model.config.block_size})


def classification(model: Any) -> Form:
    """input_ids → logits of the classes; counts of n-grams x → logits"""
    c = model.config
    if model.input_type == "counts":
        return Form({"x": floats("batch", c.vocab_size)}, lambda x: {"logits": model.dense(x)})
    return Form({"input_ids": ids(c.vocab_size, pad=0)}, lambda input_ids: {"logits": model(input_ids)},
                {"sequence": c.block_size})


def bert_classifier(model: Any) -> Form:
    """input_ids, attention_mask → logits of the classes"""
    return Form({"input_ids": ids(model.config.vocab_size), "attention_mask": mask()},
                lambda input_ids, attention_mask: {"logits": model(input_ids, attention_mask)},
                {"sequence": model.config.block_size})


def _bert(*names: str) -> Callable[[Any], Form]:
    """input_ids, attention_mask, token_type_ids, which may be left out → the outputs ``names`` that the model has"""
    def form(model: Any) -> Form:
        c = model.config

        def forward(input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Mapping[str, Any]:
            outputs = model(input_ids, attention_mask, token_type_ids)
            return {name: output for name, output in zip(names, outputs) if output is not None}

        types = Input(("batch", "sequence"), lambda rng, shape: rng.integers(0, c.n_types, shape),
                      np.zeros((1, 1), np.int64))
        return Form({"input_ids": ids(c.vocab_size), "attention_mask": mask(), "token_type_ids": types}, forward,
                    {"sequence": c.block_size})
    return form


def translation(model: Any) -> Form:
    """input_ids, decoder_input_ids → logits of the next tokens"""
    c = model.config
    return Form({"input_ids": ids(c.vocab_size, pad=0),
                 "decoder_input_ids": ids(c.vocab_size, ("batch", "decoder_sequence"))},
                lambda input_ids, decoder_input_ids: {"logits": model(input_ids, decoder_input_ids)},
                {"sequence": c.block_size, "decoder_sequence": c.block_size})


def rows(output: str) -> Callable[[Any], Form]:
    """x → one output; pictures come as rows of their pixels"""
    return lambda model: Form({"x": floats("batch", model.config.n_features)}, lambda x: {output: model(x)})


def pictures_of_noise(output: str, method: str) -> Callable[[Any], Form]:
    """z, and the class y of a conditional model → what ``method`` makes of them"""
    def form(model: Any) -> Form:
        inputs = {"z": floats("batch", model.config.n_latent)}
        if model.config.conditional:
            inputs["y"] = ids(model.config.n_classes, ("batch",))
        return Form(inputs, lambda z, y=None: {output: getattr(model, method)(z, y)})
    return form


# By the model's architecture, or else by the task that it is trained for.
FORMS: dict[str, Callable[[Any], Form]] = {
    "language": language, "classification": classification, "bert-classifier": bert_classifier,
    "bert": _bert("last_hidden_state", "pooler_output"),
    "bert-pretraining": _bert("prediction_logits", "seq_relationship_logits"),
    "translation": translation, "pictures": rows("logits"), "logistic": rows("logits"), "linear": rows("prediction"),
    "simclr": rows("features"), "vae": pictures_of_noise("logits", "decode"),
    "gan": pictures_of_noise("samples", "generate"),
}


def form_of(model: Any) -> Form:
    """The form of ``model``. TypeError, which names its class, if there is none."""
    make = FORMS.get(getattr(model, "architecture", "")) or FORMS.get(getattr(model, "task", ""))
    if make is None or getattr(model, "trained_by_counting", False):
        raise TypeError(f"export: {type(model).__name__} has no ONNX form; expected a model for one of "
                        f"{', '.join(FORMS)}, trained by gradients")
    return make(model)
