"""A model as a folder: config.json and its weights."""

from __future__ import annotations

import dataclasses
import json
import re
import warnings
from pathlib import Path

import numpy as np

from ..files import replace_file
from ..interop.published import read_config, read_state, weights_file
from ..interop.weights import write_weights
from ..nn import Module, init

__all__ = ["Pretrained"]


class Pretrained(Module):
    """A model that can be saved to a folder and made again from it, or from one that others published.

    A subclass names its ``architecture``, its ``Config`` and the ``task`` (of ``train.tasks``) that a recipe trains it for, if
    one does. One that is ``trained_by_counting`` has ``fit(data)`` and no gradients. One that is published under other names says under which
    ``model_types`` of config.json, and as which of its "architectures" where several stand on one network; it overrides the
    four methods that translate: ``read_config`` and ``published_config``, ``adopt`` and ``published_state``.

    parts       {module: what it is}: parts that a published file may lack; ``from_pretrained`` then puts an ``Absent`` there
    heads       a pattern of the names of tensors that belong to other models on the same network; they are left out
    """

    architecture, task, trained_by_counting = "", "", False
    Config, model_types, published_as = None, (), ()
    parts, heads = {}, None

    @classmethod
    def read_config(cls, values):
        """The ``Config`` that ``values``, the fields of a config.json, describe. It may change ``values``.

        ValueError for a value out of its range or a field that is unknown, KeyError for one that is missing.
        """
        fields = {field.name: field.default for field in dataclasses.fields(cls.Config)}
        if unknown := [name for name in values if name not in fields]:
            raise ValueError(f"unknown fields: {', '.join(unknown)}; expected {', '.join(fields)}")
        for name, default in fields.items():
            if default is dataclasses.MISSING and name not in values:
                raise KeyError(name)
        return cls.Config(**values)

    def published_config(self):
        """What config.json says."""
        return {"architecture": self.architecture, **dataclasses.asdict(self.config)}

    def adopt(self, state):
        """``state`` under the names and in the shapes of this model. A name that nothing here answers to stays as it is."""
        return state

    def published_state(self):
        """{name: array} that the weights' file holds."""
        return self.state_dict()

    def load_state_dict(self, state, strict=True):
        """``Module.load_state_dict`` of a state in the model's own layout or a published one."""
        return super().load_state_dict(self.adopt(state), strict)

    def save_pretrained(self, folder):
        """Write config.json and model.safetensors into ``folder``, each whole or not at all."""
        folder = Path(folder)
        write_weights(folder / "model.safetensors", self.published_state(), {"format": "pt"})
        replace_file(folder / "config.json", json.dumps(self.published_config(), indent=2) + "\n")

    @classmethod
    def from_pretrained(cls, folder):
        """The model in ``folder``, ours or a published one, in evaluation mode. Errors name the file and the tensor at fault.

        Weights in float16 and bfloat16 become float32. The files are mapped, so there is never a second copy in memory.
        """
        path, weights = Path(folder) / "config.json", weights_file(folder)
        values, state = read_config(folder), read_state(weights)
        try:
            if not cls.recognises(values):
                raise ValueError(f"it is a model of architecture {named(values)!r}, expected {cls.architecture!r}")
            values.pop("architecture", None)
            config = cls.read_config(values)
            if getattr(config, "n_layer", 0) > len(state):
                raise ValueError(f"it has {config.n_layer} layers, but there are only {len(state)} tensors in {weights.name}")
            with init.skipped():                            # what is loaded need not be drawn at random first
                model = cls(config)
        except KeyError as error:
            raise ValueError(f"{path}: it has no field {error}") from None
        except (ValueError, TypeError, MemoryError) as error:
            raise ValueError(f"{path}: {error}") from None
        try:
            state = model._fitted(model.adopt(state), weights)
            model.load_state_dict(state)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{weights}: does not fit config.json: {error}") from None
        for name, parameter in model.named_parameters():
            if not np.isfinite([parameter.data.min(), parameter.data.max()]).all():         # NaN comes through both
                raise ValueError(f"{weights}: {name} is not finite; the file is damaged or the training diverged")
        return model.eval()

    def _fitted(self, state, file):
        """``state`` without the heads of other models, which a warning names. Parts that it lacks become ``Absent``."""
        own = self.state_dict()
        others = [name for name in state if name not in own and self.heads and re.match(self.heads, name)]
        if others:
            left = ", ".join(sorted({name.rpartition(".")[0] for name in others}))
            warnings.warn(f"{file}: left out {left}: {type(self).__name__} has no such head", stacklevel=3)
        for part, what in self.parts.items():
            names = [name for name in own if name.startswith(part + ".")]
            if names and not any(name in state for name in names):
                holder, _, last = part.rpartition(".")
                setattr(dict(self.named_modules())[holder], last, Absent(f"{type(self).__name__}: {file} has no {what} "
                                                                         f"({', '.join(names)})"))
        return {name: array for name, array in state.items() if name not in others}

    @classmethod
    def recognises(cls, values):
        """Whether ``values``, a config.json, are of this architecture."""
        return named(values) in (cls.architecture, *cls.model_types)


class Absent(Module):
    """Stands for a part that the weights' file lacks. Using it is a ValueError."""

    def __init__(self, sentence):
        self.sentence = sentence

    def forward(self, *_):
        raise ValueError(self.sentence)


def named(values):
    """The architecture that config.json names: we say "architecture", others "model_type"."""
    return values.get("architecture", values.get("model_type"))
