"""Every form of function is checked, named like any other, and left as it was."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from tinyformer.gradcheck import check

RNG = np.random.default_rng(0)
X, W, B = RNG.standard_normal((7, 4)), RNG.standard_normal((4, 5)), RNG.standard_normal(5)


def codes(report):
    return {one.name: one.findings[0].code for one in report.inputs if one.findings}


# ------------------------------------------------------------------------------------------------ pairs

def affine_forward(x, w, b):
    return x @ w + b, (x, w, b)


def affine_backward(dout, cache):
    x, w, b = cache
    return dout @ w.T, x.T @ dout, dout.sum(axis=0)


def tanh(x):
    return np.tanh(x)


def norm_forward(x, gamma, beta, bn_param):
    mean, std = x.mean(axis=0), np.sqrt(x.var(axis=0) + 1e-5)
    bn_param["running_mean"] = 0.9 * bn_param.get("running_mean", 0) + 0.1 * mean
    xhat = (x - mean) / std
    return gamma * xhat + beta, (xhat, gamma, std)


def norm_backward(dout, cache):
    xhat, gamma, std = cache
    d = dout * gamma
    return (d - d.mean(axis=0)) / std, (dout * xhat).sum(axis=0), dout.sum(axis=0)


class TestPairs:
    def test_a_value_and_a_cache(self):
        assert check((affine_forward, affine_backward), X, W, B).ok
        wrong = check((affine_forward, lambda dout, cache: (dout @ W.T, X.T @ dout, dout.mean(axis=0))), X, W, B)
        assert codes(wrong) == {"b": "factor"}

    def test_a_mode_in_a_dict_stays_as_it_was(self):
        mode = {"mode": "train"}
        report = check((norm_forward, norm_backward), X, W[:, 0], W[:, 1], mode)
        assert codes(report) == {"x": "variance-term"} and mode == {"mode": "train"}

    def test_what_backward_asks_for_by_name(self):
        for backward in (lambda g, y: g * (1 - y * y), lambda dy, x: dy * (1 - np.tanh(x) ** 2),
                         lambda x, dy: dy * (1 - np.tanh(x) ** 2)):
            assert check((tanh, backward), X).ok
        assert codes(check((tanh, lambda g, y: g * (1 - y)), X)) == {"x": "local-derivative"}

    def test_what_they_share_outside(self):
        kept = {}

        def forward(x):
            kept["x"] = x
            return x * x

        assert check((forward, lambda dy: 2 * kept["x"] * dy), X).ok and kept == {}
        assert codes(check((forward, lambda dy: -2 * kept["x"] * dy), X)) == {"x": "sign"}

    def test_gradients_by_name(self):
        report = check((affine_forward, lambda dout, cache: {
            "dw": X.T @ dout, "db": dout.sum(axis=0), "dx": dout @ W.T}), X, W, B)
        assert report.ok

    @pytest.mark.parametrize("pair, says", [
        ((np.tanh,), "expected two functions"), ((tanh, lambda g, a, b, c: g), "expected"),
        ((tanh, lambda: 1), "no upstream gradient")])
    def test_pairs_that_do_not_fit(self, pair, says):
        with pytest.raises(TypeError, match=says):
            check(pair, X)


# ------------------------------------------------------------------------------------------------ classes

class Dense:
    def __init__(self):
        self.W, self.b = W.astype(np.float32), B.copy()
        self.mean, self.calls = np.zeros(4), 0

    def forward(self, x):
        self.x, self.calls = x, self.calls + 1
        self.mean = 0.9 * self.mean + 0.1 * x.mean(axis=0)
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW, self.db = self.x.T @ dy, dy.mean(axis=0)
        return dy @ self.W.T


class WithoutReturns:
    def __init__(self):
        self.weights, self.biases = W.copy(), B[None].copy()

    def forward(self, inputs):
        self.inputs = inputs
        self.output = inputs @ self.weights + self.biases

    def backward(self, dvalues):
        self.dweights, self.dbiases = self.inputs.T @ dvalues, dvalues.sum(axis=0, keepdims=True)
        self.dinputs = dvalues @ self.weights.T


class WithDicts:
    def __init__(self):
        self.parameters, self.gradients, self.X = {"W": W.copy()}, {"W": np.zeros_like(W)}, []

    def forward(self, X):
        self.X.append(X)
        return X @ self.parameters["W"]

    def backward(self, dy):
        self.gradients["W"] += self.X[-1].T @ dy
        return dy @ self.parameters["W"].T


class Variable:
    def __init__(self, data):
        self.data, self.grad = data, None


class Square:
    def __call__(self, x):
        self.input = Variable(x)
        return Variable(self.forward(x))

    def forward(self, x):
        return x * x

    def backward(self, gy):
        return 2 * self.input.data * gy


class Multiply:
    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return a * b

    @staticmethod
    def backward(ctx, g):
        a, b = ctx.saved_values
        return g * a, g * b


class Dropout:
    def __init__(self):
        self.rng = np.random.default_rng(0)

    def forward(self, x):
        self.keep = self.rng.random(x.shape) > 0.3
        return x * self.keep

    def backward(self, dy):
        return dy * self.keep


class TestClasses:
    def test_parameters_are_inputs_and_nothing_changes(self):
        layer = Dense()
        before = dict(vars(layer))
        report = check(layer, X)
        assert codes(report) == {"b": "factor"} and [one.name for one in report.inputs] == ["x", "W", "b"]
        assert vars(layer).keys() == before.keys() and all(vars(layer)[k] is v for k, v in before.items())
        assert layer.calls == 0 and layer.W.dtype == np.float32 and not layer.mean.any()
        assert "forward and backward are methods of one object" in str(report)

    @pytest.mark.parametrize("layer, names", [
        (WithoutReturns, ["inputs", "weights", "biases"]), (WithDicts, ["X", "W"]), (Square, ["x"]), (Dropout, ["x"])])
    def test_other_styles(self, layer, names):
        for fn in (layer, layer()):
            report = check(fn, X)
            assert report.ok and [one.name for one in report.inputs] == names, str(report)

    def test_a_layer_that_was_used_before(self):
        layer = Dense()
        layer.backward(layer.forward(X))
        assert [one.name for one in check(layer, X + 1).inputs] == ["x", "W", "b"]

    def test_static_methods_with_a_context(self):
        assert codes(check(Multiply, X, X + 1)) == {"a": "swapped", "b": "swapped"}

    def test_a_class_that_needs_arguments(self):
        class Needs:
            def __init__(self, n):
                self.n = n
            forward = backward = Dense.forward
        with pytest.raises(TypeError, match=r"expected an object: check\(Needs\(…\), x\)"):
            check(Needs, X)

    def test_a_generator_is_not_used_up(self):
        layer = Dropout()
        check(layer, X)
        assert layer.rng.random() == np.random.default_rng(0).random()


# ------------------------------------------------------------------------------------------------ own autograd

class Value:
    def __init__(self, data, parents=()):
        self.data, self.grad, self.parents, self.back = data, 0.0, parents, lambda: None

    def __add__(self, other):
        out = Value(self.data + other.data, (self, other))

        def back():
            self.grad += out.grad
            other.grad += out.grad
        out.back = back
        return out

    def __mul__(self, other):
        out = Value(self.data * other.data, (self, other))

        def back():
            self.grad += other.data * out.grad
            other.grad = self.data * out.grad               # wrong where ``other`` is used twice
        out.back = back
        return out

    def backward(self):
        order = []

        def visit(v):
            if v not in order:
                for p in v.parents:
                    visit(p)
                order.append(v)
        visit(self)
        self.grad = 1.0
        for v in reversed(order):
            v.back()


class Neuron:
    def __init__(self):
        self.w, self.b = [Value(0.3), Value(-0.2)], Value(0.1)

    def __call__(self, x):
        return self.w[0] * x[0] + self.w[1] * x[1] + self.b

    def parameters(self):
        return [*self.w, self.b]


class TestOwnAutograd:
    def test_numbers(self):
        assert check(lambda a, b: a * b + a, Value(0.5), Value(-0.3)).ok
        assert not check(lambda a: a * a, Value(0.5)).ok

    def test_lists_and_parameters(self):
        neuron = Neuron()
        report = check(neuron, [Value(0.5), Value(1.0)])
        assert report.ok and [one.shape for one in report.inputs] == [(2,), (3,)]
        assert neuron.w[0].data == 0.3 and neuron.w[0].grad == 0.0


# ------------------------------------------------------------------------------------------------ other callables

def test_a_loss_with_its_gradient():
    def loss(w, x, t):
        d = x @ w - t
        return np.mean(d * d), x.T @ d / len(d)
    report = check(loss, W[:, 0], X, X[:, 0])
    assert codes(report) == {"w": "factor"} and not report.inputs[1].differentiated
    assert check(lambda x: (np.sum(x * x), {"dx": 2 * x}), X).ok


def test_callables_of_every_kind():
    class Scale:
        def __init__(self):
            self.calls = 0

        def times(self, x):
            self.calls += 1
            return 3 * x, lambda dy: 3 * dy

        __call__ = times
    scale = Scale()
    for fn in (scale, scale.times, functools.partial(lambda s, x: (s * x, lambda dy: s * dy), 2.0)):
        assert check(fn, X).ok
    assert scale.calls == 0
    assert check(lambda x: (x * x, lambda dy: 2 * x * dy), 3.0).ok
    assert check(lambda x: (sum(v * v for v in x), lambda dy: 2 * x * dy), [1.0, 2.0]).ok


def test_a_closure_and_globals_stay_as_they_were():
    total, seen = np.zeros(3), []

    def fn(x):
        seen.append(1)
        total[:] += 1
        return x * 2, lambda dy: dy * 2
    assert check(fn, X).ok and seen == [] and not total.any()


@pytest.mark.parametrize("fn, says", [
    (lambda x: (x.sum(axis=0), {}, []), "tuple of 3"), (lambda x: None, "lack a return"),
    (lambda x: (x, 5), r"check\(\(forward, backward\), x\)")])
def test_another_form_hears_of_the_nearest(fn, says):
    with pytest.raises(TypeError, match=says):
        check(fn, X)


def test_a_class_of_modules():
    from tinyformer import nn

    class Net(nn.Module):
        def __init__(self):
            self.linear = nn.Linear(4, 3)

        def forward(self, x):
            return self.linear(x).tanh()

    assert check(Net, X).ok
    with pytest.raises(TypeError, match=r"expected an object: check\(Linear\(…\), x\)"):
        check(nn.Linear, X)


def test_a_new_dictionary_of_gradients_is_read():
    class Scale:
        def __init__(self):
            self.params, self.grads = {"w": np.array([0.5, -1.5, 2.0])}, {}

        def forward(self, x):
            self.x = x
            return x * self.params["w"]

        def backward(self, dy):
            self.grads = {"w": (dy * self.x).sum(axis=0)}   # not written into the dictionary that was there before
            return dy * self.params["w"]
    assert check(Scale(), np.random.default_rng(0).standard_normal((4, 3))).ok


def test_a_layer_that_adds_to_its_gradients_is_not_blamed_for_the_upstream_gradient():
    class Scale:
        def __init__(self):
            self.params, self.grads, self.kept = {"w": np.array([0.5, -1.5, 2.0])}, {"w": np.zeros(3)}, []

        def forward(self, x):
            self.kept.append(x)
            return np.tanh(x * self.params["w"])

        def backward(self, dy):
            x = self.kept.pop()
            dz = dy * (1 - np.tanh(x * self.params["w"]))   # in place of 1 − tanh²
            self.grads["w"] += (dz * x).sum(axis=0)
            return dz * self.params["w"]
    report = check(Scale(), np.random.default_rng(0).standard_normal((4, 3)))
    assert [one.findings[0].code for one in report.inputs] == ["local-derivative", "local-derivative"]
