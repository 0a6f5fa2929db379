"""GPT: a decoder-only Transformer that predicts the next token. GPT-2's architecture, as nanoGPT wires it.

    x = token embedding + position embedding
    x = x + attention(norm(x));  x = x + mlp(norm(x))          n_layer times
    logits = norm(x) · token embeddingᵀ                        the output is tied to the input

Source: Radford et al. (2019); the recipe and the scaled initialisation: nanoGPT.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from .. import nn, ops
from ..nn import init
from ..nn.module import as_array
from .pretrained import Pretrained


@dataclass(frozen=True)
class GPTConfig:
    """Sizes: V = vocab_size, T ≤ block_size, L = n_layer, H = n_head, C = n_embd. ``bias``: in linear layers and norms."""

    vocab_size: int
    block_size: int = 1024
    n_layer: int = 12
    n_head: int = 12
    n_embd: int = 768
    dropout: float = 0.0
    bias: bool = True

    def __post_init__(self):
        for name in ("vocab_size", "block_size", "n_layer", "n_head", "n_embd"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"GPTConfig: {name} is {value!r}, expected a whole number of at least 1")
        if self.n_embd % self.n_head:
            raise ValueError(f"GPTConfig: n_embd {self.n_embd} cannot be divided among n_head {self.n_head} heads")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"GPTConfig: dropout is {self.dropout!r}, expected 0 ≤ dropout < 1")


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
        mask = None
        if cache is not None:
            k, v = cache.extend(self, k.data, v.data)                                       # (B, H, past + T, D)
            mask = np.tri(T, k.shape[2], k.shape[2] - T, dtype=bool) if T > 1 else None     # the last one sees all
        y = ops.scaled_dot_product_attention(q, k, v, mask, is_causal=cache is None,
                                             dropout_p=self.dropout if self.training else 0.0)
        return self.resid_dropout(self.c_proj(y.swapaxes(1, 2).reshape(B, T, C)))


class MLP(nn.Module):
    """Two linear layers around GPT-2's GELU, four times as wide inside."""

    def __init__(self, config):
        self.c_fc = nn.Linear(config.n_embd, 4 * config.n_embd, bias=config.bias)
        self.gelu = nn.GELU(approximate="tanh")
        self.c_proj = nn.Linear(4 * config.n_embd, config.n_embd, bias=config.bias)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x):
        return self.dropout(self.c_proj(self.gelu(self.c_fc(x))))


class Block(nn.Module):
    """Attention, then MLP, each behind a norm and added to what came in."""

    def __init__(self, config):
        self.ln_1 = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.attn = CausalSelfAttention(config)
        self.ln_2 = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.mlp = MLP(config)

    def forward(self, x, cache=None):
        x = x + self.attn(self.ln_1(x), cache)
        return x + self.mlp(self.ln_2(x))


class GPT(Pretrained):
    """``logits = model(ids)``: ids integers (B, T), logits (B, T, V). ``model.loss(ids, targets)`` is one number.

    Saved in GPT-2's published layout; its biases are then zeros where the config has none.
    """

    architecture, Config, model_types = "gpt", GPTConfig, ("gpt2",)

    def __init__(self, config):
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.block_size, config.n_embd)
        self.drop = nn.Dropout(config.dropout)
        self.h = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.ln_f = nn.LayerNorm(config.n_embd, bias=config.bias)
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
        ids = np.asarray(ids)
        past = 0 if cache is None else cache.length
        if ids.ndim != 2 or not 1 <= ids.shape[1] <= self.config.block_size - past:
            raise ValueError(f"GPT: ids have shape {ids.shape}, expected (B, T) with 1 ≤ T ≤ {self.config.block_size - past}"
                             + (f" beside {past} cached positions" if past else ""))
        positions = np.arange(past, past + ids.shape[1])
        x = self.drop(self.wte(ids) + self.wpe(positions))                                  # (B, T, C)
        for block in self.h:
            x = block(x, cache)
        return ops.linear(self.ln_f(x), self.wte.weight)                                    # (B, T, V)

    def loss(self, ids, targets):
        """Mean cross-entropy in nats of ``targets`` (B, T), the tokens that follow ``ids`` (B, T)."""
        return ops.cross_entropy(self(ids), targets)

    def generate(self, ids, max_new_tokens, **how):
        """``ids`` and what follows them; see ``tinyformer.generate.generate`` for the ways of choosing."""
        from ..generate import generate
        return generate(self, ids, max_new_tokens, **how)

    # -- GPT-2's published layout

    @classmethod
    def read_config(cls, values):
        if "model_type" not in values:                      # written before save_pretrained took up that layout
            return GPTConfig(**values)
        from ..interop.published import require
        require(values, activation_function=("gelu_new", "gelu_pytorch_tanh"), layer_norm_epsilon=(1e-5,),
                n_inner=(None, 4 * values["n_embd"]), scale_attn_weights=(True,), scale_attn_by_inverse_layer_idx=(False,),
                add_cross_attention=(False,), tie_word_embeddings=(True,))
        sizes = {name: values[name] for name in ("vocab_size", "n_layer", "n_head", "n_embd")}
        return GPTConfig(**sizes, block_size=values["n_positions"], dropout=values.get("resid_pdrop", 0.1),
                         bias=values.get("bias", True))

    def published_config(self):
        c = self.config
        return {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "vocab_size": c.vocab_size,
                "n_positions": c.block_size, "n_layer": c.n_layer, "n_head": c.n_head, "n_embd": c.n_embd, "bias": c.bias,
                "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "tie_word_embeddings": True,
                "resid_pdrop": c.dropout, "embd_pdrop": c.dropout, "attn_pdrop": c.dropout,
                "bos_token_id": None, "eos_token_id": None}

    def adopt(self, state):
        """GPT-2's names with or without "transformer.", its matrices (in, out) turned over, its masks and the second name
        of the tied output left out. nanoGPT's matrices are (out, in) as ours: the fused one of the first layer tells them apart."""
        from ..interop.published import meet
        own = self.state_dict()
        state = {name: array for name, array in meet(state, own, "transformer.").items()
                 if not re.fullmatch(r"(transformer\.)?h\.\d+\.attn\.(masked_)?bias|lm_head\.weight", name)
                 and (self.config.bias or not name.endswith(".bias") or np.any(as_array(array)))}
        fused = state.get("h.0.attn.c_attn.weight")
        if fused is not None and tuple(fused.shape) == (self.config.n_embd, 3 * self.config.n_embd):
            state = {name: array.T if name in own and _is_matrix(name) else array for name, array in state.items()}
        return state

    def published_state(self):
        state = {f"transformer.{name}": array.T if _is_matrix(name) else array for name, array in self.state_dict().items()}
        if not self.config.bias:
            state.update((name.removesuffix("weight") + "bias", np.zeros(array.shape[-1], array.dtype))
                         for name, array in list(state.items()) if not name.endswith(("wte.weight", "wpe.weight")))
        return state


def _is_matrix(name):
    """Whether ``name`` is a linear layer's weight, which GPT-2 has as (in, out)."""
    return re.fullmatch(r"(transformer\.)?h\.\d+\.(attn|mlp)\.c_\w+\.weight", name)
