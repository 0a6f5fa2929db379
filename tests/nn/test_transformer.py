import math

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer import nn

SMOOTH = {"activation": "gelu"}                             # a ReLU has kinks, and a numeric derivative may cross one


@pytest.mark.parametrize("options", ({}, {"norm_first": True}, {"bias": False, "batch_first": True}))
def test_layer_gradients(check_layer, rng, options):
    src, tgt = rng.normal(size=(3, 2, 4)), rng.normal(size=(2, 2, 4))
    if options.get("batch_first"):
        src, tgt = src.swapaxes(0, 1), tgt.swapaxes(0, 1)
    check_layer(nn.TransformerEncoderLayer(4, 2, 5, 0.0, **SMOOTH, **options), src, is_causal=True)
    check_layer(nn.TransformerDecoderLayer(4, 2, 5, 0.0, **SMOOTH, **options), tgt, src, tgt_is_causal=True,
                memory_key_padding_mask=np.array([[False, True, False], [False, False, True]]))


def test_transformer_gradients(check_layer, rng):
    check_layer(nn.Transformer(4, 2, 1, 1, 5, 0.0, **SMOOTH), rng.normal(size=(3, 2, 4)), rng.normal(size=(2, 2, 4)),
                tgt_mask=nn.Transformer.generate_square_subsequent_mask(2))


def test_the_decoder_cannot_see_the_future(rng):
    layer = nn.TransformerDecoderLayer(8, 2, 16, batch_first=True, dtype=np.float64).eval()
    tgt, memory = rng.normal(size=(1, 5, 8)), rng.normal(size=(1, 3, 8))
    changed = tgt.copy()
    changed[:, 3:] += 1
    a, b = (np.asarray(layer(x, memory, tgt_is_causal=True)) for x in (tgt, changed))
    np.testing.assert_array_equal(a[:, :3], b[:, :3])
    assert (a[:, 3:] != b[:, 3:]).all()
    mask = nn.Transformer.generate_square_subsequent_mask(5)
    np.testing.assert_allclose(layer(tgt, memory, tgt_mask=mask), a, rtol=1e-12)


def test_padding_does_not_leak(rng):
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dtype=np.float64), 2).eval()
    src = rng.normal(size=(1, 5, 8))
    short = np.asarray(encoder(src[:, :3]))
    padded = np.asarray(encoder(src, src_key_padding_mask=np.array([[False] * 3 + [True] * 2])))
    np.testing.assert_allclose(padded[:, :3], short, rtol=1e-10, atol=1e-12)


def test_copies_start_equal_and_are_apart():
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8), 3)
    first, second = encoder.layers[0], encoder.layers[1]
    np.testing.assert_array_equal(first.linear1.weight.data, second.linear1.weight.data)
    first.linear1.weight.data += 1
    assert (first.linear1.weight.data != second.linear1.weight.data).all()
    assert encoder.num_parameters() == 3 * first.num_parameters()


def test_transformer_starts_xavier_uniform():
    model = nn.Transformer(64, 4, 1, 2, 128)
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            bound = math.sqrt(6 / sum(parameter.shape))
            assert bound * 0.99 < np.abs(parameter.data).max() <= bound * (1 + 1e-6), name
            assert parameter.data.std() == pytest.approx(bound / math.sqrt(3), rel=0.05), name
        elif "norm" in name:
            np.testing.assert_array_equal(parameter.data, float(name.endswith("weight")))
    first, second = model.decoder.layers
    assert (first.linear1.weight.data != second.linear1.weight.data).any()


def test_dropout_follows_the_mode_and_the_seed(rng):
    layer, x = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.5), rng.normal(size=(3, 2, 4))

    def run():
        tfm.seed(7)
        return np.asarray(layer(x))
    noisy = run()
    np.testing.assert_array_equal(run(), noisy)
    assert (np.asarray(layer(x)) != noisy).any()
    layer.eval()
    np.testing.assert_array_equal(np.asarray(layer(x)), run())


def test_every_parameter_is_reached(rng):
    model = nn.Transformer(8, 2, 2, 2, 16)
    model(rng.normal(size=(3, 2, 8)), rng.normal(size=(4, 2, 8))).sum().backward()
    assert tfm.unreached(model.named_parameters()) == []
    assert model(rng.normal(size=(3, 2, 8)), rng.normal(size=(4, 2, 8))).dtype == np.float32


def test_activation_may_be_a_function(rng):
    x = rng.normal(size=(3, 2, 4))
    tfm.seed(0)
    named = nn.TransformerEncoderLayer(4, 2, 8, 0.0, activation="gelu")
    tfm.seed(0)
    given = nn.TransformerEncoderLayer(4, 2, 8, 0.0, activation=nn.functional.gelu)
    np.testing.assert_array_equal(named(x), given(x))


def test_bad_input():
    with pytest.raises(ValueError, match="Layer: activation is 'swish', expected 'relu' or 'gelu' or a function"):
        nn.TransformerEncoderLayer(4, 2, activation="swish")
    layer = nn.TransformerDecoderLayer(4, 2, 8)
    with pytest.raises(TypeError, match="TransformerDecoderLayer: memory is float64, expected float32"):
        layer(np.ones((3, 2, 4)), tfm.tensor(np.ones((3, 2, 4))))
    with pytest.raises(ValueError, match="MultiheadAttention: query has shape"):
        layer(np.ones((3, 2, 5)), np.ones((3, 2, 4)))
    with pytest.raises(TypeError, match="TransformerEncoderLayer: src is int64, expected float32"):
        nn.TransformerEncoderLayer(4, 2)(np.ones((3, 2, 4), int))
