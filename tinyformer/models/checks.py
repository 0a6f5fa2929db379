"""What the configs of models check. Each error names the config, the setting, what was expected and what came."""

from __future__ import annotations

import math


def check_whole(config, *names):
    """An error unless each of the settings is a whole number of at least 1."""
    for name in names:
        value = getattr(config, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{type(config).__name__}: {name} is {value!r}, expected a whole number of at least 1")


def check_shares(config, *names):
    """An error unless each of the settings is a share that leaves something: 0 ≤ share < 1."""
    for name in names:
        if not 0 <= getattr(config, name) < 1:
            raise ValueError(f"{type(config).__name__}: {name} is {getattr(config, name)!r}, expected 0 ≤ {name} < 1")


def check_at_least_zero(config, *names):
    """An error unless each of the settings is a finite number of at least 0."""
    for name in names:
        value = getattr(config, name)
        if not 0 <= value < math.inf:
            raise ValueError(f"{type(config).__name__}: {name} is {value!r}, expected a finite number of at least 0")


def check_one_of(config, **known):
    """An error unless each of the settings has one of the values known for it."""
    for name, values in known.items():
        if getattr(config, name) not in values:
            raise ValueError(f"{type(config).__name__}: {name} is {getattr(config, name)!r}, expected one of {', '.join(values)}")


def check_heads(config):
    """An error unless the width can be divided among the heads."""
    if config.n_embd % config.n_head:
        raise ValueError(f"{type(config).__name__}: n_embd {config.n_embd} cannot be divided among n_head {config.n_head} heads")
