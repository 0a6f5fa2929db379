"""The blind set of right functions: 2,000 of them, none of which the doctor may accuse.

``right_functions()`` yields ``Right`` objects in a fixed order: 1,700 in float64, 200 that compute in float32 and
return float64, 100 at degenerate sizes (no rows, one row, a single class, one time step). The operation, its shapes,
its style and its scale are drawn from a generator that the number of the function seeds.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import blind_right_layers as layers
import blind_right_moves as moves
import blind_right_parts as parts
import numpy as np
from blind_mistakes import PROGRAMS

from tinyformer.gradcheck import check

DOUBLE, SINGLE, DEGENERATE = 1700, 200, 100


@dataclass
class Right:
    """A right function with its inputs; ``kind`` is double, single or degenerate."""

    name: str
    kind: str
    function: Callable
    inputs: list

    def alarm(self):
        """What is wrong by the doctor, in words; empty if the function is accepted, as it must be."""
        try:
            report = check(self.function, *self.inputs)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return "" if report.ok else ", ".join(f"{one.name}: {one.findings[0].code if one.findings else 'wrong'}"
                                              for one in report.inputs if not one.ok)


def program(rng):
    """A right program of the blind mistakes at other inputs."""
    one, seed = PROGRAMS[rng.integers(len(PROGRAMS))], int(rng.integers(1, 1000))
    return f"{one.name}, seed {seed}", one.build(), list(one.draw(seed))


FAMILIES = (program, parts.unary, parts.chain, parts.binary, program, parts.reduction, moves.moved, moves.product,
            layers.normalization, layers.loss, layers.recurrence, moves.indexed, layers.attention, layers.window,
            layers.network)
SIZES = {                                                   # degenerate sizes of each family
    layers.normalization: [(1, 1), (0, 3), (1, 4), (3, 1), (2, 0, 3)],
    layers.loss: [(1, 1), (4, 1), (1, 3)],
    layers.recurrence: [(1, 2, 3, 2), (1, 1, 1, 1), (3, 0, 2, 2), (1, 2, 1, 3), (0, 2, 3, 2)],
    layers.attention: [(1, 1, 1), (2, 1, 3), (1, 3, 1), (0, 2, 2)],
    layers.network: [(0, 3, 4, 2), (1, 1, 1, 1), (1, 3, 0, 2), (4, 1, 1, 1)],
}


def in_float32(function):
    """The function computing in float32 inside: arrays are narrowed on the way in, widened on the way out."""
    def narrow(a):
        return np.asarray(a, np.float32) if getattr(a, "dtype", None) == np.float64 else a

    @functools.wraps(function)
    def single(*inputs):
        value, vjp = function(*map(narrow, inputs))

        def widened(dy):
            gradients = vjp(narrow(dy))
            gradients = gradients if isinstance(gradients, (tuple, list)) else (gradients,)
            return tuple(None if g is None else narrow(np.asarray(g)).astype(np.float64) for g in gradients)
        return np.asarray(value, np.float32).astype(np.float64), widened
    return single


def right_functions():
    for i in range(DOUBLE + SINGLE):
        rng = np.random.default_rng([i, 2000])
        name, function, inputs = FAMILIES[i % len(FAMILIES)](rng)
        if i < DOUBLE:
            yield Right(f"{i}: {name}", "double", function, inputs)
        else:
            yield Right(f"{i}: {name}, in float32", "single", in_float32(function), inputs)
    for i in range(DEGENERATE):
        rng = np.random.default_rng([i, 3000])
        family = list(SIZES)[i % len(SIZES)]
        name, function, inputs = family(rng, SIZES[family][i // len(SIZES) % len(SIZES[family])])
        yield Right(f"{DOUBLE + SINGLE + i}: {name}", "degenerate", function, inputs)
