"""BERT: a Transformer encoder that sees both sides of each token.

    x = norm(word + position + token type)
    x = norm(x + attention(x));  x = norm(x + W₂ GELU(W₁ x))        n_layer times: the norms come after the sums
    pooled = tanh(W x₀ + b)                                         x₀ is the vector at [CLS]

Pre-training fills in masked words and predicts whether the second text follows the first.

Modules are named as in the published checkpoints.   Source: Devlin et al. (2019).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import nn, ops
from ..arrays import plain_array
from ..interop.fields import check_fields
from ..interop.published import meet, tied
from ..nn import init
from ..writes import write
from .config_checks import check_above_zero, check_fractions, check_heads, check_integers, checked_block
from .pretrained import Absent, Pretrained
from .registry import register

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..autograd import Tensor
    from ..typing import Array, MaybeNone, TensorLike

__all__ = ["Bert", "BertConfig"]

# Our names of the fields of a published config.json. The defaults are the same.
SETTINGS = {"vocab_size": "vocab_size", "block_size": "max_position_embeddings", "n_layer": "num_hidden_layers",
            "n_head": "num_attention_heads", "n_embd": "hidden_size", "n_inner": "intermediate_size",
            "n_types": "type_vocab_size", "dropout": "hidden_dropout_prob", "eps": "layer_norm_eps",
            "pad": "pad_token_id"}


@dataclass(frozen=True)
class BertConfig:
    """Sizes: V = vocab_size, T ≤ block_size, L = n_layer, H = n_head, C = n_embd.

    n_inner     width between the two linear layers
    n_types     number of token types: 2, for tokens of the first and of the second text
    dropout     dropout probability of features and of attention weights
    eps         ε of the norms
    pad         the id of [PAD], which fills shorter texts; None if the vocabulary has no such token
    """

    vocab_size: int
    block_size: int = 512
    n_layer: int = 12
    n_head: int = 12
    n_embd: int = 768
    n_inner: int = 3072
    n_types: int = 2
    dropout: float = 0.1
    eps: float = 1e-12
    pad: int = 0

    def __post_init__(self) -> None:
        check_integers(self, "vocab_size", "block_size", "n_layer", "n_head", "n_embd", "n_inner", "n_types")
        check_heads(self)
        check_fractions(self, "dropout")
        check_above_zero(self, "eps")
        if self.pad is not None and (type(self.pad) is not int or not 0 <= self.pad < self.vocab_size):
            raise ValueError(f"{type(self).__name__}: pad is {self.pad!r}, "
                             f"expected an id below vocab_size {self.vocab_size}")


class Embeddings(nn.Module):
    """norm(word + position + token type)."""

    def __init__(self, config: BertConfig) -> None:
        self.word_embeddings = nn.Embedding(config.vocab_size, config.n_embd, padding_idx=config.pad)
        self.position_embeddings = nn.Embedding(config.block_size, config.n_embd)
        self.token_type_embeddings = nn.Embedding(config.n_types, config.n_embd)
        self.LayerNorm = nn.LayerNorm(config.n_embd, config.eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, words: Tensor, types: TensorLike) -> Tensor:
        """words (B, T, C), types (B, T) → (B, T, C)."""
        x = words + self.position_embeddings(np.arange(words.shape[1])) + self.token_type_embeddings(types)
        return self.dropout(self.LayerNorm(x))                                              # (B, T, C)


class SelfAttention(nn.Module):
    """Each token attends to all tokens of its text, in H heads of width D = C/H."""

    def __init__(self, config: BertConfig) -> None:
        self.n_head, self.p = config.n_head, config.dropout
        self.query = nn.Linear(config.n_embd, config.n_embd)
        self.key = nn.Linear(config.n_embd, config.n_embd)
        self.value = nn.Linear(config.n_embd, config.n_embd)

    def forward(self, x: Tensor, mask: Array | None) -> Tensor:
        """x (B, T, C) → (B, T, C). ``mask`` (B, 1, 1, T): True at keys to attend to; None for all."""
        B, T, C = x.shape
        q, k, v = (project(x).reshape(B, T, self.n_head, C // self.n_head).swapaxes(1, 2)   # (B, H, T, D)
                   for project in (self.query, self.key, self.value))
        y = ops.scaled_dot_product_attention(q, k, v, mask, dropout_p=self.p if self.training else 0.0)
        return y.swapaxes(1, 2).reshape(B, T, C)


class Output(nn.Module):
    """norm(x + dropout(W y + b)): adds y to the residual stream x."""

    def __init__(self, config: BertConfig, width: int) -> None:
        self.dense = nn.Linear(width, config.n_embd)
        self.LayerNorm = nn.LayerNorm(config.n_embd, config.eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, y: Tensor, x: Tensor) -> Tensor:
        """y (B, T, width), x (B, T, C) → (B, T, C)."""
        return self.LayerNorm(x + self.dropout(self.dense(y)))


class Layer(nn.Module):
    """Attention, then two linear layers around the exact GELU.

    Each is added to its input, and the sum is normalized.
    """

    def __init__(self, config: BertConfig) -> None:
        self.attention: Any = nn.Module()
        self.attention.self = SelfAttention(config)
        self.attention.output = Output(config, config.n_embd)
        self.intermediate: Any = nn.Module()
        self.intermediate.dense = nn.Linear(config.n_embd, config.n_inner)
        self.output = Output(config, config.n_inner)

    def forward(self, x: Tensor, mask: Array | None) -> Tensor:
        """x (B, T, C) → (B, T, C)."""
        x = self.attention.output(self.attention.self(x, mask), x)
        return self.output(ops.gelu(self.intermediate.dense(x)), x)


class Pooler(nn.Module):
    """tanh(W x₀ + b): (B, T, C) → (B, C)."""

    def __init__(self, config: BertConfig) -> None:
        self.dense = nn.Linear(config.n_embd, config.n_embd)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, T, C) → (B, C)."""
        return ops.tanh(self.dense(x[:, 0]))


class PublishedBert(Pretrained):
    """The base of all models on BERT: reads and writes BERT's published layout."""

    Config, model_types, published_as = BertConfig, ("bert",), ("BertModel",)
    heads = r"cls\.|classifier\.|qa_outputs\."

    @classmethod
    def read_config(cls, values: dict[str, Any]) -> Any:
        """The config of a published config.json; ``interop.fields`` lists what happens to each field."""
        check_fields("bert", values)
        return super().read_config({ours: values[theirs] for ours, theirs in SETTINGS.items() if theirs in values})

    def published_config(self) -> dict[str, Any]:
        """The fields of config.json under BERT's published names."""
        settings = {theirs: getattr(self.config, ours) for ours, theirs in SETTINGS.items()}
        return {"architectures": [self.published_as[0]], "model_type": "bert", "hidden_act": "gelu",
                "attention_probs_dropout_prob": self.config.dropout, **settings}

    def adopt(self, state: Mapping[str, Any]) -> Mapping[str, Any]:
        """``state`` under our names.

        BERT's names may begin with "bert." or not, and older files call the norms' parameters gamma and beta. The
        second names of the tied output and the numbers of the positions are left out.
        """
        own = self.state_dict()
        for old, new in ((r"LayerNorm\.gamma$", "LayerNorm.weight"), (r"LayerNorm\.beta$", "LayerNorm.bias")):
            state = {re.sub(old, new, name): array for name, array in state.items()}
        state = meet(state, own, "bert.")
        words = "bert." * ("bert.embeddings.word_embeddings.weight" in own) + "embeddings.word_embeddings.weight"
        state = tied(tied(state, "cls.predictions.decoder.weight", words), "cls.predictions.decoder.bias",
                     "cls.predictions.bias")
        return {name: array for name, array in state.items()
                if not re.search(r"(^|\.)embeddings\.(position_ids|token_type_ids)$", name)}


@register
class Bert(PublishedBert):
    """``hidden, pooled = model(ids)``: ids integers (B, T), hidden (B, T, C), pooled (B, C).

    As in transformers, pooled is None where the weights were published without a pooler.

    mask        (B, T), True (or 1) at tokens to attend to; by default all but [PAD]
    types       (B, T), 0 in the first text, 1 in the second; by default all 0
    """

    architecture, parts = "bert", {"pooler": "pooler"}
    config: BertConfig

    def __init__(self, config: BertConfig) -> None:
        self.config = config
        self.embeddings = Embeddings(config)
        self.encoder: Any = nn.Module()
        self.encoder.layer = nn.ModuleList(Layer(config) for _ in range(config.n_layer))
        self.pooler = Pooler(config)
        initialize(self)

    def forward(self, ids: TensorLike, mask: TensorLike | None = None,
                types: TensorLike | None = None) -> tuple[Tensor, Tensor | MaybeNone]:
        """(hidden (B, T, C), pooled (B, C))."""
        ids = checked_block(self, ids, self.config.block_size)
        if mask is None:
            mask = np.ones(ids.shape, bool) if self.config.pad is None else ids != self.config.pad
        mask = plain_array(type(self).__name__, mask, bool)
        for name, array in (("mask", mask), ("types", types)):
            if array is not None and np.shape(array) != ids.shape:
                raise ValueError(f"{type(self).__name__}: "
                                 f"{name} has shape {np.shape(array)}, expected {ids.shape}, that of ids")
        return self.read(self.embeddings.word_embeddings(ids), mask, np.zeros_like(ids) if types is None else types)

    def read(self, words: Tensor, mask: Array, types: TensorLike) -> tuple[Tensor, Tensor | MaybeNone]:
        """(hidden, pooled) from the word vectors (B, T, C); mask and types (B, T)."""
        x = self.embeddings(words, types)
        keys = None if mask.all() else mask[:, None, None]                                  # (B, 1, 1, T): of the keys
        for layer in self.encoder.layer:
            x = layer(x, keys)
        return x, None if isinstance(self.pooler, Absent) else self.pooler(x)


def initialize(model: nn.Module) -> None:
    """Draw matrices and embeddings from N(0, 0.02²); [PAD]'s row and all biases are 0. Norms start as γ = 1, β = 0."""
    for _, module in model.named_modules():
        if isinstance(module, (nn.Linear, nn.Embedding)):
            init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            init.zeros_(module.bias)
        if isinstance(module, nn.Embedding) and module.padding_idx is not None:
            write(module.weight.data[module.padding_idx], 0)
