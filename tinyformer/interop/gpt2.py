"""GPT-2's published layout: its config.json, its names, its matrices."""

from __future__ import annotations

import re

import numpy as np

from ..nn.module import as_array
from .fields import ALIASES, check_fields, require
from .published import meet, tied


class GPT2Layout:
    """For ``models.GPT``: the four translations that ``models.pretrained`` asks for."""

    model_types = ("gpt2",)
    heads = r"score\.|classifier\.|qa_outputs\.|multiple_choice_head\."

    @classmethod
    def read_config(cls, values):
        if "model_type" not in values:                      # written before save_pretrained took up that layout
            return super().read_config(values)
        for alias, name in ALIASES.items():
            if alias in values:
                require(values, **{alias: (values.setdefault(name, values[alias]),)})
                del values[alias]
        check_fields("gpt2", values)
        if values.get("n_inner") == 0:
            raise ValueError("n_inner is 0, expected an integer of at least 1, or null for 4 · n_embd")
        sizes = {name: values[name] for name in ("vocab_size", "n_layer", "n_head", "n_embd")}
        return cls.Config(**sizes, block_size=values["n_positions"], dropout=values.get("resid_pdrop", 0.1),
                         bias=values.get("bias", True), n_inner=0 if values.get("n_inner") is None else values["n_inner"],
                         eps=values.get("layer_norm_epsilon", 1e-5))

    def published_config(self):
        c = self.config
        return {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "vocab_size": c.vocab_size,
                "n_positions": c.block_size, "n_layer": c.n_layer, "n_head": c.n_head, "n_embd": c.n_embd,
                "n_inner": c.n_inner or None, "bias": c.bias, "activation_function": "gelu_new", "layer_norm_epsilon": c.eps,
                "tie_word_embeddings": True,
                "resid_pdrop": c.dropout, "embd_pdrop": c.dropout, "attn_pdrop": c.dropout,
                "bos_token_id": None, "eos_token_id": None}

    def adopt(self, state):
        """GPT-2's names with or without "transformer.", its matrices (in, out) turned over, its masks and the second name of the
        tied output left out. nanoGPT's matrices are (out, in) as ours: the fused one of the first layer tells them apart."""
        own = self.state_dict()
        state = {name: array for name, array in tied(meet(state, own, "transformer."), "lm_head.weight", "wte.weight").items()
                 if not re.fullmatch(r"(transformer\.)?h\.\d+\.attn\.(masked_)?bias", name)
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
