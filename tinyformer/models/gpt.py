"""GPT: a decoder-only Transformer that predicts the next token. GPT-2's architecture, as nanoGPT wires it.

    x = token embedding + position embedding
    x = x + attention(norm(x));  x = x + mlp(norm(x))          n_layer times
    logits = norm(x) · token embeddingᵀ                        the output is tied to the input

Source: Radford et al. (2019). The recipe and the scaled initialization are nanoGPT's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING


from .. import nn, ops
from ..interop.gpt2 import GPT2Layout
from ..nn import init
from ..nn.attention import attend
from .config_checks import check_above_zero, check_flags, check_fractions, check_heads, check_integers
from .decoder import Decoder, positions
from .registry import register

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..autograd import Tensor
    from ..generate import KVCache, RowCache
    from ..typing import Array

__all__ = ["GPT", "GPTConfig"]


@dataclass(frozen=True)
class GPTConfig:
    """Sizes: V = vocab_size, T ≤ block_size, L = n_layer, H = n_head, C = n_embd.

    bias        the linear layers and the norms have biases
    n_inner     width inside the MLP; 0 is 4C
    eps         ε of the norms
    """

    vocab_size: int
    block_size: int = 1024
    n_layer: int = 12
    n_head: int = 12
    n_embd: int = 768
    dropout: float = 0.0
    bias: bool = True
    n_inner: int = 0
    eps: float = 1e-5

    def __post_init__(self) -> None:
        check_integers(self, "vocab_size", "block_size", "n_layer", "n_head", "n_embd")
        check_integers(self, "n_inner", least=0)
        check_heads(self)
        check_fractions(self, "dropout")
        check_flags(self, "bias")
        check_above_zero(self, "eps")

    @property
    def cache_width(self) -> int:
        """How many numbers a ``KVCache`` holds for each position: keys and values of all layers, 2 L C."""
        return 2 * self.n_layer * self.n_embd


class CausalSelfAttention(nn.Module):
    """Each position attends to itself and to the positions before it, in H heads of width D = C/H."""

    def __init__(self, config: GPTConfig) -> None:
        self.n_head, self.dropout = config.n_head, config.dropout
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.bias)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)
        self.resid_dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, cache: KVCache | RowCache | None = None) -> Tensor:
        """x (B, T, C) → (B, T, C). ``cache`` holds the keys and values of earlier positions."""
        B, T, C = x.shape
        q, k, v = (part.reshape(B, T, self.n_head, C // self.n_head).swapaxes(1, 2)         # (B, H, T, D)
                   for part in ops.split(self.c_attn(x), sections=3, axis=-1))
        y = attend(self, q, k, v, cache, dropout_p=self.dropout if self.training else 0.0)
        return self.resid_dropout(self.c_proj(y.swapaxes(1, 2).reshape(B, T, C)))


class MLP(nn.Module):
    """Two linear layers around GPT-2's GELU, ``n_inner`` features wide inside."""

    def __init__(self, config: GPTConfig) -> None:
        n_inner = config.n_inner or 4 * config.n_embd
        self.c_fc = nn.Linear(config.n_embd, n_inner, bias=config.bias)
        self.gelu = nn.GELU(approximate="tanh")
        self.c_proj = nn.Linear(n_inner, config.n_embd, bias=config.bias)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """dropout(W₂ GELU(W₁ x))."""
        return self.dropout(self.c_proj(self.gelu(self.c_fc(x))))


class Block(nn.Module):
    """x ← x + attention(norm(x)), then x ← x + mlp(norm(x))."""

    def __init__(self, config: GPTConfig) -> None:
        self.ln_1 = nn.LayerNorm(config.n_embd, config.eps, bias=config.bias)
        self.attn = CausalSelfAttention(config)
        self.ln_2 = nn.LayerNorm(config.n_embd, config.eps, bias=config.bias)
        self.mlp = MLP(config)

    def forward(self, x: Tensor, cache: KVCache | RowCache | None = None) -> Tensor:
        """x (B, T, C) → (B, T, C)."""
        x = x + self.attn(self.ln_1(x), cache)
        return x + self.mlp(self.ln_2(x))


@register
class GPT(GPT2Layout, Decoder):
    """``logits = model(ids)``: ids integers (B, T), logits (B, T, V). ``model.loss(ids, targets)`` is a scalar.

    The files have GPT-2's published layout. Where the config has no biases, the file holds zeros.
    """

    architecture, Config = "gpt", GPTConfig
    reads_rows = True
    config: GPTConfig

    def __init__(self, config: GPTConfig) -> None:
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.block_size, config.n_embd)
        self.drop = nn.Dropout(config.dropout)
        self.h = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.ln_f = nn.LayerNorm(config.n_embd, config.eps, bias=config.bias)
        self.initialize()

    def initialize(self) -> None:
        """Draw the weights from N(0, 0.02²) and set the biases to 0. Norms start as γ = 1, β = 0.

        The 2L matrices that write into the residual stream have the standard deviation 0.02/√(2L), so that the variance
        of the stream does not grow with depth.
        """
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                residual = name.endswith("c_proj.weight")
                init.normal_(parameter, std=0.02 / math.sqrt(2 * self.config.n_layer) if residual else 0.02)
            elif name.endswith("bias"):
                init.zeros_(parameter)

    def forward(self, ids: ArrayLike, cache: KVCache | RowCache | None = None) -> Tensor:
        """The logits (B, T, V). With ``cache``, ``ids`` are the positions after those that the cache holds."""
        ids, past = self._checked(ids, cache)
        return self.read(self.wte(ids), cache, past)

    def read(self, vectors: Tensor, cache: KVCache | RowCache | None = None, past: int | Array = 0) -> Tensor:
        """The logits (B, T, V) of token vectors (B, T, C) at the positions from ``past``, a number or (B,)."""
        x = self.drop(vectors + self.wpe(positions(past, vectors.shape[1])))                # (B, T, C)
        for block in self.h:
            x = block(x, cache)
        return self.unembed(x)

    def unembed(self, x: Tensor) -> Tensor:
        """The logits (B, T, V) of the residual stream (B, T, C) after a block."""
        return ops.linear(self.ln_f(x), self.wte.weight)

    @property
    def embedding(self) -> nn.Embedding:
        """The table of token vectors."""
        return self.wte

    @property
    def blocks(self) -> list[nn.Module]:
        """The blocks in their order; each reads and writes the residual stream (B, T, C)."""
        return [*self.h]

    @property
    def head_projections(self) -> list[nn.Linear]:
        """The matrix of each block that reads its H heads side by side."""
        return [block.attn.c_proj for block in self.h]

    def for_decoding(self) -> GPT:
        """A copy on the same parameters that runs one kernel for each layer and new token; see ``gpt_decoding``."""
        from .gpt_decoding import for_decoding
        return for_decoding(self)
