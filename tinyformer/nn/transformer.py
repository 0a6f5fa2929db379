"""The Transformer of "Attention is all you need" as layers: encoder, decoder, and the two together.

Sequences are (T, B, E), with ``batch_first`` (B, T, E), one alone (T, E). Masks are those of ``MultiheadAttention``: True where
a query may not look, or floating-point and added.   Source: Vaswani et al. (2017), figure 1.
"""

from __future__ import annotations

import copy

import numpy as np

from . import functional as F, init
from .attention import MultiheadAttention
from .basic import Dropout, Linear
from .argument_checks import as_input
from .module import Module, ModuleList
from .normalization import LayerNorm

ACTIVATIONS = {"relu": F.relu, "gelu": F.gelu}


class TransformerEncoderLayer(Module):
    """Self-attention, then two linear layers on each token, each with a residual connection and a layer norm.

        post-norm (as published)    x ← norm1(x + attention(x))      x ← norm2(x + W₂ f(W₁ x))
        norm_first                  x ← x + attention(norm1(x))      x ← x + W₂ f(W₁ norm2(x))

    activation f is "relu", "gelu" or a function of tensors.
    """

    def __init__(self, d_model, nhead, dim_feedforward=2048, dropout=0.1, activation="relu", layer_norm_eps=1e-5,
                 batch_first=False, norm_first=False, bias=True, dtype=np.float32):
        self.norm_first = norm_first
        self.activation = _activation(type(self).__name__, activation)
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype)
        self.linear1 = Linear(d_model, dim_feedforward, bias, dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, dtype)
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)

    def forward(self, src, src_mask=None, src_key_padding_mask=None, is_causal=False):
        def attend(x):
            return self.dropout1(self.self_attn(x, x, x, src_key_padding_mask, need_weights=False, attn_mask=src_mask,
                                                is_causal=is_causal)[0])

        def feed_forward(x):
            return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))

        x = as_input(self, src, self.linear1.weight, "src")
        if self.norm_first:
            x = x + attend(self.norm1(x))
            return x + feed_forward(self.norm2(x))
        x = self.norm1(x + attend(x))
        return self.norm2(x + feed_forward(x))


class TransformerDecoderLayer(Module):
    """Self-attention over the target, attention from the target to the encoder's output, then two linear layers on each token.

    Residual connections and layer norms as in ``TransformerEncoderLayer``. With ``cache``, a ``generate.KVCache``, ``tgt`` holds
    the tokens that come next, and what was read before is not computed again; see ``MultiheadAttention.cached``.
    """

    def __init__(self, d_model, nhead, dim_feedforward=2048, dropout=0.1, activation="relu", layer_norm_eps=1e-5,
                 batch_first=False, norm_first=False, bias=True, dtype=np.float32):
        self.norm_first = norm_first
        self.activation = _activation(type(self).__name__, activation)
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype)
        self.multihead_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype)
        self.linear1 = Linear(d_model, dim_feedforward, bias, dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, dtype)
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.norm3 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.dropout3 = Dropout(dropout)

    def forward(self, tgt, memory, tgt_mask=None, memory_mask=None, tgt_key_padding_mask=None, memory_key_padding_mask=None,
                tgt_is_causal=False, memory_is_causal=False, cache=None):
        def attend(x):
            if cache is not None:
                return self.self_attn.cached(x, cache)
            return self.dropout1(self.self_attn(x, x, x, tgt_key_padding_mask, need_weights=False, attn_mask=tgt_mask,
                                                is_causal=tgt_is_causal)[0])

        def look_at_memory(x):
            if cache is not None:
                return self.multihead_attn.cached(x, cache, memory, memory_key_padding_mask)
            return self.dropout2(self.multihead_attn(x, memory, memory, memory_key_padding_mask, need_weights=False,
                                                     attn_mask=memory_mask, is_causal=memory_is_causal)[0])

        def feed_forward(x):
            return self.dropout3(self.linear2(self.dropout(self.activation(self.linear1(x)))))

        x = as_input(self, tgt, self.linear1.weight, "tgt")
        memory = as_input(self, memory, self.linear1.weight, "memory")
        if self.norm_first:
            x = x + attend(self.norm1(x))
            x = x + look_at_memory(self.norm2(x))
            return x + feed_forward(self.norm3(x))
        x = self.norm1(x + attend(x))
        x = self.norm2(x + look_at_memory(x))
        return self.norm3(x + feed_forward(x))


class TransformerEncoder(Module):
    """``num_layers`` copies of an encoder layer, one after the other, and ``norm`` at the end if there is one.

    The copies start with equal weights, as in PyTorch; ``Transformer`` draws them anew.
    """

    def __init__(self, encoder_layer, num_layers, norm=None):
        self.layers = ModuleList(copy.deepcopy(encoder_layer) for _ in range(num_layers))
        self.norm = norm

    def forward(self, src, mask=None, src_key_padding_mask=None, is_causal=False):
        x = src
        for layer in self.layers:
            x = layer(x, mask, src_key_padding_mask, is_causal)
        return x if self.norm is None else self.norm(x)


class TransformerDecoder(Module):
    """``num_layers`` copies of a decoder layer, one after the other, and ``norm`` at the end if there is one.

    The copies start with equal weights, as in PyTorch; ``Transformer`` draws them anew.
    """

    def __init__(self, decoder_layer, num_layers, norm=None):
        self.layers = ModuleList(copy.deepcopy(decoder_layer) for _ in range(num_layers))
        self.norm = norm

    def forward(self, tgt, memory, tgt_mask=None, memory_mask=None, tgt_key_padding_mask=None, memory_key_padding_mask=None,
                tgt_is_causal=False, memory_is_causal=False, cache=None):
        x = tgt
        for layer in self.layers:
            x = layer(x, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask, tgt_is_causal,
                      memory_is_causal, cache)
        return x if self.norm is None else self.norm(x)


class Transformer(Module):
    """Encoder and decoder, each ending in a layer norm: y = decoder(tgt, encoder(src)).

    All matrices start Xavier-uniform. Embeddings, positions and the projection to the vocabulary are the user's.
    """

    def __init__(self, d_model=512, nhead=8, num_encoder_layers=6, num_decoder_layers=6, dim_feedforward=2048, dropout=0.1,
                 activation="relu", layer_norm_eps=1e-5, batch_first=False, norm_first=False, bias=True, dtype=np.float32):
        options = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias, dtype)

        def norm():
            return LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)

        self.encoder = TransformerEncoder(TransformerEncoderLayer(*options), num_encoder_layers, norm())
        self.decoder = TransformerDecoder(TransformerDecoderLayer(*options), num_decoder_layers, norm())
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)

    def forward(self, src, tgt, src_mask=None, tgt_mask=None, memory_mask=None, src_key_padding_mask=None,
                tgt_key_padding_mask=None, memory_key_padding_mask=None, src_is_causal=False, tgt_is_causal=False,
                memory_is_causal=False):
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        return self.decoder(tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask, tgt_is_causal,
                            memory_is_causal)

    @staticmethod
    def generate_square_subsequent_mask(sz, dtype=np.float32):
        """The causal mask (sz, sz) to add to scores: 0 where key ≤ query, −inf where the key lies in the future."""
        return np.triu(np.full((sz, sz), -np.inf, dtype), 1)


def _activation(layer, activation):
    if callable(activation):
        return activation
    if activation not in ACTIVATIONS:
        raise ValueError(f"{layer}: activation is {activation!r}, expected {' or '.join(map(repr, ACTIVATIONS))} or a function")
    return ACTIVATIONS[activation]
