"""Llama against transformers' Llama, Qwen2 and Qwen3 on random small configs: logits, gradients, folders both ways,
text."""

import numpy as np
import pytest

from tinyformer.models import Llama, load_model

SCALED = {"rope_type": "llama3", "rope_theta": 5000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 16}


@pytest.fixture
def build(oracle):
    """A function from a kind, a seed and a dtype to a model of transformers with random sizes and weights."""
    def make(kind, seed, dtype="float32"):
        rng = np.random.default_rng(seed)
        G, ratio, D = int(rng.integers(1, 4)), (1, 2, 4)[seed % 3], 2 * int(rng.integers(1, 6))
        sizes = dict(vocab_size=int(rng.integers(5, 60)), max_position_embeddings=32,
                     num_hidden_layers=int(rng.integers(1, 4)),
                     num_attention_heads=G * ratio, num_key_value_heads=G, hidden_size=G * ratio * D,
                     intermediate_size=int(rng.integers(4, 40)), rms_norm_eps=float(rng.choice([1e-5, 1e-6])),
                     tie_word_embeddings=bool(rng.integers(2)), bos_token_id=None, eos_token_id=None,
                     rope_parameters={"rope_type": "default", "rope_theta": float(rng.choice([1e4, 1e6]))})
        if kind == "Qwen3":
            sizes["head_dim"] = 2 * int(rng.integers(1, 6))
        elif kind == "Llama" and seed % 2:
            sizes["rope_parameters"] = SCALED
        config = getattr(oracle.transformers, f"{kind}Config")(**sizes)
        return oracle.build(getattr(oracle.transformers, f"{kind}ForCausalLM"), config, dtype, seed)
    return make


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("kind", ("Llama", "Qwen2", "Qwen3"))
def test_logits_and_every_gradient(oracle, build, kind, seed, rng, dtype):
    theirs = build(kind, seed, dtype)
    ours = Llama(Llama.read_config(theirs.config.to_dict())).to(dtype)
    ours.load_state_dict(theirs.state_dict())
    oracle.compare(ours, theirs, rng, 24)


@pytest.mark.parametrize("kind, seed", [("Llama", 0), ("Llama", 1), ("Qwen2", 2), ("Qwen3", 2)])
def test_folders_both_ways(oracle, torch, build, kind, seed, rng, tmp_path):
    """Theirs in shards and in bfloat16, ours as transformers finds it."""
    build(kind, seed).to(torch.bfloat16).save_pretrained(tmp_path / "theirs", max_shard_size="2KB")
    assert len(list((tmp_path / "theirs").glob("*.safetensors"))) > 1
    read = oracle.transformers.AutoModelForCausalLM.from_pretrained
    theirs = read(tmp_path / "theirs", dtype=torch.float32)
    ours = load_model(tmp_path / "theirs")
    ids = rng.integers(0, ours.config.vocab_size, (2, 20))
    logits = theirs(torch.from_numpy(ids)).logits.detach().numpy()
    np.testing.assert_allclose(ours(ids).data, logits, rtol=0, atol=1e-5)

    ours.save_pretrained(tmp_path / "ours")
    again, told = read(tmp_path / "ours", output_loading_info=True)
    assert type(again) is type(theirs)
    assert not any(told[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    np.testing.assert_allclose(again.eval()(torch.from_numpy(ids)).logits.detach().numpy(), logits, rtol=0, atol=1e-5)
    assert load_model(tmp_path / "ours").config == ours.config


@pytest.mark.parametrize("kind", ("Llama", "Qwen2", "Qwen3"))
def test_a_state_dict_in_bfloat16_that_requires_gradients(torch, build, kind):
    theirs = build(kind, 1).to(torch.bfloat16)
    ours = Llama(Llama.read_config(theirs.config.to_dict()))
    ours.load_state_dict(theirs.state_dict(keep_vars=True))
    np.testing.assert_array_equal(ours.model.norm.weight.data, theirs.model.norm.weight.detach().float().numpy())


@pytest.mark.parametrize("kind", ("Llama", "Qwen2", "Qwen3"))
def test_the_same_tokens_are_generated(torch, build, kind, rng):
    theirs = build(kind, 1)
    ours = Llama(Llama.read_config(theirs.config.to_dict()))
    ours.load_state_dict(theirs.state_dict())
    ids = rng.integers(0, ours.config.vocab_size, (2, 5))
    prompt = torch.from_numpy(ids)
    expected = theirs.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=20,
                               do_sample=False).numpy()
    np.testing.assert_array_equal(ours.generate(ids, 20, temperature=0), expected)
