"""VAE: its loss is the formula, its bounds are bounds, and its samples are those of the generator that was passed."""

import dataclasses
import math

import numpy as np
import pytest


from tinyformer.models import VAE, SimCLR, SimCLRConfig, VAEConfig, load_model
from tinyformer.optim import Adam

SMALL = VAEConfig(n_features=16, n_classes=3, n_hidden=8, n_latent=2)


@pytest.fixture
def pictures(rng):
    return rng.random((6, 16)).astype(np.float32)


def test_the_loss_is_the_formula(rng, pictures):
    model = VAE(SMALL).to(np.float64)
    x = pictures.astype(np.float64)
    reconstruction, divergence = model.losses(x, rng=3)
    mean, log_variance = (each.data for each in model.encode(x))
    noise = np.random.default_rng(3).standard_normal(mean.shape, np.float32).astype(np.float64)
    logits = model.decode(mean + np.exp(log_variance / 2) * noise).data.reshape(6, 16)
    p = 1 / (1 + np.exp(-logits))
    np.testing.assert_allclose(reconstruction.data, -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(divergence.data, 0.5 * (mean ** 2 + np.exp(log_variance) - 1 - log_variance).sum(axis=1),
                               rtol=1e-12)
    assert model.loss(x).requires_grad and model.loss(x, None).shape == ()


def test_pictures_and_rows_are_the_same(pictures):
    model = VAE(SMALL).eval()
    as_pictures = pictures.reshape(6, 1, 4, 4)
    for ours, other in zip(model.encode(pictures), model.encode(as_pictures)):
        assert ours.shape == (6, 2)
        np.testing.assert_array_equal(ours.data, other.data)
    assert model(as_pictures).shape == (6, 1, 4, 4) and model.decode(np.zeros((3, 2), np.float32)).shape == (3, 1, 4, 4)


def test_more_samples_give_a_tighter_bound_and_the_limit_is_the_likelihood(pictures):
    """Two latent numbers: the integral over z is a sum on a grid."""
    model = VAE(SMALL)
    optimizer = Adam(model.parameters(), lr=0.01)
    for _ in range(60):
        model.loss(pictures).backward()
        optimizer.step()
        optimizer.zero_grad()
    axis = np.linspace(-6, 6, 121)
    z = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    logits = model.eval().decode(z.astype(np.float32)).data.reshape(-1, 16).astype(np.float64)
    x = pictures.astype(np.float64)
    joint = logits @ x.T - np.logaddexp(0, logits).sum(axis=1)[:, None] - 0.5 * (z ** 2).sum(axis=1)[:, None]
    exact = np.log(np.exp(joint).sum(axis=0) * (axis[1] - axis[0]) ** 2 / (2 * math.pi))
    elbo = np.mean([-model.loss(pictures).item() for _ in range(200)])
    bounds = [np.mean([model.log_likelihood(pictures, n_samples=k, rng=seed) for seed in range(2000 // k)])
              for k in (5, 1000)]
    assert elbo < bounds[0] < exact.mean() and bounds[1] == pytest.approx(exact.mean(), abs=0.02)


def test_the_gradients(rng, pictures):
    model, x = VAE(SMALL).to(np.float64), pictures.astype(np.float64)

    def loss():
        return sum(part.mean() for part in model.losses(x, rng=5))

    loss().backward()
    for name, parameter in model.named_parameters():
        at, step = tuple(rng.integers(0, s) for s in parameter.shape), 1e-6
        kept, sides = parameter.data[at], []
        for sign in (1, -1):
            parameter.data[at] = kept + sign * step
            sides.append(loss().item())
        parameter.data[at] = kept
        assert parameter.grad[at] == pytest.approx((sides[0] - sides[1]) / (2 * step), rel=1e-5, abs=1e-8), name


def test_samples_are_those_of_the_generator(pictures):
    model = VAE(SMALL)
    first, again = (model.sample(5, np.random.default_rng(7)) for _ in range(2))
    assert first.shape == (5, 1, 4, 4) and first.dtype == np.float32 and 0 <= first.min() <= first.max() <= 1
    np.testing.assert_array_equal(first, again)
    assert (first != model.sample(5, np.random.default_rng(8))).any() and model.training


def test_saved_and_loaded(tmp_path, pictures):
    model = VAE(dataclasses.replace(SMALL, conditional=True, n_layer=2)).eval()
    model.save_pretrained(tmp_path)
    loaded = load_model(tmp_path)
    assert type(loaded) is VAE and loaded.config == model.config
    y = np.array([0, 1, 2, 0, 1, 2])
    np.testing.assert_array_equal(loaded(pictures, y).data, model(pictures, y).data)
    assert (loaded.sample(4, 0, 1) != loaded.sample(4, 0, 2)).any()


@pytest.mark.parametrize("call, message", (
    (lambda model: model.loss(np.zeros((2, 15), np.float32)), r"VAE: x has shape \(2, 15\), expected \(N, 16\) or"),
    (lambda model: model.loss(np.zeros((2, 3, 4, 4), np.float32)), r"expected \(N, 16\) or \(N, 1, 4, 4\)"),
    (lambda model: model.loss(np.zeros((0, 16), np.float32)), "N ≥ 1"),
    (lambda model: model.loss(np.full((2, 16), 255, np.float32)), "VAE: the pixels of x are 255…255, expected 0…1"),
    (lambda model: model.loss(np.full((2, 16), np.nan, np.float32)), "VAE: the pixels of x are nan…nan, expected 0…1"),
    (lambda model: model.decode(np.zeros((2, 3), np.float32)), r"VAE: z has shape \(2, 3\), expected \(N, 2\)"),
    (lambda model: model.sample(0), "VAE.sample: n is 0"),
    (lambda model: model.sample(2, 0, y=1), "trained without classes"),
    (lambda model: model.log_likelihood(np.zeros((2, 16), np.float32), n_samples=0), "n_samples is 0"),
))
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call(VAE(SMALL))


@pytest.mark.parametrize("y, message", (
    (None, "expected the classes y"), (np.array([0, 3]), "a class is 3, expected 0…2"),
    (np.array([0]), r"y has shape \(1,\)"), (np.array([0.0, 1]), "type float64")))
def test_classes_of_a_conditional_model(y, message):
    with pytest.raises(ValueError, match=message):
        VAE(dataclasses.replace(SMALL, conditional=True)).loss(np.zeros((2, 16), np.float32), y)


def test_settings():
    with pytest.raises(ValueError, match="VAEConfig: n_latent is 0"):
        VAEConfig(n_latent=0)


def test_a_convolutional_encoder(rng):
    """It reads pictures and rows, learns, and is that of SimCLR with as many outputs."""
    config = dataclasses.replace(SMALL, n_features=64, encoder="convolutional")
    model, x = VAE(config), (rng.random((8, 64)) < 0.5).astype(np.float32)
    first = [model.loss(x).item() for _ in range(20)]
    optimizer = Adam(model.parameters(), lr=0.01)
    for _ in range(40):
        model.loss(x).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert np.mean([model.loss(x).item() for _ in range(20)]) < 0.85 * np.mean(first)
    model.eval()
    for ours, other in zip(model.encode(x), model.encode(x.reshape(8, 1, 8, 8)), strict=True):
        assert ours.shape == (8, 2)
        np.testing.assert_array_equal(ours.data, other.data)
    encoder = SimCLR(SimCLRConfig(n_features=64, n_hidden=8, n_embd=4)).encoder
    assert {name: a.shape for name, a in encoder.state_dict().items()} == {
        name: a.shape for name, a in model.encoder.state_dict().items()}


@pytest.mark.parametrize("change, message", [
    ({"encoder": "deep"}, "VAE.*encoder.*deep"),
    ({"encoder": "convolutional", "conditional": True}, "VAE: encoder is 'convolutional' in a conditional model"),
    ({"encoder": "convolutional", "n_features": 15}, "PictureTower: n_features is 15, expected side · side")])
def test_an_encoder_that_cannot_be(change, message):
    with pytest.raises(ValueError, match=message):
        VAE(dataclasses.replace(SMALL, **change))
