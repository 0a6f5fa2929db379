"""The record of a forward pass gives the true gradient, whatever NumPy it is written in."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from tinyformer import kernels
from tinyformer.gradcheck import check, following, sample
from tinyformer.gradcheck.following import record
from tinyformer.gradcheck.function_forms.sources import INSTALLED, PACKAGE
from tinyformer.gradcheck.hypotheses.fused import fuse
from tinyformer.gradcheck.numpy_table import Unrecorded


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


def through_a_view(x):
    out = np.zeros_like(x)
    row = out[1]
    row += x[0]
    row[1:] *= x[2, 1:]
    return out + x


class Layer:
    """As learners write layers: it keeps what it needs, calls itself and helpers, and counts."""

    def __init__(self):
        self.scale, self.calls, self.seen = np.array([2.0, 3.0, 5.0, 7.0, 11.0]), 0, []

    def helper(self, x):
        y = np.zeros((len(x), 5))
        for n in range(len(x)):
            y[n] = np.tanh(x[n]) * self.scale
        return y

    def forward(self, x):
        self.x = x
        self.calls += 1
        self.seen.append(x)
        self.scale *= 1.0
        return self.helper(x)


LAYER = Layer()


def four_deep(x):
    def one(v):
        return math.exp(v) if v > 0 else float(v) ** 2

    def two(row):
        return [one(v) for v in row]

    def three(rows):
        return np.array([two(row) for row in rows])
    return three(x)


TABLE = {"tanh": lambda x: np.tanh(x), "forward": LAYER.forward}

FORWARDS = [
    added_where_positive, through_a_view, LAYER.forward, four_deep, lambda x: TABLE["forward"](TABLE["tanh"](x)),
    functools.partial(lambda k, x: x ** k, 3), lambda x: Layer().forward(x),
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
    lambda x: np.squeeze(x[:, :1], axis=1), lambda x: np.linalg.inv(x @ x.T + np.eye(3)), lambda x: np.diag(x[0]),
    lambda x: np.diag(x @ x.T), lambda x: np.cumprod(x, axis=1), lambda x: np.prod(x, axis=0), lambda x: np.sinc(x),
    lambda x: np.array([float(x[0, 0]), x[1, 1]]), lambda x: np.einsum("...i,...i->...", x, x), lambda x: x[::-1] * 1,
    lambda x: np.einsum("ii->i", x @ x.T), lambda x: np.log1p(np.abs(x)), lambda x: np.subtract.outer(x[0], x[1]),
    lambda x: np.linalg.det(x @ x.T + np.eye(3)), lambda x: np.where((x > 0).astype(float), x, 0.1 * x).astype(float),
    lambda x: np.linalg.solve(x @ x.T + np.eye(3), x), lambda x: np.tensordot(x, x, axes=([1], [1])),
    lambda x: np.full((2,), x[0, 0]) * np.array([[x[0, 1]], [x[1, 0]]]), lambda x: np.convolve(x[0], [1.0, 2.0]),
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


def test_the_learners_objects_do_not_see_the_recording():
    layer = Layer()
    record(lambda x: (layer.forward(x), None), list(sample("BC")), [True], {})
    assert vars(layer).keys() == {"scale", "calls", "seen"} and layer.calls == 0 and layer.seen == []


def test_kernels_are_followed_where_the_library_is_an_installed_package(monkeypatch):
    monkeypatch.setattr(following, "INSTALLED", (*INSTALLED, PACKAGE))
    tape = record(lambda x: kernels.softmax(x), list(sample("BC")), [True], {})
    assert [step.kind for step in tape.nodes][-1] == "divide"


@pytest.mark.parametrize("forward", [lambda x: np.array(np.tanh(x).tolist()), lambda x: np.fft.fft(x).real])
def test_what_cannot_be_followed_is_said(forward):
    with pytest.raises(Unrecorded):
        record(lambda x: (forward(x), None), list(sample("BC")), [True], {})
