"""What models check: their configs, and the ids that they read. Each error names the config or the model, what was expected and
what came."""

from __future__ import annotations

import math

import numpy as np


def check_whole(config, *names, least=1):
    """An error unless each of the settings is an integer of at least ``least``."""
    for name in names:
        value = getattr(config, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{type(config).__name__}: {name} is {value!r}, expected an integer of at least {least}")


def check_flags(config, *names):
    """An error unless each of the settings is True or False."""
    for name in names:
        if not isinstance(getattr(config, name), bool):
            raise ValueError(f"{type(config).__name__}: {name} is {getattr(config, name)!r}, expected true or false")


def check_shares(config, *names):
    """An error unless each of the settings is a share: 0 ≤ share ≤ 1."""
    for name in names:
        value = getattr(config, name)
        if not _is_number(value) or not 0 <= value <= 1:
            raise ValueError(f"{type(config).__name__}: {name} is {value!r}, expected 0 ≤ {name} ≤ 1")


def check_at_least_zero(config, *names):
    """An error unless each of the settings is a finite number of at least 0."""
    for name in names:
        value = getattr(config, name)
        if not _is_number(value) or not 0 <= value < math.inf:
            raise ValueError(f"{type(config).__name__}: {name} is {value!r}, expected a finite number of at least 0")


def check_above_zero(config, *names):
    """An error unless each of the settings is a finite number above 0."""
    for name in names:
        value = getattr(config, name)
        if not _is_number(value) or not 0 < value < math.inf:
            raise ValueError(f"{type(config).__name__}: {name} is {value!r}, expected a finite number above 0")


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def check_one_of(config, **known):
    """An error unless each of the settings has one of the values known for it."""
    for name, values in known.items():
        if getattr(config, name) not in values:
            raise ValueError(f"{type(config).__name__}: {name} is {getattr(config, name)!r}, expected one of {', '.join(values)}")


def check_heads(config):
    """An error unless the width can be divided among the heads."""
    if config.n_embd % config.n_head:
        raise ValueError(f"{type(config).__name__}: n_embd {config.n_embd} cannot be divided among n_head {config.n_head} heads")


def checked_block(model, ids, most, name="ids have", beside=""):
    """``ids``, (B, T) with 1 ≤ T ≤ ``most``, as an array; else an error, which says ``beside`` what else takes up room."""
    ids = np.asarray(ids)
    if ids.ndim != 2 or not 1 <= ids.shape[1] <= most:
        raise ValueError(f"{type(model).__name__}: {name} shape {ids.shape}, expected (B, T) with 1 ≤ T ≤ {most}{beside}")
    return ids
