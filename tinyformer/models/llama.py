"""Llama 3 and Qwen: the decoder-only Transformer after GPT-2, wired like the published checkpoints.

    x = token embedding
    x = x + attention(norm(x));  x = x + down(silu(gate(norm(x))) ⊙ up(norm(x)))            n_layer times
    logits = head(norm(x))

The differences to GPT-2: RMS norm replaces layer norm, rotations of queries and keys replace position embeddings,
SwiGLU replaces GELU, there are fewer heads of keys and values than of queries, and no biases. Qwen2 has biases on
queries, keys and values. Qwen3 normalizes the queries and keys of each head.

Source: Touvron et al. (2023); Grattafiori et al., "The Llama 3 herd of models" (2024); the technical reports of Qwen2.5
and Qwen3 (2024, 2025). Names are those of the checkpoints.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import nn, ops
from ..interop.llama import LlamaLayout
from ..nn import init
from ..nn.attention import attend
from .config_checks import check_above_zero, check_flags, check_heads, check_integers
from .decoder import Decoder, positions
from .registry import register

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..autograd import Tensor
    from ..generate import KVCache, RowCache
    from ..typing import Array, TensorLike

__all__ = ["Llama", "LlamaConfig"]


@dataclass(frozen=True)
class LlamaConfig:
    """Sizes: V = vocab_size, T ≤ block_size, L = n_layer, H = n_head, G = n_kv_head, C = n_embd.

    The defaults are Llama 3 8B's.

    n_inner     width inside the MLP
    head_dim    D, an even number; 0 is C/H
    rope_…      base θ of the rotations, and how their frequencies are stretched; see ``ops.rotary_frequencies``
    norm_eps    ε of the norms
    tied        the output layer uses the embedding's weight
    qkv_bias    Qwen2's biases
    qk_norm     Qwen3's norms
    """

    vocab_size: int
    block_size: int = 8192
    n_layer: int = 32
    n_head: int = 32
    n_kv_head: int = 8              # G, the number of heads of keys and values; divides n_head
    n_embd: int = 4096
    n_inner: int = 14336
    head_dim: int = 0
    rope_theta: float = 500000.0    # base of the rotary frequencies
    rope_factor: float = 1.0        # how far long rotary wavelengths are stretched; 1: not at all
    rope_low: float = 1.0           # turns in the original context, below which a frequency is stretched
    rope_high: float = 4.0          # turns in the original context, above which a frequency stays
    rope_original: int = 8192       # the context length before stretching
    norm_eps: float = 1e-5          # ε of the norms
    tied: bool = False
    qkv_bias: bool = False          # biases in the projections of query, key and value, as in Qwen2
    qk_norm: bool = False           # norms of each head's queries and keys, as in Qwen3

    def __post_init__(self) -> None:
        check_integers(self, "vocab_size", "block_size", "n_layer", "n_head", "n_kv_head", "n_embd", "n_inner",
                       "rope_original")
        check_integers(self, "head_dim", least=0)
        if self.head_dim == 0:
            check_heads(self)
            object.__setattr__(self, "head_dim", self.n_embd // self.n_head)
        if self.head_dim % 2:
            raise ValueError(f"LlamaConfig: head_dim is {self.head_dim}, "
                             "expected an even number for the rotary embedding")
        if self.n_head % self.n_kv_head:
            raise ValueError(f"LlamaConfig: n_kv_head {self.n_kv_head} does not divide n_head {self.n_head}")
        check_above_zero(self, "rope_theta", "rope_factor", "rope_low", "rope_high", "norm_eps")
        check_flags(self, "tied", "qkv_bias", "qk_norm")
        if self.qkv_bias and self.qk_norm:
            raise ValueError("LlamaConfig: qkv_bias is Qwen2's and qk_norm Qwen3's; no published model has both")
        if self.rope_low >= self.rope_high:
            raise ValueError(f"LlamaConfig: rope_low {self.rope_low} is not below rope_high {self.rope_high}")

    @property
    def cache_width(self) -> int:
        """How many numbers a ``KVCache`` holds for each position: keys and values of all layers, 2 L G D."""
        return 2 * self.n_layer * self.n_kv_head * self.head_dim


class Attention(nn.Module):
    """H heads of queries over G heads of keys and values: H/G heads of queries share one head of keys and values."""

    def __init__(self, c: LlamaConfig) -> None:
        self.head_dim = c.head_dim
        self.q_proj = nn.Linear(c.n_embd, c.n_head * c.head_dim, bias=c.qkv_bias)
        self.k_proj = nn.Linear(c.n_embd, c.n_kv_head * c.head_dim, bias=c.qkv_bias)
        self.v_proj = nn.Linear(c.n_embd, c.n_kv_head * c.head_dim, bias=c.qkv_bias)
        self.o_proj = nn.Linear(c.n_head * c.head_dim, c.n_embd, bias=False)
        self.q_norm = nn.RMSNorm(c.head_dim, c.norm_eps) if c.qk_norm else None
        self.k_norm = nn.RMSNorm(c.head_dim, c.norm_eps) if c.qk_norm else None

    def forward(self, x: Tensor, angles: Mapping[str, Array], cache: KVCache | RowCache | None = None) -> Tensor:
        """x (B, T, C) → (B, T, C). ``angles``: see ``Llama.angles``; ``cache`` holds earlier keys and values."""
        B, T, _ = x.shape
        q, k, v = (linear(x).reshape(B, T, linear.out_features // self.head_dim, self.head_dim)
                   for linear in (self.q_proj, self.k_proj, self.v_proj))
        if self.q_norm is not None and self.k_norm is not None:
            q, k = self.q_norm(q), self.k_norm(k)
        q, k, v = q.swapaxes(1, 2), k.swapaxes(1, 2), v.swapaxes(1, 2)                      # (B, H or G, T, D)
        y = attend(self, ops.rotary(q, **angles), ops.rotary(k, **angles), v, cache)
        return self.o_proj(y.swapaxes(1, 2).reshape(B, T, self.o_proj.in_features))


class MLP(nn.Module):
    """SwiGLU: down(silu(gate(x)) ⊙ up(x)).   Source: Shazeer (2020)."""

    def __init__(self, c: LlamaConfig) -> None:
        self.gate_proj = nn.Linear(c.n_embd, c.n_inner, bias=False)
        self.up_proj = nn.Linear(c.n_embd, c.n_inner, bias=False)
        self.down_proj = nn.Linear(c.n_inner, c.n_embd, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, T, C) → (B, T, C)."""
        return self.down_proj(ops.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    """x ← x + attention(norm(x)), then x ← x + mlp(norm(x))."""

    def __init__(self, c: LlamaConfig) -> None:
        self.input_layernorm = nn.RMSNorm(c.n_embd, c.norm_eps)
        self.self_attn = Attention(c)
        self.post_attention_layernorm = nn.RMSNorm(c.n_embd, c.norm_eps)
        self.mlp = MLP(c)

    def forward(self, x: Tensor, angles: Mapping[str, Array], cache: KVCache | RowCache | None = None) -> Tensor:
        """x (B, T, C) → (B, T, C)."""
        x = x + self.self_attn(self.input_layernorm(x), angles, cache)
        return x + self.mlp(self.post_attention_layernorm(x))


class Trunk(nn.Module):
    """The network without the output layer."""

    def __init__(self, c: LlamaConfig) -> None:
        self.embed_tokens = nn.Embedding(c.vocab_size, c.n_embd)
        self.layers = nn.ModuleList(Layer(c) for _ in range(c.n_layer))
        self.norm = nn.RMSNorm(c.n_embd, c.norm_eps)

    def forward(self, ids: TensorLike, angles: Mapping[str, Array], cache: KVCache | RowCache | None = None) -> Tensor:
        """ids (B, T) → (B, T, C)."""
        return self.norm(self.read(self.embed_tokens(ids), angles, cache))

    def read(self, x: Tensor, angles: Mapping[str, Array], cache: KVCache | RowCache | None = None) -> Tensor:
        """The residual stream (B, T, C) after all layers, from token vectors x (B, T, C)."""
        for layer in self.layers:
            x = layer(x, angles, cache)
        return x


@register
class Llama(LlamaLayout, Decoder):
    """``logits = model(ids)``: ids integers (B, T), logits (B, T, V). ``model.loss(ids, targets)`` is a scalar."""

    architecture, Config = "llama", LlamaConfig
    reads_rows = True
    config: LlamaConfig

    def __init__(self, config: LlamaConfig) -> None:
        self.config = config
        self.model = Trunk(config)
        self.lm_head = None if config.tied else nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.initialize()

    def initialize(self) -> None:
        """Draw the matrices from N(0, 0.02²); biases are 0.

        The 2L matrices that write into the residual stream are drawn from N(0, 0.02²/2L).
        """
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                residual = name.endswith(("o_proj.weight", "down_proj.weight"))
                init.normal_(parameter, std=0.02 / math.sqrt(2 * self.config.n_layer) if residual else 0.02)
            elif name.endswith("bias"):
                init.zeros_(parameter)

    def forward(self, ids: TensorLike, cache: KVCache | RowCache | None = None) -> Tensor:
        """The logits (B, T, V). With ``cache``, ``ids`` are the positions after those that the cache holds."""
        ids, past = self._checked(ids, cache)
        return self.read(self.model.embed_tokens(ids), cache, past)

    def read(self, vectors: Tensor, cache: KVCache | RowCache | None = None,
             past: int | Array = 0) -> Tensor:
        """The logits (B, T, V) of token vectors (B, T, C) at the positions from ``past``, a number or (B,)."""
        return self.unembed(self.model.read(vectors, self.angles(past, vectors.shape[1]), cache))

    def unembed(self, x: Tensor) -> Tensor:
        """The logits (B, T, V) of the residual stream (B, T, C) after a layer."""
        x = self.model.norm(x)
        return ops.linear(x, self.model.embed_tokens.weight) if self.lm_head is None else self.lm_head(x)

    @property
    def embedding(self) -> nn.Embedding:
        """The table of token vectors."""
        return self.model.embed_tokens

    @property
    def blocks(self) -> list[nn.Module]:
        """The layers in their order; each reads and writes the residual stream (B, T, C)."""
        return [*self.model.layers]

    @property
    def head_projections(self) -> list[nn.Linear]:
        """The matrix of each layer that reads its H heads side by side."""
        return [layer.self_attn.o_proj for layer in self.model.layers]

    def angles(self, past: int | Array, T: int) -> dict[str, Array]:
        """{"cos", "sin"} (T, D/2) of the positions past … past + T − 1, for ``ops.rotary``; or of each row of past.

        They are rows of a table whose length is a power of two, so few tables are ever computed.
        """
        c, end = self.config, (past if isinstance(past, int) else int(past.max())) + T
        cos, sin = ops.rotary_tables(1 << (end - 1).bit_length(), c.head_dim, c.rope_theta,
                                     self.model.embed_tokens.weight.dtype,
                                     factor=c.rope_factor, low=c.rope_low, high=c.rope_high, original=c.rope_original)
        if isinstance(past, int):
            return {"cos": cos[past:end], "sin": sin[past:end]}
        places = positions(past, T)[:, None]                                  # (B, 1, T)
        return {"cos": cos[places], "sin": sin[places]}                                     # (B, 1, T, D/2)
