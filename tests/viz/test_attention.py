"""Attention maps: the numbers are those of the layers, and the picture is whole."""

import struct

import numpy as np
import pytest

from tinyformer import nn, no_grad, ops
from tinyformer.explain import rollout
from tinyformer.models.encoder import EncoderClassifier, EncoderConfig
from tinyformer.models.gpt import GPT, GPTConfig
from tinyformer.models.llama import Llama, LlamaConfig
from tinyformer.viz import attention as pictures
from tinyformer.viz import draw_attention, fonts, watch_attention

B, T, S, E, H = 2, 5, 7, 8, 4


def mha(**options):
    return nn.MultiheadAttention(E, H, dtype=np.float64, **options)


def png_size(path):
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", data[16:24])


@pytest.mark.parametrize("how", ("plain", "causal", "padding", "added", "both"))
def test_the_weights_are_those_that_the_layer_returns(rng, how):
    layer = mha(batch_first=True)
    query, key = rng.normal(size=(B, T, E)), rng.normal(size=(B, S, E))
    padding = np.zeros((B, S), bool)
    padding[1, 4:] = True
    masks = {"plain": {}, "causal": {"is_causal": True}, "padding": {"key_padding_mask": padding},
             "added": {"attn_mask": rng.normal(size=(T, S))},
             "both": {"attn_mask": rng.normal(size=(B * H, T, S)), "key_padding_mask": padding, "is_causal": True}}[how]
    y, expected = layer(query, key, key, average_attn_weights=False, **masks)
    with watch_attention(layer) as maps:
        again, none = layer(query, key, key, need_weights=False, **masks)
    assert none is None and list(maps) == [""] and maps[""].shape == (B, H, T, S)
    np.testing.assert_allclose(maps[""], expected.data, rtol=0, atol=1e-12)
    np.testing.assert_allclose(again.data, y.data, rtol=0, atol=1e-12)
    np.testing.assert_allclose(maps[""].sum(axis=-1), 1, rtol=0, atol=1e-12)
    if "causal" in how or how == "both":
        assert not np.triu(maps[""], 1).any() and np.tril(maps[""]).any()
    if how in ("padding", "both"):
        assert not maps[""][1, :, :, 4:].any() and maps[""][0, :, -1, 4].all()
    with watch_attention(layer) as other:                   # where the layer itself makes the weights
        layer(query, key, key, **masks)
    np.testing.assert_allclose(other[""], expected.data, rtol=0, atol=1e-12)


class Grouped(nn.Module):
    def forward(self, q, k, v, **how):
        return ops.scaled_dot_product_attention(q, k, v, **how)


def test_grouped_heads_and_a_scale(rng):
    """Query head h reads key head h // 2; one entry at a time."""
    q, k = rng.normal(size=(B, 4, T, 3)), rng.normal(size=(B, 2, S, 3))
    with watch_attention(Grouped()) as maps:
        pass
    layer = Grouped()
    with watch_attention(layer) as maps:
        layer(q, k, k, scale=0.7)
    naive = np.empty((B, 4, T, S))
    for b, h, t in np.ndindex(B, 4, T):
        e = [np.exp(0.7 * sum(q[b, h, t, d] * k[b, h // 2, s, d] for d in range(3))) for s in range(S)]
        naive[b, h, t] = np.array(e) / sum(e)
    np.testing.assert_allclose(maps[""], naive, rtol=1e-12)
    with watch_attention(layer) as maps:
        # no query may attend to any key; one head alone
        layer(q[0, 0], k[0, 0], k[0, 0], mask=np.zeros((T, S), bool))
    assert maps[""].shape == (1, 1, T, S) and not maps[""].any()


def gpt():
    return GPT(GPTConfig(vocab_size=11, block_size=8, n_layer=3, n_head=2, n_embd=8))


def test_a_gpt_is_watched_and_left_as_it_was(rng):
    model, ids = gpt().eval(), rng.integers(0, 11, (B, T))
    before = model(ids).data
    with watch_attention(model) as maps, no_grad():
        np.testing.assert_array_equal(model(ids).data, before)
        gpt()(ids)                                          # another model is none of its business
    weights = maps.stacked()
    assert weights.shape == (3, B, 2, T, T) and list(maps) == ["h.0.attn", "h.1.attn", "h.2.attn"]
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=0, atol=1e-6)
    assert not np.triu(weights, 1).any()
    model(ids[:, :2])                                       # outside watch_attention
    assert maps.stacked().shape == weights.shape and "forward" not in vars(model.h[0].attn)
    block = model.h[0]
    q, k, _ = (part.data.reshape(B, T, 2, 4).swapaxes(1, 2) for part in
               ops.split(block.attn.c_attn(block.ln_1(model.wte(ids) + model.wpe(np.arange(T)))), 3, axis=-1))
    scores = np.exp(q @ k.swapaxes(-1, -2) / 2) * np.tri(T)
    np.testing.assert_allclose(weights[0], scores / scores.sum(axis=-1, keepdims=True), rtol=0, atol=1e-6)


def test_an_error_within_stops_the_watching(rng):
    model = gpt()
    with pytest.raises(ValueError, match="GPT: ids"), watch_attention(model):
        model(np.zeros((1, 9), int))
    assert all("forward" not in vars(module) for _, module in model.named_modules())
    with watch_attention(model) as outer, watch_attention(model) as inner:
        model(rng.integers(0, 11, (1, 4)))
    assert not outer and inner.stacked().shape == (3, 1, 2, 4, 4)


def test_fillings_of_a_classifier_are_not_looked_at(rng):
    model = EncoderClassifier(EncoderConfig(20, 2, 8, 8, n_head=2, n_layer=2, n_inner=8)).eval()
    ids = rng.integers(2, 20, (B, 6))
    ids[1, 4:] = 0
    with watch_attention(model) as maps:
        model(ids)
    weights = maps.stacked("encoder.layers.*.self_attn")
    assert weights.shape == (2, B, 2, 6, 6) and not weights[:, 1, :, :, 4:].any() and weights[:, 0].all()
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=0, atol=1e-6)
    flow = rollout(weights)
    assert flow.shape == (B, 6, 6) and not flow[1, :4, 4:].any()


def test_three_kinds_in_an_encoder_and_decoder(rng):
    model = nn.Transformer(E, H, 2, 3, 16, batch_first=True).eval()
    with watch_attention(model) as maps:
        model(rng.normal(size=(B, S, E)).astype(np.float32), rng.normal(size=(B, T, E)).astype(np.float32),
              tgt_is_causal=True)
    assert {kind: maps.stacked(kind).shape for kind in maps.kinds()} == {
        "encoder.layers.*.self_attn": (2, B, H, S, S), "decoder.layers.*.self_attn": (3, B, H, T, T),
        "decoder.layers.*.multihead_attn": (3, B, H, T, S)}
    with pytest.raises(ValueError, match=r"kind is None, expected one of encoder.layers.\*.self_attn, "):
        maps.stacked()
    with watch_attention(nn.Linear(2, 2)) as nothing, pytest.raises(ValueError, match="nothing was watched"):
        nothing.stacked()


def test_a_llama(rng):
    """Four query heads on two key heads; with a cache, the map of the last pass."""
    model = Llama(LlamaConfig(vocab_size=11, block_size=8, n_layer=2, n_head=4, n_kv_head=2, n_embd=16,
                              n_inner=16)).eval()
    ids = rng.integers(0, 11, (B, T))
    before = model(ids).data
    with watch_attention(model) as maps:
        np.testing.assert_array_equal(model(ids).data, before)
    weights = maps.stacked()
    assert weights.shape == (2, B, 4, T, T) and not np.triu(weights, 1).any()
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=0, atol=1e-6)
    with watch_attention(model) as steps:
        model.generate(ids, 2, temperature=0)
    last = steps.stacked()
    assert last.shape == (2, B, 4, 1, T + 1)
    whole = np.concatenate([ids, model(ids).data[:, -1:].argmax(axis=-1)], axis=1)
    with watch_attention(model) as maps:
        model(whole)
    np.testing.assert_allclose(last[..., 0, :], maps.stacked()[..., -1, :], rtol=0, atol=1e-5)


# ------------------------------------------------------------------------------------------------ pictures

def test_one_map_many_maps(tmp_path, rng):
    path = tmp_path / "attention.png"
    path.write_bytes(b"old")
    tokens = ["今", "天", " the", "\n", "$x", "$\\frac$"]
    draw_attention(rng.random((6, 6)), tokens, path)
    one = png_size(path)
    draw_attention(rng.random((2, 3, 6, 6)), tokens, path)
    many = png_size(path)
    draw_attention(rng.random((2, 6, 4)), tokens, path, keys=list("abcd"))
    assert one[0] < many[0] and one[1] < many[1] and list(tmp_path.iterdir()) == [path]
    assert max(many) < 1200


def test_bad_pictures(tmp_path, rng):
    with pytest.raises(ValueError,
                       match=r"weights have shape \(5, 5\), expected \(layers, heads, 4, 4\) for 4 queries and 4 keys"):
        draw_attention(np.ones((5, 5)), list("abcd"), tmp_path / "a.png")
    with pytest.raises(ValueError, match="expected a name that ends in .png"):
        draw_attention(np.ones((4, 4)), list("abcd"), tmp_path / "a.pdf")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def drawn(monkeypatch):
    """The figure that was to be saved."""
    kept = []
    monkeypatch.setattr(pictures, "save_figure", lambda figure, path: kept.append(figure))
    return kept


def test_maps_and_names_stand_where_they_belong(drawn, rng):
    weights = rng.random((2, 2, 3, 3))
    draw_attention(weights, ["a", " b", "$"], None)
    panels = drawn[0].axes[:4]
    for panel, (l, h) in zip(panels, np.ndindex(2, 2)):
        np.testing.assert_array_equal(panel.images[0].get_array(), weights[l, h])
        assert panel.get_title() == f"layer {l}, head {h}" and panel.images[0].get_clim() == (0, 1)
    names = [[label.get_text() for label in axis.get_ticklabels()] for axis in (panels[2].yaxis, panels[2].xaxis)]
    assert names == [["a", "␣b", "$"]] * 2 and not panels[1].yaxis.get_ticklabels()
    assert [label.get_rotation() for label in panels[2].xaxis.get_ticklabels()] == [0, 90, 0]
    assert {label.get_rotation() for label in panels[2].yaxis.get_ticklabels()} == {0}


def test_too_many_tokens_to_name(drawn):
    draw_attention(np.ones((1, 12, 400, 400)), ["x"] * 400, None)
    assert "tokens are not named" in drawn[0].get_suptitle() and max(drawn[0].get_size_inches()) < 40


def test_without_a_chinese_font_code_points_are_written(drawn, monkeypatch):
    monkeypatch.setattr(fonts, "_cjk_fonts", lambda: ())
    draw_attention(np.eye(3), ["今天", "é", "U+"], None)
    names = [label.get_text() for label in drawn[0].axes[0].get_yticklabels()]
    assert names == ["U+4ECA U+5929", "é", "U+"]
    assert "U+… are code points" in drawn[0].get_suptitle()
    draw_attention(np.eye(2), ["U+4ECA", "é"], None)
    assert "code points" not in drawn[1].get_suptitle()


def test_a_chinese_font_is_used_where_it_is_needed(monkeypatch):
    have = {None: frozenset(map(ord, "abc␣")), "broken.ttf": frozenset(), "cjk.ttc": frozenset(map(ord, "今天ab"))}
    monkeypatch.setattr(fonts, "_cjk_fonts", lambda: ("broken.ttf", "cjk.ttc"))
    monkeypatch.setattr(fonts, "_characters", have.get)
    assert fonts.labels(["a", "今b", " c", "今c"]) == (
        [("a", None), ("今b", "cjk.ttc"), ("␣c", None), ("U+4ECA U+0063", None)], True)
    assert fonts.labels(["a", "天"])[1] is False


def test_which_fonts_are_tried(monkeypatch, tmp_path):
    from matplotlib import font_manager
    found = ["/f/DejaVuSans.ttf", "C:\\f\\msyh.ttc", "/f/NotoSansCJK-Bold.ttc", "/f/NotoSansCJK-Regular.ttc",
             "/f/wqy-zenhei.ttc"]
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: found)
    fonts._cjk_fonts.cache_clear()
    try:
        assert fonts._cjk_fonts() == (found[3], found[2], found[1], found[4])
    finally:
        fonts._cjk_fonts.cache_clear()
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    assert fonts._characters(str(broken)) == frozenset() and ord("a") in fonts._characters(None)
