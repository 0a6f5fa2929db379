"""Llama: cache, grouped heads, saving, Meta's layout, and what is said of configs that cannot be."""

import dataclasses
import json
import tracemalloc

import numpy as np
import pytest

from tinyformer.generate import KVCache, beams
from tinyformer.models import Llama, LlamaConfig, load_model

CONFIG = LlamaConfig(vocab_size=29, block_size=16, n_layer=2, n_head=4, n_kv_head=2, n_embd=16, n_inner=24,
                     rope_theta=100.0)
KINDS = {"llama": {}, "llama 3.1": dict(rope_factor=8.0, rope_original=8), "qwen2": dict(qkv_bias=True, tied=True),
         "qwen3": dict(qk_norm=True, head_dim=6, n_kv_head=1)}


@pytest.fixture(params=KINDS)
def model(request, rng):
    model = Llama(dataclasses.replace(CONFIG, **KINDS[request.param]))
    for parameter in model.parameters():
        parameter.data += rng.normal(0, 0.2, parameter.shape).astype(np.float32)
    return model.eval()


def test_the_cache_changes_nothing(model, rng):
    ids = rng.integers(0, 29, (3, 4))
    found = model.generate(ids, 20, temperature=0)                              # past the block size, too
    np.testing.assert_array_equal(found, model.generate(ids, 20, temperature=0, use_cache=False))


def test_a_prompt_in_pieces(model, rng):
    ids, cache, parts = rng.integers(0, 29, (2, 11)), KVCache(16), []
    for piece in np.split(ids, [5, 6], axis=1):
        parts.append(model(piece, cache).data)
        cache.advance(piece.shape[1])
    np.testing.assert_allclose(np.concatenate(parts, axis=1), model(ids).data, atol=2e-5)


def test_the_cache_holds_the_heads_of_keys_and_values_alone(model, rng):
    cache = KVCache(16)
    model(rng.integers(0, 29, (1, 3)), cache)
    c = model.config
    assert {array.shape for keys, values, _ in cache._layers.values() for array in (keys, values)} == {
        (1, c.n_kv_head, 16, c.head_dim)}


def test_the_cache_takes_no_room_for_a_context_that_is_not_used():
    model = Llama(dataclasses.replace(CONFIG, block_size=2 ** 20)).eval()
    ids = np.arange(5)
    tracemalloc.start()
    try:
        assert len(model.generate(ids, 3, temperature=0)) == len(beams(model, ids, 3)) == 8
        # all keys and values of the context take 128 MiB
        assert tracemalloc.get_traced_memory()[1] < 2 ** 20
    finally:
        tracemalloc.stop()


def test_the_loss_and_how_it_falls(model, rng):
    ids = rng.integers(0, 29, (2, 17))
    loss = model.loss(ids[:, :-1], ids[:, 1:])
    loss.backward()
    for parameter in model.parameters():
        parameter.data -= 0.01 * parameter.grad
    assert model.loss(ids[:, :-1], ids[:, 1:]).item() < loss.item()


def test_a_fresh_model_knows_nothing():
    model = Llama(CONFIG)
    ids = np.arange(28)[None, :16]
    assert abs(model.loss(ids, ids + 1).item() - np.log(29)) < 0.05


def test_saved_and_loaded(model, tmp_path, rng):
    model.save_pretrained(tmp_path)
    again = load_model(tmp_path)
    ids = rng.integers(0, 29, (2, 16))
    assert type(again) is Llama and again.config == model.config
    np.testing.assert_array_equal(again(ids).data, model(ids).data)


def test_without_the_prefix_and_with_what_is_not_needed(model, rng):
    state = {name.removeprefix("model."): array for name, array in model.state_dict().items()}
    state["layers.0.self_attn.rotary_emb.inv_freq"] = np.ones(2, np.float32)
    if model.config.tied:
        state["lm_head.weight"] = model.model.embed_tokens.weight.data
    again = Llama(model.config).eval()
    again.load_state_dict(state)
    ids = rng.integers(0, 29, (2, 16))
    np.testing.assert_array_equal(again(ids).data, model(ids).data)


# -- Meta's own layout: other names, and feature 2i is turned with 2i + 1


def meta_forward(w, c, ids):
    """Logits (T, V) of one sequence, as in Meta's code: pairs of neighbors are complex numbers."""
    def norm(x, name):
        return w[name] * x / np.sqrt((x * x).mean(-1, keepdims=True) + c.norm_eps)

    def turned(x):
        pairs = x.reshape(len(x), -1, c.head_dim // 2, 2)
        z = (pairs[..., 0] + 1j * pairs[..., 1]) * turn[:, None]
        return np.stack([z.real, z.imag], -1).reshape(len(x), -1, c.head_dim)

    T = len(ids)
    turn = np.exp(1j * np.outer(np.arange(T), c.rope_theta ** (-np.arange(0, c.head_dim, 2) / c.head_dim)))
    x = w["tok_embeddings.weight"][ids]
    for n in range(c.n_layer):
        at = f"layers.{n}."
        h = norm(x, at + "attention_norm.weight")
        q, k = (turned(h @ w[f"{at}attention.{name}.weight"].T) for name in ("wq", "wk"))
        v = (h @ w[at + "attention.wv.weight"].T).reshape(T, -1, c.head_dim)
        k, v = (np.repeat(a, c.n_head // c.n_kv_head, axis=1) for a in (k, v))
        scores = np.einsum("thd,shd->hts", q, k) / np.sqrt(c.head_dim) + np.triu(np.full((T, T), -np.inf), 1)
        p = np.exp(scores - scores.max(-1, keepdims=True))
        y = np.einsum("hts,shd->thd", p / p.sum(-1, keepdims=True), v).reshape(T, -1)
        x = x + y @ w[at + "attention.wo.weight"].T
        h = norm(x, at + "ffn_norm.weight")
        gate = h @ w[at + "feed_forward.w1.weight"].T
        x = x + (gate / (1 + np.exp(-gate))
                 * (h @ w[at + "feed_forward.w3.weight"].T)) @ w[at + "feed_forward.w2.weight"].T
    return norm(x, "norm.weight") @ w["output.weight"].T


def test_metas_layout(rng):
    c = CONFIG
    D, C, F = c.head_dim, c.n_embd, c.n_inner
    shapes = {"tok_embeddings": (29, C), "norm": (C,), "output": (29, C)}
    for n in range(c.n_layer):
        shapes.update((f"layers.{n}.{name}", shape) for name, shape in {
            "attention_norm": (C,), "ffn_norm": (C,), "attention.wq": (4 * D, C), "attention.wk": (2 * D, C),
            "attention.wv": (2 * D, C), "attention.wo": (C, 4 * D), "feed_forward.w1": (F, C),
            "feed_forward.w3": (F, C),
            "feed_forward.w2": (C, F)}.items())
    w = {f"{name}.weight": rng.normal(0, 0.4, shape) for name, shape in shapes.items()}
    model = Llama(c).to("float64")
    model.load_state_dict({**w, "rope.freqs": np.ones(2)})
    ids = rng.integers(0, 29, 16)
    np.testing.assert_allclose(model(ids[None]).data[0], meta_forward(w, c, ids), atol=1e-10)


# -- what cannot be


@pytest.mark.parametrize("changes, message", (
    (dict(n_layer=0), "n_layer is 0, expected an integer of at least 1"),
    (dict(n_kv_head=3), "n_kv_head 3 does not divide n_head 4"),
    (dict(n_head=3, head_dim=0), "n_embd 16 cannot be divided among n_head 3 heads"),
    (dict(head_dim=5), "head_dim is 5, expected an even number"),
    (dict(rope_theta=0.0), "rope_theta is 0.0, expected a finite number above 0"),
    (dict(rope_low=4.0), "rope_low 4.0 is not below rope_high 4.0"),
    (dict(qkv_bias=True, qk_norm=True), "qkv_bias is Qwen2's and qk_norm Qwen3's"),
))
def test_configs(changes, message):
    with pytest.raises(ValueError, match="LlamaConfig: " + message):
        dataclasses.replace(CONFIG, **changes)


@pytest.mark.parametrize("changes, message", (
    (dict(model_type="mistral"), "unknown architecture 'mistral'"),
    (dict(hidden_act="gelu"), "hidden_act is 'gelu', which this model does not have; expected 'silu'"),
    (dict(attention_bias=True), "attention_bias is True"),
    (dict(use_sliding_window=True), "use_sliding_window is True"),
    (dict(rope_scaling={"type": "yarn", "factor": 4.0}), "rope_type is 'yarn', .*; expected 'default' or 'llama3'"),
    (dict(rope_scaling={"rope_type": "llama3", "factor": 4.0}), "it has no field 'low_freq_factor'"),
    (dict(rope_scaling=3), "config.json: rope_scaling is 3, expected an object"),
    (dict(rope_parameters=[1]), r"config.json: rope_parameters is \[1\], expected an object"),
    (dict(rms_norm_eps="small"), "config.json: "),
    (dict(hidden_size=None), "it has no field 'hidden_size'"),
    (dict(num_key_value_heads=1),
     r"model.safetensors: does not fit .*k_proj.weight has shape \(8, 16\), expected \(4, 16\)"),
))
def test_folders(tmp_path, changes, message):
    model = Llama(dataclasses.replace(CONFIG, tied=True))
    model.save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    config = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({name: value for name, value in config.items() if value is not None}))
    with pytest.raises(ValueError, match=message) as caught:
        load_model(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_a_head_that_is_absent_is_said_when_it_is_used(tmp_path):
    """The folder of a bare trunk: it says that nothing is tied, and holds no output."""
    model = Llama(dataclasses.replace(CONFIG, tied=True)).eval()
    model.save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "tie_word_embeddings": False}))
    again, ids = load_model(tmp_path), np.arange(6)[None]
    angles = again.angles(0, 6)
    np.testing.assert_array_equal(again.model(ids, angles).data, model.model(ids, angles).data)
    with pytest.raises(ValueError,
                       match=r"model.safetensors has no head that predicts the next token \(lm_head.weight\)"):
        again(ids)


def test_ids_and_lengths_that_do_not_fit():
    model = Llama(CONFIG)
    with pytest.raises(ValueError, match=r"Llama: ids have shape \(1, 17\), expected \(B, T\) with 1 ≤ T ≤ 16"):
        model(np.zeros((1, 17), int))
    with pytest.raises(ValueError, match="embedding: indices lie in 0…29, expected 0…28"):
        model([[0, 29]])


def test_weights_that_are_not_finite(tmp_path):
    model = Llama(CONFIG)
    model.model.norm.weight.data[2] = np.nan
    with pytest.raises(ValueError, match="generate: the model's logits are not all finite"):
        model.generate(np.zeros(3, int), 2)
    model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="model.safetensors: model.norm.weight is not finite"):
        load_model(tmp_path)
