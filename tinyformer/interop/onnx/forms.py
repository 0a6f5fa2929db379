"""What goes into the file of a model and what comes out: names, types and axes, by the model's architecture or task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Axes = tuple[Any, ...]          # of an input: the symbol of a size that changes, or an integer


@dataclass(frozen=True)
class Input:
    """One input: its axes, and ``draw(rng, shape)``, which gives entries for a recorded forward pass."""

    axes: Axes
    draw: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


@dataclass(frozen=True)
class Form:
    """The inputs of a file by name, and ``forward``, which gives the outputs by name.

    limits      the largest value of a symbol, such as {"sequence": block_size}
    """

    inputs: Mapping[str, Input]
    forward: Callable[..., Mapping[str, Any]]
    limits: Mapping[str, int] = field(default_factory=dict)


def ids(vocab_size: int, *axes: str) -> Input:
    """Ids of tokens."""
    return Input(axes, lambda rng, shape: rng.integers(0, vocab_size, shape))


def floats(*axes: Any) -> Input:
    """Any floating-point numbers."""
    return Input(axes, lambda rng, shape: rng.standard_normal(shape).astype(np.float32))


def language(model: Any) -> Form:
    """input_ids → logits"""
    return Form({"input_ids": ids(model.config.vocab_size, "batch", "sequence")},
                lambda input_ids: {"logits": model(input_ids)}, {"sequence": model.config.block_size})


def rows(model: Any) -> Form:
    """x → logits"""
    return Form({"x": floats("batch", model.config.n_features)}, lambda x: {"logits": model(x)})


# By the model's architecture, or else by the task that it is trained for.
FORMS: dict[str, Callable[[Any], Form]] = {"language": language, "pictures": rows}


def form_of(model: Any) -> Form:
    """The form of ``model``. TypeError, which names its class, if there is none."""
    counted = getattr(model, "trained_by_counting", False)
    make = FORMS.get(getattr(model, "architecture", "")) or FORMS.get(getattr(model, "task", ""))
    if make is None or counted:
        raise TypeError(f"export: a {type(model).__name__} has no ONNX form; expected a model of "
                        f"{', '.join(sorted(FORMS))}")
    return make(model)
