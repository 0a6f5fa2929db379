"""Every field that a published config.json can have, and what this program does with it.

    HONORED     the model depends on the value, and the translation of each layout reads it
    FIXED       the model supports only the listed values; another value is refused, and the message names the field
    NEUTRAL     the value changes no output of the network in evaluation: it concerns training, the file itself, or the
                choice of the next token, which the command line decides

A field in none of the three tables is unknown. Like the library transformers, we ignore unknown fields, but with a
warning. The fields are those of transformers' BertConfig, GPT2Config, LlamaConfig, Qwen2Config and Qwen3Config, and
older ones that published files still hold.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

OFF, NONE = (False, None), (None,)

HONORED = {
    "bert": {"vocab_size", "max_position_embeddings", "num_hidden_layers", "num_attention_heads", "hidden_size",
             "intermediate_size", "type_vocab_size", "hidden_dropout_prob", "layer_norm_eps", "pad_token_id"},
    "gpt2": {"vocab_size", "n_positions", "n_layer", "n_head", "n_embd", "n_inner", "layer_norm_epsilon",
             "resid_pdrop", "bias"},
    "llama": {"vocab_size", "max_position_embeddings", "num_hidden_layers", "num_attention_heads",
              "num_key_value_heads", "hidden_size", "intermediate_size", "head_dim", "rms_norm_eps",
              "tie_word_embeddings", "rope_parameters", "rope_scaling", "rope_theta", "layer_types"},
}
FIXED = {
    "every": {"is_decoder": OFF, "is_encoder_decoder": OFF, "add_cross_attention": OFF, "tie_encoder_decoder": OFF,
              "cross_attention_hidden_size": NONE, "pruned_heads": (None, {}), "quantization_config": NONE,
              "auto_map": NONE,
              "per_layer_config": (None, {}), "adapters": NONE},
    "bert": {"hidden_act": ("gelu", "gelu_python"), "position_embedding_type": ("absolute",),
             "tie_word_embeddings": (True,)},
    "gpt2": {"activation_function": ("gelu_new", "gelu_pytorch_tanh", "gelu_python_tanh"),
             "scale_attn_weights": (True,), "scale_attn_by_inverse_layer_idx": (False,),
             "tie_word_embeddings": (True,)},
    "llama": {"hidden_act": ("silu", "swish"), "attention_bias": OFF, "mlp_bias": OFF, "use_sliding_window": OFF,
              "partial_rotary_factor": (None, 1), "original_max_position_embeddings": NONE, "rope_interleaved": OFF},
}
NEUTRAL = {
    "every": {
        # what the file is, and how a program holds the weights; ours computes in float32
        "transformers_version", "model_type", "architectures", "architecture", "_name_or_path", "name_or_path",
        "_commit_hash",
        "dtype", "torch_dtype", "use_bfloat16", "torchscript", "return_dict", "use_return_dict", "use_cache",
        "output_attentions", "output_hidden_states", "output_past", "chunk_size_feed_forward", "attn_implementation",
        "_attn_implementation", "_attn_implementation_autoset", "_attn_implementation_internal", "tokenizer_class",
        "tf_legacy_loss", "unsloth_version", "unsloth_fixed", "use_flash_attention_2",
        # heads and their losses; ``models.BertClassifier`` reads the number of labels
        "id2label", "label2id", "num_labels", "_num_labels", "problem_type", "finetuning_task", "task_specific_params",
        # training
        "initializer_range", "gradient_checkpointing",
        # tokens with a role; `tinyformer generate` stops at eos_token_id
        "bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "decoder_start_token_id", "prefix",
        # the choice of the next token, in files of older versions
        "max_length", "min_length", "do_sample", "early_stopping", "num_beams", "num_beam_groups", "diversity_penalty",
        "temperature", "top_k", "top_p", "typical_p", "repetition_penalty", "length_penalty", "no_repeat_ngram_size",
        "encoder_no_repeat_ngram_size", "bad_words_ids", "num_return_sequences", "output_scores",
        "return_dict_in_generate",
        "forced_bos_token_id", "forced_eos_token_id", "remove_invalid_values", "exponential_decay_length_penalty",
        "suppress_tokens", "begin_suppress_tokens"},
    "bert": {"attention_probs_dropout_prob", "classifier_dropout", "directionality", "pooler_fc_size",
             "pooler_num_attention_heads", "pooler_num_fc_layers", "pooler_size_per_head", "pooler_type"},
    "gpt2": {"embd_pdrop", "attn_pdrop", "n_ctx", "reorder_and_upcast_attn", "summary_type", "summary_use_proj",
             "summary_activation", "summary_proj_to_labels", "summary_first_dropout"},
    # max_window_layers and sliding_window count only with use_sliding_window
    "llama": {"attention_dropout", "pretraining_tp", "sliding_window", "max_window_layers"},
}
FAMILIES = {"bert": "Bert", "gpt2": "GPT2", "llama": "Llama", "qwen2": "Qwen2", "qwen3": "Qwen3"}
ALIASES = {"hidden_size": "n_embd", "max_position_embeddings": "n_positions", "num_attention_heads": "n_head",
           "num_hidden_layers": "n_layer"}                  # other names that transformers takes for GPT-2's sizes


def check_fields(layout: str, values: Mapping[str, Any]) -> None:
    """Raise a ValueError if a field of a config.json has a value that models of ``layout`` do not support.

    A warning names the unknown fields.

    layout      "bert", "gpt2", or "llama", which Qwen2 and Qwen3 share
    """
    require(values, **FIXED["every"], **FIXED[layout])
    named, family = values.get("architectures"), FAMILIES[values.get("model_type", layout)]
    if named and not (isinstance(named, list) and all(isinstance(name, str) and name.startswith(family)
                                                      for name in named)):
        raise ValueError(f"architectures is {named!r}, which does not fit model_type {values.get('model_type')!r}: "
                         f"expected a list of names that begin with {family}")
    unknown = [name for name in values if not is_known(layout, name)]
    if unknown:
        warnings.warn("config.json has fields that this program does not know and ignores: "
                      f"{', '.join(sorted(unknown))}",
                      stacklevel=2)


def is_known(layout: str, name: str) -> bool:
    """Whether the tables of ``layout`` have the field ``name`` of config.json."""
    return any(name in table[layout] or name in table.get("every", ()) for table in (HONORED, FIXED, NEUTRAL))


def require(values: Mapping[str, Any], **expected: tuple[Any, ...]) -> None:
    """Raise a ValueError unless each field of ``values`` is absent or has one of its expected values."""
    for name, allowed in expected.items():
        if name in values and values[name] not in allowed:
            raise ValueError(f"{name} is {values[name]!r}, which this model does not have; "
                             f"expected {' or '.join(map(repr, allowed))}")
