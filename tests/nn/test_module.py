import copy

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer import nn


class Block(nn.Module):
    """A parameter after a child, a buffer between, an attribute that is neither: order and names are tested."""

    def __init__(self):
        self.inner = nn.Linear(2, 3)
        self.scale = nn.Parameter(np.ones(3, np.float32))
        self.register_buffer("count", np.array(0))
        self.shift = nn.Parameter(np.zeros(3, np.float32))
        self.table = np.arange(3)

    def forward(self, x):
        return self.inner(x) * self.scale + self.shift


NAMES = ["scale", "shift", "count", "inner.weight", "inner.bias"]


def test_names_stand_in_pytorchs_order():
    block = Block()
    assert [name for name, _ in block.named_parameters()] == ["scale", "shift", "inner.weight", "inner.bias"]
    assert list(block.state_dict()) == NAMES
    nested = nn.Sequential(block, nn.ModuleList([nn.Tanh(), Block()]))
    assert list(nested.state_dict()) == ["0." + name for name in NAMES] + ["1.1." + name for name in NAMES]
    assert [name for name, _ in nested.named_modules()] == ["", "0", "0.inner", "1", "1.0", "1.1", "1.1.inner"]
    assert block.num_parameters() == 3 + 3 + 6 + 3


def test_a_parameter_set_again_keeps_its_place_and_one_set_to_none_is_gone():
    block = Block()
    block.scale = nn.Parameter(np.full(3, 2.0, np.float32))
    assert list(block.state_dict()) == NAMES
    np.testing.assert_array_equal(block.state_dict()["scale"], [2, 2, 2])
    block.inner.bias = None
    assert list(block.state_dict()) == NAMES[:-1]


def test_a_tied_parameter_counts_once_and_is_saved_under_both_names():
    model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5, bias=False))
    model[1].weight = model[0].weight
    assert [name for name, _ in model.named_parameters()] == ["0.weight"]
    assert list(model.state_dict()) == ["0.weight", "1.weight"] and model.num_parameters() == 15
    twin = copy.deepcopy(model)
    assert twin[1].weight is twin[0].weight and twin[0].weight is not model[0].weight
    model(np.array([1, 2])).sum().backward()
    grad = model[0].weight.grad
    assert (grad != 0).any(axis=1).all()     # row 0 was not looked up: its gradient came through the output


def test_state_dict_round_trip_copies():
    source, target = Block(), Block()
    source.count += 7
    assert target.load_state_dict(source.state_dict()) == ([], [])
    for name, array in target.state_dict().items():
        np.testing.assert_array_equal(array, source.state_dict()[name])
        assert not np.shares_memory(array, source.state_dict()[name])


def test_state_dict_is_loaded_wholly_or_not_at_all(rng):
    block = Block()
    before = {name: array.copy() for name, array in block.state_dict().items()}
    good = {name: array + 1 for name, array in before.items()}

    def refused(state, error, message, **options):
        with pytest.raises(error, match=message):
            block.load_state_dict(state, **options)
        for name, array in block.state_dict().items():
            np.testing.assert_array_equal(array, before[name])

    refused({k: v for k, v in good.items() if k != "inner.bias"}, ValueError, "Block: missing: inner.bias")
    refused(good | {"other": np.ones(1)}, ValueError, "unexpected: other")
    refused(good | {"inner.bias": np.ones(4)}, ValueError, r"inner.bias has shape \(4,\), expected \(3,\)")
    refused(good | {"count": np.array(1.5)}, TypeError, "count is float64, expected int64")
    refused(good | {"scale": np.ones(3, np.int8)}, TypeError, "scale is int8, expected float32")
    refused(good | {"scale": np.ones(3, bool)}, TypeError, "scale is bool, expected float32")
    refused({"scale": good["scale"], "inner.bias": np.ones(4)}, ValueError, "inner.bias", strict=False)


def test_names_that_are_too_many_to_read_are_counted():
    deep = nn.Sequential(*(nn.Linear(2, 3) for _ in range(15)))
    missing, unexpected = deep.load_state_dict({f"x{i}": np.ones(1) for i in range(21)}, strict=False)
    assert len(missing) == 30 and len(unexpected) == 21
    with pytest.raises(ValueError, match=r"missing: 0.weight, .*, 9.bias and 10 more; unexpected: .*, x19 and 1 more$"):
        deep.load_state_dict({f"x{i}": np.ones(1) for i in range(21)})


@pytest.mark.parametrize("state", ["weights.safetensors", [np.ones(2)], None])
def test_a_state_that_is_no_mapping(state):
    with pytest.raises(TypeError, match=rf"state is of type {type(state).__name__}, .*tfm.load\(path\)"):
        nn.Linear(2, 2).load_state_dict(state)


def test_state_dict_not_strict_takes_what_fits():
    block = Block()
    missing, unexpected = block.load_state_dict({"scale": np.full(3, 5.0), "other": np.ones(2)}, strict=False)
    assert missing == ["shift", "count", "inner.weight", "inner.bias"] and unexpected == ["other"]
    np.testing.assert_array_equal(block.scale.data, [5, 5, 5])
    assert block.scale.dtype == np.float32


def test_train_and_eval_reach_all():
    model = nn.Sequential(nn.Dropout(0.5), nn.ModuleList([nn.Dropout(0.5)]))
    assert all(module.training for _, module in model.named_modules())
    assert model.eval() is model and not any(module.training for _, module in model.named_modules())
    assert model.train() is model and all(module.training for _, module in model.named_modules())


@pytest.mark.parametrize("mode", [True, False])
def test_evaluating_brings_back_the_mode_that_was(mode):
    model = nn.Sequential(nn.Dropout(0.5), nn.ModuleList([nn.Dropout(0.5)])).train(mode)
    with pytest.raises(KeyError), nn.evaluating(model):
        assert not any(module.training for _, module in model.named_modules())
        raise KeyError
    assert all(module.training is mode for _, module in model.named_modules())


def test_to_converts_floats_alone(rng):
    block = Block()
    block(rng.normal(size=(4, 2))).sum().backward()
    gradient = block.scale.grad.copy()
    assert block.to(np.float64) is block
    types = {name: array.dtype.name for name, array in block.state_dict().items()}
    assert types == {name: "int64" if name == "count" else "float64" for name in NAMES}
    assert block.scale.grad.dtype == np.float64
    np.testing.assert_array_equal(block.scale.grad, gradient)
    assert block(rng.normal(size=(4, 2))).dtype == np.float64
    with pytest.raises(TypeError, match="to: expected float32 or float64, got int64"):
        block.to(np.int64)


def test_zero_grad_and_freezing(rng):
    block = Block()
    block(rng.normal(size=(4, 2))).sum().backward()
    assert tfm.unreached(block.named_parameters()) == []
    block.zero_grad()
    assert all(p.grad is None for p in block.parameters())
    block.inner.requires_grad_(False)
    block(rng.normal(size=(4, 2))).sum().backward()
    assert block.inner.weight.grad is None
    np.testing.assert_array_equal(block.shift.grad, [4, 4, 4])


def test_repr_tells_the_structure():
    assert repr(nn.Sequential(nn.Linear(2, 3), nn.ModuleList([nn.Tanh()]))) == """\
Sequential(
  (0): Linear(in_features=2, out_features=3, bias=True)
  (1): ModuleList(
    (0): Tanh()
  )
)"""


def test_containers():
    modules = [nn.Tanh(), nn.ReLU(), nn.Sigmoid()]
    for container in (nn.Sequential(*modules), nn.ModuleList(modules)):
        assert len(container) == 3 and list(container) == modules and container[-1] is modules[2]
    assert len(nn.ModuleList().append(nn.Tanh())) == 1
    x = np.array([-1.0, 2.0])
    np.testing.assert_allclose(nn.Sequential(nn.ReLU(), nn.Tanh())(x), np.tanh([0, 2]))


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match="ModuleList"):
        nn.ModuleList()(1)
    with pytest.raises(TypeError, match="int64"):
        nn.Parameter(np.arange(3))
