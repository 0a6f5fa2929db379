"""The Transformer of "Attention is all you need" as layers: encoder, decoder, and the two together.

Sequences are (T, B, E), with ``batch_first`` (B, T, E), a single one (T, E), where E = d_model. Masks are those of
``MultiheadAttention``: boolean, True where a query may not attend, or floating-point, added to the scores.

Source: Vaswani et al. (2017), figure 1.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from ..number_checks import check_fraction, check_integer, check_number
from . import functional as F, init
from .argument_checks import as_input
from .attention import MultiheadAttention
from .containers import ModuleList
from .dropout import Dropout
from .linear import Linear
from .module import Module
from .normalization import LayerNorm

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import DTypeLike

    from ..autograd import Tensor
    from ..typing import Array, TensorLike

    Activation = str | Callable[[Tensor], Tensor]
    Mask = TensorLike | None

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "gelu": F.gelu}


class TransformerEncoderLayer(Module):
    """Self-attention, then two linear layers on each token; both parts with a residual connection and a layer norm.

        post-norm (as published)    x ← norm1(x + attention(x))      x ← norm2(x + W₂ f(W₁ x))
        norm_first                  x ← x + attention(norm1(x))      x ← x + W₂ f(W₁ norm2(x))

    activation f is "relu", "gelu" or a function of tensors.

    Raises TypeError or ValueError unless d_model, nhead and dim_feedforward are integers of at least 1, d_model is a
    multiple of nhead, 0 ≤ dropout ≤ 1 and layer_norm_eps is a finite number of at least 0.
    """

    def __init__(self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
                 activation: Activation = "relu", layer_norm_eps: float = 1e-5, batch_first: bool = False,
                 norm_first: bool = False, bias: bool = True, dtype: DTypeLike = np.float32) -> None:
        _check_numbers(self, d_model, nhead, dim_feedforward, dropout, layer_norm_eps)
        self.norm_first = norm_first
        self.activation = _activation(self, activation)
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype)
        self.linear1 = Linear(d_model, dim_feedforward, bias, dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, dtype)
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)

    def forward(self, src: TensorLike, src_mask: Mask = None, src_key_padding_mask: Mask = None,
                is_causal: bool = False) -> Tensor:
        """The output, of src's shape. src_mask (T, T), src_key_padding_mask (B, T); is_causal adds the causal mask."""
        def attend(x: Tensor) -> Tensor:
            return self.dropout1(self.self_attn(x, x, x, src_key_padding_mask, need_weights=False, attn_mask=src_mask,
                                                is_causal=is_causal)[0])

        def feed_forward(x: Tensor) -> Tensor:
            return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))

        x = as_input(self, src, self.linear1.weight, "src")
        if self.norm_first:
            x = x + attend(self.norm1(x))
            return x + feed_forward(self.norm2(x))
        x = self.norm1(x + attend(x))
        return self.norm2(x + feed_forward(x))


class TransformerDecoderLayer(Module):
    """Self-attention over the target, attention to the encoder's output, then two linear layers on each token.

    Residual connections, layer norms, options and errors as in ``TransformerEncoderLayer``. With ``cache``, a
    ``generate.KVCache``, ``tgt`` holds the next tokens only, and those before are not computed again; see
    ``MultiheadAttention.cached``.
    """

    def __init__(self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
                 activation: Activation = "relu", layer_norm_eps: float = 1e-5, batch_first: bool = False,
                 norm_first: bool = False, bias: bool = True, dtype: DTypeLike = np.float32) -> None:
        _check_numbers(self, d_model, nhead, dim_feedforward, dropout, layer_norm_eps)
        self.norm_first = norm_first
        self.activation = _activation(self, activation)
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

    def forward(self, tgt: TensorLike, memory: TensorLike, tgt_mask: Mask = None, memory_mask: Mask = None,
                tgt_key_padding_mask: Mask = None, memory_key_padding_mask: Mask = None, tgt_is_causal: bool = False,
                memory_is_causal: bool = False, cache: Any = None) -> Tensor:
        """The output, of tgt's shape. memory is the encoder's output, (S, B, E); memory_mask (T, S)."""
        encoded = as_input(self, memory, self.linear1.weight, "memory")

        def attend(x: Tensor) -> Tensor:
            if cache is not None:
                return self.self_attn.cached(x, cache)
            return self.dropout1(self.self_attn(x, x, x, tgt_key_padding_mask, need_weights=False, attn_mask=tgt_mask,
                                                is_causal=tgt_is_causal)[0])

        def attend_to_memory(x: Tensor) -> Tensor:
            if cache is not None:
                return self.multihead_attn.cached(x, cache, encoded, memory_key_padding_mask)
            return self.dropout2(self.multihead_attn(x, encoded, encoded, memory_key_padding_mask, need_weights=False,
                                                     attn_mask=memory_mask, is_causal=memory_is_causal)[0])

        def feed_forward(x: Tensor) -> Tensor:
            return self.dropout3(self.linear2(self.dropout(self.activation(self.linear1(x)))))

        x = as_input(self, tgt, self.linear1.weight, "tgt")
        if self.norm_first:
            x = x + attend(self.norm1(x))
            x = x + attend_to_memory(self.norm2(x))
            return x + feed_forward(self.norm3(x))
        x = self.norm1(x + attend(x))
        x = self.norm2(x + attend_to_memory(x))
        return self.norm3(x + feed_forward(x))


class TransformerEncoder(Module):
    """``num_layers`` copies of an encoder layer, one after another, and optionally ``norm`` at the end.

    The copies start with equal weights, as in PyTorch; ``Transformer`` initializes each of its own. Raises TypeError or
    ValueError unless num_layers is an integer of at least 1.
    """

    def __init__(self, encoder_layer: TransformerEncoderLayer, num_layers: int, norm: Module | None = None) -> None:
        self.num_layers = check_integer(self, "num_layers", num_layers, at_least=1)
        self.layers = ModuleList(copy.deepcopy(encoder_layer) for _ in range(self.num_layers))
        self.norm = norm

    def forward(self, src: TensorLike, mask: Mask = None, src_key_padding_mask: Mask = None,
                is_causal: bool = False) -> Tensor:
        """The last layer's output, of src's shape."""
        x: Any = src
        for layer in self.layers:
            x = layer(x, mask, src_key_padding_mask, is_causal)
        return x if self.norm is None else self.norm(x)


class TransformerDecoder(Module):
    """``num_layers`` copies of a decoder layer, one after another, and optionally ``norm`` at the end.

    The copies start with equal weights, as in PyTorch; ``Transformer`` initializes each of its own. Raises TypeError or
    ValueError unless num_layers is an integer of at least 1.
    """

    def __init__(self, decoder_layer: TransformerDecoderLayer, num_layers: int, norm: Module | None = None) -> None:
        self.num_layers = check_integer(self, "num_layers", num_layers, at_least=1)
        self.layers = ModuleList(copy.deepcopy(decoder_layer) for _ in range(self.num_layers))
        self.norm = norm

    def forward(self, tgt: TensorLike, memory: TensorLike, tgt_mask: Mask = None, memory_mask: Mask = None,
                tgt_key_padding_mask: Mask = None, memory_key_padding_mask: Mask = None, tgt_is_causal: bool = False,
                memory_is_causal: bool = False, cache: Any = None) -> Tensor:
        """The last layer's output, of tgt's shape."""
        x: Any = tgt
        for layer in self.layers:
            x = layer(x, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask, tgt_is_causal,
                      memory_is_causal, cache)
        return x if self.norm is None else self.norm(x)


class Transformer(Module):
    """Encoder and decoder, each ending in a layer norm: y = decoder(tgt, encoder(src)).

    All matrices start Xavier-uniform. Embeddings, positions and the projection to the vocabulary are left to the user.
    Options and errors are those of the layers; the numbers of layers are integers of at least 1.
    """

    def __init__(self, d_model: int = 512, nhead: int = 8, num_encoder_layers: int = 6, num_decoder_layers: int = 6,
                 dim_feedforward: int = 2048, dropout: float = 0.1, activation: Activation = "relu",
                 layer_norm_eps: float = 1e-5, batch_first: bool = False, norm_first: bool = False, bias: bool = True,
                 dtype: DTypeLike = np.float32) -> None:
        _check_numbers(self, d_model, nhead, dim_feedforward, dropout, layer_norm_eps)
        encoder_layers = check_integer(self, "num_encoder_layers", num_encoder_layers, at_least=1)
        decoder_layers = check_integer(self, "num_decoder_layers", num_decoder_layers, at_least=1)
        options = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias,
                   dtype)

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)

        self.encoder = TransformerEncoder(TransformerEncoderLayer(*options), encoder_layers, norm())
        self.decoder = TransformerDecoder(TransformerDecoderLayer(*options), decoder_layers, norm())
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)

    def forward(self, src: TensorLike, tgt: TensorLike, src_mask: Mask = None, tgt_mask: Mask = None,
                memory_mask: Mask = None, src_key_padding_mask: Mask = None, tgt_key_padding_mask: Mask = None,
                memory_key_padding_mask: Mask = None, src_is_causal: bool = False, tgt_is_causal: bool = False,
                memory_is_causal: bool = False) -> Tensor:
        """The decoder's output, of tgt's shape."""
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        return self.decoder(tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask,
                            tgt_is_causal, memory_is_causal)

    @staticmethod
    def generate_square_subsequent_mask(sz: int, dtype: DTypeLike = np.float32) -> Array:
        """The causal mask (sz, sz) to add to scores: 0 where key ≤ query, −inf where the key lies in the future."""
        sz = check_integer("generate_square_subsequent_mask", "sz", sz, at_least=0)
        return np.triu(np.full((sz, sz), -np.inf, dtype), 1)


def _activation(layer: Module, activation: Activation) -> Callable[[Tensor], Tensor]:
    if callable(activation):
        return activation
    if activation not in ACTIVATIONS:
        raise ValueError(f"{type(layer).__name__}: activation is {activation!r}, "
                         f"expected {' or '.join(map(repr, ACTIVATIONS))} or a function")
    return ACTIVATIONS[activation]


def _check_numbers(layer: Module, d_model: int, nhead: int, dim_feedforward: int, dropout: float,
                   layer_norm_eps: float) -> None:
    check_integer(layer, "d_model", d_model, at_least=1)
    check_integer(layer, "nhead", nhead, at_least=1)
    if d_model % nhead:
        raise ValueError(f"{type(layer).__name__}: d_model is {d_model}, expected a multiple of nhead {nhead}")
    check_integer(layer, "dim_feedforward", dim_feedforward, at_least=1)
    check_fraction(layer, "dropout", dropout)
    check_number(layer, "layer_norm_eps", layer_norm_eps, at_least=0)
