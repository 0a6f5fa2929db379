"""Multi-head attention: the projections, the heads and the masks around ``scaled_dot_product_attention``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import ops
from ..arrays import plain_array
from ..autograd import Tensor
from ..number_checks import check_fraction, check_integer
from . import functional as F, init
from .argument_checks import as_input
from .linear import Linear
from .module import Module, Parameter

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from ..typing import TensorLike


class MultiheadAttention(Module):
    """Each head attends with its own projections of query, key and value; the joined outputs are projected again.

        headₕ = softmax(Qₕ Kₕᵀ/√D + mask) Vₕ        y = concat(head₁, …, head_H) Wᵒᵀ + bᵒ        D = embed_dim/num_heads

    query (T, B, E), key (S, B, kdim), value (S, B, vdim), y (T, B, E) with E = embed_dim, the default of kdim and vdim.
    With ``batch_first`` the batch is the first axis: (B, T, E), …; a single sequence is (T, E).

    in_proj_weight (3E, E) holds the projections of query, key and value in this order. With another kdim or vdim there
    are instead q_proj_weight (E, E), k_proj_weight (E, kdim) and v_proj_weight (E, vdim). All start Xavier-uniform, all
    biases at 0. ``dropout`` drops attention weights in training.

    Raises TypeError or ValueError unless the sizes are integers of at least 1, embed_dim is a multiple of num_heads and
    0 ≤ dropout ≤ 1.   Source: Vaswani et al. (2017), §3.2.2; book (9.5).
    """

    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True, *,
                 kdim: int | None = None, vdim: int | None = None, batch_first: bool = False,
                 dtype: DTypeLike = np.float32) -> None:
        self.embed_dim = E = check_integer(self, "embed_dim", embed_dim, at_least=1)
        self.num_heads = check_integer(self, "num_heads", num_heads, at_least=1)
        if E % self.num_heads:
            raise ValueError(f"MultiheadAttention: embed_dim is {E}, expected a multiple of num_heads {num_heads}")
        self.kdim = E if kdim is None else check_integer(self, "kdim", kdim, at_least=1)
        self.vdim = E if vdim is None else check_integer(self, "vdim", vdim, at_least=1)
        self.head_dim = E // self.num_heads
        self.dropout = check_fraction(self, "dropout", dropout)
        self.batch_first = batch_first
        self.in_proj_weight = self.q_proj_weight = self.k_proj_weight = self.v_proj_weight = None
        if self.kdim == self.vdim == E:
            self.in_proj_weight = Parameter(np.empty((3 * E, E), dtype))
        else:
            self.q_proj_weight = Parameter(np.empty((E, E), dtype))
            self.k_proj_weight = Parameter(np.empty((E, self.kdim), dtype))
            self.v_proj_weight = Parameter(np.empty((E, self.vdim), dtype))
        self.in_proj_bias = Parameter(np.empty(3 * E, dtype)) if bias else None
        self.out_proj = Linear(E, E, bias, dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Re-initialize the weights and biases."""
        for weight in self.input_weights():
            init.xavier_uniform_(weight)
        self.out_proj.reset_parameters()
        if self.in_proj_bias is not None and self.out_proj.bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)

    def input_weights(self) -> list[Parameter]:
        """The matrices of the projections of query, key and value: in_proj_weight alone, or three."""
        weights = (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        return [weight for weight in weights if weight is not None]

    def forward(self, query: TensorLike, key: TensorLike, value: TensorLike, key_padding_mask: TensorLike | None = None,
                need_weights: bool = True, attn_mask: TensorLike | None = None, average_attn_weights: bool = True,
                is_causal: bool = False) -> tuple[Tensor, Tensor | None]:
        """(y, attention weights or None).

        attn_mask            (T, S), or (B·H, T, S): boolean, True where a query may **not** attend (as in PyTorch's
                             class, and the opposite of ``scaled_dot_product_attention``), or floating-point, added to
                             the scores
        key_padding_mask     (B, S), or (S,) for one sequence: True for keys to ignore (padding), or floating-point
        is_causal            query t attends to the keys 0…t, whether or not attn_mask says so too
        need_weights         return the weights (B, T, S), or (B, H, T, S) without ``average_attn_weights``; this
                             computes and keeps the whole score matrix. The weights are those after dropout, as in
                             PyTorch

        A query that may attend to no key gets zeros from its heads (PyTorch gives NaN with need_weights).
        """
        q, k, v, single = self._projected(query, key, value)                    # (B, H, T, D), (B, H, S, D) twice
        mask = self._mask(attn_mask, key_padding_mask, (*q.shape[:-1], k.shape[-2]), q.dtype, single)
        p = self.dropout if self.training else 0.0
        weights = None
        if need_weights:
            heads, weights = ops.attention_with_weights(q, k, v, mask, is_causal=is_causal, dropout_p=p)
        else:
            heads = F.scaled_dot_product_attention(q, k, v, mask, is_causal=is_causal, dropout_p=p)
        y = heads.transpose((0, 2, 1, 3) if self.batch_first or single else (2, 0, 1, 3))   # (B, T, H, D), (T, B, H, D)
        y = self.out_proj(y.reshape((*y.shape[:2], self.embed_dim)))
        if weights is not None and average_attn_weights:
            weights = weights.mean(axis=1)
        if single:
            return y[0], None if weights is None else weights[0]
        return y, weights

    def cached(self, query: Tensor, cache: Any, memory: Tensor | None = None,
               key_padding_mask: Any = None) -> Tensor:
        """y (B, T, E) for queries that follow those before, without a gradient. Needs ``batch_first``.

        cache                a ``generate.KVCache``, which holds the keys and values so far
        memory               None: keys and values are those of the queries so far, and a query attends to none after
                             itself. Else what the queries attend to, (B, S, kdim), projected at the first call and kept
        key_padding_mask     (B, S), boolean: True for places in the memory to ignore (padding)
        """
        weights, bias = self.input_weights(), self.in_proj_bias

        def heads(x: Tensor, part: int) -> Tensor:
            rows = slice(part * self.embed_dim, (part + 1) * self.embed_dim)
            weight = weights[part] if len(weights) > 1 else weights[0][rows]
            y = F.linear(x, weight, None if bias is None else bias[rows])
            return y.reshape((*y.shape[:2], self.num_heads, self.head_dim)).swapaxes(1, 2)  # (B, H, T, D)

        if memory is None:
            y = attend(self, heads(query, 0), heads(query, 1), heads(query, 2), cache)
        else:
            k, v = cache.fixed(self, lambda: (heads(memory, 1).data, heads(memory, 2).data))
            y = F.scaled_dot_product_attention(heads(query, 0), k, v,
                                               None if key_padding_mask is None else ~key_padding_mask[:, None, None])
        return self.out_proj(y.swapaxes(1, 2).reshape((*query.shape[:2], self.embed_dim)))

    def _projected(self, query: TensorLike, key: TensorLike, value: TensorLike) -> tuple[Tensor, Tensor, Tensor, bool]:
        """The inputs, checked, projected, split into heads (B, H, length, D); and whether they are one sequence."""
        alike = query is key and key is value
        inputs = [as_input(self, x, self.out_proj.weight, name)
                  for name, x in (("query", query), ("key", key), ("value", value))]
        single = inputs[0].ndim == 2
        self._check_shapes(*inputs)
        if alike and self.in_proj_weight is not None:                           # one product instead of three
            projected = F.linear(inputs[0], self.in_proj_weight, self.in_proj_bias).split(3, axis=-1)
        else:
            weights = self.input_weights() if self.in_proj_weight is None else self.in_proj_weight.split(3)
            biases = [None] * 3 if self.in_proj_bias is None else self.in_proj_bias.split(3)
            projected = [F.linear(x, weight, b) for x, weight, b in zip(inputs, weights, biases)]

        def heads(x: Tensor) -> Tensor:
            x = x.reshape((*((1, *x.shape[:-1]) if single else x.shape[:-1]), self.num_heads, self.head_dim))
            return x.transpose((0, 2, 1, 3) if self.batch_first or single else (1, 2, 0, 3))

        q, k, v = map(heads, projected)
        return q, k, v, single

    def _check_shapes(self, query: Tensor, key: Tensor, value: Tensor) -> None:
        widths = self.embed_dim, self.kdim, self.vdim
        batch = 0 if self.batch_first else 1
        fits = (query.ndim in (2, 3) and all(x.ndim == query.ndim and x.shape[-1] == width
                                             for x, width in zip((query, key, value), widths))
                and key.shape[:-1] == value.shape[:-1] and (query.ndim == 2 or key.shape[batch] == query.shape[batch]))
        if not fits:
            T, S = ("B, T", "B, S") if self.batch_first else ("T, B", "S, B")
            expected = f"({T}, E) and ({S}, E), or (T, E) and (S, E), with E = {self.embed_dim}"
            if self.in_proj_weight is None:
                q, k, v = widths
                expected = f"({T}, {q}), ({S}, {k}) and ({S}, {v}), or (T, {q}), (S, {k}) and (S, {v})"
            raise ValueError(f"MultiheadAttention: query has shape {query.shape}, key {key.shape} and value "
                             f"{value.shape}: expected {expected}")

    def _mask(self, attn_mask: TensorLike | None, key_padding_mask: TensorLike | None, shape: tuple[int, ...],
              dtype: np.dtype[Any], single: bool) -> Any:
        """Both masks as one: boolean, True where a query may attend; or floating-point, for the scores; or None."""
        B, H, T, S = shape
        masks = []
        if attn_mask is not None:
            mask = self._as_mask("attn_mask", attn_mask, dtype, (T, S), (B * H, T, S))
            masks.append(mask if mask.ndim == 2 else mask.reshape(B, H, T, S))
        if key_padding_mask is not None:
            mask = self._as_mask("key_padding_mask", key_padding_mask, dtype, (S,) if single else (B, S))
            masks.append(mask.reshape(B, 1, 1, S))
        if not masks:
            return None
        if all(mask.dtype == bool for mask in masks):
            return ~(masks[0] | masks[-1])
        masks = [np.where(mask, dtype.type(-np.inf), dtype.type(0)) if mask.dtype == bool else mask for mask in masks]
        return masks[0] if len(masks) == 1 else masks[0] + masks[1]

    def _as_mask(self, argument: str, mask: Any, dtype: np.dtype[Any], *shapes: tuple[int, ...]) -> Any:
        """The mask, checked: a boolean array or a tensor of ``dtype``."""
        if not isinstance(mask, Tensor):
            mask = plain_array("MultiheadAttention", mask)
        if mask.dtype.kind not in "bf":
            raise TypeError(f"MultiheadAttention: {argument} is {mask.dtype}, expected bool (True: ignore) or {dtype}")
        if mask.shape not in shapes:
            expected = " or ".join(map(str, shapes))
            raise ValueError(f"MultiheadAttention: {argument} has shape {mask.shape}, expected {expected}")
        if mask.dtype == bool:
            return mask.data if isinstance(mask, Tensor) else mask
        return as_input(self, mask, self.out_proj.weight, argument)

    def extra_repr(self) -> str:
        """Sizes and options."""
        widths = "" if self.in_proj_weight is not None else f", kdim={self.kdim}, vdim={self.vdim}"
        return f"{self.embed_dim}, {self.num_heads}, dropout={self.dropout}, batch_first={self.batch_first}{widths}"


def attend(layer: Module, q: Tensor, k: Tensor, v: Tensor, cache: Any = None, **how: Any) -> Tensor:
    """Causal attention of q (B, H, T, D) over k, v (B, G, T, D) and what ``cache`` holds of ``layer``: (B, H, T, D)."""
    if cache is None:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, **how)
    T = q.shape[2]
    k, v = cache.extend(layer, k.data, v.data)                                              # (B, G, past + T, D)
    return F.scaled_dot_product_attention(q, k, v, cache.mask(T, k.shape[2]), **how)


class ResidualSelfAttention(Module):
    """A single head without a scale, whose output is added to its input.

        Q = h W_Qᵀ      K = h W_Kᵀ      V = h W_Vᵀ      y = h + softmax(Q Kᵀ) V

    h, y (…, T, C) with C = embed_dim, an integer of at least 1. The matrices q_proj, k_proj and v_proj (C, C) start
    Xavier-uniform. PyTorch has no such layer: it is ``MultiheadAttention`` without scale, heads and output projection.

    Source: chapter 09.
    """

    def __init__(self, embed_dim: int, dtype: DTypeLike = np.float32) -> None:
        self.embed_dim = C = check_integer(self, "embed_dim", embed_dim, at_least=1)
        self.q_proj, self.k_proj, self.v_proj = (Parameter(np.empty((C, C), dtype)) for _ in range(3))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Re-initialize the weights."""
        for weight in self.parameters():
            init.xavier_uniform_(weight)

    def forward(self, h: TensorLike) -> Tensor:
        """h + softmax(Q Kᵀ) V."""
        return ops.residual_self_attention(as_input(self, h, self.q_proj, "h"), self.q_proj, self.k_proj, self.v_proj)

    def extra_repr(self) -> str:
        """The width."""
        return f"{self.embed_dim}"
