"""The models by the names that config.json and recipes give them.

A new model is one file in this folder: a class with an ``architecture``, decorated with ``@register``. Recipes,
``load_model`` and the command line then know the name.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ..interop.published import read_config
from ..names import same_definition
from .pretrained import Pretrained, named

if TYPE_CHECKING:
    from os import PathLike

Model = TypeVar("Model", bound=type[Pretrained])

MODELS: dict[str, type[Pretrained]] = {}                # by the name that config.json and recipes give as architecture


def register(model: Model) -> Model:
    """Class decorator: ``MODELS`` holds ``model``, a subclass of ``Pretrained``, under its ``architecture``.

    ValueError if the class has no name of its own, or if another class has the name already.
    """
    name = vars(model).get("architecture")
    if not name:
        raise ValueError(f"register: {model.__name__} has no architecture of its own; expected a name such as 'gpt'")
    if not same_definition(MODELS.get(name, model), model):
        raise ValueError(f"register: {model.__name__} has the architecture {name!r}, "
                         f"which {MODELS[name].__name__} has already")
    MODELS[name] = model
    return model


def trainable() -> dict[str, type[Pretrained]]:
    """{architecture: class} of the models that a recipe can train: those with a ``task``."""
    return {name: model for name, model in MODELS.items() if model.task}


def load_model(folder: str | PathLike[str]) -> Pretrained:
    """The model in ``folder``, in evaluation mode; config.json names its architecture.

    See ``Pretrained.from_pretrained``.
    """
    return model_class(folder).from_pretrained(folder)


def model_class(folder: str | PathLike[str]) -> type[Pretrained]:
    """The class of the model in ``folder``. ValueError if config.json names an unknown architecture.

    Several models share the published layout of BERT. The first name in "architectures" decides between them; without
    such a name it is the model whose own ``architecture`` config.json gives.
    """
    values = read_config(folder)
    models = [model for model in MODELS.values() if model.recognizes(values)]
    if not models:
        known = sorted({name for model in MODELS.values() for name in (model.architecture, *model.model_types)})
        raise ValueError(f"{Path(folder) / 'config.json'}: unknown architecture {named(values)!r}, "
                         f"expected one of {', '.join(known)}")
    published = values.get("architectures")
    first = published[0] if isinstance(published, list) and published else None
    for model in models:
        if first in model.published_as:
            return model
    return next((model for model in models if model.architecture == named(values)), models[0])
