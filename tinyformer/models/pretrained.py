"""A model as a folder: config.json and its weights."""

from __future__ import annotations

import dataclasses
import json
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import numpy as np

from ..files import replace_file
from ..interop.published import read_config, read_state, weights_file
from ..interop.weights import write_weights
from ..nn import Module, init

if TYPE_CHECKING:
    from os import PathLike

    from typing_extensions import Self

    from ..typing import Array

__all__ = ["Pretrained"]


class Pretrained(Module):
    """A model that is saved to a folder and loaded from it, or from a folder that another program published.

    A subclass sets

        architecture            its name in config.json and in recipes
        Config                  the dataclass of its settings; ``model.config`` is an instance
        task                    the task of ``train.tasks`` for which a recipe trains it; "" if no recipe can
        trained_by_counting     it has ``fit(data)`` and no gradients

    A model with a published layout also sets

        model_types             the values of "model_type" in config.json
        published_as            the names in "architectures", where several models share one network
        parts                   {module: description}: modules that a published file may lack. ``from_pretrained`` puts
                                an ``Absent`` in their place
        heads                   a pattern: names of tensors that belong to other models on the same network and are left
                                out

    and overrides the four methods that translate: ``read_config`` and ``published_config``, ``adopt`` and
    ``published_state``.
    """

    architecture: ClassVar[str] = ""
    task: ClassVar[str] = ""
    trained_by_counting: ClassVar[bool] = False
    Config: ClassVar[Any] = None
    model_types: ClassVar[tuple[str, ...]] = ()
    published_as: ClassVar[tuple[str, ...]] = ()
    parts: ClassVar[Mapping[str, str]] = {}
    heads: ClassVar[str | None] = None
    config: Any

    if TYPE_CHECKING:
        def __init__(self, config: Any) -> None: ...

    @classmethod
    def least_batch(cls, config: Any) -> int:
        """The least number of examples in a training batch: 2 where the loss relates the examples to each other."""
        return 1

    @classmethod
    def read_config(cls, values: dict[str, Any]) -> Any:
        """The ``Config`` of ``values``, the fields of a config.json. The method may change ``values``.

        ValueError for a value out of its range or a field that is unknown, KeyError for one that is missing.
        """
        fields = {field.name: field.default for field in dataclasses.fields(cls.Config)}
        if unknown := [name for name in values if name not in fields]:
            raise ValueError(f"unknown fields: {', '.join(unknown)}; expected {', '.join(fields)}")
        for name, default in fields.items():
            if default is dataclasses.MISSING and name not in values:
                raise KeyError(name)
        return cls.Config(**values)

    def published_config(self) -> dict[str, Any]:
        """The fields of config.json."""
        return {"architecture": self.architecture, **dataclasses.asdict(self.config)}

    def adopt(self, state: Mapping[str, Any]) -> Mapping[str, Any]:
        """``state`` under the names and in the shapes of this model. Unknown names stay."""
        return state

    def published_state(self) -> dict[str, Array]:
        """{name: array}, the content of the file of weights."""
        return self.state_dict()

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> tuple[list[str], list[str]]:
        """``Module.load_state_dict`` of a state in this model's own layout or in a published one."""
        return super().load_state_dict(self.adopt(state), strict)

    def save_pretrained(self, folder: str | PathLike[str]) -> None:
        """Write config.json and model.safetensors into ``folder``.

        A crash leaves each file either old or new, never partial.
        """
        folder = Path(folder)
        write_weights(folder / "model.safetensors", self.published_state(), {"format": "pt"})
        replace_file(folder / "config.json", json.dumps(self.published_config(), indent=2) + "\n")

    @classmethod
    def from_pretrained(cls, folder: str | PathLike[str]) -> Self:
        """The model in ``folder``, ours or a published one, in evaluation mode.

        float16 and bfloat16 weights become float32. The files are mapped into memory, so no second copy of the weights
        exists.

        Raises FileNotFoundError for a missing file, ValueError for a damaged one or for weights that do not fit
        config.json. The message names the file and the tensor.
        """
        path, weights = Path(folder) / "config.json", weights_file(folder)
        values, state = read_config(folder), read_state(weights)
        try:
            if not cls.recognizes(values):
                raise ValueError(f"it is a model of architecture {named(values)!r}, expected {cls.architecture!r}")
            values.pop("architecture", None)
            config = cls.read_config(values)
            if getattr(config, "n_layer", 0) > len(state):
                raise ValueError(f"it has {config.n_layer} layers, "
                                 f"but there are only {len(state)} tensors in {weights.name}")
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
        """``state`` without the heads of other models, which a warning names.

        Parts that ``state`` lacks become ``Absent``.
        """
        own = self.state_dict()
        others = [name for name in state if name not in own and self.heads and re.match(self.heads, name)]
        if others:
            left = ", ".join(sorted({name.rpartition(".")[0] for name in others}))
            warnings.warn(f"{file}: left out {left}: {type(self).__name__} has no such head", stacklevel=3)
        for part, what in self.parts.items():
            names = [name for name in own if name.startswith(part + ".")]
            if names and not any(name in state for name in names):
                holder, _, last = part.rpartition(".")
                setattr(dict(self.named_modules())[holder], last, Absent(f"{type(self).__name__}: "
                                                                         f"{file} has no {what} ({', '.join(names)})"))
        return {name: array for name, array in state.items() if name not in others}

    @classmethod
    def recognizes(cls, values: Mapping[str, Any]) -> bool:
        """Whether ``values``, the fields of a config.json, name this architecture."""
        return named(values) in (cls.architecture, *cls.model_types)


class Absent(Module):
    """A part that the file of weights lacks. Calling it raises a ValueError with ``sentence``."""

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence

    def forward(self, *_: Any) -> NoReturn:
        """Raise the ValueError."""
        raise ValueError(self.sentence)


def named(values: Mapping[str, Any]) -> Any:
    """The name of the architecture in config.json: "architecture" in our files, "model_type" in others."""
    return values.get("architecture", values.get("model_type"))
