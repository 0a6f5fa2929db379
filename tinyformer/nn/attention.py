"""Multi-head attention: the projections, the heads and the masks around ``scaled_dot_product_attention``."""

from __future__ import annotations

import math

import numpy as np

from .. import ops
from ..autograd import Tensor
from ..kernels.reference import causal_bias
from ..ops.attention import watcher
from . import functional as F, init
from .basic import Linear
from .argument_checks import as_input, check_sizes
from .module import Module, Parameter


class MultiheadAttention(Module):
    """Each head h attends with its own projections of query, key and value; the heads' outputs are joined and projected.

        headₕ = softmax(Qₕ Kₕᵀ/√D + mask) Vₕ        y = concat(head₁, …, head_H) Wᵒᵀ + bᵒ        D = embed_dim/num_heads

    query (T, B, E), key and value (S, B, E), y (T, B, E) with E = embed_dim; with ``batch_first`` (B, T, E) and (B, S, E); one
    sequence alone is (T, E). in_proj_weight (3E, E) holds the projections of query, key and value in this order and starts
    Xavier-uniform, all biases start at 0. ``dropout`` drops attention weights in training.

    Source: Vaswani et al. (2017), §3.2.2. PyTorch's options kdim and vdim (other widths of key and value) are not taken.
    """

    def __init__(self, embed_dim, num_heads, dropout=0.0, bias=True, *, kdim=None, vdim=None, batch_first=False,
                 dtype=np.float32):
        check_sizes(self, embed_dim=embed_dim, num_heads=num_heads)
        if embed_dim % num_heads:
            raise ValueError(f"MultiheadAttention: embed_dim is {embed_dim}, expected a multiple of num_heads {num_heads}")
        if kdim not in (None, embed_dim) or vdim not in (None, embed_dim):
            raise ValueError(f"MultiheadAttention: kdim is {kdim} and vdim {vdim}; key and value must have embed_dim "
                             f"{embed_dim} features: project them before")
        if not 0 <= dropout <= 1:
            raise ValueError(f"MultiheadAttention: dropout is {dropout}, expected 0 ≤ dropout ≤ 1")
        self.embed_dim = embed_dim
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.in_proj_weight = Parameter(np.empty((3 * embed_dim, embed_dim), dtype))
        self.in_proj_bias = Parameter(np.empty(3 * embed_dim, dtype)) if bias else None
        self.out_proj = Linear(embed_dim, embed_dim, bias, dtype)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw the weights anew."""
        init.xavier_uniform_(self.in_proj_weight)
        self.out_proj.reset_parameters()
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)

    def forward(self, query, key, value, key_padding_mask=None, need_weights=True, attn_mask=None, average_attn_weights=True,
                is_causal=False):
        """(y, attention weights or None).

        attn_mask            (T, S), or (B·H, T, S): boolean, True where a query may **not** look (as in PyTorch's class, and
                             the opposite of ``scaled_dot_product_attention``), or floating-point, added to the scores
        key_padding_mask     (B, S), or (S,) for one sequence: True at keys that nobody may look at, or floating-point
        is_causal            query t sees the keys 0…t, whether or not attn_mask says so too
        need_weights         return the weights (B, T, S), or (B, H, T, S) without ``average_attn_weights``; then the whole
                             score matrix is made and kept. After dropout, as in PyTorch

        A query that may look nowhere gets zeros from its heads (PyTorch gives NaN with need_weights).
        """
        q, k, v, one = self._projected(query, key, value)                       # (B, H, T, D), (B, H, S, D) twice
        mask = self._mask(attn_mask, key_padding_mask, (*q.shape[:-1], k.shape[-2]), q.dtype, one)
        p = self.dropout if self.training else 0.0
        weights = None
        if need_weights:
            weights = F.dropout(attention_weights(q, k, mask, is_causal), p)    # (B, H, T, S)
            heads = weights @ v
        else:
            heads = F.scaled_dot_product_attention(q, k, v, mask, is_causal=is_causal, dropout_p=p)
        y = heads.transpose((0, 2, 1, 3) if self.batch_first or one else (2, 0, 1, 3))      # (B, T, H, D) or (T, B, H, D)
        y = self.out_proj(y.reshape(*y.shape[:2], self.embed_dim))
        if need_weights and average_attn_weights:
            weights = weights.mean(axis=1)
        if one:
            return y[0], weights[0] if need_weights else None
        return y, weights

    def cached(self, query, cache, memory=None, key_padding_mask=None):
        """y (B, T, E) for queries that come one after the other, without a gradient: what was read before is in ``cache``, a
        ``generate.KVCache``. ``batch_first`` alone.

        memory               None: keys and values are those of the queries so far, and each query sees none after itself.
                             Else what the queries look at, (B, S, E), projected at the first call and kept
        key_padding_mask     (B, S), boolean: True at places in the memory that nobody may look at
        """
        E = self.embed_dim

        def heads(x, part):
            rows = slice(part * E, (part + 1) * E)
            y = F.linear(x, self.in_proj_weight[rows], None if self.in_proj_bias is None else self.in_proj_bias[rows])
            return y.reshape(*y.shape[:2], self.num_heads, self.head_dim).swapaxes(1, 2)    # (B, H, T, D)

        if memory is None:
            y = attend(self, heads(query, 0), heads(query, 1), heads(query, 2), cache)
        else:
            k, v = cache.fixed(self, lambda: (heads(memory, 1).data, heads(memory, 2).data))
            y = F.scaled_dot_product_attention(heads(query, 0), k, v,
                                               None if key_padding_mask is None else ~key_padding_mask[:, None, None])
        return self.out_proj(y.swapaxes(1, 2).reshape(*query.shape[:2], E))

    def _projected(self, query, key, value):
        """The inputs, checked, projected and cut into heads (B, H, length, D); and whether they were one sequence alone."""
        alike = query is key and key is value
        inputs = [as_input(self, x, self.in_proj_weight, name)
                  for name, x in (("query", query), ("key", key), ("value", value))]
        one = inputs[0].ndim == 2
        batch = 0 if self.batch_first else 1
        query, key, value = inputs
        if (any(x.ndim not in (2, 3) or x.ndim != query.ndim or x.shape[-1] != self.embed_dim for x in inputs)
                or key.shape != value.shape or (not one and key.shape[batch] != query.shape[batch])):
            expected = "(B, T, E) and (B, S, E)" if self.batch_first else "(T, B, E) and (S, B, E)"
            raise ValueError(f"MultiheadAttention: query has shape {query.shape}, key {key.shape} and value {value.shape}: "
                             f"expected {expected}, or (T, E) and (S, E), with E = {self.embed_dim}")
        if alike:                                                               # one product instead of three
            projected = F.linear(query, self.in_proj_weight, self.in_proj_bias).split(3, axis=-1)
        else:
            weights = self.in_proj_weight.split(3)
            biases = (None, None, None) if self.in_proj_bias is None else self.in_proj_bias.split(3)
            projected = [F.linear(x, w, b) for x, w, b in zip(inputs, weights, biases)]

        def heads(x):
            x = x.reshape(*((1, *x.shape[:-1]) if one else x.shape[:-1]), self.num_heads, self.head_dim)
            return x.transpose((0, 2, 1, 3) if self.batch_first or one else (1, 2, 0, 3))

        return *map(heads, projected), one

    def _mask(self, attn_mask, key_padding_mask, shape, dtype, one):
        """Both masks as one for ``scaled_dot_product_attention``: boolean (True: may look), floating-point (added) or None."""
        B, H, T, S = shape
        masks = []
        if attn_mask is not None:
            mask = self._as_mask("attn_mask", attn_mask, dtype, (T, S), (B * H, T, S))
            masks.append(mask if mask.ndim == 2 else mask.reshape(B, H, T, S))
        if key_padding_mask is not None:
            mask = self._as_mask("key_padding_mask", key_padding_mask, dtype, (S,) if one else (B, S))
            masks.append(mask.reshape(B, 1, 1, S))
        if not masks:
            return None
        if all(mask.dtype == bool for mask in masks):
            return ~(masks[0] | masks[-1])
        masks = [np.where(mask, dtype.type(-np.inf), dtype.type(0)) if mask.dtype == bool else mask for mask in masks]
        return masks[0] if len(masks) == 1 else masks[0] + masks[1]

    def _as_mask(self, argument, mask, dtype, *shapes):
        """The mask, checked: a boolean array or a tensor of ``dtype``."""
        if not isinstance(mask, Tensor):
            mask = np.asarray(mask)
        if mask.dtype.kind not in "bf":
            raise TypeError(f"MultiheadAttention: {argument} is {mask.dtype}, expected bool (True: may not look) or {dtype}")
        if mask.shape not in shapes:
            raise ValueError(f"MultiheadAttention: {argument} has shape {mask.shape}, expected {' or '.join(map(str, shapes))}")
        return np.asarray(mask) if mask.dtype == bool else as_input(self, mask, self.in_proj_weight, argument)

    def extra_repr(self):
        return f"{self.embed_dim}, {self.num_heads}, dropout={self.dropout}, batch_first={self.batch_first}"


def attend(layer, q, k, v, cache=None, **how):
    """Causal attention of q (B, H, T, D) over k, v (B, G, T, D), and over what ``cache`` holds of ``layer``: (B, H, T, D)."""
    if cache is None:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, **how)
    T = q.shape[2]
    k, v = cache.extend(layer, k.data, v.data)                                              # (B, G, past + T, D)
    mask = np.tri(T, k.shape[2], k.shape[2] - T, dtype=bool) if T > 1 else None             # the last one sees all
    return F.scaled_dot_product_attention(q, k, v, mask, **how)


class ResidualSelfAttention(Module):
    """A single head without a scale, whose output is added to what came in.

        Q = h W_Qᵀ      K = h W_Kᵀ      V = h W_Vᵀ      y = h + softmax(Q Kᵀ) V

    h, y (…, T, C) with C = embed_dim. The matrices q_proj, k_proj and v_proj (C, C) start Xavier-uniform. PyTorch has no such
    layer; it is ``MultiheadAttention`` before its scale, its heads and its output projection.   Source: chapter 09.
    """

    def __init__(self, embed_dim, dtype=np.float32):
        check_sizes(self, embed_dim=embed_dim)
        self.embed_dim = embed_dim
        for name in ("q_proj", "k_proj", "v_proj"):
            setattr(self, name, Parameter(np.empty((embed_dim, embed_dim), dtype)))
        self.reset_parameters()

    def reset_parameters(self):
        """Draw the weights anew."""
        for weight in self.parameters():
            init.xavier_uniform_(weight)

    def forward(self, h):
        return ops.residual_self_attention(as_input(self, h, self.q_proj, "h"), self.q_proj, self.k_proj, self.v_proj)

    def extra_repr(self):
        return f"{self.embed_dim}"


def attention_weights(q, k, mask=None, is_causal=False):
    """P = softmax(q kᵀ/√D + mask): who looks at whom, which ``scaled_dot_product_attention`` does not tell.

    q (…, T, D)    k (…, S, D)    mask True where a query may look, or added    P (…, T, S)
    """
    scores = (q * (1 / math.sqrt(q.shape[-1]))) @ k.swapaxes(-1, -2)
    if is_causal:
        scores = scores + causal_bias(*scores.shape[-2:], scores.dtype)
    if mask is not None:
        scores = ops.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    weights = F.softmax(scores)
    if (see := watcher.get()) is not None:
        see(weights.data)
    return weights
