"""Seq2Seq: what may see what, its loss, gradients, the cache against none, and its answers."""

import math

import numpy as np
import pytest

from tinyformer import nn
from tinyformer.generate import KVCache
from tinyformer.gradcheck import check
from tinyformer.models import Seq2Seq, Seq2SeqConfig, load_model
from tinyformer.text.pairs import BEGIN, END, PAD
from tinyformer.viz import watch_attention

SMALL = dict(vocab_size=11, block_size=9, n_layer=2, n_head=2, n_embd=16, dropout=0.0)


def seq2seq(**changes):
    model = Seq2Seq(Seq2SeqConfig(**{**SMALL, **changes})).to(np.float64)
    for parameter in model.parameters():
        if parameter.ndim == 2:
            parameter.data *= 2
    return model


@pytest.fixture(params=(False, True), ids=("post-norm", "pre-norm"))
def model(request):
    return seq2seq(norm_first=request.param).eval()


@pytest.fixture
def source(rng):
    ids = rng.integers(4, 11, (3, 6))
    ids[1, 4:] = ids[2, 2:] = PAD
    return ids


@pytest.fixture
def target(rng):
    return np.concatenate([np.full((3, 1), BEGIN), rng.integers(4, 11, (3, 6))], axis=1)


# ------------------------------------------------------------------------------------------------ what it computes

def test_one_table_for_both_languages_and_the_output(model):
    names = list(model.state_dict())
    assert names[0] == "embedding.weight" and sum("embedding" in name for name in names) == 1
    assert {name.split(".")[0] for name in names[1:]} == {"transformer"}


def test_logits_out_of_its_parts(model, source, target):
    """Sines by their formula, √C, masks, the tied table."""
    C = 16
    table = model.embedding.weight.data

    def embedded(ids):
        x = table[ids] * math.sqrt(C)
        for t in range(ids.shape[1]):
            for i in range(C):
                angle = t / 10000 ** (2 * (i // 2) / C)
                x[:, t, i] += math.cos(angle) if i % 2 else math.sin(angle)
        return x

    y = model.transformer(embedded(source), embedded(target), src_key_padding_mask=source == PAD,
                          memory_key_padding_mask=source == PAD, tgt_is_causal=True)
    np.testing.assert_allclose(model(source, target).data, y.data @ table.T, rtol=0, atol=1e-12)


def test_padding_in_the_source_is_not_seen(model, source, target):
    logits = model(source, target).data
    for b, length in enumerate((6, 4, 2)):
        alone = model(source[b:b + 1, :length], target[b:b + 1]).data
        np.testing.assert_allclose(alone[0], logits[b], rtol=0, atol=1e-12)


@pytest.mark.parametrize("place", range(7))
def test_no_token_of_the_target_sees_a_later_one(model, source, target, place):
    before = model(source, target).data
    changed = target.copy()
    changed[:, place] = (changed[:, place] - 3) % 7 + 4
    after = model(source, changed).data
    np.testing.assert_allclose(after[:, :place], before[:, :place], rtol=0, atol=1e-12)
    assert (np.abs(after[:, place:] - before[:, place:]).max(axis=(0, 2)) > 1e-6).all()


def test_every_token_of_the_source_is_seen_by_all_of_the_target(model, source, target):
    before = model(source, target).data
    for place in range(6):
        changed = source.copy()
        changed[0, place] = (changed[0, place] - 3) % 7 + 4
        after = model(changed, target).data
        assert (np.abs(after[0] - before[0]).max(axis=1) > 1e-6).all()
        np.testing.assert_allclose(after[1:], before[1:], rtol=0, atol=1e-12)


def test_loss_without_padding_and_smoothed_in_training_alone(source, target):
    model = seq2seq(label_smoothing=0.3)
    target[1, 5:] = PAD
    target[0, -1] = END
    z = model(source, target[:, :-1]).data
    logp = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
    pairs = [(b, t) for b in range(3) for t in range(6) if target[b, t + 1] != PAD]
    assert len(pairs) == 16
    plain = -np.mean([logp[b, t, target[b, t + 1]] for b, t in pairs])
    smooth = -np.mean([0.7 * logp[b, t, target[b, t + 1]] + 0.3 * logp[b, t].mean() for b, t in pairs])
    assert model.eval().loss(source, target).item() == pytest.approx(plain, rel=1e-12)
    assert model.train().loss(source, target).item() == pytest.approx(smooth, rel=1e-12)


class Loss(nn.Module):
    """A model's loss as its forward pass, so that ``check`` finds the parameters."""

    def __init__(self, model):
        self.model = model

    def forward(self, source, target):
        return self.model.loss(source, target)


@pytest.mark.parametrize("norm_first", (False, True))
def test_every_gradient(rng, norm_first):
    model = Seq2Seq(Seq2SeqConfig(vocab_size=7, block_size=5, n_layer=1, n_head=2, n_embd=4, dropout=0.0,
                                  norm_first=norm_first, label_smoothing=0.1))
    for parameter in model.parameters():
        parameter.data += rng.normal(0, 0.3, parameter.shape).astype(np.float32)
    report = check(Loss(model), np.array([[4, 5, 6], [6, 4, PAD]]),
                   np.array([[BEGIN, 6, 5, END], [BEGIN, 4, END, PAD]]))
    assert report.ok, str(report)
    assert {one.name for one in report.inputs
            if one.differentiated} == {f"model.{n}" for n, _ in model.named_parameters()}


def test_dropout_acts_in_training_alone(source, target):
    model = seq2seq(dropout=0.3)
    assert (model.train()(source, target).data != model(source, target).data).any()
    np.testing.assert_array_equal(model.eval()(source, target).data, model(source, target).data)


# ------------------------------------------------------------------------------------------------ answers

@pytest.mark.parametrize("cuts", ((7,), (1,) * 7, (3, 4), (1, 5, 1)))
def test_logits_with_a_cache_equal_those_without(model, source, target, cuts):
    memory, padding = model.encode(source)
    cache, pieces, start = KVCache(9), [], 0
    for length in cuts:
        pieces.append(model.decode(target[:, start:start + length], memory, padding, cache).data)
        cache.advance(length)
        start += length
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), model(source, target).data, rtol=0, atol=1e-12)


def test_the_memory_is_projected_once(model, source, target, monkeypatch):
    seen = []
    linear = nn.functional.linear
    monkeypatch.setattr("tinyformer.nn.attention.F.linear", lambda x, *rest: seen.append(x.shape[1])
                        or linear(x, *rest))
    memory, padding = model.encode(source)
    del seen[:]
    cache = KVCache(9)
    for t in range(4):
        model.decode(target[:, t:t + 1], memory, padding, cache)
        cache.advance(1)
    assert seen.count(6) == 2 * 2                           # keys and values of two layers, 6 source tokens each


def test_its_attention_can_be_watched(model, source, target):
    """Each decoder layer's look at the memory, summing to 1 over the tokens that there are."""
    with watch_attention(model) as maps:
        model(source, target)
    crossed = [weights for name, weights in maps.items() if "multihead_attn" in name]
    assert len(maps) == 6 and [weights.shape for weights in crossed] == [(3, 2, 7, 6)] * 2
    for weights in crossed:
        np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-12)
        assert (weights[1, :, :, 4:] == 0).all() and (weights[2, :, :, 2:] == 0).all()


def test_greedy_answers_are_the_argmax_again_and_again(model, rng):
    model.embedding.weight.data[END] *= 2.5                 # so that some answers end early
    source = rng.integers(4, 11, (20, 6))
    answers = model.translate(source, max_new_tokens=7)
    assert min(map(len, answers)) < 7 == max(map(len, answers))
    for answer, row in zip(answers, source, strict=True):
        text = [BEGIN]
        while len(text) < 8:
            token = int(model(row[None], np.array([text])).data[0, -1].argmax())
            if token == END:
                break
            text.append(token)
        assert answer == text[1:]


@pytest.mark.parametrize("beams", (1, 3))
def test_answers_do_not_hang_on_the_rest_of_the_batch(model, source, beams):
    together = model.translate(source, beams)
    assert together == [model.translate(row[None, :n], beams)[0] for row, n in zip(source, (6, 4, 2))]
    assert all(END not in answer and len(answer) <= 9 for answer in together)


def test_more_beams_find_no_less_likely_answers(model, source):
    def score(row, answer):
        ended = [BEGIN, *answer, *([END] if len(answer) < 9 else [])]
        z = model(row[None], np.array([ended[:-1]])).data[0]
        logp = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
        return sum(logp[t, token] for t, token in enumerate(ended[1:])) / ((4 + len(ended)) / 6) ** 0.6

    one, many = (model.translate(source, k) for k in (1, 30))
    for row, a, b in zip(source, one, many):
        assert score(row, b) >= score(row, a) - 1e-9


def test_the_mode_is_put_back(source):
    model = seq2seq(dropout=0.5).train()
    assert model.translate(source) == model.translate(source)
    assert model.training


def test_saved_and_loaded(tmp_path, source, target):
    model = Seq2Seq(Seq2SeqConfig(**SMALL)).eval()
    model.save_pretrained(tmp_path)
    again = load_model(tmp_path)
    assert type(again) is Seq2Seq and again.config == model.config
    np.testing.assert_array_equal(again(source, target).data, model(source, target).data)


# ------------------------------------------------------------------------------------------------ bad input

def test_ids_of_a_wrong_shape(model, source, target):
    with pytest.raises(ValueError, match=r"Seq2Seq: source has shape \(10,\), expected \(B, T\) with 1 ≤ T ≤ 9"):
        model(np.ones(10, int), target)
    with pytest.raises(ValueError, match=r"Seq2Seq: source has shape \(1, 10\)"):
        model.translate(np.ones((1, 10), int))
    with pytest.raises(ValueError, match=r"Seq2Seq: target has shape \(3, 10\), expected \(B, T\) with 1 ≤ T ≤ 9"):
        model(source, np.ones((3, 10), int))
    with pytest.raises(ValueError, match="expected 0…10"):
        model(source + 11, target)


@pytest.mark.parametrize("changes, message", (
    ({"n_embd": 15}, "n_embd 15 cannot be divided among n_head 2 heads"),
    ({"n_layer": 0}, "n_layer is 0, expected an integer of at least 1"),
    ({"dropout": 1.5}, "dropout is 1.5, expected 0 ≤ dropout ≤ 1"),
    ({"label_smoothing": -0.1}, "label_smoothing is -0.1, expected 0 ≤ label_smoothing ≤ 1"),
))
def test_configs_out_of_range(changes, message):
    with pytest.raises(ValueError, match=f"Seq2SeqConfig: {message}"):
        seq2seq(**changes)
