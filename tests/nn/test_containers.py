"""Layers in a plain container have parameters that nothing trains: the model says so before it is trained or saved."""

import pytest

import tinyformer as tfm
from tinyformer import nn


class Net(nn.Module):
    def __init__(self, **attributes):
        self.first = nn.Linear(2, 2)
        for name, value in attributes.items():
            setattr(self, name, value)


def linear():
    return nn.Linear(2, 2)


def parameter():
    return linear().weight


HIDDEN = {
    "list": lambda: [linear()], "tuple": lambda: (nn.Tanh(), linear()), "dict": lambda: {"a": linear()},
    "nested": lambda: [{"deep": (1, [nn.Sequential(nn.Tanh(), linear())])}], "set": lambda: {linear()},
    "parameter": lambda: [parameter()], "parameters by name": lambda: {"w": parameter()},
}


@pytest.mark.parametrize("hidden", HIDDEN.values(), ids=HIDDEN)
def test_a_container_that_hides_parameters_is_named(hidden):
    value = hidden()
    model = Net(layers=value)
    message = rf"Net: the attribute layers holds layers or parameters in a {type(value).__name__}.*nn\.ModuleList"
    for use in (lambda: tfm.optim.SGD(model.parameters(), lr=0.1), model.state_dict, lambda: model.load_state_dict({}),
                model.zero_grad, model.num_parameters, lambda: list(model.named_parameters())):
        with pytest.raises(ValueError, match=message):
            use()


def test_the_attribute_of_a_layer_within_is_named_from_the_top():
    model = nn.Sequential(nn.Tanh(), Net(inner=Net(blocks=[linear()])))
    with pytest.raises(ValueError, match="Sequential: the attribute 1.inner.blocks holds"):
        model.state_dict()


def test_a_layer_in_a_list_that_hides_another():
    inner = Net()
    inner.rest = [linear()]
    with pytest.raises(ValueError, match="the attribute inner.rest holds"):
        Net(seen=[inner], inner=inner).state_dict()


def test_no_false_alarm():
    blocks, weight = [linear(), linear()], parameter()
    itself = [nn.Tanh(), 3, "word", None, weight]
    itself.append(itself)                                                       # must come to an end
    teacher = linear().requires_grad_(False)                                    # kept out of training on purpose
    model = Net(blocks=nn.ModuleList(blocks), order=blocks, by_name={"a": blocks[0], "w": blocks[1].weight},
                weight=weight, loop=itself, teacher=[teacher], sizes=(1, 2), empty=[])
    model.blocks[0].above = [model]                                             # a cycle
    names = {name for name, _ in model.named_parameters()}
    assert names == {"first.weight", "first.bias", "blocks.0.weight", "blocks.0.bias", "blocks.1.weight",
                     "blocks.1.bias", "weight"}
    assert model.load_state_dict(model.state_dict()) == ([], [])
