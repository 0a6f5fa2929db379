"""An estimate of the memory that a training needs, made before the model is built.

The estimate is a lower bound, so a training is refused only if it cannot fit into the machine's memory.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..memory import check_fits, physical_memory, size_text
from ..nn import Parameter, init
from ..optim import OPTIMIZERS

if TYPE_CHECKING:
    from ..models.pretrained import Pretrained
    from .recipe import Recipe, TrainSettings

TOO_LARGE = ("maximum allowed dimension", "maximum allowed size", "too big", "too large")     # NumPy's words


def check_memory(recipe: Recipe, config: Any) -> None:
    """ValueError if training ``recipe`` with a model of ``config`` needs more than the physical memory.

        parameters      4 bytes each
        gradients       4 bytes each, and the optimizer's arrays: 8 bytes for AdamW, 4 for Muon
        activations     one (B, T, C) array of float32 for each layer, which the backward pass reads; T = 1 where the
                        length depends on the batch
    """
    settings = recipe.train
    try:
        parameters = count_parameters(recipe.model_class, config)
    except (MemoryError, OverflowError, ValueError) as error:
        if isinstance(error, ValueError) and not any(words in str(error).lower() for words in TOO_LARGE):
            raise
        memory = physical_memory()
        raise ValueError(f"the model does not fit into the {size_text(memory) + ' of ' if memory else ''}memory of "
                         f"this machine: {error}; use smaller sizes in [model]") from None
    trained = 0 if settings.layer_decay == 0 else 4 + _optimizer_bytes(settings)
    tokens = getattr(config, "block_size", 1) if recipe.task.name == "language" and not recipe.data.lines else 1
    width = min(getattr(config, "n_embd", 1), getattr(config, "n_hidden", math.inf)) * getattr(config, "n_layer", 1)
    check_fits("the training", {"parameters": 4 * parameters, "gradients and optimizer state": trained * parameters,
                                "activations of a batch": 4 * settings.batch_size * tokens * width},
               "use smaller sizes in [model] or a smaller train.batch_size")


def _optimizer_bytes(settings: TrainSettings) -> int:
    """Bytes that the optimizer keeps for each entry of a hidden layer's matrix of float32."""
    matrix = Parameter(np.zeros((1, 1), np.float32))
    optimizer = OPTIMIZERS[settings.optimizer].from_recipe([matrix], settings, hidden=[matrix])
    return 4 * len(optimizer.buffers(optimizer.param_groups[0]))


def count_parameters(kind: type[Pretrained], config: Any) -> int:
    """The number of parameters of a model ``kind(config)``, without building all of its layers.

    All layers from the third on have the same size s, so with n layers there are P(2) + (n − 2) s, s = P(3) − P(2). The
    arrays are allocated but not filled, so they take no memory.
    """
    def count(**sizes):
        with init.skipped():
            return kind(dataclasses.replace(config, **sizes)).num_parameters()

    layers = getattr(config, "n_layer", 1)
    if layers <= 3:
        return count()
    two, three = count(n_layer=2), count(n_layer=3)
    return two + (layers - 2) * (three - two)
