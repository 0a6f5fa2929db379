"""A ViT is BERT on patches."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinyformer.autograd import Tensor
from tinyformer.models import ViT, ViTConfig, load_model

CONFIG = ViTConfig(n_features=64, n_classes=3, patch=4, n_layer=1, n_head=2, n_embd=8, n_inner=16)


def test_patches_are_cut_row_by_row():
    x = np.arange(2 * 64.0).reshape(2, 1, 8, 8)
    patches = ViT(CONFIG).cut(Tensor(x)).data
    assert patches.shape == (2, 4, 16)
    np.testing.assert_array_equal(patches[1, 2].reshape(4, 4), x[1, 0, 4:, :4])


def test_colors_of_a_patch_are_side_by_side():
    config = ViTConfig(n_features=48, n_classes=3, channels=3, patch=2, n_layer=1, n_head=2, n_embd=8)
    x = np.arange(48.0).reshape(1, 3, 4, 4)
    patch = ViT(config).cut(Tensor(x)).data[0, 1].reshape(3, 2, 2)
    np.testing.assert_array_equal(patch, x[0, :, :2, 2:])


def test_rows_and_pictures_are_the_same(rng):
    model, x = ViT(CONFIG), rng.standard_normal((5, 64)).astype("f")
    logits = model(x)
    assert logits.shape == (5, 3) and logits.dtype == np.float32
    np.testing.assert_array_equal(logits.data, model(x.reshape(5, 1, 8, 8)).data)
    assert model.predict(x).shape == (5,)


def test_the_place_of_a_patch_counts(rng):
    model, x = ViT(CONFIG), rng.standard_normal((1, 1, 8, 8)).astype("f")
    assert np.abs(model(x).data - model(x[:, :, ::-1]).data).max() > 1e-3


def test_the_first_loss_is_near_that_of_guessing_and_every_parameter_learns(rng):
    model, x, y = ViT(CONFIG), rng.standard_normal((40, 64)).astype("f"), rng.integers(0, 3, 40)
    loss = model.loss(x, y)
    assert loss.item() == pytest.approx(math.log(3), abs=1)
    loss.backward()
    assert all(np.abs(p.grad).any() for _, p in model.named_parameters())


def test_a_saved_folder(tmp_path, rng):
    model, x = ViT(CONFIG), rng.standard_normal((5, 64)).astype("f")
    model.save_pretrained(tmp_path)
    np.testing.assert_array_equal(load_model(tmp_path)(x).data, model.eval()(x).data)


@pytest.mark.parametrize("call, message", [
    (lambda: ViT(CONFIG)(np.zeros((2, 63), "f")), r"ViT: pictures have shape \(2, 63\), expected \(N, 1, 8, 8\)"),
    (lambda: ViT(CONFIG)(np.zeros((2, 3, 8, 8), "f")), r"ViT: pictures have shape \(2, 3, 8, 8\)"),
    (lambda: ViT(ViTConfig(n_features=63, n_classes=3)), "n_features is 63, expected channels · side²"),
    (lambda: ViT(ViTConfig(n_features=64, n_classes=3, patch=3)), "multiple of patch; channels is 1 and patch 3"),
    (lambda: ViTConfig(n_features=64, n_classes=3, n_embd=9), "n_embd 9 cannot be divided")])
def test_what_does_not_fit(call, message):
    with pytest.raises(ValueError, match=message):
        call()
