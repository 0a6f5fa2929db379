"""The first wrong link of a PyTorch model is found: a custom Function, or a module that loses a path."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from tinyformer.gradcheck import trace

cases = runpy.run_path(str(Path(__file__).parent / "cases.py"))
torch = cases["library"]("torch")

MODEL = """
class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        x, = ctx.saved_tensors
        return 2 * x * g

class Tanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = torch.tanh(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        y, = ctx.saved_tensors
        return g * (1 - y * y)

class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Linear(4, 4)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        return x + Tanh.apply(self.inner(x))

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.block, self.last = torch.nn.Linear(3, 4), Block(), torch.nn.Linear(4, 2)

    def forward(self, x):
        return self.last(Square.apply(self.block(self.first(x))))
"""


def build(*edits):
    source, scope = MODEL, {"torch": torch}
    for old, new in edits:
        assert source.count(old) == 1
        source = source.replace(old, new)
    exec(compile(source, "<net>", "exec"), scope)
    torch.manual_seed(0)
    model, x, t = scope["Net"](), torch.randn(5, 3), torch.tensor([0, 1, 1, 0, 1])
    return model, lambda: torch.nn.functional.cross_entropy(model(x), t)


def test_a_right_model():
    model, loss = build()
    found = trace(model, loss)
    assert found.ok and found.checked == 4 and model.block.calls == 1


@pytest.mark.parametrize("old, new, name, code", [
    ("1 - y * y", "1 - y", "Tanh", "local-derivative"), ("2 * x * g", "x * g", "Square", "factor"),
    ("return x + Tanh", "return x.detach() + Tanh", "Block", "lost-path"),
    ("Square.apply(self.block(self.first(x)))", "Square.apply(self.block(self.first(x)).detach())", "Net", "missing")])
def test_the_first_wrong_link(old, new, name, code):
    found = trace(*build((old, new)))
    assert not found.ok and found.report.name == name, str(found)
    assert code in [finding.code for finding in found.findings], str(found)


def test_the_link_that_comes_first_in_backward_order():
    found = trace(*build(("1 - y * y", "1 - y"), ("2 * x * g", "-2 * x * g")))
    assert found.report.name == "Square" and "number 1" in str(found)


def test_a_tensor_is_refused():
    with pytest.raises(TypeError, match=r"expected a function: trace\(model, lambda: loss_fn\(model\(x\), y\)\)"):
        trace(None, build()[1]())
