"""The doctor on functions in PyTorch's form: the right ones pass, and the mistakes are named."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from tinyformer.gradcheck import check

cases = runpy.run_path(str(Path(__file__).parent / "cases.py"))
torch = cases["library"]("torch")
CASES = cases["read"]("torch_functions.py")
SCOPE = {"torch": torch}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_right_functions_pass(case):
    cases["passes"](case, SCOPE)


def test_mistakes_are_named():
    cases["named"](CASES, SCOPE, least=40)


@pytest.mark.parametrize("name", ["Round", "Binarize", "Spike"])
def test_a_straight_through_estimator_is_said_to_be_one(name):
    case = next(case for case in CASES if case.name == name)
    report = check(case.build(SCOPE), *case.inputs())
    assert report.ok and [f.code for f in report.inputs[0].findings] == ["straight-through"]
    assert "differs from the derivative by design" in str(report).splitlines()[0]


def test_there_are_enough_right_ones():
    assert len(CASES) >= 40


def test_nothing_changes():
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3), torch.nn.Dropout(0.5))
    model[0].weight.grad = torch.ones(3, 4)
    state = {name: t.clone() for name, t in model.state_dict().items()}
    random = torch.get_rng_state()
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    for fn in (model, lambda x: model(x).sum()):
        assert check(fn, x, rtol=1e-3).ok
        assert all(torch.equal(t, state[name]) for name, t in model.state_dict().items()) and model.training
        assert model[0].weight.dtype == torch.float32 and (model[0].weight.grad == 1).all()
        assert model[1].weight.grad is None and torch.equal(torch.get_rng_state(), random)


def test_a_class_of_modules():
    class Net(torch.nn.Module):
        def __init__(self, n=3):
            super().__init__()
            self.linear = torch.nn.Linear(4, n)

        def forward(self, x):
            return self.linear(x).tanh()

    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    assert [one.name for one in check(Net, x).inputs] == ["x", "linear.weight", "linear.bias"]
    with pytest.raises(TypeError, match=r"expected an object: check\(Linear\(…\), x\)"):
        check(torch.nn.Linear, x)
