"""Inside Transformers: rollout, induction heads, the logit lens, and heads that are taken out."""

from __future__ import annotations

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer.explain import ablate_heads, head_importance, induction_scores, logit_lens, rollout
from tinyformer.models import GPT, GPTConfig, Llama, LlamaConfig, Recurrent, RecurrentConfig
from tinyformer.viz import watch_attention

B, T, S, H = 2, 5, 7, 4


def decoders():
    return {"gpt": GPT(GPTConfig(11, 8, n_layer=2, n_head=4, n_embd=16, dropout=0.1)),
            "llama": Llama(LlamaConfig(vocab_size=11, block_size=8, n_layer=2, n_head=4, n_kv_head=2, n_embd=16,
                                       n_inner=16))}


each_decoder = pytest.mark.parametrize("name", ("gpt", "llama"))


def test_rollout(rng):
    weights = rng.random((3, B, H, T, T))
    weights /= weights.sum(axis=-1, keepdims=True)
    flow = rollout(weights)
    assert flow.shape == (B, T, T)
    np.testing.assert_allclose(flow.sum(axis=-1), 1, rtol=0, atol=1e-12)
    for b in range(B):
        a = [0.5 * sum(weights[l, b, h] for h in range(H)) / H + 0.5 * np.eye(T) for l in range(3)]
        np.testing.assert_allclose(flow[b], a[2] @ a[1] @ a[0], rtol=0, atol=1e-12)
    weights[:, :, :, 2] = 0                                 # a token that may look nowhere stays itself
    np.testing.assert_allclose(rollout(weights)[:, 2], np.eye(T)[[2, 2]], rtol=0, atol=1e-12)
    for shape in ((H, T, T), (2, H, T, S), (0, H, T, T)):
        with pytest.raises(ValueError, match="expected .L, …, H, T, T."):
            rollout(np.ones(shape))


def test_induction_scores(rng):
    weights = np.zeros((2, B, 3, 8, 8))
    weights[1, :, 2, np.arange(4, 8), np.arange(1, 5)] = 1  # attends to the successor of the former occurrence
    weights[0, :, 0] = np.tril(np.ones((8, 8))) / np.arange(1, 9)[:, None]
    found = induction_scores(weights, 4)
    assert found.shape == (2, 3) and found[1, 2] == 1 and np.count_nonzero(found) == 2
    np.testing.assert_allclose(found[0, 0], np.mean([1 / 5, 1 / 6, 1 / 7, 1 / 8]))
    for period in (1, 8):
        with pytest.raises(ValueError, match=f"period is {period}, expected an integer from 2 to 7"):
            induction_scores(weights, period)
    with pytest.raises(ValueError, match=r"expected \(L, B, H, T, T\)"):
        induction_scores(weights[:, 0], 4)


@each_decoder
def test_the_lens_ends_with_the_model(name, rng):
    model, ids = decoders()[name], rng.integers(0, 11, (B, T))
    model.train()
    found = logit_lens(model, ids)
    assert model.training and found.shape == (3, B, T, 11)
    model.eval()
    np.testing.assert_array_equal(found[-1], model(ids).data)
    one = model.unembed(model.blocks[0](*first(model, ids)))
    np.testing.assert_allclose(found[1], one.data, atol=1e-6)
    assert np.abs(found[0] - found[1]).max() > 1e-3
    assert all("forward" not in vars(module) for _, module in model.named_modules())


def first(model, ids):
    """The arguments of the first block."""
    if isinstance(model, GPT):
        return (model.wte(ids) + model.wpe(np.arange(T)),)
    return model.embedding(ids), model.angles(0, T)


@each_decoder
def test_reading_vectors_is_reading_tokens(name, rng):
    model, ids = decoders()[name].eval(), rng.integers(0, 11, (B, T))
    np.testing.assert_array_equal(model.read(model.embedding(ids)).data, model(ids).data)


def test_a_recurrent_model_reads_vectors(rng):
    model, ids = Recurrent(RecurrentConfig(11, 8, n_embd=4, n_hidden=5)).eval(), rng.integers(0, 11, (B, T))
    np.testing.assert_array_equal(model.read(model.embedding(ids)).data, model(ids).data)
    for call in (lambda: logit_lens(model, ids), lambda: head_importance(model, ids, ids)):
        with pytest.raises(TypeError, match="a Recurrent has no .*, expected a decoder with attention"):
            call()


@each_decoder
def test_without_a_head(name, rng):
    """As if the columns of the output matrix that read the head were 0."""
    model, ids = decoders()[name].eval(), rng.integers(0, 11, (B, T))
    before = model(ids).data
    with ablate_heads(model, [(1, 2), (0, 0), (0, 3)]):
        without = model(ids).data
    np.testing.assert_array_equal(model(ids).data, before)
    D = model.head_projections[0].weight.shape[1] // 4
    with tfm.no_grad():
        for layer, head in ((1, 2), (0, 0), (0, 3)):
            model.head_projections[layer].weight[:, head * D:(head + 1) * D] = 0
    np.testing.assert_allclose(without, model(ids).data, atol=1e-6)
    assert np.abs(without - before).max() > 1e-4
    with pytest.raises(ValueError, match="ablate_heads: head is 4, expected an integer from 0 to 3"), \
            ablate_heads(model, [(0, 1), (0, 4)]):
        pass
    with pytest.raises(ValueError, match="ablate_heads: layer is 2"), ablate_heads(model, [(2, 0)]):
        pass
    assert all("forward" not in vars(module) for _, module in model.named_modules())


@each_decoder
def test_the_importance_of_heads(name, rng):
    model, ids = decoders()[name].train(), rng.integers(0, 11, (B, T + 1))
    found = head_importance(model, ids[:, :-1], ids[:, 1:])
    assert found.shape == (2, 4) and model.training
    model.eval()
    whole = model.loss(ids[:, :-1], ids[:, 1:]).item()
    with ablate_heads(model, [(1, 3)]):
        assert found[1, 3] == model.loss(ids[:, :-1], ids[:, 1:]).item() - whole


def test_watching_and_taking_out_go_together(rng):
    model, ids = decoders()["gpt"].eval(), rng.integers(0, 11, (B, T))
    with watch_attention(model) as maps, ablate_heads(model, [(0, 1)]):
        without = model(ids).data
    assert maps.stacked().shape == (2, B, 4, T, T)
    with ablate_heads(model, [(0, 1)]):
        np.testing.assert_array_equal(model(ids).data, without)
