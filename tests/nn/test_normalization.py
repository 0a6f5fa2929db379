import numpy as np
import pytest

import tinyformer as tfm
from tinyformer import nn


@pytest.mark.parametrize("shape", (5, (3, 5)))
@pytest.mark.parametrize("options", ({}, {"bias": False}, {"elementwise_affine": False}, {"eps": 0.1}))
def test_layer_norm_gradients(check_layer, rng, shape, options):
    check_layer(nn.LayerNorm(shape, **options), rng.normal(1, 2, size=(2, 3, 5)))


@pytest.mark.parametrize("shape", (5, (3, 5)))
@pytest.mark.parametrize("options", ({}, {"elementwise_affine": False}, {"eps": 0.1}))
def test_rms_norm_gradients(check_layer, rng, shape, options):
    check_layer(nn.RMSNorm(shape, **options), rng.normal(1, 2, size=(2, 3, 5)))


@pytest.mark.parametrize("train", (True, False))
@pytest.mark.parametrize("options", ({}, {"affine": False}, {"track_running_stats": False}))
@pytest.mark.parametrize("shape", ((6, 3), (3, 3, 4)))
def test_batch_norm_gradients(check_layer, rng, shape, options, train):
    layer = nn.BatchNorm1d(3, **options).train(train)
    if layer.running_var is not None:
        layer.running_mean[...], layer.running_var[...] = rng.normal(size=3), rng.random(3) + 0.5
    check_layer(layer, rng.normal(1, 2, size=shape))


def test_layer_and_rms_norm_normalize(rng):
    x = rng.normal(3, 2, size=(10, 64))
    y = np.asarray(nn.LayerNorm(64, dtype=np.float64)(x))
    np.testing.assert_allclose(y.mean(axis=-1), 0, atol=1e-12)
    np.testing.assert_allclose(y.std(axis=-1), 1, rtol=1e-5)
    y = np.asarray(nn.RMSNorm(64, dtype=np.float64)(x))
    np.testing.assert_allclose((y * y).mean(axis=-1), 1, rtol=1e-12)


def test_batch_norm_measures_in_training_alone(rng):
    layer, batches = nn.BatchNorm1d(3, dtype=np.float64), rng.normal(3, 2, size=(4, 6, 3))
    for x in batches:
        y = np.asarray(layer(x))
        np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-12)
    mean, var = np.zeros(3), np.ones(3)
    for x in batches:
        mean, var = 0.9 * mean + 0.1 * x.mean(axis=0), 0.9 * var + 0.1 * x.var(axis=0, ddof=1)
    np.testing.assert_allclose(layer.running_mean, mean, rtol=1e-12)
    np.testing.assert_allclose(layer.running_var, var, rtol=1e-12)
    assert layer.num_batches_tracked == 4 and layer.num_batches_tracked.dtype == np.int64

    layer.eval()
    np.testing.assert_allclose(layer(batches[0]), (batches[0] - mean) / np.sqrt(var + 1e-5), rtol=1e-12)
    np.testing.assert_allclose(layer.running_mean, mean, rtol=1e-12)
    assert layer.num_batches_tracked == 4


def test_batch_norm_without_momentum_averages_all_batches(rng):
    layer, batches = nn.BatchNorm1d(3, momentum=None, dtype=np.float64), rng.normal(size=(5, 6, 3))
    for x in batches:
        layer(x)
    np.testing.assert_allclose(layer.running_mean, batches.mean(axis=(0, 1)), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(layer.running_var, batches.var(axis=1, ddof=1).mean(axis=0), rtol=1e-12)


def test_state():
    assert list(nn.BatchNorm1d(3).state_dict()) == ["weight", "bias", "running_mean", "running_var",
                                                    "num_batches_tracked"]
    assert list(nn.BatchNorm1d(3, affine=False, track_running_stats=False).state_dict()) == []
    assert list(nn.LayerNorm(3, bias=False).state_dict()) == list(nn.RMSNorm(3).state_dict()) == ["weight"]
    assert nn.BatchNorm1d(3).to(np.float64).running_var.dtype == np.float64


def test_bad_input():
    with pytest.raises(ValueError, match="LayerNorm: normalized_shape is -1, expected an integer of at least 1"):
        nn.LayerNorm((3, -1))
    with pytest.raises(TypeError, match="RMSNorm: normalized_shape is '8', expected an integer of at least 1"):
        nn.RMSNorm("8")
    with pytest.raises(TypeError, match="BatchNorm1d: num_features is True, expected an integer of at least 1"):
        nn.BatchNorm1d(True)
    with pytest.raises(ValueError, match=r"layer_norm: x has shape \(2, 5\), .* normalized_shape \(4,\)"):
        nn.LayerNorm(4)(np.ones((2, 5)))
    with pytest.raises(ValueError, match=r"rms_norm: x has shape \(3,\), .* normalized_shape \(2, 3\)"):
        nn.RMSNorm((2, 3))(np.ones(3))
    with pytest.raises(ValueError, match=r"BatchNorm1d: x has shape \(2, 5\), expected \(N, 4\) or \(N, 4, L\)"):
        nn.BatchNorm1d(4)(np.ones((2, 5)))
    with pytest.raises(ValueError, match=r"BatchNorm1d: x has shape \(4,\)"):
        nn.BatchNorm1d(4)(np.ones(4))
    for layer in (nn.LayerNorm(4), nn.RMSNorm(4), nn.BatchNorm1d(4), nn.BatchNorm1d(4, affine=False)):
        with pytest.raises(TypeError, match=f"{type(layer).__name__}: x is float64, expected float32"):
            layer(tfm.tensor(np.ones((2, 4))))
        with pytest.raises(TypeError, match=f"{type(layer).__name__}: x is int64, expected float32"):
            layer(np.ones((2, 4), int))
    for layer in (nn.LayerNorm(4, elementwise_affine=False),
                  nn.BatchNorm1d(4, affine=False, track_running_stats=False)):
        with pytest.raises(TypeError, match="x is int64, expected float32 or float64"):
            layer(np.ones((2, 4), int))


@pytest.mark.parametrize("shape", ((1, 4), (1, 4, 1), (0, 4)))
def test_batch_norm_needs_more_than_one_value_to_train(shape):
    layer = nn.BatchNorm1d(4)
    with pytest.raises(ValueError, match="training needs more than one value for each channel"):
        layer(np.ones(shape))
    assert layer.num_batches_tracked == 0 and not layer.running_mean.any()
    assert layer.eval()(np.ones(shape)).shape == shape
