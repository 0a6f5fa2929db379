"""Published models of the Llama family, and the size and cost that follow from a config.

Sources: config.json of each checkpoint, and the number of parameters in its safetensors files.
"""

from __future__ import annotations

from typing import Any

from .llama import LlamaConfig

LLAMA_3: dict[str, Any] = dict(vocab_size=128256, n_head=32, n_kv_head=8, norm_eps=1e-5, rope_theta=500000.0)
LONGER: dict[str, Any] = dict(block_size=131072, rope_original=8192)
QWEN: dict[str, Any] = dict(rope_theta=1e6, norm_eps=1e-6)

# name: (title, config, published number of parameters)
KNOWN: dict[str, tuple[str, LlamaConfig, int]] = {
    "llama3": ("Llama 3 8B", LlamaConfig(**LLAMA_3), 8_030_261_248),
    "llama3.1": ("Llama 3.1 8B", LlamaConfig(**LLAMA_3, **LONGER, rope_factor=8.0), 8_030_261_248),
    "llama3.2-1b": ("Llama 3.2 1B", LlamaConfig(**LLAMA_3, **LONGER, n_layer=16, n_embd=2048, n_inner=8192,
                                                rope_factor=32.0, tied=True), 1_235_814_400),
    "qwen2.5": ("Qwen2.5 7B", LlamaConfig(152064, 131072, 28, 28, 4, 3584, 18944, **QWEN, qkv_bias=True),
                7_615_616_512),
    "qwen2.5-0.5b": ("Qwen2.5 0.5B", LlamaConfig(151936, 32768, 24, 14, 2, 896, 4864, **QWEN, qkv_bias=True, tied=True),
                     494_032_768),
    "qwen3": ("Qwen3 8B", LlamaConfig(151936, 40960, 36, 32, 8, 4096, 12288, 128, **QWEN, qk_norm=True), 8_190_735_360),
    "qwen3-0.6b": ("Qwen3 0.6B", LlamaConfig(151936, 40960, 28, 16, 8, 1024, 3072, 128, **QWEN, qk_norm=True,
                                             tied=True), 596_049_920),
}


def parameters(c: LlamaConfig) -> dict[str, int]:
    """{part: number of parameters} of a ``Llama`` with the config c.

        attention   L (2 C·H·D + 2 C·G·D), and the biases or norms of queries and keys
        MLP         L · 3 C·F
    """
    L, C, D, H, G = c.n_layer, c.n_embd, c.head_dim, c.n_head, c.n_kv_head
    attention = 2 * C * H * D + 2 * C * G * D + c.qkv_bias * (H + 2 * G) * D + c.qk_norm * 2 * D
    return {"embedding": c.vocab_size * C, "attention": L * attention, "MLP": L * 3 * C * c.n_inner,
            "norms": (2 * L + 1) * C,
            "output": 0 if c.tied else c.vocab_size * C}


def flops_per_token(c: LlamaConfig) -> tuple[int, int]:
    """(a, b): a forward pass over one token with t tokens before it takes a + b t floating-point operations.

    A multiplication with an addition counts as two. a is the cost of the products with weights, the output layer
    included; a lookup in the embedding costs nothing. b t is the cost of the attention scores and of the weighted sum
    of the values.
    """
    parts = parameters(c)
    return (2 * (parts["attention"] + parts["MLP"] + c.vocab_size * c.n_embd), 4 * c.n_layer * c.n_head * c.head_dim)


def cache_bytes(c: LlamaConfig, number: int = 2) -> int:
    """The bytes of one token in the KV cache: keys and values of every layer, ``number`` bytes each."""
    return c.cache_width * number
