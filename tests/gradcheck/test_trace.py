"""The first wrong operation of a graph is found, named and drawn in red."""

from __future__ import annotations

import xml.etree.ElementTree as xml

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer import nn, ops
from tinyformer.autograd import differentiable
from tinyformer.gradcheck import trace
from tinyformer.viz.graph import RED


@differentiable
def wrong_tanh(x):
    y = np.tanh(x)
    return y, lambda dy: dy * (1 - y)


@differentiable
def wrong_scale(x, s):
    return x * s, lambda dy: (dy * s, dy)


class Net(nn.Module):
    def __init__(self, activation):
        self.first, self.second = nn.Linear(5, 7), nn.Linear(7, 3)
        self.activation = activation

    def forward(self, x):
        return self.second(ops.dropout(self.activation(self.first(x)), p=0.2))


def loss_of(model, rng):
    return ops.cross_entropy(model(tfm.tensor(rng.standard_normal((4, 5)).astype(np.float32))), np.array([0, 1, 2, 0]))


def test_a_right_graph(rng):
    model = Net(ops.relu)
    found = trace(model, loss_of(model, rng))
    assert found.ok and found.checked == 5 and found.findings == [] and RED not in found.svg
    assert "each of the 5 operations is right" in str(found)


def test_the_first_wrong_link(rng):
    model = Net(lambda x: wrong_tanh(wrong_scale(x, tfm.tensor(np.ones(7, np.float32), requires_grad=True))))
    found = trace(model, loss_of(model, rng))
    assert not found.ok and found.report.name == "wrong_tanh" and [f.code
                                                                   for f in found.findings] == ["local-derivative"]
    assert "first wrong operation" in str(found) and found.svg in found._repr_html_()
    boxes = [box.get("fill") for box in xml.fromstring(found.svg).iter("{http://www.w3.org/2000/svg}rect")]
    assert boxes.count(RED) == 1 and "first.weight" in found.svg and "wrong_tanh" in found.svg


def test_the_gradient_may_still_be_computed_after(rng):
    model = Net(ops.relu)
    loss = loss_of(model, rng)
    trace(model, loss)
    loss.backward()
    assert np.abs(model.first.weight.grad).sum() > 0


def test_no_graph():
    with pytest.raises(ValueError, match="trace: loss has no graph"):
        trace(None, tfm.tensor(1.0))
