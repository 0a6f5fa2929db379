"""The record of a forward pass gives the true gradient, whatever NumPy it is written in."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinyformer.gradcheck import check, sample
from tinyformer.gradcheck.hypotheses.fused import fuse
from tinyformer.gradcheck.recording import record
from tinyformer.gradcheck.tape import Unrecorded


def test_the_recorded_gradient_is_the_true_one(operation, rng):
    inputs, function = operation.draw(), operation.function()
    tape = record(function, inputs, [a.dtype.kind == "f" for a in inputs], {})
    value, vjp = function(*inputs)
    np.testing.assert_allclose(tape.outputs[0].value, value)
    dy = rng.standard_normal(np.shape(value))
    for fused in (False, True):
        if fused:
            fuse(tape)
        for i, right in enumerate(vjp(dy)):
            if inputs[i].dtype.kind == "f":
                np.testing.assert_allclose(tape.gradient(i, [dy]), right, rtol=1e-9, atol=1e-10)


def added_where_positive(x):
    out, positive = x * 2, x > 0
    np.add.at(out, positive, x[positive])
    return out * out


FORWARDS = [
    added_where_positive,
    lambda x: np.pad(x, ((1, 0), (0, 2)))[::-1].cumsum(axis=0), lambda x: np.var(x, axis=0, ddof=1),
    lambda x: x.std(axis=1, keepdims=True) + x,
    lambda x: np.concatenate(np.split(x, [1, 2], axis=1)[::-1], axis=1),
    lambda x: np.tile(x, (2, 1)) * np.repeat(x, 2, axis=0),
    lambda x: np.linalg.norm(x, axis=1), lambda x: np.vectorize(math.erf)(x), lambda x: np.clip(x, -0.5, 0.5),
    lambda x: np.diff(x, axis=0),
    lambda x: np.einsum("ij,kj", x, x), lambda x: np.logaddexp(x, 0), lambda x: np.tril(x.T @ x),
    lambda x: np.max(x, axis=0) - x.min(axis=1).sum(),
    lambda x: np.take_along_axis(x, np.array([[1], [0], [2]]), axis=1), lambda x: np.stack([v * v for v in x]),
    lambda x: (1 + abs(x)) ** 1.5 / (1 + 2.0 ** x), lambda x: np.outer(x[0], x[1]), lambda x: np.dot(x, x[0]),
    lambda x: np.squeeze(x[:, :1], axis=1),
]


@pytest.mark.parametrize("number", range(len(FORWARDS)))
def test_numpy_in_many_forms(number, rng):
    forward, (x,) = FORWARDS[number], sample("BC", seed=2)
    tape = record(lambda x: (forward(x), None), [x], [True], {})
    np.testing.assert_allclose(tape.outputs[0].value, forward(x))

    def by_record(x):
        tape = record(lambda x: (forward(x), None), [x], [True], {})
        return forward(x), lambda dy: tape.gradient(0, [dy]).copy()
    report = check(by_record, x)
    assert report.ok and report.inputs[0].error < 1e-7, report


@pytest.mark.parametrize("forward", [lambda x: np.linalg.inv(x @ x.T), lambda x: np.array([float(x[0, 0])]),
                                     lambda x: np.fft.fft(x).real])
def test_what_cannot_be_followed_is_said(forward):
    with pytest.raises(Unrecorded):
        record(lambda x: (forward(x), None), list(sample("BC")), [True], {})
