"""ModuleDict and ParameterList as such: what they hold, what they refuse, and that training finds it."""

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer import nn, optim


def parameter(*values):
    return nn.Parameter(np.array(values, np.float32))


def test_a_module_dict_is_a_dictionary():
    parts = nn.ModuleDict({"a": nn.Tanh()})
    parts["b"] = linear = nn.Linear(2, 2)
    assert list(parts) == ["a", "b"] and parts.values()[1] is linear and dict(parts.items())["b"] is linear
    parts["a"] = nn.ReLU()                                  # a key keeps its place
    assert [type(part) for part in parts.values()] == [nn.ReLU, nn.Linear] and len(parts) == 2
    assert parts.pop("b") is linear and "b" not in parts
    del parts["a"]
    assert len(parts) == 0 and parts.num_parameters() == 0


@pytest.mark.parametrize("act, kind, message", [
    (lambda d: d["c"], KeyError, "ModuleDict: there is no 'c', expected one of a"),
    (lambda d: d.__delitem__("c"), KeyError, "there is no 'c'"),
    (lambda d: d.__setitem__("a.b", nn.Tanh()), KeyError, "a key is 'a.b', expected text without a dot"),
    (lambda d: d.__setitem__("training", nn.Tanh()), KeyError, "a key is 'training'"),
    (lambda d: d.__setitem__(1, nn.Tanh()), TypeError, "ModuleDict: a key is 1, expected text"),
    (lambda d: d.__setitem__("c", np.tanh), TypeError,
     "ModuleDict: the entry c is a ufunc, expected a Module; write a Module whose"),
    (lambda d: d.__setitem__("c", nn.ReLU), TypeError, r"c is a type, expected a Module; write ReLU\(…\)"),
])
def test_what_a_module_dict_refuses(act, kind, message):
    with pytest.raises(kind, match=message):
        act(nn.ModuleDict({"a": nn.Tanh()}))


def test_a_module_list_takes_modules_at_places():
    layers = nn.ModuleList([nn.Tanh(), nn.Linear(2, 2)])
    layers.extend([nn.ReLU()])
    layers[-1] = linear = nn.Linear(2, 3)
    assert layers[2] is linear and [type(layer) for layer in layers[:2]] == [nn.Tanh, nn.Linear]
    with pytest.raises(IndexError, match="ModuleList: the index is 3, expected one of 3 entries"):
        layers[3] = nn.Tanh()
    with pytest.raises(TypeError, match="ModuleList: the entry 3 is a list, expected a Module"):
        layers.append([nn.Tanh()])


def test_a_parameter_list_is_learned():
    given = parameter(2.0)
    scales = nn.ParameterList([given, tfm.tensor([1.0, 3.0])])
    scales[1] = parameter(5.0)
    assert scales[0] is given and len(scales[:2]) == 2 and list(scales.state_dict()) == ["0", "1"]
    optimizer = optim.SGD(scales.parameters(), lr=0.5)
    (scales[0] * scales[-1]).sum().backward()
    optimizer.step()
    assert [p.data.tolist() for p in scales] == [[-0.5], [4.0]]
    assert repr(scales) == "ParameterList((1,), (1,))"
    with pytest.raises(TypeError, match="ParameterList: the entry 2 is a ndarray, expected a Tensor"):
        scales.append(np.ones(2))


def test_losses_and_reshaping_take_arrays_and_say_what_they_are():
    assert repr(nn.CrossEntropyLoss(label_smoothing=0.1)) == \
        "CrossEntropyLoss(ignore_index=-100, reduction='mean', label_smoothing=0.1)"
    assert repr(nn.MSELoss(reduction="sum")) == "MSELoss(reduction='sum')" and repr(nn.Identity()) == "Identity()"
    assert nn.MSELoss()(np.ones((2, 2), np.float32), np.zeros((2, 2))).item() == 1
    assert nn.Flatten()(np.zeros((2, 3, 4), np.float32)).shape == (2, 12)
    with pytest.raises(ValueError, match="MSELoss: reduction is 'all', expected one of mean, sum, none"):
        nn.MSELoss(reduction="all")


def test_attention_of_other_widths_says_what_it_expects(check_layer, rng):
    layer = nn.MultiheadAttention(4, 2, kdim=3, vdim=5, batch_first=True)
    assert [p.shape for p in layer.input_weights()] == [(4, 4), (4, 3), (4, 5)]
    with pytest.raises(ValueError, match=r"expected \(B, T, 4\), \(B, S, 3\) and \(B, S, 5\), or \(T, 4\), \(S, 3\)"):
        layer(np.zeros((2, 3, 4)), np.zeros((2, 3, 4)), np.zeros((2, 3, 4)))
    check_layer(layer, rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 2, 3)), rng.normal(size=(2, 2, 5)))
