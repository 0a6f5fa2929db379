"""GAN: one loss whose gradients are those of two players, each of its own loss."""

import dataclasses
import math

import numpy as np
import pytest

from tinyformer import ops
from tinyformer.autograd import Tensor
from tinyformer.models import GAN, GANConfig, load_model
from tinyformer.models.gan import least_loss
from tinyformer.nn import frozen
from tinyformer.optim import Adam

SMALL = GANConfig(n_features=16, n_classes=3, n_hidden=8, n_latent=3)


@pytest.fixture
def pictures(rng):
    return rng.random((6, 16)).astype(np.float32)


@pytest.mark.parametrize("kind", ("non-saturating", "minimax"))
def test_each_player_gets_the_gradient_of_its_own_loss(pictures, kind):
    """The sum of both losses gives the gradients of two separate steps, each with the other player held."""
    config = dataclasses.replace(SMALL, generator_loss=kind, label_smoothing=0.1)
    model, x = GAN(config).to(np.float64), pictures.astype(np.float64)
    sum(model.losses(x, rng=1)).backward()
    together = {name: parameter.grad.copy() for name, parameter in model.named_parameters()}
    z = np.random.default_rng(1).standard_normal((6, 3), np.float32).astype(np.float64)
    bce = ops.binary_cross_entropy_with_logits
    ones = np.ones(6)

    def discriminators():
        return bce(model.discriminate(x), 0.9 * ones) + bce(model.discriminate(model.generate(z).data), 0 * ones)

    def generators():
        seen = model.discriminate(model.generate(z))
        return bce(seen, ones) if kind == "non-saturating" else ops.log(1 - ops.sigmoid(seen)).mean()

    for loss, player in ((discriminators, "discriminator"), (generators, "generator")):
        model.zero_grad()
        loss().backward()
        for name, parameter in model.named_parameters():
            if name.startswith(player):
                np.testing.assert_allclose(together[name], parameter.grad, rtol=1e-10, atol=1e-14)
    assert {name.split(".")[0] for name in together} == {"generator", "discriminator"}


def test_frozen_passes_gradients_through_and_keeps_what_was_frozen(rng):
    model = GAN(SMALL)
    first, second = list(model.discriminator.parameters())[:2]
    second.requires_grad = False
    x = Tensor(rng.random((2, 16)).astype(np.float32), requires_grad=True)
    with frozen(model.discriminator):
        y = model.discriminate(x).sum()
    y.backward()
    assert x.grad is not None and (x.grad != 0).any() and first.grad is None
    assert first.requires_grad and not second.requires_grad


def test_the_equilibrium_is_three_times_ln_2(pictures):
    model = GAN(SMALL)
    for parameter in model.discriminator.parameters():
        parameter.data[:] = 0
    assert model.loss(pictures).item() == pytest.approx(3 * math.log(2), rel=1e-6)


@pytest.mark.parametrize("conditional", (False, True))
def test_convolutional_players(tmp_path, rng, conditional):
    """The same contract as dense ones; a class is one more channel of the discriminator's picture."""
    config = GANConfig(64, 3, layers="convolutional", n_channels=2, n_latent=3, batch_norm=True,
                       conditional=conditional)
    model, x, y = GAN(config), rng.random((5, 1, 8, 8)).astype(np.float32), np.array([0, 1, 2, 0, 1])
    y = y if conditional else None
    loss = model.loss(x, y)
    loss.backward()
    assert all(np.isfinite(p.grad).all() and (p.grad != 0).any() for name, p in model.named_parameters()
               if not name.endswith("bias")) and loss.shape == ()
    assert model.discriminate(x, y).shape == (5,) and model.sample(4, 0).shape == (4, 1, 8, 8)
    model.save_pretrained(tmp_path)
    np.testing.assert_array_equal(load_model(tmp_path).sample(4, 0), model.sample(4, 0))
    if conditional:
        first, second = (model.eval().discriminate(x, y + shift).data for shift in (0, -y[0]))
        assert (first == second).all() and (model.discriminate(x, (y + 1) % 3).data != first).any()


@pytest.mark.parametrize("settings", ({"n_features": 36}, {"n_features": 60}, {"output": "points"}))
def test_pictures_that_convolutional_players_cannot_draw(settings):
    with pytest.raises(ValueError, match="expected pixels of a square picture, its side a multiple of 4"):
        GAN(dataclasses.replace(SMALL, layers="convolutional", **{"n_features": 64, **settings}))


def test_samples(tmp_path, pictures):
    model = GAN(dataclasses.replace(SMALL, batch_norm=True, dropout=0.2))
    model.loss(pictures)
    first, again = (model.sample(5, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.shape == (5, 1, 4, 4) and 0 <= first.min() <= first.max() <= 1
    model.save_pretrained(tmp_path)
    np.testing.assert_array_equal(load_model(tmp_path).sample(5, np.random.default_rng(7)), first)
    points = GAN(dataclasses.replace(SMALL, output="points", n_features=2, conditional=True))
    assert points.sample(5, 0).shape == points.sample(5, 0, 2).shape == (5, 2)


def test_a_discriminator_that_has_won_ends_the_training(pictures):
    """Its loss is at the minimum: 500 steps are counted, also across a saved state, and one other step resets."""
    model = GAN(dataclasses.replace(SMALL, output="points", n_layer=1))
    for layer in (model.generator, model.discriminator):
        for parameter in layer.parameters():
            parameter.data[:] = 0
    model.discriminator[0].weight.data[0, 0] = model.discriminator[2].weight.data[0, 0] = 10
    model.discriminator[2].bias.data[:] = -50                               # s = 100 x₀ − 50
    real = np.ones_like(pictures)
    for _ in range(499):
        model.loss(real)
    assert model.steps_won[0] == 499
    with pytest.raises(ArithmeticError, match="the discriminator's loss has been at its minimum for 500 steps"):
        model.loss(real)
    model.loss(0 * pictures)
    assert model.steps_won[0] == 0 and least_loss(0.0) == 0 and least_loss(0.1) == pytest.approx(0.3251, abs=1e-4)


def test_it_learns_a_normal_distribution():
    rng = np.random.default_rng(0)
    model = GAN(GANConfig(n_features=2, n_latent=2, n_hidden=32, output="points"))
    optimizer = Adam(model.parameters(), lr=5e-3, betas=(0.5, 0.999))
    for _ in range(300):
        model.loss(rng.normal([3, -1], [0.5, 1], (128, 2)).astype(np.float32)).backward()
        optimizer.step()
        optimizer.zero_grad()
    np.testing.assert_allclose(model.sample(2000, 0).mean(axis=0), [3, -1], atol=1)


def test_data_out_of_range(rng):
    with pytest.raises(ValueError, match="GAN: the pixels of x are -1…1, expected 0…1"):
        GAN(SMALL).loss(np.linspace(-1, 1, 32, dtype=np.float32).reshape(2, 16))
    with pytest.raises(ValueError, match=r"GAN: x has shape \(2, 3, 4, 4\), expected \(N, 16\) or \(N, 1, 4, 4\)"):
        GAN(SMALL).loss(np.zeros((2, 3, 4, 4), np.float32))
    assert GAN(dataclasses.replace(SMALL, output="points")).loss(5 * rng.random((4, 16), np.float32)).shape == ()


@pytest.mark.parametrize("settings, message", (
    ({"output": "words"}, "output is 'words', expected one of pixels, points"), ({"n_latent": 0}, "n_latent is 0"),
    ({"generator_loss": "hinge"}, "expected one of non-saturating, minimax"), ({"dropout": 2.0}, "dropout is 2.0"),
    ({"label_smoothing": 1.0}, "label_smoothing is 1.0, expected a finite number of at least 0 and below 1"),
))
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SMALL, **settings)
