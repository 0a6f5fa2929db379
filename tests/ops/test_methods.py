"""Methods of tensors that PyTorch has: shapes, copies, types. Compared with it in tests/parity/test_methods.py."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from tinyformer.autograd import Tensor, no_grad, tensor


def leaf(shape=(2, 3), dtype=np.float64):
    return Tensor(np.arange(np.prod(shape), dtype=dtype).reshape(shape), requires_grad=True)


def test_size_is_a_number_and_a_call():
    x = leaf((2, 3))
    assert x.size == 6 and x.size() == (2, 3) and x.size(0) == 2 and x.size(-1) == 3 and x.dim() == x.ndim == 2
    assert x.size / 2 == 3 and range(x.size)[5] == 5 and tensor(1.0).size == 1 and tensor(1.0).size() == ()
    with pytest.raises(IndexError, match=r"size: dim is 2, but the shape is \(2, 3\)"):
        x.size(2)


@pytest.mark.parametrize("change, shape", [
    (lambda x: x.view(3, 2), (3, 2)), (lambda x: x.view((-1,)), (6,)), (lambda x: x.T.view(6), (6,)),
    (lambda x: x.flatten(), (6,)),
    (lambda x: x.unsqueeze(0), (1, 2, 3)), (lambda x: x.unsqueeze(-1), (2, 3, 1)),
    (lambda x: x.unsqueeze(1).squeeze(1), (2, 3)),
    (lambda x: x.unsqueeze(0).squeeze(), (2, 3)), (lambda x: x.squeeze(0), (2, 3)), (lambda x: x.expand(4, -1, 3), (4,
    2, 3)),
    (lambda x: x.unsqueeze(0).flatten(0, 1), (2, 3)), (lambda x: x.clone(), (2, 3)), (lambda x: x.to(np.float32), (2,
    3))])
def test_gradients_flow_back(change, shape):
    x = leaf()
    y = change(x)
    assert y.shape == shape
    y.backward(np.full(shape, 2.0))
    assert np.all(x.grad == 2 * y.size / x.size)


def test_axes_of_length_zero():
    assert leaf((0, 3, 2)).flatten(1).shape == (0, 6) and leaf((2, 0, 3)).flatten().shape == (0,)
    assert leaf((0, 1)).squeeze(1).shape == (0,) and leaf((0,)).unsqueeze(0).shape == (1, 0)


@pytest.mark.parametrize("change, error, message", [
    (lambda x: x.view(4), ValueError, "reshape: "), (lambda x: x.view(np.float32), TypeError,
    r"view: .*x.astype\(dtype\) converts"),
    (lambda x: x.unsqueeze(3), IndexError, "unsqueeze: dim is 3, expected -3 to 2"),
    (lambda x: x.squeeze(2), IndexError, "squeeze: dim is 2, expected -2 to 1"),
    (lambda x: x.flatten(2), IndexError, "flatten: dim is 2"), (lambda x: x.flatten(1, 0), ValueError,
    "flatten: start_dim 1 comes after"),
    (lambda x: x.expand(2), ValueError, "broadcast_to: "), (lambda x: x.expand(-1, 2, 3), ValueError,
    "expand: axis 0 of .* is new"),
    (lambda x: x.to("cuda"), ValueError, "to: tensors are in main memory, 'cuda' is not available"),
    (lambda x: x.to(np.float16), TypeError, "float16 cannot be held"), (lambda x: x[:0].argmax(), ValueError,
    "argmax: a tensor of shape"),
    (lambda x: (x * 2).requires_grad_(False), RuntimeError,
    "requires_grad_: this tensor was computed by multiply, expected a leaf"),
    (lambda x: tensor([1]).requires_grad_(), TypeError, "requires_grad_: only float32 and float64"),
    (lambda x: x.zero_(), RuntimeError, "under no_grad"),
    (lambda x: x.transpose(0, 1), ValueError, r"transpose: the axes \(0, 1\) are in their order .*x.swapaxes\(0, 1\)"),
    (lambda x: leaf((2, 3, 4)).transpose(0, 1), ValueError, r"transpose: got 2 axes of 3; .*x.swapaxes\(0, 1\)")])
def test_errors(change, error, message):
    with pytest.raises(error, match=message):
        change(leaf())


def test_a_clone_has_its_own_array():
    x = leaf()
    y = x.clone()
    with no_grad():
        y[0, 0] = 9
    assert x.tolist()[0][0] == 0 and y.tolist()[0][0] == 9 and y.requires_grad


def test_types():
    x = leaf()
    assert x.to(np.float64) is x and x.to("cpu") is x and x.to(tensor(1.0)).dtype == np.float32
    assert x.to("int64").dtype == np.int64


def test_the_largest_entry():
    x = Tensor(np.array([[1.0, 5.0, 5.0], [9.0, 2.0, 3.0]]), requires_grad=True)
    assert x.argmax().item() == 3 and x.argmax(1).tolist() == [1, 0] and x.argmax(axis=0, keepdims=True).shape == (1, 3)
    assert isinstance(x.argmax(1), Tensor) and not x.argmax(1).requires_grad and x.argmax(1).dtype == np.int64


def test_in_place():
    p, c = leaf(), tensor([1.0, 2.0])
    array = p.data
    with no_grad():
        assert p.zero_() is p and p.data is array
    assert not array.any() and c.zero_().tolist() == [0, 0]
    loss = (p * p).sum()
    with no_grad():
        p.zero_()
    with pytest.raises(RuntimeError, match="multiply: its input x was changed in place"):
        loss.backward()


def test_whether_a_leaf_requires_a_gradient():
    x = tensor([1.0, 2.0])
    before = (x * leaf((2,), np.float32)).sum()
    assert x.requires_grad_() is x and x.requires_grad
    before.backward()
    assert x.grad is None                                   # as in PyTorch: the graph is the one of the forward pass
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2, 2] and not x.requires_grad_(False).requires_grad


def test_detaching_in_place():
    x = leaf((2,))
    h = x * 2
    assert h.detach_() is h and h.is_leaf and not h.requires_grad and x.requires_grad
    w = leaf((2,))
    (h * w).sum().backward()
    assert w.grad.tolist() == [0, 2] and x.grad is None
    assert x.detach_() is x and not x.requires_grad
    for later in (lambda y: y * y, lambda y: y + 1):
        y = leaf((2,)) * 2
        z = later(y)
        y.detach_()
        with pytest.raises(RuntimeError, match=r"(multiply|add): its input x was detached in place after the"):
            z.sum().backward()


def test_every_method_has_a_docstring():
    public = [name for name in dir(Tensor) if not name.startswith("_") and name not in Tensor.__slots__]
    assert not [name for name in public if not inspect.getdoc(getattr(Tensor, name))]
