"""Recurrent layers against PyTorch's: state dicts both ways, then all outputs and all gradients for random
cotangents."""

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer import nn

TOLERANCE = {"float64": 1e-12, "float32": 2e-5}
LAYERS = [("RNN", {}), ("RNN", {"nonlinearity": "relu"}), ("GRU", {}), ("LSTM", {})]
I, H = 3, 5


def pair(torch, rng, name, dtype, *sizes, **options):
    """Our layer and PyTorch's with the same random weights, which have gone from there to here and back."""
    ours, theirs = getattr(nn, name)(*sizes, **options).to(dtype), getattr(torch.nn, name)(*sizes, **options)
    theirs = theirs.to(getattr(torch, dtype))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    ours.load_state_dict({k: torch.from_numpy(rng.normal(0, 0.5, v.shape)).to(v.dtype)
                          for k, v in theirs.state_dict().items()})
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in ours.state_dict().items()})
    return ours, theirs


def flat(result):
    """The outputs of a layer, (y, h) or (y, (h, c)), in a row."""
    return [one for part in result for one in flat(part)] if isinstance(result, tuple) else [result]


def assert_alike(torch, rng, dtype, ours, theirs, inputs, call, twin):
    """``call(*inputs)`` and ``twin(*inputs)``: their outputs, and the gradients of inputs and parameters."""
    xs = [tfm.tensor(x.astype(dtype), requires_grad=True) for x in inputs]
    ts = [torch.tensor(x.astype(dtype), requires_grad=True) for x in inputs]
    ys, us = flat(call(*xs)), flat(twin(*ts))
    assert len(ys) == len(us)
    cotangents = [rng.normal(size=y.shape).astype(dtype) for y in ys]
    sum((y * dy).sum() for y, dy in zip(ys, cotangents)).backward()
    torch.autograd.backward(us, [torch.from_numpy(dy) for dy in cotangents])
    pairs = [(f"output {k}", y.data, u.detach()) for k, (y, u) in enumerate(zip(ys, us))]
    pairs += [(f"gradient of input {k}", x.grad, t.grad) for k, (x, t) in enumerate(zip(xs, ts))]
    pairs += [(n, p.grad, other.grad) for (n, p), other in zip(ours.named_parameters(), theirs.parameters())]
    for what, mine, other in pairs:
        assert mine.shape == tuple(other.shape) and str(mine.dtype) == dtype, what
        scale = max(1, np.abs(other.numpy()).max(initial=0))
        np.testing.assert_allclose(mine, other.numpy(), rtol=0, atol=TOLERANCE[dtype] * scale, err_msg=what)


def initial(name, rng, *shape):
    return [rng.normal(size=shape) for _ in range(2 if name.startswith("LSTM") else 1)]


def state(parts):
    return tuple(parts) if len(parts) > 1 else parts[0] if parts else None


@pytest.mark.parametrize("name, options", LAYERS)
@pytest.mark.parametrize("layers, both", [(1, False), (1, True), (3, True), (2, False)])
@pytest.mark.parametrize("more", [{}, {"bias": False}, {"batch_first": True}])
def test_layers(torch, rng, dtype, name, options, layers, both, more):
    ours, theirs = pair(torch, rng, name, dtype, I, H, num_layers=layers, bidirectional=both, **options, **more)
    x = rng.normal(size=(4, 6, I))
    B, D = (4 if more.get("batch_first") else 6), layers * (1 + both)
    assert_alike(torch, rng, dtype, ours, theirs, [x], ours, theirs)
    # a batch, a sequence alone
    for inputs in ([x, *initial(name, rng, D, B, H)], [x[0], *initial(name, rng, D, H)]):
        assert_alike(torch, rng, dtype, ours, theirs, inputs, lambda x, *h: ours(x, state(h)),
                     lambda x, *h: theirs(x, state(h)))


@pytest.mark.parametrize("name, options", LAYERS)
@pytest.mark.parametrize("both", (False, True))
@pytest.mark.parametrize("with_state", (False, True))
@pytest.mark.parametrize("batch_first", (False, True))
def test_lengths_are_packed_sequences(torch, rng, dtype, name, options, both, with_state, batch_first):
    """In any order, with NaN in the padding, which no layer may read."""
    ours, theirs = pair(torch, rng, name, dtype, I, H, 2, bidirectional=both, batch_first=batch_first, **options)
    lengths = [3, 6, 1, 6, 4]
    x = rng.normal(size=(6, 5, I))
    h = initial(name, rng, 2 * (1 + both), 5, H) if with_state else []
    padding = np.arange(6)[:, None] >= np.array(lengths)

    def call(x, *h):
        x = tfm.ops.where(padding[:, :, None], np.nan, x)
        return ours(x.swapaxes(0, 1) if batch_first else x, state(h), lengths=lengths)

    def twin(x, *h):
        x = x.swapaxes(0, 1) if batch_first else x
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first, enforce_sorted=False)
        y, last = theirs(packed, state(h))
        return torch.nn.utils.rnn.pad_packed_sequence(y, batch_first)[0], last

    assert_alike(torch, rng, dtype, ours, theirs, [x, *h], call, twin)


@pytest.mark.parametrize("name, options",
                         [("RNNCell", {}), ("RNNCell", {"nonlinearity": "relu"}), ("GRUCell", {}), ("LSTMCell", {})])
@pytest.mark.parametrize("bias", (True, False))
def test_cells(torch, rng, dtype, name, options, bias):
    ours, theirs = pair(torch, rng, name, dtype, I, H, bias=bias, **options)
    assert_alike(torch, rng, dtype, ours, theirs, [rng.normal(size=(4, I))], ours, theirs)
    for lead in ((4,), ()):
        inputs = [rng.normal(size=(*lead, I)), *initial(name, rng, *lead, H)]
        assert_alike(torch, rng, dtype, ours, theirs, inputs, lambda x, *h: ours(x, state(h)),
                     lambda x, *h: theirs(x, state(h)))


@pytest.mark.parametrize("name", ("RNN", "GRU", "LSTM"))
def test_positional_arguments_are_pytorchs(torch, rng, name):
    arguments = (I, H, 2, *(("relu",) if name == "RNN" else ()), False, True, 0.0, True)
    ours, theirs = pair(torch, rng, name, "float64", *arguments)
    x = rng.normal(size=(2, 4, I))
    assert_alike(torch, rng, "float64", ours, theirs, [x], ours, theirs)
    for p, other in zip(getattr(nn, name)(20, 25).parameters(), getattr(torch.nn, name)(20, 25).parameters()):
        assert 0.19 < np.abs(p.data).max() <= 0.2 and other.abs().max() <= 0.2           # 1/√25
