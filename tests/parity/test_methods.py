"""Methods and functions under PyTorch's names: value, type and gradient are PyTorch's, and so are refusals."""

from __future__ import annotations

import numpy as np
import pytest

import tinyformer as tfm

SHAPES = [(), (3,), (1,), (2, 3), (1, 3, 1), (2, 0, 3), (2, 1, 3, 1)]
CALLS = [
    "flatten()", "flatten(1)", "flatten(0, 1)", "flatten(1, -1)", "flatten(-2, 1)", "unsqueeze(0)",
    "unsqueeze(-1)", "unsqueeze(2)", "unsqueeze(-4)", "squeeze()", "squeeze(0)", "squeeze(-1)", "squeeze((0, 2))",
    "squeeze(1)", "view(-1)", "view(3, 1)", "view((1, 3))", "view(2, -1)", "expand(3)", "expand(2, -1)",
    "expand(5, 2, 3)", "expand(-1, 3, 4)", "clone()", "std()", "var()", "argmax()", "size()", "size(0)",
    "size(-1)", "dim()", "sum()", "mean()", "max()", "min()", "tolist()", "detach()", "T", "abs()", "exp()",
    "relu()", "sigmoid()", "tanh()", "to('cpu')", "item()", "__len__()", "requires_grad_()",
    "requires_grad_(False)"]


def kind(tensor):
    """Shape, type, and whether a gradient is wanted."""
    return tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."), tensor.requires_grad


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call", CALLS)
def test_methods(torch, rng, call):
    for shape in SHAPES:
        if call == "T" and len(shape) != 2 or (call in ("mean()", "std()", "var()") and 0 in shape):
            continue                                        # deprecated there, and a NaN of nothing
        array = rng.standard_normal(shape)
        x, t = tfm.Tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
        try:
            u = eval(f"t.{call}", {"t": t})
        except (RuntimeError, IndexError, TypeError):
            with pytest.raises((RuntimeError, IndexError, TypeError, ValueError)):
                eval(f"x.{call}", {"x": x})
            continue
        y = eval(f"x.{call}", {"x": x})
        if not isinstance(y, tfm.Tensor):
            assert y == (tuple(u) if isinstance(u, torch.Size) else u), (call, shape)
            continue
        np.testing.assert_allclose(y.data, u.detach().numpy(), rtol=1e-12, err_msg=f"{call} {shape}")
        assert kind(y) == kind(u)
        if y.requires_grad:
            dy = rng.standard_normal(y.shape)
            y.backward(dy)
            u.backward(torch.tensor(dy))
            np.testing.assert_allclose(x.grad, t.grad.numpy(), rtol=1e-11, atol=1e-12, err_msg=f"{call} {shape}")


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("keep", [False, True])
def test_the_largest_of_equals(torch, rng, axis, keep):
    array = rng.integers(-2, 3, (4, 5)).astype(np.float32)
    mine, theirs = tfm.tensor(array).argmax(axis, keepdims=keep), torch.tensor(array).argmax(axis, keepdim=keep)
    assert mine.shape == tuple(theirs.shape) and np.all(array.max(axis, keepdims=True) == np.take_along_axis(
        array, mine.data if keep else np.expand_dims(mine.data, axis), axis))


FUNCTIONS = [
    "zeros(2, 3)", "zeros((2, 3))", "zeros(())", "zeros(0)", "ones(2)", "zeros(2.0)", "zeros()", "zeros(-1)",
    "full((2,), 3)", "full((2,), 3.5)", "full((2,), True)", "full(2, 1.0)", "arange(5)", "arange(2, 5)",
    "arange(5, 2, -1)", "arange(2.5)", "arange(0, 1, 0.1)", "arange(1, 3, 0)", "arange(3, 1)", "arange(0)",
    "arange(1.0, 4)", "zeros(2, requires_grad=True)", "cat([ones(2), zeros(3)])", "cat([ones(2), arange(3)])",
    "cat([ones(2), ones(2, 2)])", "cat([])", "stack([])", "stack([ones(2), zeros(2)])",
    "stack([ones(2), zeros(3)])", "stack([ones(2, 3), zeros(2, 3)], 1)", "cat([ones(2, 1), ones(2, 3)], 1)",
    "cat([arange(2), arange(3)])", "stack([arange(2), ones(2)])", "cat([ones(2), zeros(())])"]


@pytest.mark.parametrize("call", FUNCTIONS)
def test_functions(torch, call):
    ours = {name: getattr(tfm, name) for name in ("zeros", "ones", "full", "arange", "cat", "stack")}
    try:
        u = eval(call, {name: getattr(torch, name) for name in ours})
    except (RuntimeError, TypeError, ValueError):
        with pytest.raises((RuntimeError, TypeError, ValueError)):
            eval(call, ours)
        return
    y = eval(call, ours)
    np.testing.assert_array_equal(y.data, u.detach().numpy())
    assert kind(y) == kind(u)


OPERATORS = [
    "i // 2", "7 // i", "i % 3", "i % -3", "m // 2", "m % 2", "x // 2", "x % 2", "5 % x", "i & 3", "i | j",
    "i ^ j", "~i", "~b", "b & c", "b | c", "b ^ c", "i << 1", "i >> 1", "2 << i", "i // 0", "i % 0", "x // 0",
    "x & 1", "~x", "-b", "+b", "+i", "b - c", "b + c", "b * c", "b + 1", "i / 2", "i + 1.5", "i * x", "i ** 2",
    "i ** -1", "2 ** i", "abs(m)", "-i", "i @ j", "i @ x", "x == None", "x != None", "x == 'a'", "x < 'a'",
    "x < None", "3 in i", "9 in i", "'a' in x", "f'{n:d}'", "f'{s:.3f}'", "f'{s1:.3f}'", "f'{x:.3f}'",
    "f'{n:5d}|{b[0]:d}'", "int(s)", "float(s1)", "bool(n)", "bool(x)", "complex(s)", "'abc'[n - 1]", "'abc'[s]",
    "'abc'[i[:1]]", "len(s)", "list(s)", "round(s)", "divmod(i, 2)", "s.item()", "s1.item()", "x.item()",
    "sum([s, s1])", "i.exp()", "x in [i, x]", "bool(x[:0])", "hash(x) == hash(x)", "int(x)", "i.tolist()",
    "b.sum()", "i < 2.5", "i == j"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("expression", OPERATORS)
def test_operators(torch, expression):
    """Values and types are PyTorch's; what PyTorch refuses, an error of ours names."""
    def names(tensor):
        return {"i": tensor([1, 2, 3]), "j": tensor([3, 2, 5]), "m": tensor([-7, 7, -1]), "x": tensor([1.5, -2.5, 3.0]),
                "s": tensor(1.25), "s1": tensor([1.25]), "n": tensor(2), "b": tensor([True, False, True]),
                "c": tensor([True, True, False])}

    try:
        u = eval(expression, names(torch.tensor))
    except (RuntimeError, TypeError, ValueError, ZeroDivisionError):
        with pytest.raises((RuntimeError, TypeError, ValueError, ZeroDivisionError)):
            eval(expression, names(tfm.tensor))
        return
    y = eval(expression, names(tfm.tensor))
    if isinstance(u, torch.Tensor):
        assert str(y.dtype) == str(u.dtype).removeprefix("torch.")
        np.testing.assert_allclose(np.asarray(y), u.numpy(), rtol=1e-6)
    else:
        assert y == u and type(y) is type(u)
