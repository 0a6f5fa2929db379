import math

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer import nn


def blocked(rng, *shape):
    mask = rng.random(shape) < 0.4
    mask[..., 0] = False
    return mask


@pytest.mark.parametrize("need_weights", (True, False))
@pytest.mark.parametrize("options", ({}, {"bias": False}, {"batch_first": True}))
def test_gradients(check_layer, rng, options, need_weights):
    q, k, v = (rng.normal(size=(2, n, 4)) for n in (3, 5, 5))
    if not options.get("batch_first"):
        q, k, v = (x.swapaxes(0, 1) for x in (q, k, v))
    check_layer(nn.MultiheadAttention(4, 2, **options), q, k, v, need_weights=need_weights)


def test_residual_self_attention(check_layer, rng):
    layer = nn.ResidualSelfAttention(4)
    check_layer(layer, rng.normal(size=(2, 5, 4)) / 2)
    h = rng.normal(size=(5, 4))
    Wq, Wk, Wv = (parameter.data for parameter in layer.parameters())
    rows = []
    for i in range(5):                                      # out of its formula, a token at a time
        e = np.exp([(Wq @ h[i]) @ (Wk @ h[j]) for j in range(5)])
        rows.append(h[i] + sum(e[j] / e.sum() * (Wv @ h[j]) for j in range(5)))
    np.testing.assert_allclose(layer(h).data, rows, rtol=1e-12)
    assert list(layer.state_dict()) == ["q_proj", "k_proj", "v_proj"]
    with pytest.raises(ValueError, match=r"residual_self_attention: h has shape \(5, 3\) and Wq \(4, 4\)"):
        layer(h[:, :3])


def test_residual_self_attention_is_one_head_without_scale_and_projection(rng):
    layer = nn.ResidualSelfAttention(4, np.float64)
    heads = nn.MultiheadAttention(4, 1, bias=False, batch_first=True, dtype=np.float64)
    Wq, Wk, Wv = (parameter.data for parameter in layer.parameters())
    heads.in_proj_weight.data[...] = np.concatenate([Wq * 2, Wk, Wv])           # 2 = √D undoes the scale
    heads.out_proj.weight.data[...] = np.eye(4)
    h = rng.normal(size=(3, 5, 4))
    np.testing.assert_allclose(layer(h).data, h + heads(h, h, h)[0].data, rtol=1e-12)


@pytest.mark.parametrize("need_weights", (True, False))
def test_gradients_under_masks(check_layer, rng, need_weights):
    q, k, v = rng.normal(size=(3, 2, 4)), rng.normal(size=(5, 2, 4)), rng.normal(size=(5, 2, 4))
    for masks in ({"attn_mask": blocked(rng, 3, 5)}, {"attn_mask": rng.normal(size=(4, 3, 5))}, {"is_causal": True},
                  {"key_padding_mask": blocked(rng, 2, 5), "attn_mask": rng.normal(size=(3, 5))}):
        check_layer(nn.MultiheadAttention(4, 2), q, k, v, need_weights=need_weights, **masks)


def test_gradients_to_itself(check_layer, rng):
    class ToItself(nn.Module):
        def __init__(self):
            self.attention = nn.MultiheadAttention(4, 2)

        def forward(self, x):
            return self.attention(x, x, x, need_weights=False, is_causal=True)[0]

    check_layer(ToItself(), rng.normal(size=(4, 2, 4)))


@pytest.mark.parametrize("need_weights", (True, False))
def test_a_float_mask_has_a_gradient(check_layer, rng, need_weights):
    class Biased(nn.Module):
        def __init__(self):
            self.attention = nn.MultiheadAttention(4, 2)

        def forward(self, x, mask):
            return self.attention(x, x, x, attn_mask=mask, need_weights=need_weights)[0]

    check_layer(Biased(), rng.normal(size=(3, 4)), rng.normal(size=(3, 3)))


def test_start():
    layer = nn.MultiheadAttention(100, 4)
    bound = math.sqrt(6 / 400)
    assert layer.in_proj_weight.shape == (300, 100)
    assert bound * 0.999 < np.abs(layer.in_proj_weight.data).max() <= bound
    assert layer.in_proj_weight.data.std() == pytest.approx(bound / math.sqrt(3), rel=0.03)
    assert 0.0999 < np.abs(layer.out_proj.weight.data).max() <= 0.1
    assert not layer.in_proj_bias.data.any() and not layer.out_proj.bias.data.any()
    assert list(layer.state_dict()) == ["in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"]
    assert list(nn.MultiheadAttention(4, 2, bias=False).state_dict()) == ["in_proj_weight", "out_proj.weight"]


def test_both_ways_to_the_output_agree_and_the_weights_are_a_distribution(rng):
    layer = nn.MultiheadAttention(8, 2, batch_first=True, dtype=np.float64)
    x, memory = rng.normal(size=(3, 4, 8)), rng.normal(size=(3, 5, 8))
    options = {"attn_mask": blocked(rng, 4, 5), "key_padding_mask": blocked(rng, 3, 5)}
    y, weights = layer(x, memory, memory, average_attn_weights=False, **options)
    assert weights.shape == (3, 2, 4, 5)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-12)
    hidden = np.broadcast_to(options["attn_mask"] | options["key_padding_mask"][:, None, None], weights.shape)
    assert not weights.data[hidden].any() and weights.data[~hidden].all()
    y2, none = layer(x, memory, memory, need_weights=False, **options)
    np.testing.assert_allclose(y, y2, rtol=1e-12)
    assert none is None
    np.testing.assert_allclose(layer(x, memory, memory, **options)[1], weights.data.mean(axis=1), rtol=1e-12)


def test_a_query_that_may_look_nowhere_gives_zeros(rng):
    layer = nn.MultiheadAttention(4, 2, dtype=np.float64)
    layer.out_proj.bias.data[...] = [1, 2, 3, 4]
    for need_weights in (True, False):
        x = tfm.tensor(rng.normal(size=(3, 4)), requires_grad=True)
        y, _ = layer(x, x, x, key_padding_mask=np.ones(3, bool), need_weights=need_weights)
        np.testing.assert_array_equal(y, np.tile([1.0, 2, 3, 4], (3, 1)))
        y.sum().backward()
        np.testing.assert_array_equal(x.grad, 0)


def test_causal_is_the_causal_mask(rng):
    layer, x = nn.MultiheadAttention(4, 2, dtype=np.float64), rng.normal(size=(5, 3, 4))
    mask = np.triu(np.ones((5, 5), bool), 1)
    for need_weights in (True, False):
        expected = layer(x, x, x, attn_mask=mask, need_weights=need_weights)[0]
        for attn_mask in (None, mask):
            y = layer(x, x, x, is_causal=True, attn_mask=attn_mask, need_weights=need_weights)[0]
            np.testing.assert_allclose(y, expected, rtol=1e-12)


@pytest.mark.parametrize("need_weights", (True, False))
def test_dropout_acts_on_the_weights_in_training_alone(rng, need_weights):
    layer, x = nn.MultiheadAttention(4, 2, dropout=0.5, dtype=np.float64), rng.normal(size=(6, 3, 4))
    quiet = np.asarray(layer.eval()(x, x, x, need_weights=need_weights)[0])
    np.testing.assert_array_equal(layer(x, x, x, need_weights=need_weights)[0], quiet)
    layer.train()
    draws = [np.asarray(layer(x, x, x, need_weights=need_weights)[0]) for _ in range(2000)]
    assert np.abs(draws[0] - draws[1]).max() > 1e-3
    spread = np.std(draws, axis=0) / math.sqrt(len(draws))
    assert (np.abs(np.mean(draws, axis=0) - quiet) < 5.5 * spread).all()


def test_bad_arguments():
    with pytest.raises(ValueError, match="embed_dim is 6, expected a multiple of num_heads 4"):
        nn.MultiheadAttention(6, 4)
    with pytest.raises(ValueError, match="MultiheadAttention: kdim is 0, expected an integer of at least 1"):
        nn.MultiheadAttention(4, 2, kdim=0)
    with pytest.raises(ValueError, match="dropout is 2, expected 0 ≤ dropout ≤ 1"):
        nn.MultiheadAttention(4, 2, dropout=2)


@pytest.mark.parametrize("q, k, v", [((3, 2, 5), (3, 2, 4), (3, 2, 4)), ((3, 2, 4), (3, 4), (3, 4)),
                                     ((3, 2, 4), (5, 3, 4), (5, 3, 4)), ((3, 4), (5, 4), (6, 4)), ((4,), (4,), (4,))])
def test_bad_shapes(q, k, v):
    expected = r"query has shape .* expected \(T, B, E\) and \(S, B, E\), or \(T, E\) and \(S, E\), with E = 4"
    with pytest.raises(ValueError, match=expected):
        nn.MultiheadAttention(4, 2)(np.ones(q), np.ones(k), np.ones(v))


def test_bad_types_and_masks():
    layer, x = nn.MultiheadAttention(4, 2), np.ones((3, 2, 4))
    with pytest.raises(TypeError, match="MultiheadAttention: key is float64, expected float32"):
        layer(x, tfm.tensor(x), x)
    with pytest.raises(TypeError, match="attn_mask is int64, expected bool"):
        layer(x, x, x, attn_mask=np.ones((3, 3), int))
    with pytest.raises(ValueError, match=r"attn_mask has shape \(3, 4\), expected \(3, 3\) or \(4, 3, 3\)"):
        layer(x, x, x, attn_mask=np.ones((3, 4), bool))
    with pytest.raises(ValueError, match=r"key_padding_mask has shape \(3, 2\), expected \(2, 3\)"):
        layer(x, x, x, key_padding_mask=np.zeros((3, 2), bool))
