"""What is said of published models: parameters to the last one, and the formulas against models that can be built."""

import pytest

from tinyformer.models import Llama, LlamaConfig
from tinyformer.models.known import KNOWN, cache_bytes, flops_per_token, parameters
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
