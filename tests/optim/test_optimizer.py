"""What all optimizers share: groups, state, errors."""

from __future__ import annotations

import json

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer import optim
from tinyformer.autograd import Tensor

EVERY = {
    "SGD": lambda p, **o: optim.SGD(p, lr=0.1, **o),
    "SGD momentum": lambda p, **o: optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.1, weight_decay=0.01, **o),
    "SGD Nesterov": lambda p, **o: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, **o),
    "Adam": lambda p, **o: optim.Adam(p, lr=0.1, weight_decay=0.01, **o),
    "AdamW": lambda p, **o: optim.AdamW(p, lr=0.1, weight_decay=0.01, **o),
    "RMSprop": lambda p, **o: optim.RMSprop(p, lr=0.1, momentum=0.5, centered=True, weight_decay=0.01, **o),
    "Adagrad": lambda p, **o: optim.Adagrad(p, lr=0.5, lr_decay=0.01, initial_accumulator_value=0.1,
                                            weight_decay=0.01, **o),
}
COVERED = {"SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Muon"}    # Muon is for matrices: in test_muon
EVERY.update({kind.__name__: lambda p, kind=kind, **o: kind(p, lr=0.1, **o) for kind in optim.OPTIMIZERS.values()
              if kind.__name__ not in COVERED})
every = pytest.mark.parametrize("make", EVERY.values(), ids=EVERY)


def parameters(rng, dtype=np.float32):
    return [Tensor(rng.standard_normal(shape).astype(dtype), requires_grad=True) for shape in ((4, 3), (3,), ())]


def give_gradients(parameters, rng):
    for p in parameters:
        p.grad = np.asarray(rng.standard_normal(p.shape), p.dtype)


@every
def test_comes_to_the_bottom_of_a_bowl(make, rng):
    """L = ½ (θ − c)ᵀ A (θ − c) with A of condition 4 has its one minimum at c."""
    A, c = np.diag([1.0, 2.0, 4.0]), np.array([1.0, -2.0, 0.5])
    theta = Tensor(np.zeros(3), requires_grad=True)
    optimizer = make([{"params": [theta], "weight_decay": 0.0}])
    schedule = optim.CosineSchedule(optimizer, 0, 400, min_lr=1e-4)
    for _ in range(400):
        difference = theta - c
        (0.5 * (difference @ A @ difference)).backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    np.testing.assert_allclose(theta.data, c, atol=1e-3)


@every
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_writes_in_place_and_keeps_the_type(make, dtype, rng):
    params = parameters(rng, dtype)
    arrays, before = [p.data for p in params], [p.data.copy() for p in params]
    optimizer = make(params)
    for _ in range(3):                                          # not 2: steps of a sign may undo each other
        give_gradients(params, rng)
        kept = [p.grad.copy() for p in params]
        optimizer.step()
        for p, g in zip(params, kept):
            np.testing.assert_array_equal(p.grad, g)            # the gradient is the caller's
    for p, array, old in zip(params, arrays, before):
        assert p.data is array and p.data.dtype == dtype
        assert np.all(p.data != old)
    assert all(a.dtype == dtype for a in optimizer.state_dict()["arrays"].values())


@every
def test_goes_on_after_a_saved_state_bit_for_bit(make):
    def run(steps, params, optimizer, rng):
        for _ in range(steps):
            give_gradients(params, rng)
            optimizer.step()

    straight, rng = parameters(np.random.default_rng(1)), np.random.default_rng(2)
    optimizer = make(straight)
    run(7, straight, optimizer, rng)

    first, rng = parameters(np.random.default_rng(1)), np.random.default_rng(2)
    optimizer = make(first)
    run(3, first, optimizer, rng)
    saved = optimizer.state_dict()
    arrays = {name: array.copy() for name, array in saved.pop("arrays").items()}
    saved = json.loads(json.dumps(saved, allow_nan=False))      # as a checkpoint would hold it

    second = [Tensor(p.data.copy(), requires_grad=True) for p in first]
    other = make(second)
    other.load_state_dict({**saved, "arrays": arrays})
    run(4, second, other, rng)
    for p, q in zip(straight, second):
        np.testing.assert_array_equal(p.data, q.data)


@every
def test_parameters_without_a_gradient_are_skipped(make, rng):
    params = parameters(rng)
    optimizer = make(params)
    give_gradients(params, rng)
    optimizer.step()
    params[1].grad = None
    before = params[1].data.copy()
    state = {name: array.copy() for name, array in optimizer.state[1].items() if name != "step"}
    optimizer.step()
    np.testing.assert_array_equal(params[1].data, before)
    assert optimizer.state_dict()["steps"] == [2, 1, 2]
    for name, array in state.items():
        np.testing.assert_array_equal(optimizer.state[1][name], array)


def test_a_state_before_the_first_step_loads(rng):
    params = parameters(rng)
    optimizer = optim.AdamW(params, lr=0.1)
    optimizer.load_state_dict(optim.AdamW(parameters(rng), lr=0.2).state_dict())
    assert optimizer.param_groups[0]["lr"] == 0.2 and optimizer.state == [{}, {}, {}]


def test_zero_grad_forgets(rng):
    params = parameters(rng)
    optimizer = optim.SGD(params)
    give_gradients(params, rng)
    optimizer.zero_grad()
    assert all(p.grad is None for p in params)


def test_groups_have_options_of_their_own(rng):
    x, y = (Tensor(np.array([1.0]), requires_grad=True) for _ in range(2))
    optimizer = optim.SGD([{"params": [x]}, {"params": y, "lr": 0.5, "weight_decay": 0.1}], lr=0.25)
    x.grad, y.grad = np.array([2.0]), np.array([2.0])
    optimizer.step()
    np.testing.assert_allclose(x.data, 1 - 0.25 * 2)
    np.testing.assert_allclose(y.data, 1 - 0.5 * (2 + 0.1 * 1))
    assert [group["lr_scale"] for group in optimizer.param_groups] == [1, 2]


def test_decay_groups_part_matrices_from_vectors(rng):
    matrix, vector, number = parameters(rng)
    frozen = Tensor(np.ones((2, 2)))
    groups = optim.param_groups_by_decay(iter([matrix, vector, number, frozen]), 0.1)
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
    assert groups[0]["params"][0] is matrix and len(groups[0]["params"]) == 1
    assert groups[1]["params"][0] is vector and groups[1]["params"][1] is number and len(groups[1]["params"]) == 2
    assert len(optim.param_groups_by_decay([vector], 0.1)) == 1

    optimizer = optim.AdamW(groups, lr=0.5)
    matrix.grad, vector.grad = np.zeros_like(matrix.data), np.zeros_like(vector.data)
    was = matrix.data.copy(), vector.data.copy()
    optimizer.step()
    np.testing.assert_allclose(matrix.data, was[0] * 0.95, rtol=1e-6)
    np.testing.assert_array_equal(vector.data, was[1])


def test_small_batches_with_divided_losses_are_one_large_batch(rng):
    """Gradients add up, so k losses over k parts, each divided by k, move the parameters as one loss over the whole."""
    x, t = rng.standard_normal((12, 4)), rng.integers(0, 3, 12)

    def trained(parts):
        W = Tensor(np.full((3, 4), 0.1), requires_grad=True)
        optimizer = optim.AdamW([W], lr=0.1)
        for _ in range(3):
            for rows in np.split(np.arange(12), parts):
                (tfm.ops.cross_entropy(tfm.ops.linear(Tensor(x[rows]), W), t[rows]) / parts).backward()
            optimizer.step()
            optimizer.zero_grad()
        return W.data

    whole = trained(1)
    assert np.abs(whole - 0.1).max() > 0.1
    np.testing.assert_allclose(trained(3), whole, rtol=0, atol=1e-12)
    np.testing.assert_allclose(trained(4), whole, rtol=0, atol=1e-12)


# ------------------------------------------------------------------------------------------------ errors

def leaf(*shape):
    return Tensor(np.zeros(shape), requires_grad=True)


@pytest.mark.parametrize("given, kind, message", [
    (list, ValueError, "AdamW: there are no parameters"),
    (lambda: [{"params": []}], ValueError, "there are no parameters"),
    (lambda: leaf(2), TypeError, "parameters is a Tensor, expected a list"),
    (lambda: [("weight", leaf(2))], TypeError, "parameter 0 of group 0 is a tuple, expected a Tensor"),
    (lambda: [Tensor(np.arange(3))], TypeError, "parameter 0 of group 0 is int64, expected float32 or float64"),
    (lambda: [leaf(2), leaf(2) * 2], ValueError, "parameter 1 of group 0 was computed by multiply: only leaves"),
    (lambda: [leaf(2)] * 2, ValueError, r"parameter 1 of group 0, of shape \(2,\), is there twice"),
    (lambda: [{"params": [leaf(2)], "weigth_decay": 0.1}], ValueError,
     "group 0 has 'params', 'weigth_decay'; expected"),
    (lambda: [{"lr": 0.1}], ValueError, "group 0 has 'lr'; expected 'params'"),
    (lambda: [{"params": [leaf(2)], "lr": -1}], ValueError, "lr is -1, expected a finite number of at least 0"),
])
def test_wrong_parameters_are_named(given, kind, message):
    with pytest.raises(kind, match=message):
        optim.AdamW(given())


@pytest.mark.parametrize("kind, options, message", [
    (optim.SGD, {"lr": float("nan")}, "SGD: lr is nan"),
    (optim.SGD, {"lr": float("inf")}, "SGD: lr is inf"),
    (optim.SGD, {"weight_decay": -0.1}, "weight_decay is -0.1"),
    (optim.SGD, {"momentum": -0.1}, "momentum is -0.1"),
    (optim.SGD, {"nesterov": True},
     "nesterov expects a momentum above 0 and no dampening, got momentum 0 and dampening 0"),
    (optim.SGD, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "got momentum 0.9 and dampening 0.1"),
    (optim.Adam, {"betas": (0.9, 1.0)}, r"Adam: betas\[1\] is 1.0, expected a finite number of at least 0 and below 1"),
    (optim.Adam, {"betas": (0.9,)}, r"Adam: betas are \(0.9,\), expected two numbers"),
    (optim.AdamW, {"betas": (-0.1, 0.9)}, r"AdamW: betas\[0\] is -0.1"),
    (optim.AdamW, {"eps": -1e-8}, "eps is -1e-08"),
    (optim.RMSprop, {"alpha": 1.0}, "RMSprop: alpha is 1.0, expected a finite number of at least 0 and below 1"),
    (optim.RMSprop, {"momentum": -1}, "momentum is -1"),
    (optim.Adagrad, {"lr_decay": -1}, "Adagrad: lr_decay is -1"),
    (optim.Adagrad, {"initial_accumulator_value": -1}, "initial_accumulator_value is -1"),
])
def test_wrong_options_are_named(kind, options, message):
    with pytest.raises(ValueError, match=message):
        kind([leaf(2)], **options)


def test_a_gradient_unlike_its_parameter_is_refused():
    x = leaf(3)
    optimizer = optim.SGD([x])
    x.grad = np.ones(())
    with pytest.raises(ValueError, match=r"SGD: parameter 0 is float64 \(3,\), but its gradient is float64 \(\)"):
        optimizer.step()
    x.grad = np.ones(3, np.float32)
    with pytest.raises(ValueError, match="but its gradient is float32"):
        optimizer.step()


def _without(key):
    return lambda state: state.pop(key)


@pytest.mark.parametrize("damage, message", [
    (lambda s: s.update(optimizer="Adam"), "does not fit AdamW: it is of Adam"),
    (_without("steps"), "it has no steps"),
    (lambda s: s["param_groups"].append({"params": []}), r"its groups have \[3, 0\] parameters, expected \[3\]"),
    (lambda s: s["param_groups"][0].update(params=[0, 1]), r"its groups have \[2\] parameters, expected \[3\]"),
    (lambda s: s["steps"].pop(), "expected"),
    (lambda s: s["param_groups"][0].pop("eps"), "a group has the options betas, lr, .*; expected betas, eps"),
    (lambda s: s["param_groups"][0].update(lr=-1), "lr is -1"),
    (lambda s: s["arrays"].pop("2.exp_avg_sq"), "the array 2.exp_avg_sq is missing"),
    (lambda s: s["arrays"].update({"3.exp_avg": np.ones(2)}), "arrays that nothing here uses: 3.exp_avg"),
    (lambda s: s["arrays"].update({"1.exp_avg": np.ones(2, np.float32)}),
     r"1.exp_avg is float32 \(2,\), expected float32 \(3,\)"),
    (lambda s: s["arrays"].update({"1.exp_avg": np.ones(3)}), r"1.exp_avg is float64 \(3,\), expected float32 \(3,\)"),
])
def test_a_state_that_does_not_fit_changes_nothing(damage, message, rng):
    params = parameters(rng)
    optimizer = optim.AdamW(params, lr=0.1)
    give_gradients(params, rng)
    optimizer.step()
    before = {name: array.copy() for name, array in optimizer.state_dict()["arrays"].items()}

    other = parameters(rng)
    source = optim.AdamW(other, lr=0.2)
    give_gradients(other, rng)
    source.step()
    state = source.state_dict()
    damage(state)
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(state)
    assert optimizer.param_groups[0]["lr"] == 0.1
    for name, array in optimizer.state_dict()["arrays"].items():
        np.testing.assert_array_equal(array, before[name])


def test_level_groups_learn_more_slowly_below(rng):
    a, b, c, d = (tfm.tensor(rng.normal(size=shape), requires_grad=True) for shape in ((2, 3), (3,), (3, 3), (4,)))
    groups = optim.param_groups_by_decay([a, b, c, d], 0.1)
    groups = optim.param_groups_by_level(groups, [[a, b], [c]], lr=0.5, decay=0.1)
    found = {id(p): (group["lr"], group["weight_decay"]) for group in groups for p in group["params"]}
    assert found == {id(a): (0.5, 0.1), id(b): (0.5, 0.0), id(c): (0.05, 0.1), id(d): (0.5, 0.0)}
    given = [{"params": [a], "lr": 0.2}, {"params": [c, b]}]
    own = optim.param_groups_by_level(given, [[b], [c], [a]], lr=0.5, decay=0.5)
    rates = [(group["params"][0] is p, group["lr"]) for group, p in zip(own, (a, b, c))]
    assert rates == [(True, 0.05), (True, 0.5), (True, 0.25)]
    optimizer = optim.AdamW(groups, lr=0.5)
    optim.CosineSchedule(optimizer, 0, 10, 0.5, 0.0)
    assert sorted({group["lr"] for group in optimizer.param_groups}) == [pytest.approx(0.05), pytest.approx(0.5)]
    same = optim.param_groups_by_decay([a, b], 0.1)
    undivided = optim.param_groups_by_level(same, [], 0.5, 1.0)
    assert [group["params"] for group in undivided] == [group["params"] for group in same]
