"""An estimate of the memory that a training needs, made before the model is built.

The estimate is a lower bound, so a training is refused only if it cannot fit into the machine's memory.
"""

from __future__ import annotations

import dataclasses
import math
import os

import numpy as np

from ..nn import Parameter, init
from ..optim import OPTIMIZERS

TOO_LARGE = ("maximum allowed dimension", "maximum allowed size", "too big", "too large")     # NumPy, of an array's shape


def check_memory(recipe, config):
    """Raise a ValueError if training ``recipe`` with a model of ``config`` needs more than the physical memory.

        parameters      4 bytes each
        gradients       4 bytes each, and the optimizer's arrays: 8 bytes for AdamW, 4 for Muon
        activations     one (B, T, C) array of float32 for each layer, which the backward pass reads; where the length T depends on the
                        batch, T = 1
    """
    memory = physical_memory()
    if memory is None:
        return
    settings = recipe.train
    try:
        parameters = count_parameters(recipe.model_class, config)
    except (MemoryError, OverflowError, ValueError) as error:
        if isinstance(error, ValueError) and not any(words in str(error).lower() for words in TOO_LARGE):
            raise
        raise ValueError(f"the model does not fit into the {_size(memory)} of memory of this machine: {error}; "
                         f"use smaller sizes in [model]") from None
    trained = 0 if settings.layer_decay == 0 else 4 + _optimizer_bytes(settings)
    tokens = getattr(config, "block_size", 1) if recipe.task.name == "language" and not recipe.data.lines else 1
    width = min(getattr(config, "n_embd", 1), getattr(config, "n_hidden", math.inf)) * getattr(config, "n_layer", 1)
    needed = {"parameters": 4 * parameters, "gradients and optimizer state": trained * parameters,
              "activations of a batch": 4 * settings.batch_size * tokens * width}
    if sum(needed.values()) > memory:
        parts = ", ".join(f"{_size(number)} for {name}" for name, number in needed.items())
        raise ValueError(f"the training needs at least {_size(sum(needed.values()))} of memory ({parts}), but this machine has "
                         f"{_size(memory)}; use smaller sizes in [model] or a smaller train.batch_size")


def _optimizer_bytes(settings):
    """Bytes that the optimizer keeps for each entry of a hidden layer's matrix of float32."""
    matrix = Parameter(np.zeros((1, 1), np.float32))
    optimizer = OPTIMIZERS[settings.optimizer].from_recipe([matrix], settings, hidden=[matrix])
    return 4 * len(optimizer.buffers(optimizer.param_groups[0]))


def count_parameters(kind, config):
    """The number of parameters of a model ``kind(config)``, without building all of its layers.

    All layers from the third on have the same size s, so with n layers there are P(2) + (n − 2) s, s = P(3) − P(2). The arrays are
    allocated but not filled, so they take no memory.
    """
    def count(**sizes):
        with init.skipped():
            return kind(dataclasses.replace(config, **sizes)).num_parameters()

    layers = getattr(config, "n_layer", 1)
    if layers <= 3:
        return count()
    two, three = count(n_layer=2), count(n_layer=3)
    return two + (layers - 2) * (three - two)


def physical_memory():
    """The bytes of memory of this machine; None if the system does not say."""
    if os.name == "nt":
        return _windows_memory()
    try:
        pages, page = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None
    return pages * page if pages > 0 and page > 0 else None


def _windows_memory():
    import ctypes

    class Status(ctypes.Structure):
        """MEMORYSTATUSEX of the Windows API."""

        _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong),
                    *((name, ctypes.c_ulonglong) for name in ("total", "free", "total_page", "free_page", "total_virtual",
                                                              "free_virtual", "extended"))]

    status = Status(length=ctypes.sizeof(Status))
    return status.total if ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)) else None


def _size(number):
    return f"{number / 1e9:,.1f} GB"
