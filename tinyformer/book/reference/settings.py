"""The settings of recipes and of models as Markdown, from their dataclasses."""

from __future__ import annotations

import ast
import dataclasses
import inspect
from typing import Any, NamedTuple
from collections.abc import Iterator

from ...train.settings import type_name
from .commands import prose
from .docstrings import paragraphs, rows
from .names import comment_at

# What a model's size is called everywhere, where the config does not say more.
SIZES = {
    "vocab_size": "V, the number of tokens",
    "n_classes": "K, the number of classes",
    "n_features": "width of the input",
    "block_size": "T, the longest input in tokens",
    "n_layer": "L, the number of layers",
    "n_head": "H, the number of attention heads; divides n_embd",
    "n_embd": "C, the width of the model",
    "n_hidden": "width of the hidden layer",
    "n_inner": "width between the two linear layers of each feed-forward part",
    "dropout": "probability with which dropout zeroes an entry in training",
    "eps": "ε in the denominator of a norm",
    "l2": "strength of the penalty on squared weights",
    "l1": "strength of the penalty on absolute weights",
}


class Setting(NamedTuple):
    """One value of a recipe: ``default`` is None where the data decide, and where the setting is not set."""

    name: str
    type: str
    default: Any
    meaning: str


def settings(cls: type) -> list[Setting]:
    """The fields of a dataclass.

    What each means stands in its metadata ("help"), in a comment behind or above it, or in a row of the docstring.
    """
    bases = [base for base in reversed(cls.__mro__) if dataclasses.is_dataclass(base)]
    comments = {name: text for base in bases for name, text in _comments(base)}
    described = {name: " ".join(text.split()) for base in reversed(cls.__mro__) if dataclasses.is_dataclass(base)
                 for block in paragraphs(inspect.getdoc(base) or "")
                 for names, text in rows(block) for name in names.split(", ")}
    found = []
    for field in dataclasses.fields(cls):
        meaning = next(filter(None, (field.metadata.get("help"), comments.get(field.name), described.get(field.name),
                                     SIZES.get(field.name))), "")
        default = field.default if field.default is not dataclasses.MISSING else None
        found.append(Setting(field.name, type_name(field), default, meaning))
    return found


def _comments(cls: type) -> Iterator[tuple[str, str]]:
    """(field, comment) of the fields that the class's own source has a comment on."""
    source = inspect.cleandoc("\n" + inspect.getsource(cls))
    for node in ast.parse(source).body[0].body:
        if isinstance(node, ast.AnnAssign):
            yield node.target.id, comment_at(source, node)


def as_markdown() -> str:
    """Every setting: of the recipe itself, of its training, of the data of each task, of each model."""
    from ...models import trainable
    from ...train.private import PrivacySettings
    from ...train.recipe import Recipe, TrainSettings
    from ...train.tasks import TASKS
    own = [setting for setting in settings(Recipe) if setting.name not in ("model", "data", "train", "privacy")]
    parts = ["## The recipe", table("", own), "## train", table("train.", settings(TrainSettings)),
             "## privacy", table("privacy.", settings(PrivacySettings))]
    for name, task in TASKS.items():
        models = ", ".join(f"`{model}`" for model, cls in trainable().items() if cls.task == name)
        parts += [f"## data: {name}", f"For the models {models}.", table("data.", settings(task.Data))]
    for name, cls in trainable().items():
        chosen = [setting for setting in settings(cls.Config) if setting.name not in TASKS[cls.task].Sizes]
        path = f"models.{cls.__name__}"
        parts += [f"## model: {name}", f"`model.architecture = \"{name}\"`: class `{path}`, task {cls.task}.",
                  table("model.", chosen)]
    return "\n\n".join(parts) + "\n"


def table(prefix: str, found: list[Setting]) -> str:
    """Settings as a table."""
    lines = ["| setting | type | default | meaning |", "|---|---|---|---|"]
    for setting in found:
        default = "" if setting.default is None else f"`{_toml(setting.default)}`"
        meaning = prose(setting.meaning).replace("|", "\\|")
        lines.append(f"| `{prefix}{setting.name}` | {setting.type} | {default} | {meaning} |")
    return "\n".join(lines)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
