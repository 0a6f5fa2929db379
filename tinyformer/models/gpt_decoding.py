"""The form of a GPT that generates: one kernel for each layer and new token.

A generation reads one new position at a time. A ``Block`` takes 18 short operations for it, and two thirds of a small
model's time is Python's. ``kernels.block_step`` computes the whole layer in one call. ``for_decoding`` chooses between
the two once, when a generation begins.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from .. import kernels, nn
from ..autograd import Tensor, is_recording
from .gpt import MLP, Block, CausalSelfAttention

if TYPE_CHECKING:
    from ..generate import KVCache, RowCache
    from .gpt import GPT

# The parts of a block whose arithmetic the kernel repeats, and what each class computes before anyone replaces it.
PARTS = {"": Block, "ln_1": nn.LayerNorm, "attn": CausalSelfAttention, "attn.c_attn": nn.Linear,
         "attn.c_proj": nn.Linear,
         "attn.resid_dropout": nn.Dropout, "ln_2": nn.LayerNorm, "mlp": MLP, "mlp.c_fc": nn.Linear, "mlp.gelu": nn.GELU,
         "mlp.c_proj": nn.Linear, "mlp.dropout": nn.Dropout}
FORWARD = {part: part.forward for part in PARTS.values()}
CALL = vars(nn.Module)["__call__"]


class FusedBlock(Block):
    """The layer ``block``, on the same parameters, with one kernel for a single new position.

    Several positions, a call without a cache and a recorded graph go through ``Block.forward``.
    """

    def __init__(self, block: Block) -> None:
        vars(self).update(vars(block))
        attn, mlp = block.attn, block.mlp
        layers = block.ln_1, attn.c_attn, attn.c_proj, block.ln_2, mlp.c_fc, mlp.c_proj
        self._weights = tuple(None if p is None else p.data for layer in layers for p in (layer.weight, layer.bias))

    def forward(self, x: Tensor, cache: KVCache | RowCache | None = None) -> Tensor:
        """x (B, T, C) → (B, T, C)."""
        if cache is None or x.shape[1] != 1 or is_recording():
            return super().forward(x, cache)
        B, _, C = x.shape
        H = self.attn.n_head
        keys, values, past = cache.reserve(self.attn, B, H, 1, C // H, x.dtype)
        return Tensor(kernels.block_step(x.data[:, 0], keys, values, past, self._weights, self.ln_1.eps)[:, None])


def for_decoding(model: GPT) -> GPT:
    """A copy of ``model`` on the same parameters, in which a ``FusedBlock`` stands for each layer that ``is_plain``.

    The copy is for one generation: it does not follow a later change of ``model``'s layers or of its mode.
    """
    fused = copy.copy(model)
    fused.h = nn.ModuleList(FusedBlock(block) if is_plain(block) else block for block in model.h)
    return fused


def is_plain(block: Any) -> bool:
    """Whether ``block`` computes exactly what the kernel does.

    Its parts are those that ``Block`` makes, of the same classes, each with the forward pass of its class. None is in
    training, and no other part was added. A subclass, a replaced part or an observed forward pass is not plain.
    """
    parts = dict(block.named_modules())
    return (parts.keys() == PARTS.keys() and vars(nn.Module)["__call__"] is CALL
            and all(_is_unchanged(parts[name], expected) for name, expected in PARTS.items())
            and block.mlp.gelu.approximate == "tanh" and block.ln_1.eps == block.ln_2.eps)


def _is_unchanged(part: nn.Module, expected: type[nn.Module]) -> bool:
    return type(part) is expected and not part.training and getattr(part.forward, "__func__", None) is FORWARD[expected]
