"""Whatever shapes an operation takes, its backward pass works too; what it does not take, it refuses in its own name.

The inputs are those of the table in conftest.py with axes of length 0 to 3. Some axes are then cut to 1, some inputs
lie in memory backwards, some options name other axes. An operation without a row in the table fails
test_every_operation_has_a_case.
"""

from __future__ import annotations

import numpy as np
import pytest

from tinyformer import ops
from tinyformer.autograd import FLOATS, Tensor

# Before 2.3 NumPy warns of an index out of bounds where it takes nothing; later it refuses the index.
IGNORED = "ignore::RuntimeWarning", "ignore::UserWarning", "ignore:Out of bound index:DeprecationWarning"
pytestmark = [pytest.mark.filterwarnings(text) for text in IGNORED]


def is_float(value):
    return isinstance(value, np.ndarray) and value.dtype in FLOATS


def altered(inputs, options, rng):
    """The inputs with axes of length 1 and other memory layouts, and the options with other axes."""
    inputs, options = list(inputs), dict(options)
    ndim = next((a.ndim for a in inputs if is_float(a)), 0)
    for i, a in enumerate(inputs):
        if is_float(a) and a.ndim and rng.random() < 0.2:
            a = a[(slice(None),) * int(rng.integers(a.ndim)) + (slice(1),)]
        if is_float(a) and a.ndim and rng.random() < 0.5:
            a = np.repeat(a[::-1], 2, axis=-1)[::-1, ..., ::2] if a.ndim > 1 else np.repeat(a[::-1], 2)[::-2]
        inputs[i] = a
    if "axis" in options and rng.random() < 0.5:
        axes = [int(n) for n in rng.integers(-ndim - 1, ndim + 1, int(rng.integers(0, 3)))]
        options["axis"] = tuple(axes) if len(axes) != 1 else axes[0]
    if "keepdims" in options:
        options["keepdims"] = bool(rng.integers(2))
    return inputs, options


def backward_is_the_numeric_derivative(operation, inputs, options, rng):
    """False where the operation refused; an assertion where it took the inputs and its gradient is wrong."""
    name = operation.__name__
    tensors = [Tensor(a, requires_grad=True) if is_float(a) else a for a in inputs]
    try:
        value = operation(*tensors, **options)
    except (ValueError, TypeError, IndexError) as error:
        assert str(error).startswith(name), f"{name}: the message does not name the operation: {error}"
        return False
    values = value if isinstance(value, tuple) else (value,)
    dys = [rng.standard_normal(y.shape) for y in values]
    for y, dy in zip(values, dys):
        y.backward(dy.astype(y.dtype), retain_graph=True)
    leaves = [(i, t.grad) for i, t in enumerate(tensors) if isinstance(t, Tensor) and t.grad is not None]
    for i, gradient in leaves:
        assert gradient.shape == inputs[i].shape and gradient.dtype == inputs[i].dtype
    direction = {i: rng.standard_normal(inputs[i].shape) for i, _ in leaves}

    def moved(h):
        shifted = [a + h * direction[i] if i in direction else a for i, a in enumerate(inputs)]
        out = operation.raw(*shifted, **options)[0]
        return sum(np.sum(dy * y) for dy, y in zip(dys, out if isinstance(out, tuple) else (out,)))

    numeric = (moved(1e-5) - moved(-1e-5)) / 2e-5
    analytic = sum(np.sum(g * direction[i]) for i, g in leaves)
    if np.isfinite(numeric) and all(np.all(np.isfinite(y.data)) for y in values) and values[0].dtype == np.float64:
        size = 1 + sum(np.sum(np.abs(g * direction[i])) for i, g in leaves)
        assert abs(analytic
                   - numeric) < 1e-4 * size, f"{name}: backward gives {analytic}, the numeric derivative is {numeric}"
    return True


def fuzz(case, seeds):
    taken = 0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        try:
            inputs, options = case.draw_small(seed)
        except (ValueError, IndexError):                    # the table cannot draw from an empty axis
            continue
        inputs, options = altered(inputs, options, rng)
        taken += backward_is_the_numeric_derivative(case.operation, inputs, options, rng)
    return taken


def test_odd_shapes(case):
    fuzz(case, range(6))


@pytest.mark.slow
def test_many_odd_shapes(case):
    assert fuzz(case, range(6, 60)), "no shape was taken"


@pytest.mark.parametrize("equation, shapes", [
    ("ij,jk->ik", [(2, 1), (3, 4)]), ("ij,jk->ik", [(2, 3), (1, 4)]), ("i,i->i", [(1,), (3,)]),
    ("ij,j->", [(2, 1), (3,)]),
    ("ij,ij->j", [(1, 3), (2, 1)]), ("i,i->i", [(1,), (0,)]), ("i,i,i->", [(1,), (3,), (1,)])])
def test_einsum_broadcasts_axes_of_length_one(equation, shapes, rng):
    def operation(*arrays):
        return ops.einsum(equation, *arrays)

    operation.__name__, operation.raw = "einsum", lambda *arrays: ops.einsum.raw(equation, *arrays)
    assert backward_is_the_numeric_derivative(operation, [rng.standard_normal(s) for s in shapes], {}, rng)


@pytest.mark.parametrize("shape", [(4,), (4, 2), (0,)])
def test_an_empty_list_takes_nothing(shape, rng):
    x = Tensor(rng.standard_normal(shape), requires_grad=True)
    y = x[[]]
    assert y.shape == (0, *shape[1:])
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, np.zeros(shape))


@pytest.mark.parametrize("sections", [0, -1, [], [5, -1], 3])
def test_a_split_into_nothing_is_refused(sections):
    with pytest.raises(ValueError, match="split: axis 0 has length 4; it cannot be split into"):
        ops.split(Tensor(np.zeros(4)), sections=sections)


def test_attention_of_width_zero_needs_a_scale(rng):
    q, k, v = np.zeros((2, 0)), np.zeros((3, 0)), rng.standard_normal((3, 4))
    with pytest.raises(ValueError, match="scaled_dot_product_attention: q has shape .* a width of 0"):
        ops.scaled_dot_product_attention(q, k, v)
    assert backward_is_the_numeric_derivative(ops.scaled_dot_product_attention, [q, k, v], {"scale": 1.0}, rng)


@pytest.mark.parametrize("shape, axis", [((3, 0), 1), ((0, 3), 0), ((0,), 0)])
def test_log_softmax_of_an_empty_axis(shape, axis, rng):
    assert backward_is_the_numeric_derivative(ops.log_softmax, [np.zeros(shape)], {"axis": axis}, rng)
