"""The published layout of Llama, Qwen2 and Qwen3, and Meta's own names of the same weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..nn.module import as_array
from .fields import check_fields, require
from .published import meet, tied

if TYPE_CHECKING:
    from ..models.pretrained import Pretrained as Base
else:
    Base = object

# Our names of the fields of config.json. The fields that stretch the rotations are in an object of their own.
SETTINGS = {"vocab_size": "vocab_size", "block_size": "max_position_embeddings", "n_layer": "num_hidden_layers",
            "n_head": "num_attention_heads", "n_embd": "hidden_size", "n_inner": "intermediate_size"}
STRETCH = {"rope_factor": "factor", "rope_low": "low_freq_factor", "rope_high": "high_freq_factor",
           "rope_original": "original_max_position_embeddings"}

META = {"tok_embeddings": "model.embed_tokens", "norm": "model.norm", "output": "lm_head",
        "attention_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
        "attention.wq": "self_attn.q_proj", "attention.wk": "self_attn.k_proj", "attention.wv": "self_attn.v_proj",
        "attention.wo": "self_attn.o_proj",
        "feed_forward.w1": "mlp.gate_proj", "feed_forward.w3": "mlp.up_proj", "feed_forward.w2": "mlp.down_proj"}


class LlamaLayout(Base):
    """A base of ``models.Llama``: it translates between our names and the published ones."""

    model_types = ("llama", "qwen2", "qwen3")
    heads, parts = r"score\.|classifier\.|qa_outputs\.", {"lm_head": "head that predicts the next token"}

    @classmethod
    def read_config(cls, values: dict[str, Any]) -> Any:
        """The config of a published config.json; ``fields`` lists what happens to each field."""
        kind = values["model_type"]
        check_fields("llama", values)
        layer_types = values.get("layer_types")
        if not isinstance(layer_types, (list, type(None))):
            raise ValueError(f"layer_types is {layer_types!r}, expected a list")
        for n, layer_type in enumerate(layer_types or ()):
            require({f"layer_types[{n}]": layer_type}, **{f"layer_types[{n}]": ("full_attention", "attention")})
        # the defaults of transformers
        fewer = values.get("num_key_value_heads", None if kind == "llama" else 32)
        return cls.Config(**{ours: values[theirs] for ours, theirs in SETTINGS.items()}, **_rotations(values),
                          n_kv_head=values["num_attention_heads"] if fewer is None else fewer,
                          head_dim=values.get("head_dim", 128 if kind == "qwen3" else None) or 0,
                          norm_eps=values.get("rms_norm_eps", 1e-6), tied=values.get("tie_word_embeddings", False),
                          qkv_bias=kind == "qwen2", qk_norm=kind == "qwen3")

    def published_config(self) -> dict[str, Any]:
        """The fields of config.json under the names of Llama, Qwen2 (with biases) or Qwen3 (with q and k norms)."""
        c = self.config
        kind, name = ("qwen3", "Qwen3") if c.qk_norm else ("qwen2", "Qwen2") if c.qkv_bias else ("llama", "Llama")
        stretch = {theirs: getattr(c, ours) for ours, theirs in STRETCH.items()}
        return {"architectures": [f"{name}ForCausalLM"], "model_type": kind,
                **{theirs: getattr(c, ours) for ours, theirs in SETTINGS.items()},
                "num_key_value_heads": c.n_kv_head, "head_dim": c.head_dim, "hidden_act": "silu",
                "rms_norm_eps": c.norm_eps,
                "tie_word_embeddings": c.tied, "rope_theta": c.rope_theta,
                "rope_scaling": None if c.rope_factor == 1 else {"rope_type": "llama3", **stretch},
                "bos_token_id": None, "eos_token_id": None}

    def adopt(self, state: Mapping[str, Any]) -> Mapping[str, Any]:
        """``state`` under our names.

        The published names may begin with "model." or not; Meta's names are translated. Tables of frequencies and the
        second name of a tied output are left out.
        """
        if "tok_embeddings.weight" in state:
            state = {_from_meta(name): self._halves(name, array) for name, array in state.items()
                     if name != "rope.freqs"}
        state = meet(state, self.state_dict(), "model.", "transformer.")
        if self.config.tied:
            state = tied(state, "lm_head.weight", "model.embed_tokens.weight")
        return {name: array for name, array in state.items() if not name.endswith("rotary_emb.inv_freq")}

    def _halves(self, name, array):
        """``array`` with the rows of W_Q and W_K reordered.

        Meta rotates the features 2i and 2i + 1, this layout i and i + D/2.
        """
        if not name.endswith(("attention.wq.weight", "attention.wk.weight")):
            return array
        pairs = as_array(array).reshape(-1, self.config.head_dim // 2, 2, array.shape[1])              # (H, D/2, 2, C)
        return pairs.swapaxes(1, 2).reshape(array.shape)


def _rotations(values):
    """Our settings of the rotations.

    As in transformers, ``rope_scaling`` replaces ``rope_parameters`` where both are given.
    """
    for name in ("rope_parameters", "rope_scaling"):
        if not isinstance(values.get(name), (dict, type(None))):
            raise ValueError(f"{name} is {values[name]!r}, expected an object")
    rope = {"rope_theta": values.get("rope_theta", 10000.0), **(values.get("rope_scaling")
                                                                or values.get("rope_parameters") or {})}
    kind = rope.get("rope_type", rope.get("type", "default"))
    require({"rope_type": kind}, rope_type=("default", "llama3"))
    require(rope, partial_rotary_factor=(None, 1))
    scaled = kind == "llama3"
    known = {"rope_theta", "rope_type", "type", "partial_rotary_factor", *(STRETCH.values() if scaled else ())}
    if unknown := sorted(name for name in rope if name not in known and rope[name] is not None):
        raise ValueError(f"the rotations of rope_type {kind!r} have no {', '.join(unknown)}; "
                         f"expected {', '.join(sorted(known))}")
    if scaled:
        rope.setdefault("original_max_position_embeddings", values["max_position_embeddings"])
    return {"rope_theta": rope["rope_theta"], **({ours: rope[theirs] for ours, theirs in STRETCH.items()} if scaled
                                                 else {})}


def _from_meta(name):
    found = re.fullmatch(r"(layers\.\d+\.)?(.+)\.weight", name)
    if not found or found[2] not in META:
        return name
    return ("model." + found[1] if found[1] else "") + META[found[2]] + ".weight"
