"""``check`` passes what is right, refuses what is wrong, and says which."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer import ops
from tinyformer.autograd import differentiable
from tinyformer.gradcheck import check
from tinyformer.nn.module import Module, Parameter


def codes(report, i=0):
    return [finding.code for finding in report.inputs[i].findings]


@pytest.fixture
def x(rng):
    return rng.standard_normal((3, 5))


@pytest.fixture
def w(rng):
    return np.random.default_rng(1).standard_normal((7, 5))


# ------------------------------------------------------------------------------------------------ what is right

def linear(x, w, b):
    return x @ w.T + b, lambda dy: (dy @ w, dy.T @ x, dy.sum(axis=0))


class Layer(Module):
    def __init__(self, weight):
        self.weight = Parameter(weight)

    def forward(self, x):
        return ops.tanh(ops.linear(x, self.weight))


class TestRight:
    def test_a_raw_function(self, x, w, rng):
        report = check(linear, x, w, rng.standard_normal(7))
        assert report.ok
        assert [one.name for one in report.inputs] == ["x", "w", "b"]
        assert all(0 < one.error < 1e-9 and one.findings == [] for one in report.inputs)

    def test_a_lifted_operation_with_options(self, x):
        for report in (check(ops.softmax, x, axis=0), check(ops.softmax, x, 0), check(ops.softmax.raw, x, axis=0),
                       check(functools.partial(ops.softmax, axis=0), x)):
            assert report.ok and 0 < report.inputs[0].error < 1e-9

    def test_a_function_of_tensors(self, x, w):
        report = check(lambda x, w: (x @ w.T).relu().sum(), x, w)
        assert report.ok and [one.name for one in report.inputs] == ["x", "w"]

    def test_several_outputs(self, x):
        assert check(lambda x: (x.exp(), x.sum(axis=0)), x).ok
        assert check(lambda x: ((x * 2, x * x), lambda dys: 2 * dys[0] + 2 * x * dys[1]), x).ok
        assert check(ops.split, x, sections=[2, 3], axis=1).ok
        assert not check(lambda x: ((x * 2, x * x), lambda dys: 2 * dys[0]), x).ok

    def test_a_closed_over_module_keeps_its_gradients(self, x, w):
        layer = Layer(w)
        layer.weight.grad = before = np.ones_like(w)
        assert check(lambda x: layer(x), x).ok
        assert layer.weight.grad is before and (before == 1).all()

    def test_a_module_has_its_parameters_checked_and_is_left_as_it_was(self, x, w):
        layer = Layer(w.astype(np.float32))
        data = layer.weight.data
        report = check(layer, x)
        assert report.ok and [one.name for one in report.inputs] == ["x", "weight"]
        assert report.inputs[1].error > 0
        assert layer.weight.data is data and layer.weight.grad is None

    def test_inputs_by_keyword_and_default(self, x, w):
        report = check(ops.linear, x, weight=w)
        assert report.ok and [one.name for one in report.inputs] == ["x", "weight"]
        assert report.inputs[1].error > 0

    def test_float32_and_tensors_are_accepted_and_copied(self, x, w):
        x32 = x.astype(np.float32)
        kept = x32.copy()
        assert check(ops.linear, x32, tfm.tensor(w.astype(np.float32)), np.ones(7, np.float32)).ok
        np.testing.assert_array_equal(x32, kept)

    def test_integers_and_none_are_not_differentiated(self, w):
        report = check(ops.embedding, np.array([0, 2, 2]), w)
        assert report.ok and not report.inputs[0].differentiated and report.inputs[1].error < 1e-9
        assert check(ops.linear, w, w, None).inputs[2].ok

    def test_a_large_input_is_checked_along_directions(self, rng):
        x = rng.standard_normal((60, 50))
        report = check(ops.tanh, x)
        assert report.ok and report.inputs[0].compared == "3 directions" and report.inputs[0].error < 1e-7

    def test_large_with_kinks(self, rng):
        x = rng.standard_normal((60, 50))
        x[::7] = 0
        report = check(ops.relu, x)
        assert report.ok and "kink" in codes(report) and np.isfinite(report.inputs[0].numeric).any()

    def test_zero_size(self):
        assert check(ops.exp, np.zeros((0, 3))).ok

    def test_no_dependence_may_be_none(self, x):
        report = check(lambda x, y: (x * 2, lambda dz: (2 * dz, None)), x, x)
        assert report.ok and codes(report, 1) == []
        assert check(lambda x, y: x * 2, x, x).ok

    @pytest.mark.parametrize("shape", [(4,), (60, 50)])
    def test_zeros_alone_say_little(self, rng, shape):
        x = rng.standard_normal(shape)
        report = check(lambda x, y: (x * 2, lambda dz: (2 * dz, np.zeros_like(y))), x, x)
        assert report.ok and codes(report) == [] and codes(report, 1) == ["flat"]
        assert codes(check(ops.relu, -np.abs(x) - 1)) == ["flat"]

    def test_gradients_that_vanish(self, x):
        """What is zero but for rounding has no relative error."""
        assert check(lambda x: x.softmax().sum(), x).ok
        assert check(lambda x: ops.layer_norm(x).sum(), x).ok
        assert check(ops.power, np.zeros(3), 3).ok                          # f‴ alone is not zero there

    def test_a_small_gradient_of_a_large_value(self, x):
        assert check(lambda x: (1e8 + x, lambda dy: dy), x).ok
        assert not check(lambda x: (1e8 + x, lambda dy: 1.01 * dy), x).ok
        assert check(lambda x: (1e-12 * x * x, lambda dy: 2e-12 * x * dy), x).ok
        assert not check(lambda x: (1e-12 * x * x, lambda dy: 1e-12 * x * dy), x).ok

    def test_steep_places(self):
        assert check(ops.log, np.array([2e-5, 1e-3, 1.0])).ok

    def test_an_infinite_mask_cannot_be_moved(self, x):
        mask = np.where(np.eye(3), -np.inf, 0.3)
        assert check(ops.scaled_dot_product_attention, x, x + 0.1, x * 2, mask).ok

    def test_code_in_float32_is_noted_and_no_mistake(self, x):
        def tanh32(x):
            y = np.tanh(x.astype(np.float32))
            return y, lambda dy: dy * (1 - y * y)

        report = check(tanh32, x)
        assert report.ok and codes(report) == ["float32"]

    def test_same_seed_same_report(self, x):
        assert str(check(ops.tanh, x)) == str(check(ops.tanh, x))
        assert check(ops.tanh, x).inputs[0].error != check(ops.tanh, x, seed=1).inputs[0].error


# ------------------------------------------------------------------------------------------------ kinks

class TestKinks:
    def test_relu_at_zero_is_named(self):
        report = check(ops.relu, np.array([-1.0, 0.0, 2.0, 1.0]))
        assert report.ok and codes(report) == ["kink"]
        assert report.inputs[0].findings[0].evidence["entries"] == [(1,)]
        assert "x[1]" in report.inputs[0].findings[0].message

    @pytest.mark.parametrize("fn", [ops.abs, lambda x: x.max(), lambda x: x.clip(min=1.0, max=2.0),
                                    lambda x: x.maximum(1.0)])
    def test_other_kinks(self, fn):
        report = check(fn, np.array([1.0, -2.0, 1.0, 0.0, -3.0, 0.5]))
        assert report.ok and "kink" in codes(report)

    def test_close_to_a_kink_is_no_kink(self):
        report = check(ops.relu, np.array([1e-6, -1e-6, 2.0]))
        assert report.ok and codes(report) == []

    def test_a_kink_excuses_nothing_outside_its_slopes(self):
        assert not check(lambda x: (np.maximum(x, 0), lambda dy: dy * np.where(x == 0, 3, x > 0)),
                         np.array([0.0, 1, 2])).ok

    def test_a_kink_excuses_nothing_elsewhere(self):
        assert not check(lambda x: (np.maximum(x, 0), lambda dy: 0 * dy), np.array([0.0, 0.0, 2.0])).ok

    def test_nothing_but_kinks_is_no_pass(self):
        report = check(ops.relu, np.zeros(4))
        assert not report.ok and "choose other inputs" in str(report)

    def test_a_jump_is_no_kink(self):
        for wrong in (lambda x: 5, lambda x: np.where(x == 1, 5, 1)):       # everywhere, and at the jump alone
            assert not check(lambda x: (np.floor(x) + x, lambda dy: wrong(x) * dy), np.array([0.5, 1.0, 2.25])).ok


# ------------------------------------------------------------------------------------------------ what is wrong

def _softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def _mistakes():
    rng = np.random.default_rng(0)
    x, y, square = rng.standard_normal((3, 5)), rng.standard_normal((3, 5)), rng.standard_normal((5, 5))

    def sign(x):
        return np.sin(x), lambda dy: -dy * np.cos(x)
    yield sign, (x,), 0, "sign"

    def factor(x):
        return (x * x).mean(), lambda dL: 2 * x * dL
    yield factor, (x,), 0, "factor"

    def transposed_square(x, w):
        return x @ w.T, lambda dy: (dy @ w, x.T @ dy)
    yield transposed_square, (x, square), 1, "transpose"

    def transposed(x, w):
        return x @ w.T, lambda dy: (dy @ w, x.T @ dy)
    yield transposed, (x, rng.standard_normal((7, 5))), 1, "transpose"

    def unsummed_broadcast(x, b):
        return x + b, lambda dy: (dy, dy)
    yield unsummed_broadcast, (x, rng.standard_normal(5)), 1, "unbroadcast"

    def wrong_sum(x, b):
        return x + b, lambda dy: (dy, dy[0])
    yield wrong_sum, (x, rng.standard_normal(5)), 1, "unbroadcast"

    def softmax_of_zeros(x):
        return _softmax(x), lambda dp: np.zeros_like(x)
    yield softmax_of_zeros, (x,), 0, "zero"

    def layer_norm_without_its_mean_term(x):
        centered = x - x.mean(axis=-1, keepdims=True)
        sigma = np.sqrt((centered ** 2).mean(axis=-1, keepdims=True))
        xhat = centered / sigma
        return xhat, lambda dy: (dy - xhat * (dy * xhat).mean(axis=-1, keepdims=True)) / sigma
    yield layer_norm_without_its_mean_term, (x,), 0, "mean-term"

    def one_entry_of_many(x):
        def vjp(dy):
            dx = 2 * x * dy
            dx[np.unravel_index(np.argmax(np.abs(x)), dx.shape)] *= 1.002
            return dx
        return x * x, vjp
    yield one_entry_of_many, (rng.standard_normal((70, 50)),), 0, "unexplained"

    def all_entries_of_many(x):
        return x * x, lambda dy: 2.001 * x * dy
    yield all_entries_of_many, (rng.standard_normal((70, 50)),), 0, "factor"

    def none_for_many(x):
        return x * x, lambda dy: None
    yield none_for_many, (rng.standard_normal((70, 50)),), 0, "missing"

    def changes_its_input(x):
        x *= 2
        return x * 1, lambda dy: 2 * dy
    yield changes_its_input, (x,), 0, "mutates"

    def changes_an_index(x, i):
        y = x[i]
        i += 1

        def vjp(dy):
            dx = np.zeros_like(x)
            np.add.at(dx, i - 1, dy)
            return dx, None
        return y, vjp
    yield changes_an_index, (x, np.array([0, 1])), 1, "mutates"

    def changes_the_incoming_gradient(x):
        def vjp(dy):
            dy *= x > 0
            return dy
        return np.maximum(x, 0), vjp
    yield changes_the_incoming_gradient, (x,), 0, "mutates"

    def changes_its_input_backward(x):
        y = np.exp(x)

        def vjp(dy):
            x[...] = 0
            return dy * y
        return y, vjp
    yield changes_its_input_backward, (x,), 0, "mutates"

    def changes_its_value(x):
        y = np.exp(x)

        def vjp(dy):
            y[...] *= dy
            return y.copy()
        return y, vjp
    yield changes_its_value, (x,), 0, "mutates"

    def changes_what_it_kept(x):
        y = np.exp(x)

        def vjp(dy):
            y[0] -= 1
            return dy * np.where(np.arange(len(x))[:, None] == 0, y + 1, y)
        return y * 1, vjp
    yield changes_what_it_kept, (x,), 0, "mutates"

    noise = np.random.default_rng(0)

    def random(x):
        keep = noise.random(x.shape) > 0.5
        return x * keep, lambda dy: dy * keep
    yield random, (x,), 0, "nondeterministic"

    total = np.zeros_like(x)

    def adds_to_the_first(x):
        def vjp(dy):
            np.add(total, dy * 2 * x, out=total)
            return total
        return x * x, vjp
    yield adds_to_the_first, (x,), 0, "stale"

    last = {}

    def keeps_the_last_input(x):
        last["x"] = x
        return x * x, lambda dy: 2 * last["x"] * dy
    yield keeps_the_last_input, (x,), 0, "stale"

    def none(x, y):
        return x * y, lambda dz: (dz * y, None)
    yield none, (x, y), 1, "missing"

    def nan(x):
        return np.sqrt(np.abs(x)), lambda dy: dy * 0.5 * np.sign(x) / np.sqrt(x)
    yield nan, (x,), 0, "nonfinite"

    def nan_value(x):
        return np.log(x), lambda dy: dy / x
    yield nan_value, (-np.abs(x),), 0, "nonfinite"

    def flat_for_a_row(g):
        return 2 * g, lambda dy: (2 * dy).reshape(64)
    yield flat_for_a_row, (rng.standard_normal((1, 64)),), 0, "keepdims"

    def row_for_flat(g):
        return 2 * g, lambda dy: 2 * dy[None]
    yield row_for_flat, (rng.standard_normal(64),), 0, "keepdims"

    def too_few(x, y):
        return x * y, lambda dz: (dz * y,)
    yield too_few, (x, y), 0, "returns"

    def too_many(x):
        return x * 2, lambda dz: (dz * 2, None)
    yield too_many, (x,), 0, "returns"

    def a_dictionary(x):
        return x * 2, lambda dz: {"x": dz * 2}
    yield a_dictionary, (x,), 0, "returns"

    def ragged(x):
        return x * 2, lambda dz: ([[1.0], [2.0, 3.0]],)
    yield ragged, (x,), 0, "returns"

    def integers(x):
        return x.sum(), lambda dL: np.ones(x.shape, int)
    yield integers, (x,), 0, "dtype"

    def swapped(x, y):
        return x * y, lambda dz: (dz * x, dz * y)
    yield swapped, (x, y), 0, "swapped"


MISTAKES = list(_mistakes())


@pytest.mark.parametrize("fn, inputs, i, code", MISTAKES, ids=[fn.__name__ for fn, *_ in MISTAKES])
def test_a_mistake_is_refused(fn, inputs, i, code):
    kept = [a.copy() for a in inputs]
    report = check(fn, *inputs)
    assert not report.ok and not report.inputs[i].ok
    assert code in codes(report, i), report
    assert "wrong in" in str(report) and f"[{code}]" in str(report)
    for now, was in zip(inputs, kept):
        np.testing.assert_array_equal(now, was)             # the caller's arrays are never at stake


def test_a_wrong_input_does_not_accuse_the_others(x, w):
    report = check(lambda x, w: (x @ w.T, lambda dy: (dy @ w, 2 * dy.T @ x)), x, w)
    assert report.inputs[0].ok and not report.inputs[1].ok
    assert report.inputs[1].error == pytest.approx(0.5, rel=1e-6)


def test_the_worst_entry_of_a_large_input_is_found(rng):
    def fn(x):
        def vjp(dy):
            dx = np.cos(x) * dy
            dx[33, 21] += 1e-3
            return dx
        return np.sin(x), vjp

    report = check(fn, rng.standard_normal((80, 60)))
    index, analytic, numeric = report.inputs[0].findings[0].evidence["worst"][0]
    assert index == (33, 21) and analytic - numeric == pytest.approx(1e-3, rel=1e-4)


def test_a_tensor_function_with_a_detached_path(x):
    report = check(lambda x: x * x.detach(), x)
    assert not report.ok and report.inputs[0].error == pytest.approx(0.5, rel=1e-6)


# ------------------------------------------------------------------------------------------------ what cannot be
# checked

class TestErrors:
    def test_nothing_to_differentiate(self):
        with pytest.raises(ValueError, match="no floating-point input"):
            check(lambda i: (i, lambda d: d), np.arange(3))

    def test_an_integer_value(self, x):
        with pytest.raises(TypeError, match="int64"):
            check(lambda x: (x.argmax(axis=0), lambda d: d), x)

    def test_an_error_in_a_raw_function_is_shown_as_it_is(self, x, w):
        with pytest.raises(ValueError, match="matmul"):
            check(lambda x, w: (x @ w, lambda d: (d @ w.T, x.T @ d)), x, w)

    def test_an_error_in_a_tensor_function_is_shown_as_it_is(self, x, w):
        with pytest.raises(AttributeError, match="Tensor.*no_such"):
            check(lambda x: x.relu().no_such(), x)
        with pytest.raises(ValueError, match="linear: x has 5 features"):
            check(lambda x, w: ops.linear(x, w.T), x, w)

    def test_a_missing_vjp(self, x):
        with pytest.raises(TypeError, match=r"returned ndarray for arrays, expected \(value, vjp\)"):
            check(lambda x: np.exp(x), x)

    def test_a_module_in_float32(self, x, w):
        layer = Layer(w.astype(np.float32))
        with pytest.raises(TypeError, match=r"\.to\(np\.float64\)"):
            check(lambda x: layer(x), x)

    def test_a_value_that_is_no_tensor(self, x):
        with pytest.raises(TypeError, match="returned float"):
            check(lambda x: x.relu().sum().item(), x)


def test_the_table(x, w):
    report = check(lambda x, w: (x @ w.T, lambda dy: (dy @ w, 2 * dy.T @ x)), x, w)
    text = str(report)
    assert "<lambda>: wrong in w" in text
    assert "x      (3, 5)  15 entries" in text and "5.0e-01  wrong" in text
    assert "yours" in text and "numeric" in text


def square(x):
    return x * x, lambda dy: 2 * x * dy


@pytest.mark.parametrize("value, shape", ((3.0, ()), (np.float32(3), ()), (np.float64(3), ()), ([1.0, 2.0], (2,)),
                                          ((1.0, 2.0), (2,)),
                                          ([[1.0], [2.0]], (2, 1))))
def test_floats_and_lists_alone_are_inputs(value, shape):
    report = check(square, value)
    assert report.ok and report.inputs[0].shape == shape
    assert not check(lambda x: (x * x, lambda dy: x * dy), value).ok


@pytest.mark.parametrize("value, kind", ((3, "of type int"), ([1, 2], "of type list"),
                                         ([[1.0], [2.0, 3.0]], "of type list"), (None, "None"),
                                         ("a", "of type str"), (True, "of type bool"),
                                         (np.arange(3), "an array of int64")))
def test_what_has_no_gradient_is_refused_in_a_sentence(value, kind):
    with pytest.raises(ValueError,
                       match=r"check: square has no floating-point input to differentiate "
                              rf"\(x is {kind}\); expected an"):
        check(square, value)


def test_a_masked_array_is_refused():
    with pytest.raises(TypeError, match="masked array"):
        check(square, np.ma.masked_array([1.0, 2.0], [False, True]))


def test_beside_an_array_a_float_is_an_option():
    report = check(lambda x, factor: (factor * x, lambda dy: (factor * dy, None)), np.ones(3), 2.0)
    assert report.ok and not report.inputs[1].differentiated


@pytest.mark.parametrize("full", (lambda d: d, lambda d: (d,), lambda d: (d, None)))
def test_integer_inputs_may_be_left_out(full):
    def take(x, indices):
        def vjp(dy):
            dx = np.zeros_like(x)
            np.add.at(dx, indices, dy)
            return full(dx)
        return x[indices], vjp
    assert check(take, np.ones((3, 2)), np.array([0, 2, 0])).ok


@pytest.mark.parametrize("kept", ["p", "cache['p']", "steps[0]"])
def test_an_array_of_the_forward_pass_changed_in_place_is_called_by_its_name(kept):
    def cross_entropy(logits, targets):
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        rows, cache, steps = np.arange(len(p)), {"p": p}, [p]
        loss = -np.log(p[rows, targets]).mean()

        def direct(dy):
            p[rows, targets] -= 1
            return dy * p / len(p), None

        def in_dict(dy):
            cache["p"][rows, targets] -= 1
            return dy * cache["p"] / len(rows), None

        def in_list(dy):
            steps[0][rows, targets] -= 1
            return dy * steps[0] / len(rows), None
        return loss, {"p": direct, "cache['p']": in_dict, "steps[0]": in_list}[kept]
    for function in (cross_entropy, differentiable(cross_entropy)):
        finding, = check(function, np.random.default_rng(0).standard_normal((4, 5)),
                         np.array([1, 0, 3, 1])).inputs[0].findings
        assert finding.code == "mutates" and f"vjp changes {kept} of its forward pass in place" in finding.message
        assert finding.evidence["arrays"] == (kept,)


def test_an_array_that_vjp_overwrites_at_each_call_is_no_mistake():
    def square(x):
        room = np.empty_like(x)
        return x * x, lambda dy: np.multiply(2 * x, dy, out=room)
    assert check(square, np.ones((2, 3))).ok


def test_what_is_no_function_is_refused():
    with pytest.raises(TypeError, match=r"check: fn is of type Tensor, expected a function; .*check\(fn, x\)"):
        check(ops.tanh(np.ones(2)))


def test_an_input_that_should_be_an_option_is_explained():
    @differentiable
    def scale(x, factor=2.0):
        return x * factor, lambda dy: dy * factor
    report = check(scale, np.ones(2))
    assert "expected 2: one for each of x, factor" in str(report) and "an option stands after *" in str(report)
