"""GPT: a decoder-only Transformer that predicts the next token. GPT-2's architecture, as nanoGPT wires it.

    x = token embedding + position embedding
    x = x + attention(norm(x));  x = x + mlp(norm(x))          n_layer times
    logits = norm(x) · token embeddingᵀ                        the output is tied to the input

Source: Radford et al. (2019); the recipe and the scaled initialisation: nanoGPT.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .. import nn, ops
from ..interop.gpt2 import GPT2Layout
from ..nn import init
from ..nn.attention import attend
from .config_checks import check_above_zero, check_flags, check_heads, check_fractions, check_integers
from .decoder import Decoder
from .registry import register

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

    def __post_init__(self):
        check_integers(self, "vocab_size", "block_size", "n_layer", "n_head", "n_embd")
        check_integers(self, "n_inner", least=0)
        check_heads(self)
        check_fractions(self, "dropout")
        check_flags(self, "bias")
        check_above_zero(self, "eps")

    @property
    def cache_width(self):
        """Numbers that a ``KVCache`` keeps of each position: keys and values of all layers, 2 L C."""
        return 2 * self.n_layer * self.n_embd


class CausalSelfAttention(nn.Module):
    """Each position looks at itself and those before it, in H heads of width D = C/H."""

    def __init__(self, config):
        self.n_head, self.dropout = config.n_head, config.dropout
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.bias)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)
        self.resid_dropout = nn.Dropout(config.dropout)

    def forward(self, x, cache=None):
        B, T, C = x.shape
        q, k, v = (part.reshape(B, T, self.n_head, C // self.n_head).swapaxes(1, 2)         # (B, H, T, D)
                   for part in ops.split(self.c_attn(x), 3, axis=-1))
        y = attend(self, q, k, v, cache, dropout_p=self.dropout if self.training else 0.0)
        return self.resid_dropout(self.c_proj(y.swapaxes(1, 2).reshape(B, T, C)))


class MLP(nn.Module):
    """Two linear layers around GPT-2's GELU, ``n_inner`` features wide inside."""

    def __init__(self, config):
        n_inner = config.n_inner or 4 * config.n_embd
        self.c_fc = nn.Linear(config.n_embd, n_inner, bias=config.bias)
        self.gelu = nn.GELU(approximate="tanh")
        self.c_proj = nn.Linear(n_inner, config.n_embd, bias=config.bias)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x):
        return self.dropout(self.c_proj(self.gelu(self.c_fc(x))))


class Block(nn.Module):
    """Attention, then MLP, each behind a norm and added to what came in."""

    def __init__(self, config):
        self.ln_1 = nn.LayerNorm(config.n_embd, config.eps, bias=config.bias)
        self.attn = CausalSelfAttention(config)
        self.ln_2 = nn.LayerNorm(config.n_embd, config.eps, bias=config.bias)
        self.mlp = MLP(config)

    def forward(self, x, cache=None):
        x = x + self.attn(self.ln_1(x), cache)
        return x + self.mlp(self.ln_2(x))


@register
class GPT(GPT2Layout, Decoder):
    """``logits = model(ids)``: ids integers (B, T), logits (B, T, V). ``model.loss(ids, targets)`` is one number.

    Saved in GPT-2's published layout; its biases are then zeros where the config has none.
    """

    architecture, Config = "gpt", GPTConfig

    def __init__(self, config):
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.block_size, config.n_embd)
        self.drop = nn.Dropout(config.dropout)
        self.h = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.ln_f = nn.LayerNorm(config.n_embd, config.eps, bias=config.bias)
        self.initialise()

    def initialise(self):
        """Weights from N(0, 0.02²), biases 0; the 2L layers that write into the residual stream get 0.02/√(2L), so that its
        variance does not grow with depth. Norms start at 1 and 0."""
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                residual = name.endswith("c_proj.weight")
                init.normal_(parameter, std=0.02 / math.sqrt(2 * self.config.n_layer) if residual else 0.02)
            elif name.endswith("bias"):
                init.zeros_(parameter)

    def forward(self, ids, cache=None):
        ids, past = self._checked(ids, cache)
        positions = np.arange(past, past + ids.shape[1])
        x = self.drop(self.wte(ids) + self.wpe(positions))                                  # (B, T, C)
        for block in self.h:
            x = block(x, cache)
        return ops.linear(self.ln_f(x), self.wte.weight)                                    # (B, T, V)

    def for_decoding(self):
        """This model with one kernel for each layer and new token, as ``generate`` runs it; see ``gpt_decoding``."""
        from .gpt_decoding import for_decoding
        return for_decoding(self)
