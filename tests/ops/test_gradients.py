"""What holds of every operation: its gradient is the numeric one, and it keeps the house's rules."""

from __future__ import annotations

import functools
import importlib
import pkgutil

import numpy as np
import pytest

from tinyformer import ops
from tinyformer.autograd import FLOATS, Tensor
from tinyformer.graph import unbroadcast
from tinyformer.gradcheck import check


def is_float(value):
    return isinstance(value, np.ndarray) and value.dtype in FLOATS


def outputs(value):
    return value if isinstance(value, tuple) else (value,)


def run(operation, inputs, options, rng, dtype=np.float64):
    """The values and the gradients of the floating-point inputs, through the engine, for random gradients of the
    outputs."""
    tensors = [Tensor(a.astype(dtype), requires_grad=True) if is_float(a) else a for a in inputs]
    values = outputs(operation(*tensors, **options))
    for y in values:
        y.backward(rng.standard_normal(y.shape), retain_graph=True)
    return [y.data for y in values], [t.grad for t in tensors if isinstance(t, Tensor)]


def test_every_operation_has_a_case(covered):
    lifted = {name for name, value in vars(ops).items() if hasattr(value, "raw")}
    assert lifted - covered == set(), "these operations have no gradient case in tests/ops/conftest.py"
    assert covered - lifted == set()


def test_every_operation_of_a_file_is_public():
    for info in pkgutil.iter_modules(ops.__path__):
        module = importlib.import_module(f"tinyformer.ops.{info.name}")
        own = {name for name, value in vars(module).items()
               if hasattr(value, "raw") and value.__module__ == module.__name__ and not name.startswith("_")}
        assert own <= set(ops.__all__), f"add these names of {info.name}.py to tinyformer/ops/__init__.py"


@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_is_the_numeric_one(case, seed):
    inputs, options = case.draw(seed)
    report = check(functools.partial(case.operation, **options), *inputs)       # through the engine
    assert report.ok and all(one.error < 1e-7 for one in report.inputs), report
    if seed == 0:
        report = check(case.operation.raw, *inputs, **options)
        assert report.ok and all(one.error < 1e-7 for one in report.inputs), report


def test_one_gradient_alone(case):
    """A gradient is the same when it is the only one wanted; a selective vjp then computes no other."""
    inputs, options = case.draw(0)
    _, full = run(case.operation, inputs, options, np.random.default_rng(0))
    floats = [i for i, a in enumerate(inputs) if is_float(a)]
    for i, whole in zip(floats, full):
        tensors = [Tensor(a, requires_grad=i == j) if is_float(a) else a for j, a in enumerate(inputs)]
        values, rng = outputs(case.operation(*tensors, **options)), np.random.default_rng(0)
        for y in values:
            dy = rng.standard_normal(y.shape)
            if y.requires_grad:
                y.backward(dy, retain_graph=True)
        assert (tensors[i].grad is None) == (whole is None)
        if whole is not None:
            np.testing.assert_array_equal(tensors[i].grad, whole)
        if case.operation.selective:
            value, vjp = case.operation.raw(*inputs, **options)
            asked = [i == j for j in range(len(vjp(np.ones_like(value))))]
            assert [gradient is not None for gradient in vjp(np.ones_like(value), asked)] == asked


def in_float32(values):
    return [v.astype(np.float32) if is_float(v) else v for v in values]


def test_float32_stays_float32(case):
    """Through the engine; and the values are those of float64 to float32's digits."""
    if case.name == "astype":
        return                                              # it is there to change the type
    inputs, options = case.draw(0)
    narrow = dict(zip(options, in_float32(options.values())))
    values, gradients = run(case.operation, inputs, narrow, np.random.default_rng(0), np.float32)
    exact = run(case.operation, inputs, options, np.random.default_rng(0))
    for mine, theirs in zip(values + gradients, exact[0] + exact[1], strict=True):
        assert mine.dtype == np.float32
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5 * max(1, np.max(np.abs(theirs), initial=0)))


def test_a_vjp_does_not_promote_float32(case, rng):
    """On plain arrays, before the engine looks at it; and each gradient fits its input."""
    if case.name == "astype":
        return
    inputs, options = case.draw(0)
    inputs, options = in_float32(inputs), dict(zip(options, in_float32(options.values())))
    value, vjp = case.operation.raw(*inputs, **options)
    dys = tuple(np.asarray(rng.standard_normal(np.shape(y)), np.float32) for y in outputs(value))
    result = vjp(dys if len(dys) > 1 else dys[0])
    result = result if isinstance(result, tuple) else (result,)
    assert all(np.asarray(y).dtype == np.float32 for y in outputs(value))
    for array, gradient in zip(inputs, result):
        if is_float(array) and gradient is not None:
            assert np.asarray(gradient).dtype == np.float32
            assert unbroadcast(np.asarray(gradient), array.shape) is not None


def test_nothing_is_written_to(case, rng):
    """Inputs and upstream gradients may be read-only, and stay what they were."""
    inputs, options = case.draw(0)
    frozen = [a for a in inputs if isinstance(a, np.ndarray)]
    kept = [a.copy() for a in frozen]
    for a in frozen:
        a.setflags(write=False)
    value, vjp = case.operation.raw(*inputs, **options)
    dys = tuple(np.asarray(rng.standard_normal(np.shape(y))) for y in outputs(value))
    before = [dy.copy() for dy in dys]
    values = [np.array(y) for y in outputs(value)]
    for dy in dys:
        dy.setflags(write=False)
    vjp(dys if len(dys) > 1 else dys[0])
    for now, was in [*zip(frozen, kept), *zip(dys, before), *zip(outputs(value), values)]:
        np.testing.assert_array_equal(now, was)


def _strided(array):
    """The same entries in memory that runs backwards along every axis, with gaps, axes reversed."""
    if array.ndim == 0:
        return array.copy()
    room = np.full(tuple(2 * n + 1 for n in array.shape[::-1]), np.nan)
    view = room[tuple(slice(2 * n, 0, -2) for n in array.shape[::-1])].T
    view[...] = array
    return view


def test_memory_layout_does_not_matter(case):
    inputs, options = case.draw(0)
    plain = run(case.operation, inputs, options, np.random.default_rng(0))

    # Tensors are made on the strided arrays themselves, and the upstream gradient is strided as well.
    tensors = [Tensor(_strided(a), requires_grad=True) if is_float(a) else a for a in inputs]
    values, rng = outputs(case.operation(*tensors, **options)), np.random.default_rng(0)
    for y in values:
        y.backward(_strided(rng.standard_normal(y.shape)), retain_graph=True)
    strided = [y.data for y in values], [t.grad for t in tensors if isinstance(t, Tensor)]
    for a, b in zip(plain[0] + plain[1], strided[0] + strided[1]):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_nan_in_nan_out(case):
    inputs, options = case.draw(0)
    if case.name == "power" and 0 in [a for a in inputs if isinstance(a, int)]:
        pytest.skip("anything to the power of 0 is 1")
    if case.name == "scaled_dot_product_attention" and len(inputs) > 3 and not inputs[3].any():
        pytest.skip("a query that may look nowhere gives zeros")
    inputs = [np.full_like(a, np.nan) if is_float(a) else a for a in inputs]
    with np.errstate(all="ignore"):
        value, _ = case.operation.raw(*inputs, **options)
    assert any(np.isnan(y).any() for y in outputs(value))


def test_values_that_do_not_require_a_gradient_record_nothing(case):
    inputs, options = case.draw(0)
    values = outputs(case.operation(*(Tensor(a) if is_float(a) else a for a in inputs), **options))
    assert all(not y.requires_grad and y.node is None for y in values)
