"""Every number that a class or function of ``nn`` or ``optim`` takes has its range checked.

The classes, functions and their numbers are found by their signatures, so a new option without a check fails here: a
number is a parameter whose annotation has ``int`` or ``float``, and every parameter must have an annotation.
"""

from __future__ import annotations

import inspect
import math
import re
import types

import numpy as np
import pytest

from tinyformer import nn, optim
from tinyformer.autograd import Tensor


def parameters():
    return [Tensor(np.ones((2, 2), np.float32), requires_grad=True)]


def sgd():
    return optim.SGD(parameters(), lr=0.5)


X, BLOCK = np.eye(2, 4, dtype=np.float32), np.zeros((1, 2, 4), np.float32)
PICTURE = np.zeros((2, 2, 4, 4), np.float32)

# What is given for required parameters, by their names; integers that are not here are 2.
GIVEN = {
    "parameters": parameters, "optimizer": sgd, "num_heads": lambda: 1, "nhead": lambda: 1, "gamma": lambda: 0.5,
    "hidden": list, "groups": list, "levels": list,
    "lr": lambda: 0.1, "weight_decay": lambda: 0.1, "decay": lambda: 0.5,
    "max_norm": lambda: 1.0, "clip_value": lambda: 1.0, "value": lambda: 1.0,
    "encoder_layer": lambda: nn.TransformerEncoderLayer(4, 2, 8),
    "decoder_layer": lambda: nn.TransformerDecoderLayer(4, 2, 8),
    "tensor": lambda: nn.Parameter(np.ones((2, 2), np.float32)),
    "x": lambda: X, "target": lambda: X, "logits": lambda: X, "targets": lambda: np.zeros(2, int),
    "indices": lambda: [0, 1], "weight": lambda: X, "normalized_shape": lambda: 4,
    "conv1d.x": lambda: BLOCK, "conv1d.weight": lambda: BLOCK, "group_norm.x": lambda: BLOCK,
    **{f"{name}.x": lambda: PICTURE for name in ("conv2d", "conv_transpose2d", "max_pool2d", "avg_pool2d")},
    **{f"{name}.weight": lambda: PICTURE for name in ("conv2d", "conv_transpose2d")},
    "q": lambda: BLOCK, "k": lambda: BLOCK, "v": lambda: BLOCK,
    "input": lambda: BLOCK[None], "grid": lambda: np.zeros((1, 2, 2, 2), np.float32),
}
# Values that a parameter may have although others may not.
RIGHT = {
    "LeakyReLU.negative_slope": [-1], "leaky_relu.negative_slope": [-1],
    "Softplus.threshold": [-1, math.inf, -math.inf],
    "softplus.threshold": [-1, math.inf, -math.inf], "Softmax.dim": [-1], "softmax.dim": [-1], "log_softmax.dim": [-1],
    "normalize.dim": [-1],
    "Flatten.start_dim": [-1], "Flatten.end_dim": [-1], "Embedding.padding_idx": [-1], "embedding.padding_idx": [-1],
    "CrossEntropyLoss.ignore_index": [-1], "cross_entropy.ignore_index": [-1], "clip_grad_norm_.max_norm": [math.inf],
    "clip_grad_value_.clip_value": [math.inf], "constant_.value": [-1, math.inf, -math.inf],
    "normal_.mean": [-1], "uniform_.a": [-1],
    "kaiming_uniform_.a": [-1], "kaiming_normal_.a": [-1], "scaled_dot_product_attention.scale": [-1],
}
# Functions and classes that take no numbers of a user, or whose numbers have tests of their own.
ELSEWHERE = {"Module", "Parameter", "Optimizer", "Schedule", "evaluating", "fans", "skipped"}


def public():
    """Yield the public classes and functions of ``nn``, ``nn.functional``, ``nn.init`` and ``optim``."""
    for module in (nn, optim, nn.functional):
        yield from (getattr(module, name) for name in module.__all__)
    yield from (value for name, value in vars(nn.init).items()
                if isinstance(value, types.FunctionType) and value.__module__ == nn.init.__name__ and name[0] != "_")


def callables():
    """{name: class or function} of all that is tested here."""
    return {thing.__name__: thing for thing in public()
            if not isinstance(thing, types.ModuleType) and callable(thing) and thing.__name__ not in ELSEWHERE}


def options():
    """[(class or function, parameter)] of each number."""
    return [(thing, parameter) for thing in callables().values()
            for parameter in inspect.signature(thing).parameters.values()
            if re.search(r"\b(int|float)\b", str(parameter.annotation))]


def call(thing, **given):
    """``thing`` with what is given and something right for the rest that it requires."""
    signature = inspect.signature(thing)
    required = [p for p in signature.parameters.values()
                if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    given = {**({"training": True} if thing is nn.functional.batch_norm else {}), **given}
    makers = {p.name: GIVEN.get(f"{thing.__name__}.{p.name}", GIVEN.get(p.name, lambda: 2)) for p in required}
    return thing(**{name: make() for name, make in makers.items() if name not in given}, **given)


@pytest.mark.parametrize("name", callables())
def test_every_parameter_has_an_annotation_and_the_thing_can_be_made(name):
    thing = callables()[name]
    assert all(p.annotation is not p.empty for p in inspect.signature(thing).parameters.values()), name
    call(thing)


@pytest.mark.parametrize("thing, parameter", [pytest.param(*pair, id=f"{pair[0].__name__}.{pair[1].name}")
                                              for pair in options()])
def test_what_is_no_number_or_out_of_range_is_refused(thing, parameter):
    name, annotation = parameter.name, str(parameter.annotation)
    right = RIGHT.get(f"{thing.__name__}.{name}", [])
    wrong = [True, "3", [None], 1j, object(), math.nan, math.inf, -math.inf, -1, *[None] * ("None" not in annotation),
             *[1.5] * ("float" not in annotation)]
    for value in wrong:
        if value in right:
            continue
        given = (0.5, value) if annotation.startswith("tuple") else value
        with pytest.raises((TypeError, ValueError)) as error:
            call(thing, **{name: given})
        assert re.match(rf"{thing.__name__}: {name}\b.* (is|are) .*, expected ", str(error.value)), str(error.value)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        fits = (number and ("float" in annotation or isinstance(value, int))
                or isinstance(value, str) and "str" in annotation)
        assert error.type is (ValueError if fits else TypeError), (name, value, str(error.value))
    for value in right:
        call(thing, **{name: value})


def test_numbers_are_found():
    found = {f"{thing.__name__}.{parameter.name}" for thing, parameter in options()}
    assert {"Linear.in_features", "LayerNorm.eps", "AdamW.betas", "Dropout.p", "LinearSchedule.min_lr", "normal_.std",
            "Embedding.padding_idx", "LayerNorm.normalized_shape", "rms_norm.eps"} <= found
    assert set(RIGHT) <= found


def test_a_number_of_numpy_promotes_nothing():
    for layer in (nn.LayerNorm(4, eps=np.float64(1e-5)), nn.RMSNorm(4, eps=np.float64(1e-5)),
                  nn.LeakyReLU(np.float64(0.1)), nn.Softplus(np.float64(2.0)), nn.Dropout(np.float64(0.5))):
        assert layer(X).dtype == np.float32, layer
    assert type(nn.Linear(np.int64(2), np.int64(3)).in_features) is int
