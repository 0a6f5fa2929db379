"""Models as ONNX files, which ONNX Runtime and other programs run without this one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...names import module_attributes

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["export"]

if not TYPE_CHECKING:                                       # to a type checker an unknown name is an error
    __getattr__, __dir__ = module_attributes(__name__, __all__)


def export(model: Any, path: str | PathLike[str], *, cache: bool = False, encoder: bool = False) -> None:
    """Write ``model`` to the file ``path`` in the ONNX format: float32, evaluation mode, any batch size and length.

        language models             input_ids (batch, sequence) → logits (batch, sequence, V)
        classifiers of texts        input_ids (batch, sequence), 0 at padding → logits (batch, K)
        classifiers of counts       x (batch, V) → logits (batch, K)
        Bert                        input_ids, attention_mask, token_type_ids → last_hidden_state, pooler_output
        BertClassifier              input_ids, attention_mask → logits
        BertForPreTraining          as Bert → prediction_logits, seq_relationship_logits
        Seq2Seq                     input_ids, decoder_input_ids → logits
        classifiers of vectors      x (batch, n_features) → logits; pictures come as rows of their pixels
        SimCLR, LinearRegression    x (batch, n_features) → features; prediction
        VAE                         z (batch, n_latent), and y (batch,) if it is conditional → logits of the pixels
        GAN                         the same → samples (batch, n_features)

    Ids, masks and classes are int64, all else is float32. attention_mask is 1 at tokens and 0 at padding;
    token_type_ids may be left out, which means 0. A text has 1 to block_size tokens.

    ``cache`` writes the form for generating, which reads each position once. Besides the ids of the new positions,
    inputs are past_key_values.N.key and .value of each layer N, (batch, heads of keys, past_sequence, D), without
    positions at the start; besides the logits of the new positions, outputs are present.N.key and .value, the next
    past. The names are those of Hugging Face's Optimum. A GPT, a Llama or a Seq2Seq of block_size at least 4 has it.

    A Seq2Seq with ``cache`` is the decoder: decoder_input_ids, encoder_hidden_states, encoder_attention_mask and past
    keys and values → logits and present keys and values. ``encoder`` writes its encoder: input_ids →
    encoder_hidden_states, encoder_attention_mask.

    Three forward passes at different sizes are recorded. What is equal in all of them becomes a constant, what changes
    with the sizes is computed in the file, and each operation becomes the nodes of its converter in
    ``interop.onnx.table``. The file states opset 20, and holds the weights once under their names in the state dict,
    the model's architecture and the size of its vocabulary. ``onnx.checker`` has checked the file before it is written.

    Raises ImportError without the package ``onnx``, TypeError for a model of another kind, ValueError for one whose
    forward pass has an operation without a converter, or that takes more than the 2 GB of one ONNX file.
    """
    from .writing import write
    write(model, path, cache, encoder)
