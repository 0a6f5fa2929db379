"""GPT against transformers' GPT-2 on random small configs: logits, the gradient of every parameter, folders both
ways."""

import numpy as np
import pytest

from tinyformer.models import GPT, GPTConfig


@pytest.fixture
def build(oracle):
    """A function from a seed and a dtype to a GPT-2 of random sizes and weights."""
    def make(seed, dtype="float32"):
        rng = np.random.default_rng(seed)
        H, D = rng.integers(1, 5), 2 * rng.integers(1, 7)
        config = oracle.transformers.GPT2Config(
            vocab_size=int(rng.integers(5, 60)), n_positions=int(rng.integers(6, 20)), n_layer=int(rng.integers(1, 4)),
            n_head=int(H), n_embd=int(H * D), resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
            bos_token_id=None, eos_token_id=None)
        if seed % 2:                                        # the width and ε that GPT-2 has, or others
            config.n_inner, config.layer_norm_epsilon = int(rng.integers(1, 30)), float(10 ** rng.uniform(-6, -1))
        return oracle.build(oracle.transformers.GPT2LMHeadModel, config, dtype, seed)
    return make


def same_config(config):
    return GPTConfig(config.vocab_size, config.n_positions, config.n_layer, config.n_head, config.n_embd,
                     n_inner=config.n_inner or 0, eps=config.layer_norm_epsilon)


@pytest.mark.parametrize("seed", range(20))
def test_logits_and_every_gradient(oracle, build, seed, rng, dtype):
    theirs = build(seed, dtype)
    ours = GPT(same_config(theirs.config)).to(dtype)
    ours.load_state_dict(theirs.state_dict())
    oracle.compare(ours, theirs, rng, theirs.config.n_positions)


def test_their_folder_and_the_names_of_the_first_release(build, rng, torch, tmp_path):
    """Those have no "transformer.", but masks among the weights."""
    theirs = build(3)
    theirs.save_pretrained(tmp_path)
    state = {name.removeprefix("transformer."): tensor for name, tensor in theirs.state_dict().items()
             if name != "lm_head.weight"}
    state.update({"h.0.attn.bias": torch.ones(1, 1, 8, 8), "h.0.attn.masked_bias": torch.tensor(-1e4)})
    first = GPT(same_config(theirs.config)).eval()
    first.load_state_dict(state)
    ids = rng.integers(0, theirs.config.vocab_size, (2, 4))
    logits = theirs(torch.from_numpy(ids)).logits.detach().numpy()
    for ours in (first, GPT.from_pretrained(tmp_path)):
        np.testing.assert_allclose(ours(ids).data, logits, atol=1e-5)


@pytest.mark.parametrize("options", (dict(bias=False), dict(bias=True), dict(n_inner=24, eps=0.01)))
def test_transformers_loads_what_we_save(oracle, torch, tmp_path, options, rng):
    ours = GPT(GPTConfig(vocab_size=31, block_size=8, n_layer=2, n_head=2, n_embd=16, **options)).eval()
    for parameter in ours.parameters():
        parameter.data += rng.normal(0, 0.2, parameter.shape).astype(np.float32)
    ours.save_pretrained(tmp_path)
    theirs, told = oracle.transformers.AutoModelForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(told[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    ids = rng.integers(0, 31, (3, 8))
    np.testing.assert_allclose(ours(ids).data, theirs(torch.from_numpy(ids)).logits.detach().numpy(), atol=1e-5)
