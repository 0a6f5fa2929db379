"""Central differences in float64, independent of the checker's own, by which the blind set is verified."""

from __future__ import annotations

import numpy as np


def is_float(x):
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


def copied(inputs):
    return [x.copy() if isinstance(x, np.ndarray) else x for x in inputs]


def gradients_of(function, inputs, seed=7):
    """(value, upstream gradient, gradients as a tuple, vjp) of a function at copies of the inputs."""
    value, vjp = function(*copied(inputs))
    dy = np.random.default_rng(seed).standard_normal(np.shape(value))
    return value, dy, as_tuple(vjp(dy.copy())), vjp


def as_tuple(gradients):
    return tuple(gradients) if isinstance(gradients, (tuple, list)) else (gradients,)


def numeric(function, inputs, i, dy, h=1e-6):
    """(L(x + h e) − L(x − h e)) / 2h of L = Σ dy ⊙ value, for each entry e of input ``i``."""
    slope = np.zeros(inputs[i].shape)
    for entry in np.ndindex(slope.shape):
        values = []
        for step in (h, -h):
            changed = copied(inputs)
            changed[i][entry] += step
            values.append(np.asarray(function(*changed)[0], np.float64))
        slope[entry] = np.sum((values[0] - values[1]) * dy) / (2 * h)
    return slope


def error(gradient, expected):
    """The largest difference, relative to the largest entry; infinity where the form is wrong."""
    if gradient is None or np.shape(gradient) != expected.shape:
        return np.inf
    largest = np.abs(expected).max(initial=0)
    difference = np.abs(gradient - expected).max(initial=0)
    return np.inf if np.isnan(difference) else difference / largest if largest > 1e-9 else difference


def wrong_right_gradients(function, inputs, h=1e-6, tolerance=1e-5, rounding=1e-15):
    """The numbers of the inputs whose gradient disagrees: of a right function none."""
    value, dy, gradients, _ = gradients_of(function, inputs)
    noise = rounding / h * np.abs(np.asarray(value) * dy).sum()
    wrong = []
    for i, x in enumerate(inputs):
        if is_float(x):
            expected = numeric(function, inputs, i, dy, h)
            largest = max(np.abs(expected).max(initial=0), np.abs(gradients[i]).max(initial=0))
            if np.shape(gradients[i]) != x.shape or gradients[i].dtype != x.dtype \
                    or not np.abs(gradients[i] - expected).max(initial=0) <= tolerance * largest + noise:
                wrong.append(i)
    return wrong


def is_wrong(mistake):
    """Whether the mistake shows: another gradient, another type, or something changed that must stay."""
    inputs, function, i = mistake.program.draw(), mistake.build(), mistake.program.names.index(mistake.which)
    _, _, right, _ = gradients_of(mistake.program.build(), inputs)
    given = copied(inputs)
    value, vjp = function(*given)
    dy = np.random.default_rng(7).standard_normal(np.shape(value))
    kept = dy.copy()
    first = as_tuple(vjp(dy))
    first = tuple(None if g is None else np.array(g) for g in first)
    if len(first) != len(right) or first[i] is None or error(first[i], right[i]) > 1e-3 or first[i].dtype != np.float64:
        return True
    changed = not np.array_equal(dy, kept) or any(not np.array_equal(a, b) for a, b in zip(given, inputs))
    again, _, other, _ = gradients_of(function, inputs)
    return changed or not np.allclose(value, again) or error(other[i], first[i]) > 1e-3 \
        or error(as_tuple(vjp(kept))[i], first[i]) > 1e-3
