"""GPT-2's published layout: config.json, names and matrices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..nn.module import as_array
from .fields import ALIASES, check_fields, require
from .published import meet, tied

if TYPE_CHECKING:
    from ..models.pretrained import Pretrained as Base
    from ..typing import Array
else:
    Base = object


class GPT2Layout(Base):
    """A base of ``models.GPT``: the four translations of ``models.Pretrained`` between our names and GPT-2's."""

    model_types = ("gpt2",)
    heads = r"score\.|classifier\.|qa_outputs\.|multiple_choice_head\."

    @classmethod
    def read_config(cls, values: dict[str, Any]) -> Any:
        """The config of a config.json, published or our own; ``fields`` lists what happens to each field."""
        if "model_type" not in values:                      # a file with our own names
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
                         bias=values.get("bias", True),
                         n_inner=0 if values.get("n_inner") is None else values["n_inner"],
                         eps=values.get("layer_norm_epsilon", 1e-5))

    def published_config(self) -> dict[str, Any]:
        """The fields of config.json under GPT-2's names."""
        c = self.config
        return {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "vocab_size": c.vocab_size,
                "n_positions": c.block_size, "n_layer": c.n_layer, "n_head": c.n_head, "n_embd": c.n_embd,
                "n_inner": c.n_inner or None, "bias": c.bias, "activation_function": "gelu_new",
                "layer_norm_epsilon": c.eps,
                "tie_word_embeddings": True,
                "resid_pdrop": c.dropout, "embd_pdrop": c.dropout, "attn_pdrop": c.dropout,
                "bos_token_id": None, "eos_token_id": None}

    def adopt(self, state: Mapping[str, Any]) -> Mapping[str, Any]:
        """``state`` under our names.

        GPT-2's names may begin with "transformer." or not. Its matrices (in, out) are transposed; nanoGPT's are (out,
        in) like ours, which the shape of the first layer's fused matrix shows. The masks and the second name of the
        tied output are left out.
        """
        own = self.state_dict()
        state = tied(meet(state, own, "transformer."), "lm_head.weight", "wte.weight")
        state = {name: array for name, array in state.items()
                 if not re.fullmatch(r"(transformer\.)?h\.\d+\.attn\.(masked_)?bias", name)
                 and (self.config.bias or not name.endswith(".bias") or np.any(as_array(array)))}
        fused = state.get("h.0.attn.c_attn.weight")
        if fused is not None and tuple(fused.shape) == (self.config.n_embd, 3 * self.config.n_embd):
            state = {name: array.T if name in own and _is_matrix(name) else array for name, array in state.items()}
        return state

    def published_state(self) -> dict[str, Array]:
        """{name: array} as GPT-2 has them; biases that the model lacks are zeros."""
        state = {f"transformer.{name}": array.T if _is_matrix(name) else array
                 for name, array in self.state_dict().items()}
        if not self.config.bias:
            state.update((name.removesuffix("weight") + "bias", np.zeros(array.shape[-1], array.dtype))
                         for name, array in list(state.items()) if not name.endswith(("wte.weight", "wpe.weight")))
        return state


def _is_matrix(name):
    """Whether ``name`` is a weight of a linear layer, which GPT-2 stores as (in, out)."""
    return re.fullmatch(r"(transformer\.)?h\.\d+\.(attn|mlp)\.c_\w+\.weight", name)
