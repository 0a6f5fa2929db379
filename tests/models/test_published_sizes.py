"""What is said of published models: parameters to the last one, and the formulas against models that can be built."""

import pytest

from tinyformer.models import Llama, LlamaConfig
from tinyformer.models.published_sizes import KNOWN, cache_bytes, flops_per_token, parameters
from tinyformer.nn import init


@pytest.mark.parametrize("name", KNOWN)
def test_parameters_are_the_published_number(name):
    _, config, published = KNOWN[name]
    assert sum(parameters(config).values()) == published


@pytest.mark.parametrize("how", ({}, {"tied": True, "qkv_bias": True}, {"qk_norm": True, "head_dim": 10}))
def test_the_formula_counts_what_the_class_has(how):
    config = LlamaConfig(vocab_size=37, block_size=8, n_layer=3, n_head=6, n_kv_head=2, n_embd=24, n_inner=20, **how)
    model = Llama(config)
    parts = parameters(config)
    assert sum(parts.values()) == model.num_parameters()
    by_name = {name: parameter.size for name, parameter in model.named_parameters()}
    assert parts["MLP"] == sum(n for name, n in by_name.items() if ".mlp." in name)
    assert parts["attention"] == sum(n for name, n in by_name.items() if ".self_attn." in name)


def test_a_large_one_has_the_names_and_shapes_without_memory():
    """Nothing is written into the arrays, so that the system gives no memory for them."""
    _, config, published = KNOWN["qwen2.5-0.5b"]
    with init.skipped():
        model = Llama(config)
    assert model.num_parameters() == published
    assert model.state_dict()["model.layers.23.self_attn.k_proj.weight"].shape == (128, 896)


def test_what_llama_3_costs():
    _, config, _ = KNOWN["llama3"]
    assert cache_bytes(config) == 128 * 1024
    weights, attention = flops_per_token(config)
    assert weights == 2 * (8_030_261_248 - 525_336_576 - 266_240) and attention == 32 * 4 * 4096


# What the published config.json files say of the network.
ALL = {"attention_bias": False, "attention_dropout": 0.0, "hidden_act": "silu", "initializer_range": 0.02,
       "rope_scaling": None,
       "tie_word_embeddings": False, "torch_dtype": "bfloat16", "use_cache": True}
LLAMA_8B = {**ALL, "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096,
            "intermediate_size": 14336,
            "max_position_embeddings": 8192, "num_attention_heads": 32, "num_hidden_layers": 32,
            "num_key_value_heads": 8,
            "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_theta": 500000.0, "vocab_size": 128256}
LONGER = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192,
          "rope_type": "llama3"}
QWEN = {**ALL, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "use_sliding_window": False}
PUBLISHED = {
    "llama3": LLAMA_8B,
    "llama3.1": {**LLAMA_8B, "max_position_embeddings": 131072, "mlp_bias": False, "rope_scaling": LONGER},
    "llama3.2-1b": {**LLAMA_8B, "max_position_embeddings": 131072, "rope_scaling": {**LONGER, "factor": 32.0},
                    "head_dim": 64,
                    "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16,
                    "tie_word_embeddings": True},
    "qwen2.5": {**QWEN, "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 3584,
                "intermediate_size": 18944, "max_position_embeddings": 131072, "max_window_layers": 28,
                "num_attention_heads": 28,
                "num_hidden_layers": 28, "num_key_value_heads": 4, "sliding_window": 131072, "vocab_size": 152064},
    "qwen3": {**QWEN, "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "head_dim": 128,
              "hidden_size": 4096,
              "intermediate_size": 12288, "max_position_embeddings": 40960, "num_attention_heads": 32,
              "num_hidden_layers": 36,
              "num_key_value_heads": 8, "rope_theta": 1000000, "sliding_window": None, "vocab_size": 151936},
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_files_say_what_stands_here(name):
    assert Llama.read_config(dict(PUBLISHED[name])) == KNOWN[name][1]
