"""GPT: its size, what it may look at, its loss, gradients, dropout and start."""

import math

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer import kernels, nn, ops
from tinyformer.gradcheck import check
from tinyformer.generate import KVCache, beams
from tinyformer.models import GPT, GPTConfig, gpt_decoding
from tinyformer.models.gpt import Block

SMALL = dict(vocab_size=13, block_size=8, n_layer=2, n_head=2, n_embd=16)


def gpt(**changes):
    return GPT(GPTConfig(**{**SMALL, **changes}))


def spread(model, factor=10):
    """Weights far from their small start, so that every part of the model matters."""
    for parameter in model.parameters():
        if parameter.ndim == 2:
            parameter.data *= factor
    return model


@pytest.fixture
def ids(rng):
    return rng.integers(0, 13, (3, 8))


@pytest.fixture
def targets(rng):
    return rng.integers(0, 13, (3, 8))


# ------------------------------------------------------------------------------------------------ size

@pytest.mark.parametrize("bias", (True, False))
def test_number_of_parameters(bias):
    V, T, L, C = 65, 64, 4, 128
    model = GPT(GPTConfig(vocab_size=V, block_size=T, n_layer=L, n_head=4, n_embd=C, bias=bias))
    norm = 2 * C if bias else C
    attention = 3 * C * C + C * C + bias * (3 * C + C)
    mlp = 4 * C * C + 4 * C * C + bias * (4 * C + C)
    assert model.num_parameters() == V * C + T * C + L * (2 * norm + attention + mlp) + norm
    # nanoGPT's log of this recipe: "number of parameters: 0.80M"
    if not bias:
        assert round((model.num_parameters() - T * C) / 1e6, 2) == 0.80


def test_the_width_of_the_mlp_and_the_epsilon_of_every_norm():
    model = gpt(n_inner=24, eps=0.5)
    assert model.h[0].mlp.c_fc.weight.shape == (24, 16) and model.h[1].mlp.c_proj.weight.shape == (16, 24)
    assert [module.eps for _, module in model.named_modules() if isinstance(module, nn.LayerNorm)] == [0.5] * 5


def test_the_output_is_tied_to_the_input(ids):
    model = gpt()
    assert model(ids).shape == (3, 8, 13)
    assert not any("head" in name for name in model.state_dict())


def test_state_dict_has_gpt2s_names():
    assert list(gpt(n_layer=1).state_dict()) == [
        "wte.weight", "wpe.weight", "h.0.ln_1.weight", "h.0.ln_1.bias", "h.0.attn.c_attn.weight",
        "h.0.attn.c_attn.bias",
        "h.0.attn.c_proj.weight", "h.0.attn.c_proj.bias", "h.0.ln_2.weight", "h.0.ln_2.bias", "h.0.mlp.c_fc.weight",
        "h.0.mlp.c_fc.bias", "h.0.mlp.c_proj.weight", "h.0.mlp.c_proj.bias", "ln_f.weight", "ln_f.bias"]


# ------------------------------------------------------------------------------------------------ start

def test_initial_weights():
    import tinyformer as tfm
    tfm.seed(1)
    model = GPT(GPTConfig(vocab_size=100, block_size=64, n_layer=8, n_head=4, n_embd=64))
    for name, parameter in model.named_parameters():
        data = parameter.data
        if parameter.ndim == 2:
            std = 0.02 / math.sqrt(16) if name.endswith("c_proj.weight") else 0.02
            assert abs(data.std() / std - 1) < 5 / math.sqrt(2 * data.size), name
            assert abs(data.mean()) < 5 * std / math.sqrt(data.size), name
        else:
            np.testing.assert_array_equal(data, 1.0 if name.endswith("weight") else 0.0, err_msg=name)


def test_the_initial_loss_is_that_of_knowing_nothing(rng):
    model = gpt(vocab_size=65, n_embd=64)
    loss = model.loss(rng.integers(0, 65, (16, 8)), rng.integers(0, 65, (16, 8))).item()
    assert abs(loss - math.log(65)) < 0.1


def test_the_seed_decides_the_weights():
    import tinyformer as tfm

    def weights(seed):
        tfm.seed(seed)
        return gpt().wte.weight.data

    np.testing.assert_array_equal(weights(1), weights(1))
    assert (weights(1) != weights(2)).any()


# ------------------------------------------------------------------------------------------------ what it computes

@pytest.mark.parametrize("place", range(8))
def test_no_token_sees_a_later_one(rng, ids, place):
    model = spread(gpt()).to(np.float64).eval()
    before = model(ids).data
    changed = ids.copy()
    changed[:, place] = (changed[:, place] + rng.integers(1, 13, 3)) % 13
    after = model(changed).data
    np.testing.assert_allclose(after[:, :place], before[:, :place], rtol=0, atol=1e-12)
    assert (np.abs(after[:, place:] - before[:, place:]).max(axis=(0, 2)) > 1e-6).all()       # and each later one does


def test_shorter_texts_give_the_same_logits(ids):
    model = spread(gpt()).to(np.float64).eval()
    for T in range(1, 9):
        np.testing.assert_allclose(model(ids[:, :T]).data, model(ids).data[:, :T], rtol=0, atol=1e-12)


def test_positions_matter():
    logits = spread(gpt()).eval()(np.full((1, 8), 5)).data[0]
    assert np.abs(logits[1:] - logits[:-1]).max(axis=1).min() > 1e-3


def test_loss_is_the_cross_entropy_of_the_logits(ids, targets):
    model = spread(gpt()).to(np.float64)
    logits = model(ids).data
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    naive = np.mean([-math.log(p[b, t, targets[b, t]]) for b in range(3) for t in range(8)])
    assert model.loss(ids, targets).item() == pytest.approx(naive, rel=1e-12)
    assert ops.cross_entropy(model(ids), targets).item() == model.loss(ids, targets).item()


class Loss(nn.Module):
    """A model's loss as its forward pass, so that ``check`` finds the parameters."""

    def __init__(self, model):
        self.model = model

    def forward(self, ids, targets):
        return self.model.loss(ids, targets)


@pytest.mark.parametrize("bias", (True, False))
def test_every_gradient(rng, bias):
    model = GPT(GPTConfig(vocab_size=5, block_size=4, n_layer=2, n_head=2, n_embd=4, bias=bias))
    for parameter in model.parameters():
        parameter.data += rng.normal(0, 0.3, parameter.shape).astype(np.float32)
    report = check(Loss(model), rng.integers(0, 5, (2, 4)), rng.integers(0, 5, (2, 4)))
    assert report.ok, str(report)
    learned = [one for one in report.inputs if one.differentiated]
    assert [one.name for one in learned] == [f"model.{name}" for name, _ in model.named_parameters()]
    assert max(one.error for one in learned) < 1e-7, str(report)


def test_float32_stays_float32(ids, targets):
    model = gpt(dropout=0.1)
    loss = model.loss(ids, targets)
    loss.backward()
    assert loss.dtype == model(ids).dtype == np.float32
    assert {str(p.grad.dtype) for p in model.parameters()} == {"float32"}


def test_dropout_acts_in_training_alone(ids):
    model = spread(gpt(dropout=0.3))
    model.train()
    assert (model(ids).data != model(ids).data).any()
    model.eval()
    np.testing.assert_array_equal(model(ids).data, model(ids).data)
    plain = gpt(dropout=0.0)
    plain.load_state_dict(model.state_dict())
    np.testing.assert_array_equal(plain.train()(ids).data, model(ids).data)


def test_dropout_takes_from_embeddings_attention_and_both_branches(ids):
    """Each of the four places changes the logits on its own."""
    model = spread(gpt(dropout=0.5, n_layer=1))
    block = model.h[0]
    model.eval()
    still = model(ids).data
    for place in (model.drop, block.attn, block.attn.resid_dropout, block.mlp.dropout):
        place.training = True
        assert (model(ids).data != still).any(), place
        place.training = False
    np.testing.assert_array_equal(model(ids).data, still)


# ------------------------------------------------------------------------------------------------ one position at a
# time

@pytest.fixture
def steps(monkeypatch):
    """How often a layer took the kernel of a step."""
    taken, step = [], kernels.block_step
    monkeypatch.setattr(kernels, "block_step", lambda *args: taken.append(args) or step(*args))
    return taken


@pytest.mark.parametrize("dtype, bound", ((np.float32, 1e-5), (np.float64, 1e-12)))
@pytest.mark.parametrize("options", ({"bias": True}, {"bias": False}, {"n_inner": 20, "eps": 0.1}))
@pytest.mark.parametrize("B", (1, 3))
@pytest.mark.parametrize("C, H", ((16, 2), (24, 8), (128, 4)))
def test_a_step_is_the_last_place_of_the_whole(rng, steps, dtype, bound, options, B, C, H):
    model = gpt(n_embd=C, n_head=H, **options).to(dtype).eval()
    for parameter in model.parameters():
        parameter.data += rng.normal(0, 0.1, parameter.shape).astype(dtype)
    ids, cache, fused = rng.integers(0, 13, (B, 8)), KVCache(8), model.for_decoding()
    with tfm.no_grad():
        whole = model(ids).data
        for place, new in enumerate(np.split(ids, [3, 4, 5, 6, 7], axis=1)):
            logits = fused(new, cache).data
            cache.advance(new.shape[1])
            assert len(steps) == 2 * place and logits.dtype == dtype
            np.testing.assert_allclose(logits[:, -1], whole[:, cache.length - 1], rtol=0,
                                       atol=bound * np.abs(whole).max())


@pytest.mark.parametrize("B", (1, 3))
@pytest.mark.parametrize("how", ({"temperature": 0}, {"top_k": 5, "rng": 1}))
def test_the_same_tokens_by_steps_and_by_operations(rng, steps, monkeypatch, B, how):
    model = spread(gpt(block_size=30))
    ids = rng.integers(0, 13, (B, 4))
    tokens = model.generate(ids, 26, **how)
    assert len(steps) == 2 * 25
    monkeypatch.setattr(gpt_decoding, "is_plain", lambda block: False)
    np.testing.assert_array_equal(model.generate(ids, 26, **how), tokens)
    assert len(steps) == 2 * 25


def test_the_choice_is_made_once_for_each_generation(monkeypatch, steps):
    asked, is_plain = [], gpt_decoding.is_plain
    monkeypatch.setattr(gpt_decoding, "is_plain", lambda block: asked.append(block) or is_plain(block))
    model = gpt()
    model.generate(np.array([1, 2]), 6)
    assert asked == [*model.h] and len(steps) == 2 * 5
    model.generate(np.array([1, 2]), 12, use_cache=False)
    assert len(asked) == 2 and len(steps) == 2 * 5


def test_beam_search_takes_steps_too(steps):
    model = spread(gpt(block_size=12))
    assert beams(model, np.array([1, 2]), 6, beams=3).shape == (8,)
    assert len(steps) == 2 * 7                              # the prompt but its last token, and six positions


def test_the_form_for_decoding_shares_the_parameters_and_leaves_the_model_alone(ids):
    model = gpt().eval()
    fused = model.for_decoding()
    assert all(type(block) is Block for block in model.h) and not any(type(block) is Block for block in fused.h)
    assert list(fused.state_dict()) == list(model.state_dict())
    assert all(a is b for a, b in zip(fused.parameters(), model.parameters(), strict=True))
    # without a cache, the same operations
    np.testing.assert_array_equal(fused(ids).data, model(ids).data)


class Doubled(Block):
    """A user's block."""

    def forward(self, x, cache=None):
        return super().forward(x, cache) * 2


class Doubling(nn.Linear):
    """A user's layer."""

    def forward(self, x):
        return super().forward(x) * 2


def twice(part):
    forward = part.forward
    part.forward = lambda x, *cache: forward(x, *cache) + forward(x, *cache) * 0.5


def exchange(part, kind):
    part.__class__ = kind


@pytest.mark.parametrize("change", (
    lambda block: setattr(block.mlp, "gelu", nn.ReLU()),
    lambda block: setattr(block.mlp.gelu, "approximate", "none"),
    lambda block: setattr(block.ln_2, "eps", 1.0),
    lambda block: twice(block.attn.c_proj),
    lambda block: twice(block.mlp),
    lambda block: exchange(block.mlp.c_fc, Doubling),
    lambda block: exchange(block, Doubled),
    lambda block: setattr(block.attn, "c_proj", nn.Sequential(block.attn.c_proj, nn.Tanh())),
    lambda block: block.mlp.dropout.train(),
))
def test_what_was_changed_in_a_layer_holds_in_a_step_too(ids, steps, change):
    """And a part in training drops: the draws are the same, since nothing else draws."""
    model, cache = spread(gpt(n_layer=1, dropout=0.5)).to(np.float64).eval(), KVCache(8)
    change(model.h[0])
    if not model.h[0].mlp.dropout.training:
        model.eval()                                        # what was put in is in training
    with tfm.no_grad():
        fused = model.for_decoding()
        fused(ids[:, :7], cache)
        cache.advance(7)
        tfm.seed(3)
        by_step = fused(ids[:, 7:], cache).data[:, -1]
    assert not steps
    if not model.h[0].mlp.dropout.training:
        np.testing.assert_allclose(by_step, model(ids).data[:, -1], rtol=1e-10)


@pytest.mark.parametrize("patched", (Block, nn.Linear, nn.GELU))
def test_a_class_whose_forward_pass_is_observed_takes_no_step(monkeypatch, steps, patched):
    seen, forward = [], patched.forward
    monkeypatch.setattr(patched, "forward", lambda self, *args: seen.append(self) or forward(self, *args))
    gpt().generate(np.array([1, 2]), 4)
    assert not steps and len(seen) >= 4


def test_calls_of_modules_that_are_observed_take_no_step(monkeypatch, steps):
    call = nn.Module.__call__
    monkeypatch.setattr(nn.Module, "__call__", lambda self, *args, **kwargs: call(self, *args, **kwargs))
    gpt().generate(np.array([1, 2]), 4)
    assert not steps


def test_one_changed_layer_leaves_the_others_their_kernel(steps):
    model = gpt()
    twice(model.h[0].mlp)
    model.generate(np.array([1, 2]), 4)
    assert len(steps) == 3


def test_a_step_outside_of_no_grad_keeps_its_graph(ids, steps):
    model = gpt().eval()
    model.for_decoding()(ids[:, :1], KVCache(8)).sum().backward()
    assert not steps and model.h[0].mlp.c_fc.weight.grad is not None


# ------------------------------------------------------------------------------------------------ bad input

@pytest.mark.parametrize("shape", ((8,), (1, 9), (1, 0), (1, 2, 3)))
def test_ids_of_a_wrong_shape(shape):
    with pytest.raises(ValueError, match=r"GPT: ids have shape .*, expected \(B, T\) with 1 ≤ T ≤ 8"):
        gpt()(np.zeros(shape, int))


def test_ids_that_are_no_tokens():
    with pytest.raises(ValueError, match="expected 0…12"):
        gpt()(np.array([[13]]))
    with pytest.raises(TypeError, match="expected integers"):
        gpt()(np.array([[0.5]]))


@pytest.mark.parametrize("changes, message", (
    ({"n_embd": 15}, "n_embd 15 cannot be divided among n_head 2 heads"),
    ({"n_layer": 0}, "n_layer is 0, expected an integer of at least 1"),
    ({"vocab_size": 2.0}, "vocab_size is 2.0"),
    ({"block_size": "8"}, "block_size is '8'"),
    ({"dropout": 1.5}, "dropout is 1.5, expected 0 ≤ dropout ≤ 1"),
    ({"dropout": -0.1}, "dropout is -0.1"),
    ({"n_inner": -1}, "n_inner is -1, expected an integer of at least 0"),
    ({"n_inner": None}, "n_inner is None"),
    ({"eps": 0.0}, "eps is 0.0, expected a finite number above 0"),
    ({"bias": 1}, "bias is 1, expected true or false"),
))
def test_configs_out_of_range(changes, message):
    with pytest.raises(ValueError, match=f"GPTConfig: {message}"):
        gpt(**changes)
