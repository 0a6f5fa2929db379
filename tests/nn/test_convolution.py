"""Convolution and pooling layers: gradients, shapes, and one clear sentence for what does not fit."""

import numpy as np
import pytest

from tinyformer import nn, ops
from tinyformer.nn import functional as F


@pytest.mark.parametrize("layer, shape", [
    (nn.Conv1d(4, 6, 3, stride=2, padding=1, groups=2), (2, 4, 7)),
    (nn.Conv1d(2, 3, 3, padding="same", padding_mode="circular"), (2, 6)),
    (nn.Conv2d(4, 6, (3, 2), stride=(1, 2), padding=1, dilation=(1, 2), groups=2), (2, 4, 6, 5)),
    (nn.Conv2d(2, 3, 3, padding=2, padding_mode="reflect", bias=False), (2, 2, 5, 4)),
    (nn.ConvTranspose2d(4, 6, 3, stride=2, output_padding=1, groups=2), (2, 4, 3, 4)),
    (nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), (2, 3, 6, 7)),
    (nn.MaxPool2d(2), (2, 3, 6, 7)), (nn.BatchNorm2d(3), (2, 3, 4, 3)), (nn.GroupNorm(2, 4), (2, 4, 3, 3))])
def test_gradients(check_layer, rng, layer, shape):
    check_layer(layer, rng.normal(1, 2, size=shape))


def test_the_first_network_of_pictures(rng):
    """Shapes as in LeNet: 28 → 28 → 14 → 10 → 5 pixels."""
    model = nn.Sequential(nn.Conv2d(1, 6, 5, padding="same"), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5),
                          nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 10))
    x = rng.normal(size=(3, 1, 28, 28)).astype(np.float32)
    assert model(x).shape == (3, 10) and model(x[:0]).shape == (0, 10) and model(x).dtype == np.float32
    assert model(x[:, :, ::-1, ::-1]).shape == (3, 10)


def test_a_kernel_of_one_pixel_is_a_linear_layer(rng):
    layer, x = nn.Conv2d(3, 4, 1, dtype=np.float64), rng.normal(size=(2, 3, 5, 6))
    weight, bias = layer.weight.data[:, :, 0, 0], layer.bias.data
    np.testing.assert_allclose(np.asarray(layer(x)), np.moveaxis(np.moveaxis(x, 1, 3) @ weight.T + bias, 3, 1))


def test_a_shifted_picture_gives_a_shifted_result(rng):
    layer, x = nn.Conv2d(1, 2, 3, dtype=np.float64), rng.normal(size=(1, 1, 8, 8))
    np.testing.assert_allclose(np.asarray(layer(x))[:, :, 1:], np.asarray(layer(x[:, :, 1:])), atol=1e-14)


def test_the_transposed_convolution_is_the_transpose(rng):
    """⟨conv(x), y⟩ = ⟨x, conv_transpose(y)⟩."""
    x, W = rng.normal(size=(2, 3, 7, 8)), rng.normal(size=(4, 3, 3, 2))
    y = ops.conv2d(x, W, stride=(2, 3), padding=1)
    z = rng.normal(size=y.shape)
    back = F.conv_transpose2d(z, W, None, (2, 3), 1, (0, 2))
    assert back.shape == x.shape
    np.testing.assert_allclose(np.sum(y.data * z), np.sum(x * back.data), rtol=1e-12)


PICTURES = np.zeros((2, 3, 8, 8), np.float32)


@pytest.mark.parametrize("call, message", [
    (lambda: nn.Conv2d(4, 6, 3, groups=4), "Conv2d: groups is 4, expected a divisor of in_channels 4 and of out_c.* 6"),
    (lambda: nn.Conv2d(4, 6, 3, stride=0), "Conv2d: stride is 0, expected an integer of at least 1"),
    (lambda: nn.Conv2d(4, 6, (3, 3, 3)), r"Conv2d: kernel_size is \(3, 3, 3\), expected an integer, or one for rows"),
    (lambda: nn.Conv2d(4, 6, 3, padding="full"), "Conv2d: padding is 'full', expected integers, 'same' or 'valid'"),
    (lambda: nn.Conv2d(4, 6, 3, 2, "same"), "Conv2d: padding is 'same' with a stride of 2, expected a stride of 1"),
    (lambda: nn.Conv2d(4, 6, 3, padding_mode="mirror"), "Conv2d: padding_mode is 'mirror', expected one of 'zeros', "),
    (lambda: nn.ConvTranspose2d(4, 6, 3, padding_mode="reflect"), "padding_mode is 'reflect', expected 'zeros'"),
    (lambda: nn.Conv2d(1, 6, 3)(PICTURES), r"Conv2d: x has shape \(2, 3, 8, 8\), expected \(N, 1, H, W\) or \(1, H"),
    (lambda: nn.Conv2d(3, 6, 3)(PICTURES[0, 0]), r"Conv2d: x has shape \(8, 8\), expected \(N, 3, H, W\)"),
    (lambda: nn.Conv1d(3, 6, 3)(PICTURES), r"Conv1d: x has shape .*, expected \(N, 3, L\) or \(3, L\)"),
    (lambda: nn.Conv2d(3, 6, 11, padding=1)(PICTURES),
     r"conv2d: the kernel spans 11 × 11 pixels, but x has shape \(2, 3, 8, 8\), with its padding 10 × 10 pixels: exp"),
    (lambda: nn.Conv2d(3, 6, 3, padding=8, padding_mode="reflect")(PICTURES),
     r"Conv2d: padding is \(8, 8\) with padding_mode 'reflect', but x has shape .*: expected less padding"),
    (lambda: nn.ConvTranspose2d(3, 6, 3, stride=2, output_padding=2)(PICTURES),
     r"conv_transpose2d: output_padding is \(2, 2\), expected less than the stride \(2, 2\) or the dilation \(1, 1\)"),
    (lambda: nn.ConvTranspose2d(3, 6, 3, padding=9)(PICTURES), "conv_transpose2d: x has shape .* gives -8 × -8 pixels"),
    (lambda: nn.MaxPool2d(3, padding=2), "MaxPool2d: padding is 2, expected at most half of kernel_size 3"),
    (lambda: nn.AvgPool2d(2, stride=0), "AvgPool2d: stride is 0, expected an integer of at least 1"),
    (lambda: nn.AvgPool2d(2, divisor_override=0), "AvgPool2d: divisor_override is 0, expected an integer of at least"),
    (lambda: nn.MaxPool2d(9)(PICTURES), "max_pool2d: the kernel spans 9 × 9 pixels, but x has shape"),
    (lambda: F.max_pool2d(PICTURES, 3, padding=2), r"max_pool2d: padding is \(2, 2\), expected at most half of"),
    (lambda: F.avg_pool2d(PICTURES[0, 0], 2), r"avg_pool2d: x has shape \(8, 8\), expected \(N, C, H, W\), or \(C"),
    (lambda: F.conv2d(PICTURES, PICTURES[:, :2]), r"conv2d: x has 3 channels in its shape .*: expected 2 channels"),
    (lambda: F.conv2d(PICTURES, PICTURES, groups=2), "conv2d: groups is 2, expected a divisor of the 3 channels of x"),
    (lambda: F.conv2d(PICTURES, PICTURES, np.zeros(3, "f")), r"conv2d: bias has shape \(3,\), but y has 2 channels"),
    (lambda: F.conv1d(PICTURES, PICTURES), r"conv1d: x has shape .*, expected \(N, C, L\) or \(C, L\)"),
    (lambda: nn.GroupNorm(3, 4), "GroupNorm: num_groups is 3, expected a divisor of num_channels 4"),
    (lambda: nn.GroupNorm(2, 4)(PICTURES), r"GroupNorm: x has shape .*, expected \(N, 4, …\)"),
    (lambda: nn.BatchNorm2d(4)(PICTURES), r"BatchNorm2d: x has shape .*, expected \(N, 4, H, W\)"),
    (lambda: nn.BatchNorm2d(3)(PICTURES[0]), r"BatchNorm2d: x has shape .*, expected \(N, 3, H, W\)"),
])
def test_what_does_not_fit_is_one_clear_sentence(call, message):
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "\n" not in str(error.value)
