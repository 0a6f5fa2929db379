"""The same GPT in PyTorch, to be compared with ours: nanoGPT's published architecture, attention by PyTorch's own
kernel.

``generate`` keeps keys and values in tensors made beforehand, as ours does, under ``inference_mode``.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    def __init__(self, C, H, bias):
        super().__init__()
        self.H = H
        self.ln_1 = nn.LayerNorm(C, bias=bias)
        self.c_attn, self.attn_proj = nn.Linear(C, 3 * C, bias=bias), nn.Linear(C, C, bias=bias)
        self.ln_2 = nn.LayerNorm(C, bias=bias)
        self.c_fc, self.mlp_proj = nn.Linear(C, 4 * C, bias=bias), nn.Linear(4 * C, C, bias=bias)

    def forward(self, x, cache=None, past=0):
        B, T, C = x.shape
        q, k, v = (part.view(B, T, self.H, C // self.H).transpose(1, 2)
                   for part in self.c_attn(self.ln_1(x)).split(C, dim=2))
        if cache is not None:
            keys, values = cache
            keys[:, :, past:past + T], values[:, :, past:past + T] = k, v
            k, v = keys[:, :, :past + T], values[:, :, :past + T]
        # with a cache: one token, or the first ones
        y = F.scaled_dot_product_attention(q, k, v, is_causal=T > 1)
        x = x + self.attn_proj(y.transpose(1, 2).reshape(B, T, C))
        return x + self.mlp_proj(F.gelu(self.c_fc(self.ln_2(x))))


class TorchGPT(nn.Module):
    def __init__(self, V, T, L, H, C, bias):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(V, C), nn.Embedding(T, C)
        self.h = nn.ModuleList(Block(C, H, bias) for _ in range(L))
        self.ln_f = nn.LayerNorm(C, bias=bias)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * L) if "_proj" in name else 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, ids, targets):
        x = self.wte(ids) + self.wpe.weight[:ids.shape[1]]
        for block in self.h:
            x = block(x)
        logits = F.linear(self.ln_f(x), self.wte.weight)
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.reshape(-1))

    @torch.inference_mode()
    def generate(self, ids, n):
        """The n most likely tokens after ids (1, T), one after the other; T + n ≤ the model's block size."""
        (_, past), C = ids.shape, self.wte.weight.shape[1]
        room = (1, self.h[0].H, past + n, C // self.h[0].H)
        caches = [(torch.empty(room), torch.empty(room)) for _ in self.h]
        new, tokens, past = ids, [], 0
        for _ in range(n):
            x = self.wte(new) + self.wpe.weight[past:past + new.shape[1]]
            for block, cache in zip(self.h, caches):
                x = block(x, cache, past)
            past += new.shape[1]
            new = F.linear(self.ln_f(x[:, -1]), self.wte.weight).argmax(dim=-1, keepdim=True)
            tokens.append(new)
        return torch.cat(tokens, dim=1)


def make_optimizer(model, lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1):
    """nanoGPT's: decay on matrices, none on vectors."""
    parameters = list(model.parameters())
    return torch.optim.AdamW([{"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
                              {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0}], lr=lr,
                              betas=betas)
