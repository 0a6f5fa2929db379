"""Numbers without axes stay arrays, leaves change in place under no_grad, and a tensor of one number acts as one."""

import numpy as np
import pytest

from tinyformer import nn, ops, optim
from tinyformer.autograd import Tensor, no_grad, tensor


def scalar():
    return Tensor(np.array(3.0, np.float32), requires_grad=True)


def test_the_gradient_of_a_number_is_an_array_that_clipping_shortens():
    p = scalar()
    (p * p * 1000).backward()
    assert type(p.grad) is np.ndarray
    assert optim.clip_grad_norm_([p], 1.0) == pytest.approx(6000)
    np.testing.assert_allclose(p.grad, 1.0, rtol=1e-5)
    (p * 2).backward()
    assert type(p.grad) is np.ndarray
    np.testing.assert_allclose(p.grad, 3.0, rtol=1e-5)


@pytest.mark.parametrize("make", [lambda p: optim.SGD(p, momentum=0.9, weight_decay=0.1), optim.RMSprop, optim.Adagrad,
                                  lambda p: optim.Adam(p, weight_decay=0.1), optim.AdamW])
def test_every_optimizer_moves_a_number_in_place(make):
    p = scalar()
    array, optimizer = p.data, make([p])
    for _ in range(2):
        (p * p).backward()
        optimizer.step()
    assert p.data is array and array < 3 and type(p.grad) is np.ndarray


@pytest.mark.parametrize("change", ["p += 2.0", "p -= 2.0", "p *= 2.0", "p /= 2.0", "p **= 2.0"])
def test_a_leaf_changes_in_place_under_no_grad_and_only_there(change):
    p = tensor([1.0, 4.0], requires_grad=True)
    names, array, before = {"p": p}, p.data, p.data.copy()
    with pytest.raises(RuntimeError, match="under no_grad"):
        exec(change, names)
    np.testing.assert_array_equal(array, before)
    with no_grad():
        exec(change, names)
    assert names["p"] is p and p.data is array and p.requires_grad and p.is_leaf
    exec(change, expected := {"p": before})
    np.testing.assert_array_equal(array, expected["p"])


def test_in_place_on_what_was_computed_keeps_the_graph():
    p = tensor([1.0, 4.0], requires_grad=True)
    y = p * p
    y += p
    y.sum().backward()
    np.testing.assert_array_equal(p.grad, [3.0, 9.0])


def test_a_tensor_of_one_number_acts_as_one():
    loss = tensor(1.25)
    assert f"{loss:.1f}" == "1.2" and int(loss) == 1 and float(loss) == loss.tolist() == 1.25
    assert list(range(tensor(2))) == [0, 1] and "abc"[tensor(1)] == "b"
    with pytest.raises(TypeError, match="index: a tensor of float32"):
        "abc"[loss]
    with pytest.raises(ValueError, match=r"float: a tensor of shape \(2,\) is not a single number"):
        float(tensor([1.0, 2.0]))


@pytest.mark.parametrize("bound", [True, "1", None, float("nan"), -1.0])
def test_a_bound_that_is_no_number_is_refused(bound):
    for clip in (optim.clip_grad_norm_, optim.clip_grad_value_):
        with pytest.raises((TypeError, ValueError), match="expected a number of at least 0"):
            clip([scalar()], bound)


# ------------------------------------------------------------------------- changes between forward and backward

def with_no_grad(change):
    def changed(p):
        with no_grad():
            change(p)
    return changed


def step(p):
    p.grad = np.ones_like(p.data)
    optim.SGD([p], lr=0.1).step()


def adam_step(p):
    p.grad = np.ones_like(p.data)
    optim.AdamW([p]).step()


def load(p):
    layer = nn.Linear(1, 1)
    layer.weight = p
    layer.load_state_dict({"weight": p.data + 1}, strict=False)


def iadd(p):
    p += 1


def set_entry(p):
    p[0] = 1


CHANGES = {"+=": with_no_grad(iadd), "setitem": with_no_grad(set_entry), "SGD": step, "AdamW": adam_step,
           "load_state_dict": load, "init": nn.init.zeros_}


def weight():
    return nn.Parameter(np.random.default_rng(0).standard_normal((3, 3)).astype(np.float32))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_backward_pass_never_mixes_old_and_new_values(change):
    W, x = weight(), tensor(np.ones((2, 3), np.float32), requires_grad=True)
    loss = ops.linear(x, W).sum()
    loss.backward(retain_graph=True)
    loss.backward(retain_graph=True)                        # nothing has changed yet
    change(W)
    with pytest.raises(RuntimeError,
                       match="^linear: its input weight was changed in place after the forward pass; compute"):
        loss.backward()
    ops.linear(x, W).sum().backward()                       # computed again


@pytest.mark.parametrize("operation", [
    lambda W, x, i: ops.linear(x, W), lambda W, x, i: x @ W, lambda W, x, i: W * x[:1], lambda W, x, i: W[i],
    lambda W, x, i: W[i, 0], lambda W, x, i: W[(slice(None), i)], lambda W, x, i: nn.functional.embedding(i, W),
    lambda W, x, i: ops.cross_entropy(W, i), lambda W, x, i: ops.where(i[:, None] > 0, W, 0.0)])
def test_an_array_may_be_used_again_before_the_backward_pass(operation):
    gradients = []
    for reused in (False, True):
        W, x, i = weight(), np.arange(9, dtype=np.float32).reshape(3, 3), np.array([0, 1, 2])
        y = operation(W, x, i)
        if reused:
            x[:], i[:] = -1, 1
        (y * y).sum().backward()
        gradients.append(W.grad)
    np.testing.assert_array_equal(*gradients)


@pytest.mark.parametrize("view", ["W.T", "W[:2]", "W.reshape(9)", "W.detach()", "W.reshape(3, 3)[1:].T"])
def test_a_view_changes_with_its_array(view):
    W = weight()
    y = eval(view, {"W": W})
    q = Tensor(np.ones_like(y.data), requires_grad=True)
    loss = (y * q).sum()
    with no_grad():
        W *= 2
    with pytest.raises(RuntimeError, match="^multiply: its input x was changed"):
        loss.backward()


OLD = {"add": lambda p: p + 1, "subtract": lambda p: p - np.ones((3, 3), np.float32), "scale": lambda p: 2 * p,
       "over": lambda p: p / 2, "exp": lambda p: p.exp(), "tanh": lambda p: ops.tanh(p), "sum": lambda p: p.sum(axis=0),
       "mean": lambda p: p.mean(axis=1), "views": lambda p: p.reshape(9)[2:5], "transpose": lambda p: p.T,
       "embedding": lambda p: ops.embedding(np.array([0, 2]), p),
       "first layer": lambda p: ops.linear(np.ones((2, 3), np.float32), p),
       "constant": lambda p: np.ones((3, 3), np.float32) @ p,
       "bias": lambda p: ops.linear(tensor(np.eye(3, dtype=np.float32)),
                                tensor(np.eye(3, dtype=np.float32)), p[0]),
       "astype": lambda p: p.astype(np.float64), "concatenate": lambda p: ops.concatenate(p, p),
       "where": lambda p: ops.where(np.eye(3, dtype=bool), p, 0.0), "cumsum": lambda p: p.cumsum(axis=0)}


@pytest.mark.parametrize("f", OLD.values(), ids=OLD)
def test_a_change_that_no_gradient_reads_is_allowed(f):
    p, q = weight(), weight()
    old, loss = f(p).sum(), f(q).sum()
    old.backward()
    with no_grad():
        q *= 3
    loss.backward()
    np.testing.assert_array_equal(q.grad, p.grad)


def test_accumulating_tying_and_rebinding_are_no_changes_in_place():
    W, x = weight(), tensor(np.ones((2, 3), np.float32), requires_grad=True)
    for _ in range(2):
        (ops.linear(ops.linear(x, W), W)).sum().backward()
    loss = ops.linear(x, W).sum()
    before = W.data.sum(axis=0)
    W.data, x.grad = W.data * 0, None
    loss.backward()
    np.testing.assert_allclose(x.grad[0], before, rtol=1e-6)


# ------------------------------------------------------------------------- what is assigned

def test_what_is_assigned_becomes_an_array():
    p = scalar()
    p.grad, p.data = np.float32(1), np.float32(2)
    assert type(p.grad) is type(p.data) is np.ndarray and p.data.dtype == np.float32
    p.grad, p.data = 1.0, Tensor(np.array(2.0, np.float32))
    assert type(p.grad) is type(p.data) is np.ndarray and p.grad.dtype == np.float32
    p.grad = None
    assert p.grad is None
    with pytest.raises(TypeError,
                       match="data: this tensor requires a gradient; expected float32 or float64, not int64"):
        p.data = np.arange(3)


SHAPES = {"0-d": lambda: np.array(1.5, np.float32), "empty": lambda: np.zeros((0, 3), np.float32),
          "strided": lambda: np.arange(24, dtype=np.float32).reshape(4, 6)[::2, 1::2], "turned": lambda:
          np.arange(6, dtype=np.float32).reshape(2, 3).T, "reversed": lambda: np.arange(4, dtype=np.float32)[::-1],
          "double": lambda: np.array(1.5)}
OPTIMIZERS = {"SGD": lambda p: optim.SGD(p, lr=0.1),
              "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
              "RMSprop": lambda p: optim.RMSprop(p, momentum=0.9, centered=True), "Adagrad": optim.Adagrad,
              "Adam": lambda p: optim.Adam(p, weight_decay=0.1), "AdamW": optim.AdamW,
              "Muon": lambda p: optim.Muon([{"params": p, "use_muon": False}])}


class Holder(nn.Module):
    def __init__(self, array):
        self.p = nn.Parameter(array)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_every_layout_of_a_parameter_is_moved_as_its_plain_copy_and_saved(make, shape):
    odd, plain = Holder(shape()), Holder(np.ascontiguousarray(shape()).reshape(shape().shape).copy())
    array, optimizers = odd.p.data, [make([m.p]) for m in (odd, plain)]

    def train():
        for m, optimizer in zip((odd, plain), optimizers):
            m.p.grad = None
            (m.p * m.p).sum().backward()
            optim.clip_grad_norm_([m.p], 0.5)
            optim.clip_grad_value_([m.p], 0.4)
            optimizer.step()
        np.testing.assert_allclose(odd.p.data, plain.p.data, rtol=1e-6)

    train()
    assert odd.p.data is array
    plain.load_state_dict(odd.state_dict())                 # each goes on from the other's state
    optimizers[1].load_state_dict(optimizers[0].state_dict())
    odd.load_state_dict(plain.state_dict())
    train()
    assert odd.p.data is array and type(odd.p.grad) is np.ndarray


@pytest.mark.parametrize("make", [optim.SGD, optim.AdamW])
def test_a_read_only_gradient_is_copied_and_a_read_only_parameter_refused(make):
    p = tensor([1.0, 2.0], requires_grad=True)
    p.grad = np.broadcast_to(np.float32(3), 2)
    optim.clip_grad_value_([p], 1.0)
    np.testing.assert_array_equal(p.grad, [1, 1])
    make([p]).step()
    p.data.flags.writeable = False
    with pytest.raises(ValueError, match="parameter 0 is read-only, expected an array that can change"):
        make([p]).step()


# ------------------------------------------------------------------------- entries

def test_entries_of_a_leaf_change_in_place_under_no_grad_and_only_there():
    p = tensor([1.0, 4.0, 9.0], requires_grad=True)
    array = p.data
    for change in ("p[0] = 1", "p[...] -= 1"):
        with pytest.raises(RuntimeError, match="setitem: .* under no_grad"):
            exec(change, {"p": p})
    np.testing.assert_array_equal(array, [1, 4, 9])
    with no_grad():
        p[0] = 2
        p[...] -= 1
        p[tensor([1, 2])] = tensor([5.0, 6.0])
    assert p.data is array and p.requires_grad and p.is_leaf
    np.testing.assert_array_equal(array, [1, 5, 6])
    with no_grad(), pytest.raises(ValueError, match=r"^setitem: .*\(inputs: \(3,\), \(2,\)\)"):
        p[...] = [1, 2]
    with no_grad(), pytest.raises(IndexError, match="^setitem: "):
        p[3] = 0
    with no_grad(), pytest.raises(TypeError, match="cannot be held"):
        p[0] = "3"


def test_entries_of_a_constant_change_anywhere_but_take_no_graph():
    c, p = tensor([1.0, 2.0]), tensor(3.0, requires_grad=True)
    c[1] = 5
    np.testing.assert_array_equal(c.data, [1, 5])
    with pytest.raises(RuntimeError, match="setitem: "):
        c[0] = p * 2
    loss = (c * p).sum()
    c[0] = 7
    with pytest.raises(RuntimeError, match="multiply: its input x was changed"):
        loss.backward()
