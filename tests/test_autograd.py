"""The engine: recording, the backward pass, and the rules it holds operations to."""

from __future__ import annotations

import functools
import threading
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

import tinyformer as tfm
from tinyformer import ops
from tinyformer.autograd import Tensor, differentiable, no_grad, observed, tensor, unreached
from tinyformer.graph import first_nonfinite, topological_order, unbroadcast


def leaf(*values, dtype=np.float64):
    return Tensor(np.array(values, dtype), requires_grad=True)


# ------------------------------------------------------------------------------------------------ tensors

class TestTensor:
    def test_python_numbers_become_float32_and_arrays_keep_their_type(self):
        assert tensor([1.0, 2.0]).dtype == tensor(1.5).dtype == np.float32
        assert tensor(np.ones(2)).dtype == np.float64
        assert tensor([1, 2]).dtype.kind == "i" and tensor([True]).dtype == bool
        assert tensor([1, 2], dtype=np.float64).dtype == np.float64

    def test_tensor_copies(self):
        array = np.ones(2)
        t = tensor(array)
        array[0] = 5
        assert t.data.tolist() == [1, 1]
        assert tensor(t).data is not t.data

    @pytest.mark.parametrize("data", [np.ones(2, complex), np.array(["a"]), np.ones(2, np.float16), np.array([None])])
    def test_types_that_cannot_be_held(self, data):
        with pytest.raises(TypeError, match=f"tensor: {data.dtype} cannot be held; expected float32"):
            tensor(data)

    def test_integers_cannot_require_a_gradient(self):
        with pytest.raises(TypeError, match="only float32 and float64 can require a gradient, not int64"):
            tensor(np.arange(3), requires_grad=True)

    def test_what_it_is(self):
        x = leaf([1, 2, 3], [4, 5, 6])
        assert (x.shape, x.ndim, x.size, len(x), x.is_leaf) == ((2, 3), 2, 6, 2, True)
        assert not (x * 2).is_leaf
        assert x[0, 1].item() == 2 and float(x[0, 1]) == 2 and bool(x[0, 1])
        assert x.numpy() is x.data
        np.testing.assert_array_equal(np.asarray(x), x.data)
        assert np.asarray(x, np.float32).dtype == np.float32
        assert (np.array(x, copy=True) is not x.data) and not np.shares_memory(np.array(x, copy=True), x.data)

    def test_comparisons_are_plain_arrays(self):
        x, y = leaf(1, 2, 3), leaf(3, 2, 1)
        for result, expected in ((x < y, [1, 0, 0]), (x <= 2, [1, 1, 0]), (x > y, [0, 0, 1]), (x >= 2, [0, 1, 1]),
                                 (x == y, [0, 1, 0]), (x != y, [1, 0, 1])):
            assert isinstance(result, np.ndarray) and result.tolist() == [bool(e) for e in expected]
        assert len({x, y, x}) == 2                          # it can be a key: by identity

    def test_repr(self):
        x = tensor([1.0, 2.0], requires_grad=True)
        assert repr(x) == "tensor([1., 2.], requires_grad=True)"
        assert repr(x * 2) == "tensor([2., 4.], made by multiply)"
        assert repr(tensor([1, 2])) == "tensor([1, 2])"


# ------------------------------------------------------------------------------------------------ the backward pass

class TestBackward:
    def test_uses_and_passes_add_up(self):
        x = leaf(2.0, 3.0)
        (x * x + x).sum().backward()
        assert x.grad.tolist() == [5, 7]
        (x * 10).sum().backward()
        assert x.grad.tolist() == [15, 17]

    def test_a_tensor_used_along_several_paths(self):
        x = leaf(3.0)
        y = x * x
        z = y * y + y                                       # z = x⁴ + x²
        (z + x * y).backward(np.ones(1))                    # + x³
        assert x.grad.tolist() == [4 * 27 + 6 + 27]

    def test_the_result_of_a_leaf_is_itself(self):
        x = leaf(1.0, 2.0)
        x.backward(np.array([3.0, 4.0]))
        assert x.grad.tolist() == [3, 4]

    def test_a_number_needs_no_gradient_and_anything_else_does(self):
        x = leaf(1.0, 2.0)
        with pytest.raises(ValueError, match=r"backward: shape \(2,\) is not a single number; pass the gradient"):
            (x * 2).backward()
        with pytest.raises(ValueError, match=r"backward: gradient has shape \(3,\), expected \(2,\)"):
            (x * 2).backward(np.ones(3))
        with pytest.raises(ValueError, match=r"backward: gradient has shape \(\), expected \(2,\)"):
            (x * 2).backward(1.0)
        assert x.grad is None
        (x * 2).backward(Tensor(np.array([1.0, 3.0])))
        assert x.grad.tolist() == [2, 6]

    def test_nothing_to_differentiate(self):
        with pytest.raises(ValueError, match="backward: this tensor does not require a gradient"):
            (Tensor(np.ones(1)) * 2).backward()

    def test_a_chain_of_100_000_operations(self):
        x = leaf(1.0)
        y = x
        for _ in range(100_000):
            y = y + 1.0
        assert y.data.tolist() == [100_001]
        y.backward(np.array([2.0]))
        assert x.grad.tolist() == [2]

    def test_a_chain_of_100_000_operations_is_deleted_without_a_backward_pass(self):
        """A graph is a chain of references: freeing it must not recurse through the interpreter's stack."""
        def work():
            x = leaf(1.0)
            y = x
            for _ in range(100_000):
                y = -y
            gone.append(weakref.ref(y))
            del y
            gone.append(weakref.ref(x))

        gone = []
        thread = threading.Thread(target=work)              # a thread's stack is small
        thread.start()
        thread.join()
        assert [ref() for ref in gone] == [None, None]

    def test_a_graph_that_was_used_is_freed(self):
        x = leaf(1.0)
        y = x * 2
        kept = weakref.ref(y)
        z = y * 3
        del y
        assert kept() is not None                           # the graph holds it
        z.backward(np.ones(1))
        assert kept() is None                               # and no cycle waits for the collector

    def test_a_second_pass_through_a_freed_graph(self):
        x = leaf(1.0, 2.0)
        y = x * 2
        z = y.exp()
        z.sum().backward()
        before = x.grad.copy()
        w = leaf(5.0, 6.0)
        with pytest.raises(RuntimeError, match="the graph below (exp|multiply) was freed.*retain_graph=True"):
            (z * w).sum().backward()
        np.testing.assert_array_equal(x.grad, before)
        assert w.grad is None                               # found before anything was added anywhere

    def test_retain_graph(self):
        x = leaf(1.0, 2.0)
        y = (x * x).sum()
        y.backward(retain_graph=True)
        y.backward(retain_graph=True)
        y.backward()
        assert x.grad.tolist() == [6, 12]
        with pytest.raises(RuntimeError, match="freed"):
            y.backward()

    def test_gradients_do_not_alias(self):
        """add hands one array to both of its inputs; what is in ``grad`` is each leaf's own."""
        x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
        dy = np.array([1.0, 1.0])
        (x + y).backward(dy)
        assert not np.shares_memory(x.grad, y.grad) and not np.shares_memory(x.grad, dy)
        x.grad[0] = 99
        assert y.grad.tolist() == [1, 1] and dy.tolist() == [1, 1]

    def test_an_earlier_gradient_that_someone_holds_stays(self):
        x = leaf(1.0)
        (x * 2).backward(np.ones(1))
        held = x.grad
        (x * 3).backward(np.ones(1))
        assert held.tolist() == [2] and x.grad.tolist() == [5]

    def test_a_leaf_s_gradient_can_be_written_to(self):
        x = leaf(1.0, 2.0)
        x.sum().backward()                                  # a broadcast view inside
        x.grad *= 2
        assert x.grad.tolist() == [2, 2]


class TestSeveralOutputs:
    def test_only_some_are_used(self):
        x = leaf(1.0, 2.0, 3.0, 4.0)
        a, b, c = ops.split(x, sections=[1, 2, 1])
        (b * np.array([10.0, 20.0])).sum().backward()
        assert x.grad.tolist() == [0, 10, 20, 0]

    def test_all_are_used_more_than_once(self):
        x = leaf(1.0, 2.0, 3.0)
        a, b = ops.split(x, sections=[1, 2])
        ((a * 2).sum() + (b * 3).sum() + (a * b).sum()).backward()
        assert x.grad.tolist() == [2 + 5, 3 + 1, 3 + 1]

    def test_an_integer_output_has_no_gradient(self):
        @differentiable
        def top(x):
            best = np.argmax(x)

            def vjp(dys):
                dx = np.zeros_like(x)
                dx[best] = dys[0]
                return dx
            return (x[best], best), vjp

        x = leaf(1.0, 5.0, 2.0)
        value, index = top(x)
        assert value.requires_grad and not index.requires_grad
        (value * 3).backward()
        assert x.grad.tolist() == [0, 3, 0]


class TestRetainGrad:
    def test_a_gradient_on_the_way(self):
        x = leaf(1.0, 2.0)
        y = x * 2
        z = y * y
        y.retain_grad()
        y.retain_grad()                                     # twice is once
        z.backward(np.array([1.0, 1.0]))
        assert y.grad.tolist() == [4, 8] and x.grad.tolist() == [8, 16] and z.grad is None

    def test_of_the_result_itself_and_of_one_output(self):
        x = leaf(1.0, 2.0)
        a, b = ops.split(x, sections=2)
        a.retain_grad(), b.retain_grad()
        loss = (a * 3).sum()
        loss.retain_grad()
        loss.backward()
        assert loss.grad.tolist() == 1 and a.grad.tolist() == [3] and b.grad is None

    def test_of_what_needs_none(self):
        with pytest.raises(ValueError, match="retain_grad: this tensor does not require a gradient"):
            Tensor(np.ones(1)).retain_grad()

    def test_a_leaf_has_it_anyway(self):
        x = leaf(1.0)
        x.retain_grad()
        (x * 2).backward(np.ones(1))
        assert x.grad.tolist() == [2]


# ------------------------------------------------------------------------------------------------ recording

class TestNoGrad:
    def test_as_a_context(self):
        x = leaf(1.0)
        with no_grad():
            y = x * 2
            with no_grad():
                pass
            z = x * 2                                       # still off after the inner one
        assert not y.requires_grad and not z.requires_grad and y.node is None
        assert (x * 2).requires_grad

    def test_as_a_decorator(self):
        @no_grad()
        def double(x, depth=2):
            return double(x, depth - 1) if depth else x * 2

        x = leaf(1.0)
        assert not double(x).requires_grad
        assert (x * 2).requires_grad

    def test_an_exception_turns_recording_on_again(self):
        x = leaf(1.0)
        with pytest.raises(KeyError), no_grad():
            raise KeyError
        assert (x * 2).requires_grad

        @no_grad()
        def fails():
            raise KeyError
        with pytest.raises(KeyError):
            fails()
        assert (x * 2).requires_grad

    def test_one_object_entered_twice(self):
        off, x = no_grad(), leaf(1.0)
        with off:
            with off:
                pass
            assert not (x * 2).requires_grad
        assert (x * 2).requires_grad

    def test_each_thread_has_its_own(self):
        x, seen = leaf(1.0), []
        with no_grad():
            thread = threading.Thread(target=lambda: seen.append((x * 2).requires_grad))
            thread.start()
            thread.join()
        assert seen == [True]

    def test_backward_says_so(self):
        with no_grad():
            y = leaf(1.0) * 2
        with pytest.raises(ValueError, match="under no_grad"):
            y.backward(np.ones(1))

    def test_constants_record_nothing(self):
        x, c = leaf(1.0), Tensor(np.ones(1))
        assert (c * 2).node is None and (c * x).requires_grad
        (c * x).backward(np.ones(1))
        assert c.grad is None


def test_detach():
    x = leaf(2.0, 3.0)
    y = x * 2
    d = y.detach()
    assert d.data is y.data and not d.requires_grad and d.is_leaf
    (x * d).sum().backward()                                # as if y were a constant
    assert x.grad.tolist() == [4, 6]


def test_unreached():
    a, b, frozen = leaf(1.0), leaf(2.0), Tensor(np.ones(1))
    named = [("a", a), ("b", b), ("frozen", frozen)]
    assert unreached(named) == ["a", "b"]
    (a * b.detach()).sum().backward()
    assert unreached(named) == ["b"]
    (a * b).sum().backward()
    assert unreached(named) == []


class TestFirstNonfinite:
    def test_names_the_operation_that_began_it(self):
        x = leaf(-1.0, 2.0)
        with np.errstate(all="ignore"):
            y = ops.log(x * 2)
            z = (y + 1).sum()
        assert first_nonfinite(z) == ("log", (2,))
        assert first_nonfinite(y) == ("log", (2,))
        assert first_nonfinite(x * 2) is None

    def test_an_input_that_was_not_finite(self):
        x = leaf(np.inf, 1.0)
        assert first_nonfinite((x * 2).sum()) == ("input", (2,))
        assert first_nonfinite(x) == ("input", (2,))

    def test_overflow(self):
        with np.errstate(over="ignore"):
            loss = ops.exp(leaf(100.0, dtype=np.float32) * 10).sum()
        assert first_nonfinite(loss) == ("exp", (1,))


def test_topological_order_puts_each_node_after_its_inputs():
    x = leaf(1.0)
    a = x * 2
    b = a + 1
    c = a * b
    assert [node.operation.__name__ for node in topological_order(c)] == ["multiply", "add", "multiply"]
    assert topological_order(x) == []
    assert len(topological_order(b, c)) == 3                # shared nodes once


# ------------------------------------------------------------------------------------------------ broadcasting

@given(hnp.mutually_broadcastable_shapes(num_shapes=1, base_shape=(2, 1, 3), min_side=0, max_side=3))
def test_unbroadcast_sums_what_was_repeated(shapes):
    shape, out = shapes.input_shapes[0], shapes.result_shape
    gradient = np.random.default_rng(0).standard_normal(out)
    summed = unbroadcast(gradient, shape)
    assert summed.shape == shape
    # The adjoint of repeating: ⟨g, repeat(x)⟩ = ⟨unbroadcast(g), x⟩.
    x = np.random.default_rng(1).standard_normal(shape)
    np.testing.assert_allclose(np.sum(gradient * np.broadcast_to(x, out)), np.sum(summed * x), atol=1e-9)


@pytest.mark.parametrize("have, want", [((3,), (2, 3)), ((3,), (2,)), ((2, 3), (2, 2)), ((1, 64), (64, 1)), ((), (1,))])
def test_what_no_broadcast_explains(have, want):
    assert unbroadcast(np.ones(have), want) is None


# ------------------------------------------------------------------------------------------------ types

class TestTypes:
    def test_two_floating_types_do_not_mix(self):
        x, y = leaf(1.0), leaf(1.0, dtype=np.float32)
        with pytest.raises(TypeError, match="multiply: inputs are float64 and float32; convert one with astype"):
            x * y
        with pytest.raises(TypeError, match="linear: inputs are float32 and float64"):
            ops.linear(y, Tensor(np.ones((2, 1))))
        assert (x * y.astype(np.float64)).dtype == np.float64

    @pytest.mark.parametrize("constant", [2, 2.5, True, np.float64(2.5), np.float32(2.5), np.int64(2), np.array([2.5]),
                                          np.array(2.5), np.array([2]), [2.5], np.ones((3, 1))])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_constants_follow(self, constant, dtype):
        x = leaf(1.0, 2.0, dtype=dtype)
        for y in (x * constant, constant * x, x + constant, constant - x, x / constant, constant / x,
                  ops.maximum(x, constant)):
            assert isinstance(y, Tensor) and y.dtype == dtype
            x.grad = None
            y.sum().backward()
            assert x.grad.dtype == dtype and x.grad.shape == x.shape

    def test_an_array_on_the_left_leaves_it_to_the_tensor(self):
        x = leaf(1.0, 2.0)
        for y in (np.ones(2) + x, np.ones(2) * x, np.ones(2) - x, np.ones(2) / x, np.ones((3, 2)) @ x,
                  np.float64(2) * x):
            assert isinstance(y, Tensor) and y.requires_grad
        with pytest.raises(TypeError,
                           match=r"np.exp would lose the gradient of a tensor; "
                                  r"write ops.exp for a tensor, or np.exp of"):
            np.exp(x)

    @pytest.mark.parametrize("name", [
        "prod", "cumprod", "sort", "median", "quantile", "percentile", "diff", "trapezoid", "roll", "tile", "repeat",
        "take", "diag", "trace", "kron", "cov", "nan_to_num", "ptp", "linalg.inv", "linalg.det", "linalg.svd",
        "linalg.slogdet", "linalg.eigvals", "fft.fft", "gradient", "unique", "partition", "array_split", "delete"])
    def test_a_function_of_numpy_with_fractions_is_refused(self, name):
        more = {"quantile": [0.5], "percentile": [50], "roll": [1], "tile": [2], "repeat": [2], "take": [[0]],
                "kron": [np.eye(2)], "partition": [1], "array_split": [2], "delete": [0]}.get(name, [])
        function = functools.reduce(getattr, name.split("."), np)
        x = tfm.Tensor(np.array([[2.0, 1.0], [1.0, 3.0]]), requires_grad=True)
        with pytest.raises(TypeError, match=rf"np.{name} would lose the gradient of a tensor"):
            function(x, *more)
        function(tfm.Tensor(x.data), *more)                             # without a gradient there is none to lose

    def test_a_function_of_numpy_whose_result_has_no_derivative_is_computed(self):
        x = tfm.Tensor(np.array([3.0, 1.0, 2.0]), requires_grad=True)
        assert np.argmax(x) == 0 and np.argsort(x).tolist() == [1, 2, 0] and np.allclose(x, x) and np.array_equal(x, x)
        assert np.count_nonzero(x) == 3 and np.shape(x) == (3,) and np.histogram(x, 2)[0].tolist() == [1, 2]
        assert np.zeros_like(x).tolist() == [0, 0, 0] and np.copy(x).tolist() == [3, 1, 2]

    def test_a_gradient_passed_in_takes_the_tensor_s_type(self):
        x = leaf(1.0, dtype=np.float32)
        (x * 2).backward(np.ones(1))
        assert x.grad.dtype == np.float32


# ------------------------------------------------------------------------------------------------ operations

class TestDifferentiable:
    def make(self, gradient):
        @differentiable
        def custom(x, weight):
            return x * weight, lambda dz: gradient(dz, x, weight)
        return custom

    @pytest.mark.parametrize("gradient, error, words", [
        (lambda dz, x, w: dz * w, ValueError,
         r"custom: vjp returned 1 gradient, expected 2, one for each of its inputs x, weight; .*stands after \*"),
        (lambda dz, x, w: (dz * w, dz * x, None), ValueError, "custom: vjp returned 3 gradients, expected 2"),
        (lambda dz, x, w: (dz * w, np.ones(3)), ValueError,
         r"custom: the gradient of weight has shape \(3,\), expected \(2,\)"),
        (lambda dz, x, w: (np.ones(()), dz * x), ValueError,
         r"custom: the gradient of x has shape \(\), expected \(2,\)"),
        (lambda dz, x, w: (dz * w, (dz * x).astype(np.float32)), TypeError,
         "custom: the gradient of weight is float32, expected float64"),
        (lambda dz, x, w: (np.ones(2, int), dz * x), TypeError, "custom: the gradient of x is int64, expected float64"),
    ])
    def test_a_wrong_gradient_names_the_operation_and_the_argument(self, gradient, error, words):
        x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
        with pytest.raises(error, match=words):
            self.make(gradient)(x, w).backward(np.ones(2))
        assert x.grad is None and w.grad is None

    @pytest.mark.parametrize("returned, came", [
        (np.ones(2), "ndarray"), (np.ones((2, 2)), "ndarray"), ((np.ones(2), np.ones(2)), r"\(ndarray, ndarray\)"),
        ((np.ones(2), abs, abs), r"\(ndarray, builtin_function_or_method, builtin"), (None, "NoneType")])
    def test_a_function_without_a_vjp_is_named(self, returned, came):
        @differentiable
        def custom(x):
            return returned
        with pytest.raises(TypeError, match=fr"custom: the function returned {came}.*, expected \(value, vjp\)"):
            custom(leaf(1.0, 2.0))

    def test_the_gradient_of_a_constant_is_not_looked_at(self):
        x = leaf(1.0, 2.0)
        self.make(lambda dz, x, w: (dz * w, "nonsense"))(x, np.array([3.0, 4.0])).backward(np.ones(2))
        assert x.grad.tolist() == [3, 4]

    def test_a_list_is_as_good_as_a_tuple_and_none_adds_nothing(self):
        x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
        self.make(lambda dz, x, w: [dz * w, None])(x, w).backward(np.ones(2))
        assert x.grad.tolist() == [3, 4] and w.grad is None

    def test_none_all_the_way_leaves_what_is_below_alone(self):
        x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
        below = x * 2
        (self.make(lambda dz, x, w: (None, dz * x))(below, w)).backward(np.ones(2))
        assert x.grad is None and w.grad.tolist() == [2, 4]

    def test_names_raw_and_docstring(self):
        @differentiable
        def square(x):
            """y = x²."""
            return x * x, lambda dy: 2 * x * dy

        assert square.__name__ == "square" and square.__doc__ == "y = x²." and square.input_name(0) == "x"
        value, vjp = square.raw(np.array([3.0]))
        assert value.tolist() == [9] and vjp(np.ones(1)).tolist() == [6] and square.raw.lifted is square

    def test_registration_as_methods(self):
        @differentiable(method=("test_only_double", "test_only_twice"))
        def double(x):
            return 2 * x, lambda dy: 2 * dy

        try:
            assert leaf(3.0).test_only_double().data.tolist() == leaf(3.0).test_only_twice().data.tolist() == [6]
        finally:
            del Tensor.test_only_double, Tensor.test_only_twice

    def test_inputs_by_keyword_default_and_position(self):
        x, w, b = leaf([1.0, 2.0]), leaf([3.0, 4.0]), leaf(5.0)
        for y in (ops.linear(x, w, b), ops.linear(x, w, bias=b), ops.linear(x=x, weight=w, bias=b),
                  ops.linear(x, bias=b, weight=w)):
            assert y.data.tolist() == [[16]]
            x.grad = b.grad = None
            y.backward(np.ones((1, 1)))
            assert x.grad.tolist() == [[3, 4]] and b.grad.tolist() == [1]
        assert ops.linear(x, w).data.tolist() == [[11]]
        assert x.sum(0).shape == x.sum(axis=0).shape == (2,)            # options by position, as NumPy has them

    def test_errors_of_a_call(self):
        x = leaf([1.0, 2.0])
        with pytest.raises(TypeError, match="linear: the argument weight is missing"):
            ops.linear(x)
        with pytest.raises(TypeError, match="exp: got 2 arguments, expected at most 1"):
            ops.exp(x, x)
        with pytest.raises(TypeError, match="softmax: .*axes"):
            ops.softmax(x, axes=1)
        with pytest.raises(TypeError, match="linear: .*weight"):
            ops.linear(x, x, weight=x)

    def test_an_operation_that_fails_records_nothing_and_names_itself(self):
        @differentiable
        def fragile(x):
            raise ValueError("too cold")

        with pytest.raises(ValueError, match=r"fragile: too cold \(inputs: \(1, 2\)\)"):
            fragile(leaf([1.0, 2.0]))

    def test_an_observer_sees_every_application_also_those_without_a_gradient(self):
        seen = []
        with observed(lambda *application: seen.append(application)), no_grad():
            y = ops.sum(tensor([1.0, 2.0]) * 3, axis=0)
        ops.exp(y)
        assert [operation.__name__ for operation, *_ in seen] == ["multiply", "sum"]
        _, arrays, options, outputs = seen[1]
        assert arrays[0].tolist() == [3, 6] and options == {"axis": 0} and outputs[0] is y.data
        with pytest.raises(ValueError, match="stop"), observed(lambda *_: 1):
            raise ValueError("stop")
        ops.exp(y)
        assert len(seen) == 2


def test_the_first_example_of_the_package():
    x = tfm.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (x * x).sum().backward()
    assert x.grad.dtype == np.float32 and x.grad.tolist() == [2, 4, 6]
