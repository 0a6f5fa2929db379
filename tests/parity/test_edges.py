"""Values and gradients at the edges of what operations take are PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer import ops
from tinyformer.autograd import Tensor

torch = pytest.importorskip("torch")

SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-300, 1.0, -1.0]


def both(x, ours, theirs):
    """Value and gradient of ours and of PyTorch's at x, compared."""
    a, b = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, z = ours(a), theirs(b)
    y.sum().backward()
    z.sum().backward()
    np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(a.grad, b.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize("name", ["var", "std"])
@pytest.mark.parametrize("correction", [0, 1])
@pytest.mark.parametrize("shape, axis", [((1,), 0), ((2, 1), 1), ((), None), ((0, 3), 0), ((3, 0), 0),
                                         ((2, 3), (0, 1))])
@pytest.mark.filterwarnings("ignore:var", "ignore:std")
def test_var_and_std_of_few_entries(name, shape, axis, correction):
    for x in (np.random.default_rng(0).standard_normal(shape), np.ones(shape)):
        both(x, lambda t: getattr(ops, name)(t, axis=axis, correction=correction),
             lambda t: getattr(torch, name)(t, dim=axis, correction=correction))


@pytest.mark.filterwarnings("ignore:var")
def test_var_of_as_many_entries_as_the_correction():
    both(np.array([[1.0, 2.0], [1.0, 3.0]]), lambda t: ops.var(t, axis=0, correction=2),
         lambda t: torch.var(t, dim=0, correction=2))


@pytest.mark.parametrize("shape, axis", [((3, 0), 1), ((0, 3), 1), ((0,), 0)])
def test_logsumexp_of_an_empty_axis(shape, axis):
    both(np.zeros(shape), lambda t: ops.logsumexp(t, axis=axis), lambda t: torch.logsumexp(t, dim=axis))


def test_relu_at_special_values():
    both(np.array(SPECIAL), ops.relu, torch.relu)


@pytest.mark.parametrize("type", ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"])
def test_targets_of_every_integer_type(type):
    """The largest number of the type marks the places left out."""
    ignored = int(np.iinfo(type).max)
    targets = np.array([0, 2, ignored], type)
    x = np.random.default_rng(0).standard_normal((3, 4))
    known = torch.tensor([0, 2, -100])
    both(x, lambda t: ops.cross_entropy(t, targets, ignore_index=ignored),
         lambda t: torch.nn.functional.cross_entropy(t, known))
    short = np.array([0, 2, 1], type)
    both(x, lambda t: ops.cross_entropy(t, short),
         lambda t: torch.nn.functional.cross_entropy(t, torch.tensor([0, 2, 1])))


@pytest.mark.parametrize("smoothing", [1.5, -0.1, np.nan])
def test_label_smoothing_out_of_range(smoothing):
    with pytest.raises(ValueError, match="cross_entropy: label_smoothing is .*, expected 0 ≤ label_smoothing ≤ 1"):
        ops.cross_entropy(Tensor(np.zeros((1, 2))), np.array([0]), label_smoothing=smoothing)


ELEMENTWISE = ("abs", "exp", "log", "relu", "sigmoid", "sqrt", "tanh")
FUNCTIONAL = ("gelu", "leaky_relu", "silu", "softplus")


@pytest.mark.parametrize("backend", ("live", "numpy"))
@pytest.mark.parametrize("name", (*ELEMENTWISE, *FUNCTIONAL))
@pytest.mark.filterwarnings("ignore")
def test_entrywise_operations_at_special_values(name, backend):
    live = tfm.backend.info()["live"]
    try:
        tfm.backend.use(live if backend == "live" else backend)
        both(np.array(SPECIAL), getattr(ops, name), getattr(torch if name in ELEMENTWISE else torch.nn.functional,
                                                            name))
    finally:
        tfm.backend.use(live)


@pytest.mark.parametrize("name", ("maximum", "minimum"))
def test_the_larger_of_two_special_values(name):
    pairs = np.array([(x, y) for x in SPECIAL for y in SPECIAL]).T
    ours = [Tensor(x, requires_grad=True) for x in pairs]
    theirs = [torch.tensor(x, requires_grad=True) for x in pairs]
    z, expected = getattr(ops, name)(*ours), getattr(torch, name)(*theirs)
    z.sum().backward()
    expected.sum().backward()
    np.testing.assert_array_equal(z.data, expected.detach().numpy())
    for a, b in zip(ours, theirs):
        np.testing.assert_array_equal(a.grad, b.grad.numpy())
