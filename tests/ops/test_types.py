"""Integers beside floating-point inputs: they take their type, or are refused by name. float32 stays float32."""

from __future__ import annotations

import numpy as np
import pytest

from tinyformer import ops
from tinyformer.autograd import Tensor, tensor

INTEGERS = {"tensor": tensor([[1, 0], [0, 1]]), "array": np.array([[1, 0], [0, 1]]), "list": [[1, 0], [0, 1]],
            "bool": np.array([[True, False], [False, True]])}
TAKEN = {"add": ops.add, "subtract": ops.subtract, "multiply": ops.multiply, "maximum": ops.maximum,
         "minimum": ops.minimum, "power": ops.power, "concatenate": ops.concatenate, "stack": ops.stack,
         "mse_loss": ops.mse_loss,
         "divide": lambda x, y: ops.divide(y, x), "where": lambda x, y: ops.where(np.eye(2, dtype=bool), x, y),
         "bce": ops.binary_cross_entropy_with_logits}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("integers", INTEGERS.values(), ids=INTEGERS)
@pytest.mark.parametrize("operation", TAKEN.values(), ids=TAKEN)
def test_integers_take_the_type_of_the_tensor(operation, integers, dtype):
    results = []
    for other in (integers, np.asarray(integers, dtype)):
        x = Tensor(np.array([[0.5, 1.5], [2.5, 3.5]], dtype), requires_grad=True)
        y = operation(x, other)
        y.sum().backward()
        assert y.dtype == x.grad.dtype == dtype
        results.append((y.data, x.grad))
    for mine, expected in zip(*results):
        np.testing.assert_array_equal(mine, expected)


REFUSED = {"matmul": ops.matmul, "linear": ops.linear, "reversed": lambda x, i: ops.linear(i, x),
           "einsum": lambda x, i: ops.einsum("ij,jk->ik", x, i), "linear_gelu": lambda x, i: ops.linear_gelu(i, x),
           "attention": lambda x, i: ops.scaled_dot_product_attention(x, i, x), "norm": lambda x, i: ops.layer_norm(i),
           "rms": lambda x, i: ops.rms_norm(i, x[0]), "batch_norm": lambda x, i: ops.batch_norm(i)}
ALONE = ("softmax", "log_softmax", "logsumexp", "leaky_relu", "dropout", "layer_norm", "rms_norm", "batch_norm",
         "var", "std")


@pytest.mark.parametrize("operation", REFUSED.values(), ids=REFUSED)
def test_integers_as_features_are_refused(operation):
    x = tensor([[0.5, 1.5], [2.5, 3.5]], requires_grad=True)
    with pytest.raises(TypeError, match=r"^\w+: .*int64.*expected"):
        operation(x, np.array([[1, 0], [0, 1]]))


@pytest.mark.parametrize("name", ALONE)
def test_what_is_for_floating_point_numbers_alone(name):
    with pytest.raises(TypeError, match=f"^{name}: x is int64, expected float32 or float64"):
        getattr(ops, name)(tensor([[1, 2], [3, 4]]))


def test_recurrence_of_integers():
    x, h, W = np.zeros((2, 1, 3), int), np.zeros((1, 3)), np.zeros((3, 3))
    with pytest.raises(TypeError, match="^rnn: x is int64, expected float32 or float64"):
        ops.rnn(x, h, W, W, None, None)


def test_an_optional_input_is_not_blamed():
    with pytest.raises(TypeError, match="^linear: no argument is called scale; expected one of x, weight, bias"):
        ops.linear(tensor([[1.0]]), tensor([[1.0]]), None, scale=2)
