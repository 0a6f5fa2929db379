"""Every numeric option of an operation has its range; errors name the operation, the option and what was expected."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinyformer import ops
from tinyformer.nn import functional as F

X, IDS = np.eye(2, 3, dtype=np.float32), np.zeros(2, np.int64)
Q = np.ones((4, 3), np.float32)

# (operation, option): how to call it with a value, values that are right, values that are out of range
AT_LEAST_0 = (0, 0.5, np.float32(0.5)), (-1e-9, math.nan, math.inf)
FRACTION = (0, 1, 0.5), (-0.1, 1.1, math.nan, math.inf)
NUMBER = (-2, 0.5), (math.nan, math.inf, -math.inf)
AXIS = (0, -2, np.int64(1)), (2, -3)
OPTIONS = {
    "leaky_relu negative_slope": (lambda v: ops.leaky_relu(X, negative_slope=v), *NUMBER),
    "softmax axis": (lambda v: ops.softmax(X, axis=v), *AXIS),
    "log_softmax axis": (lambda v: ops.log_softmax(X, axis=v), *AXIS),
    "layer_norm eps": (lambda v: ops.layer_norm(X, eps=v), *AT_LEAST_0),
    "rms_norm eps": (lambda v: ops.rms_norm(X, eps=v), *AT_LEAST_0),
    "batch_norm eps": (lambda v: ops.batch_norm(X.T[:2], eps=v), *AT_LEAST_0),
    "dropout p": (lambda v: ops.dropout(X, p=v), *FRACTION),
    "embedding padding_idx": (lambda v: ops.embedding(IDS, X, padding_idx=v), (0, -2), (2, -3)),
    "cross_entropy label_smoothing": (lambda v: ops.cross_entropy(X, IDS, label_smoothing=v), *FRACTION),
    "cross_entropy ignore_index": (lambda v: ops.cross_entropy(X, IDS, ignore_index=v), (-100, 255), ()),
    "scaled_dot_product_attention scale": (lambda v: ops.scaled_dot_product_attention(Q, Q, Q, scale=v), *NUMBER),
    "scaled_dot_product_attention dropout_p":
        (lambda v: ops.scaled_dot_product_attention(Q, Q, Q, dropout_p=v), *FRACTION),
    "softplus beta": (lambda v: F.softplus(X, v), (0.5, 2), (0, -1, math.nan, math.inf)),
    "softplus threshold": (lambda v: F.softplus(X, 1.0, v), (-1, 20, math.inf), (math.nan,)),
    "batch_norm momentum":
        (lambda v: F.batch_norm(X, np.zeros(3, "f"), np.ones(3, "f"), training=True, momentum=v), *FRACTION),
}
INTEGERS = {"softmax axis", "log_softmax axis", "embedding padding_idx", "cross_entropy ignore_index"}
OPTIONAL = {"embedding padding_idx", "scaled_dot_product_attention scale"}


@pytest.mark.parametrize("name", OPTIONS)
def test_the_range_of_an_option(name):
    call, right, wrong = OPTIONS[name]
    named = ": ".join(name.split()) + " is .*, expected "
    for value in right:
        call(value)
    for value in wrong:
        with pytest.raises(ValueError, match=named):
            call(value)
    for value in (True, "1", [1], 1j, *[None] * (name not in OPTIONAL), *[0.5] * (name in INTEGERS)):
        with pytest.raises(TypeError, match=named):
            call(value)


@pytest.mark.parametrize("operation", [ops.softmax, ops.log_softmax])
def test_softmax_of_a_number(operation):
    with pytest.raises(ValueError, match=f"{operation.__name__}: x is a single number, expected at least one axis"):
        operation(np.array(1, np.float32))
    with pytest.raises(TypeError, match=f"{operation.__name__}: x is float, expected an array or a tensor"):
        operation(1.0)


def test_numpy_numbers_do_not_promote():
    assert ops.layer_norm(X, eps=np.float64(1e-5)).dtype == np.float32
    assert F.softplus(X, np.float64(2.0)).dtype == np.float32
