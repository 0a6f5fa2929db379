"""Losses, containers, Flatten, Identity and attention of other widths against PyTorch's: state, values, errors."""

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer import nn

from .test_nn import compare


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# ------------------------------------------------------------------------------------------------ losses

@pytest.mark.parametrize("shape", [(5,), (4, 5), (4, 5, 3)])
@pytest.mark.parametrize("options", [{}, {"reduction": "sum"}, {"reduction": "none"}, {"label_smoothing": 0.1},
                                     {"ignore_index": 1}])
def test_cross_entropy_loss(torch, rng, dtype, shape, options):
    classes = 1 if len(shape) > 1 else 0
    targets = rng.integers(2, shape[classes], shape[:classes] + shape[classes + 1:])
    if "ignore_index" in options and targets.ndim:
        targets.flat[0] = 1
    compare(torch, rng, nn.CrossEntropyLoss(**options), torch.nn.CrossEntropyLoss(**options),
            [rng.normal(0, 3, shape), targets], dtype)


@pytest.mark.parametrize("name", ["MSELoss", "BCEWithLogitsLoss"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_losses_of_entries(torch, rng, dtype, name, reduction):
    ours, theirs = (getattr(library, name)(reduction=reduction) for library in (nn, torch.nn))
    compare(torch, rng, ours, theirs, [rng.normal(0, 3, (4, 3)), rng.random((4, 3))], dtype)


@pytest.mark.filterwarnings("ignore::UserWarning")          # PyTorch's, about broadcasting
def test_losses_refuse_what_pytorch_refuses(torch):
    for library, make in ((nn, tfm.tensor), (torch.nn, torch.tensor)):
        logits = make(np.zeros((2, 3), np.float32))
        with pytest.raises((ValueError, IndexError)):
            library.CrossEntropyLoss()(logits, make([0, 3]))
        with pytest.raises((ValueError, RuntimeError)):
            library.CrossEntropyLoss()(logits, make([0, 1, 2]))
        with pytest.raises((ValueError, RuntimeError)):
            library.MSELoss()(logits, make(np.zeros((2, 4), np.float32)))
        with pytest.raises(ValueError):
            library.BCEWithLogitsLoss()(logits, make(np.zeros(3, np.float32)))


# ------------------------------------------------------------------------------------------------ shapes

@pytest.mark.parametrize("options", [{}, {"start_dim": 0}, {"start_dim": 1, "end_dim": 2}, {"start_dim": -2},
                                     {"end_dim": 1}, {"start_dim": 2, "end_dim": 2}])
@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3, 4, 5), (0, 3, 4)])
def test_flatten(torch, rng, dtype, shape, options):
    compare(torch, rng, nn.Flatten(**options), torch.nn.Flatten(**options), [rng.normal(size=shape)], dtype)


@pytest.mark.parametrize("shape, options", [((2, 3), {"start_dim": 2}), ((2, 3, 4), {"start_dim": 2, "end_dim": 1}),
                                            ((2, 3), {"end_dim": -3}), ((), {})])
def test_flatten_refuses_what_pytorch_refuses(torch, shape, options):
    with pytest.raises((IndexError, RuntimeError)):
        torch.nn.Flatten(**options)(torch.zeros(shape))
    with pytest.raises(ValueError, match="Flatten: (start|end)_dim is"):
        nn.Flatten(**options)(np.zeros(shape, np.float32))


def test_flatten_of_a_number(torch):
    assert nn.Flatten(0)(np.float32(3)).shape == tuple(torch.nn.Flatten(0)(torch.tensor(3.0)).shape) == (1,)


def test_identity(torch, rng, dtype):
    ours, theirs = (library.Identity(54, unused=True) for library in (nn, torch.nn))
    compare(torch, rng, ours, theirs, [rng.normal(size=(2, 3))], dtype)
    x = object()
    assert nn.Identity()(x) is x


# ------------------------------------------------------------------------------------------------ containers

def build(library, tensor):
    """A module that uses each container, and the parameters of a list directly."""
    class Net(library.Module):
        def __init__(self):
            super().__init__()
            self.parts = library.ModuleDict({"first": library.Linear(4, 6), "act": library.Tanh()})
            self.parts["last"] = library.Linear(6, 4)
            self.parts.update([("norm", library.LayerNorm(4))])
            self.scales = library.ParameterList([tensor([1.0, 2.0, 3.0, 4.0]), library.Parameter(tensor([0.5]))])
            self.scales.append(library.Parameter(tensor([2.0])))

        def forward(self, x):
            for key in self.parts:
                x = self.parts[key](x)
            for scale in self.scales:
                x = x * scale
            return x

    return Net()


def test_containers_have_pytorchs_keys_values_and_gradients(torch, rng, dtype):
    ours, theirs = build(nn, tfm.tensor), build(torch.nn, torch.tensor)
    compare(torch, rng, ours, theirs, [rng.normal(size=(3, 4))], dtype)
    for mine, other in ((ours.parts, theirs.parts), (ours.scales, theirs.scales)):
        assert len(mine) == len(other)
    assert list(ours.parts) == list(theirs.parts) == list(ours.parts.keys()) == [key for key, _ in ours.parts.items()]
    assert "first" in ours.parts and "second" not in ours.parts


@pytest.mark.parametrize("change", [
    lambda library: library.ModuleDict({"a.b": library.Tanh()}),
    lambda library: library.ModuleDict({"": library.Tanh()}),
    lambda library: library.ModuleDict({"keys": library.Tanh()}),
    lambda library: library.ModuleDict({3: library.Tanh()}),
    lambda library: library.ModuleDict({"a": 3}), lambda library: library.ModuleDict()["a"],
    lambda library: library.ModuleDict().pop("a"), lambda library: library.ModuleList([3]),
    lambda library: library.ModuleList([library.Tanh()])[1], lambda library: library.ParameterList()[0],
])
def test_containers_refuse_what_pytorch_refuses(torch, change):
    with pytest.raises((KeyError, TypeError, IndexError)) as theirs:
        change(torch.nn)
    with pytest.raises(theirs.type):
        change(nn)


# ------------------------------------------------------------------------------------------------ attention

@pytest.mark.parametrize("kdim, vdim", [(3, 5), (3, None), (None, 5), (8, 8), (8, 5)])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("need_weights", [True, False])
def test_attention_of_other_widths(torch, rng, dtype, kdim, vdim, batch_first, need_weights):
    options = {"kdim": kdim, "vdim": vdim, "batch_first": batch_first, "bias": need_weights}
    ours, theirs = (library.MultiheadAttention(8, 2, **options) for library in (nn, torch.nn))
    shapes = [(2, 4, 8), (2, 5, kdim or 8), (2, 5, vdim or 8)]
    inputs = [rng.normal(size=shape if batch_first else (shape[1], shape[0], shape[2])) for shape in shapes]
    padding = np.array([[False] * 4 + [True], [False] * 5])
    compare(torch, rng, ours, theirs, inputs, dtype, {"key_padding_mask": padding, "need_weights": need_weights},
            lambda layer, *xs, **o: layer(*xs, **o)[0])
    single = [rng.normal(size=shape[1:]) for shape in shapes]
    compare(torch, rng, ours, theirs, single, dtype, {"need_weights": need_weights},
            lambda layer, *xs, **o: layer(*xs, **o)[0])
