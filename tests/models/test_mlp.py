"""MLP: its wiring, what each setting does, and the gradients that an article prints for such a network."""

import dataclasses

import numpy as np
import pytest

from tinyformer import nn, ops
from tinyformer.gradcheck import check
from tinyformer.models import MLP, LogisticConfig, LogisticRegression, MLPConfig
from tinyformer.models.mlp import ACTIVATIONS, INITS
from tinyformer.optim import Adam

CONFIG = MLPConfig(5, 3, n_layer=2, n_hidden=8)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_wiring_is_the_formula(rng, activation):
    model, x = MLP(dataclasses.replace(CONFIG, activation=activation)), rng.normal(size=(7, 5)).astype(np.float32)
    state = model.state_dict()
    matrices = [(state[f"layers.{i}.weight"], state[f"layers.{i}.bias"]) for i in (0, 2, 4)]
    h = x
    for W, b in matrices[:-1]:
        h = np.asarray(ACTIVATIONS[activation]()(ops.linear(h, W, b)).data)
    np.testing.assert_array_equal(model(x).data, ops.linear(h, *matrices[-1]).data)
    np.testing.assert_array_equal(model.features(x).data, h)
    assert model.predict(x).shape == (7,)


def test_dropout_and_batch_norm_stand_where_they_belong():
    model = MLP(dataclasses.replace(CONFIG, dropout=0.3, batch_norm=True))
    kinds = [type(layer) for layer in model.layers]
    assert kinds == [nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Dropout] * 2 + [nn.Linear]


def test_penalties_count_in_training_alone(rng):
    x, y = rng.normal(size=(7, 5)).astype(np.float32), rng.integers(0, 3, 7)
    model = MLP(dataclasses.replace(CONFIG, l1=0.1, l2=0.2))
    matrices = [layer.weight.data for layer in model.layers if isinstance(layer, nn.Linear)]
    penalty = sum(0.1 * np.abs(W).sum() + 0.5 * 0.2 * (W ** 2).sum() for W in matrices)
    training, plain = model.loss(x, y).item(), model.eval().loss(x, y).item()
    assert training == pytest.approx(plain + penalty, rel=1e-5)


def test_inits_keep_or_lose_the_signal(rng):
    x, spread = rng.normal(size=(200, 100)).astype(np.float32), {}
    for name in INITS:
        h = x
        for layer in list(MLP(MLPConfig(100, 3, n_layer=6, n_hidden=100, init=name)).layers)[:-1]:
            h = layer(h)
        spread[name] = float((h.data ** 2).mean())
    assert 0.2 < spread["kaiming"] < 5 and spread["xavier"] < spread["kaiming"] / 10
    assert spread["default"] < spread["xavier"] and spread["normal"] < 1e-6 and spread["zeros"] == 0


def test_the_gradients_of_every_setting(rng):
    x, y = rng.normal(size=(6, 5)), rng.integers(0, 3, 6)
    for activation in ACTIVATIONS:
        model = MLP(dataclasses.replace(CONFIG, activation=activation, batch_norm=True, l1=0.01, l2=0.1)).to(np.float64)
        W = model.layers[0].weight
        model.loss(x, y).backward()
        i, eps, losses = (1, 2), 1e-6, []
        for sign in (1, -1):
            W.data[i] += sign * eps
            losses.append(model.loss(x, y).item())
            W.data[i] -= sign * eps
        assert W.grad[i] == pytest.approx((losses[0] - losses[1]) / (2 * eps), rel=1e-4, abs=1e-8), activation


def test_it_learns_what_a_line_cannot(rng):
    """XOR: four corners, of which the opposite ones belong together."""
    x = rng.choice([-1.0, 1.0], (200, 2)).astype(np.float32) + 0.2 * rng.normal(size=(200, 2)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    line, model = LogisticRegression(LogisticConfig(2,
                                                    2)), MLP(MLPConfig(2, 2, n_layer=1, n_hidden=16, activation="tanh"))
    line.fit(x, y)
    optimizer = Adam(model.parameters(), lr=0.02)
    for _ in range(150):
        model.loss(x, y).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert np.mean(line.predict(x) == y) < 0.75 < 0.97 < np.mean(model.eval().predict(x) == y)


def test_saved_and_made_again(tmp_path, rng):
    model = MLP(dataclasses.replace(CONFIG, batch_norm=True, activation="gelu")).eval()
    model.save_pretrained(tmp_path)
    x = rng.normal(size=(4, 5)).astype(np.float32)
    np.testing.assert_array_equal(MLP.from_pretrained(tmp_path)(x).data, model(x).data)


@pytest.mark.parametrize("settings, message", (
    ({"n_layer": -1}, "n_layer is -1"), ({"activation": "step"}, "activation is 'step', expected one of relu, "),
    ({"init": "ones"}, "init is 'ones', expected one of default"), ({"dropout": 1.5}, "dropout is 1.5"),
    ({"l2": -1.0}, "l2 is -1.0"),
))
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **settings)


# ------------------------------------------------------------------------------------------------ X3: the article's
# network

X, Y = np.array([0.5, -1.0, 2.0]), np.array([1.0, 0.3, 0.7])


def sigma(z):
    return 1 / (1 + np.exp(-z))


def two_layers(w1, b1, w2, b2):
    """z₁ = w₁·x + b₁, a₁ = σ(z₁), z₂ = w₂ a₁ + b₂, a₂ = σ(z₂), L = ½ Σᵢ (yᵢ − a₂)²: its one hidden unit has one weight
    w₂.

        δ₂ = −Σᵢ (yᵢ − a₂) a₂ (1 − a₂)      δ₁ = δ₂ w₂ a₁ (1 − a₁)
        ∂L/∂w₁ = δ₁ x    ∂L/∂b₁ = δ₁    ∂L/∂w₂ = δ₂ a₁    ∂L/∂b₂ = δ₂
    """
    a1 = sigma(w1 @ X + b1)
    a2 = sigma(w2 * a1 + b2)

    def vjp(dL):
        d2 = -np.sum(Y - a2) * a2 * (1 - a2) * dL
        d1 = d2 * w2 * a1 * (1 - a1)
        return d1 * X, d1, d2 * a1, d2

    return 0.5 * np.sum((Y - a2) ** 2), vjp


def test_x3_the_printed_gradients_fail_and_the_derived_ones_pass():
    def printed(w1, b1, w2, b2):
        a1 = sigma(w1 @ X + b1)
        a2 = sigma(w2 * a1 + b2)

        def vjp(dL):
            return (Y[0] - a2) * a1 * X * dL, (Y[0] - a2) * a1 * dL, (Y[1] - a2) * a2 * dL, (Y[1] - a2) * a2 * dL

        return two_layers(w1, b1, w2, b2)[0], vjp

    at = np.array([0.2, -0.4, 0.1]), np.array(0.3), np.array(-0.7), np.array(0.5)
    assert check(two_layers, *at).ok
    assert [i.ok for i in check(printed, *at).inputs] == [False] * 4


@pytest.mark.parametrize("left_out", ("-np.sum(Y - a2)", "a2 * (1 - a2)", "w2", "a1 * (1 - a1)"))
def test_x3_each_of_what_the_print_leaves_out_counts(left_out):
    """The right formula without the sign, either slope of σ, or the weight between."""
    factors = {"-np.sum(Y - a2)": lambda a1, a2, w2: -np.sum(Y - a2), "a2 * (1 - a2)": lambda a1, a2, w2: a2 * (1 - a2),
               "w2": lambda a1, a2, w2: w2, "a1 * (1 - a1)": lambda a1, a2, w2: a1 * (1 - a1)}

    def without(w1):
        a1 = sigma(w1 @ X + 0.3)
        a2 = sigma(-0.7 * a1 + 0.5)
        d1 = np.prod([f(a1, a2, -0.7) for name, f in factors.items() if name != left_out])
        if left_out.startswith("-"):
            d1 = d1 * np.sum(Y - a2)
        return two_layers(w1, 0.3, -0.7, 0.5)[0], lambda dL: (d1 * X * dL,)

    assert not check(without, np.array([0.2, -0.4, 0.1])).ok
