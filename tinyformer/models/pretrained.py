"""A model as a folder: config.json and model.safetensors."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from ..files import replace_file
from ..nn import Module


class Pretrained(Module):
    """A model that can be saved to a folder and made again from it.

    A subclass names its ``architecture``, its ``Config`` and the ``task`` (of ``train.tasks``) that it is trained for. One
    that is ``counted`` has ``fit(data)`` and no gradients.
    """

    architecture, task, counted = "", "language", False
    Config = None

    def save_pretrained(self, folder):
        """Write config.json and model.safetensors into ``folder``, each whole or not at all."""
        from ..interop.weights import write_weights
        folder = Path(folder)
        write_weights(folder / "model.safetensors", self.state_dict())
        config = {"architecture": self.architecture, **dataclasses.asdict(self.config)}
        replace_file(folder / "config.json", json.dumps(config, indent=2) + "\n")

    @classmethod
    def from_pretrained(cls, folder):
        """The model that ``save_pretrained`` wrote into ``folder``, in evaluation mode. Errors name the file at fault."""
        from ..interop.weights import read_weights
        folder = Path(folder)
        path = folder / "config.json"
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such file; expected the folder of a trained model")
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
            architecture = config.pop("architecture", cls.architecture)
            if architecture != cls.architecture:
                raise ValueError(f"it is a model of architecture {architecture!r}, expected {cls.architecture!r}")
            model = cls(cls.Config(**config))
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"{path}: {error}") from None
        weights, _ = read_weights(folder / "model.safetensors")
        try:
            model.load_state_dict(weights)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{folder / 'model.safetensors'}: does not fit config.json: {error}") from None
        return model.eval()
