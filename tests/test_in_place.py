"""Numbers without axes stay arrays, leaves change in place under no_grad, and a tensor of one number acts as one."""

import numpy as np
import pytest

from tinyformer import optim
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


@pytest.mark.parametrize("change", ["p += 2.0", "p -= 2.0", "p *= 2.0", "p /= 2.0"])
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
        with pytest.raises(ValueError, match="expected a number of at least 0"):
            clip([scalar()], bound)
