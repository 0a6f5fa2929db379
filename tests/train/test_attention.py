"""tinyformer.train.attention: which models have attention. tests/cli/test_attention.py looks at the weights."""

import pytest

from tinyformer.models import (
    GPT,
    MLP,
    Bert,
    BertConfig,
    GPTConfig,
    Llama,
    LlamaConfig,
    MLPConfig,
    Seq2Seq,
    Seq2SeqConfig,
)
from tinyformer.models.encoder import EncoderClassifier, EncoderConfig
from tinyformer.models.lstm import AttentionLSTM, AttentionLSTMConfig
from tinyformer.text import CharTokenizer, WordPieceTokenizer
from tinyformer.text.pairs import PairTokenizer
from tinyformer.train.attention import attention_on, attention_size
from tinyformer.train.saved_run import SavedRun

CHARS, PAIRS = CharTokenizer.train("abc"), PairTokenizer(list("abc"))
PIECES = WordPieceTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c", "##b", "##c"])
SMALL = dict(block_size=8, n_head=2, n_layer=3, n_embd=8)
MODELS = {
    "gpt": (GPT(GPTConfig(3, **SMALL)), CHARS, (3, 2)),
    "llama": (Llama(LlamaConfig(3, n_kv_head=1, **SMALL)), CHARS, (3, 2)),
    "bert": (Bert(BertConfig(10, n_inner=8, **SMALL)), PIECES, (3, 2)),
    "encoder": (EncoderClassifier(EncoderConfig(3, 2, n_inner=8, **SMALL)), CHARS, (3, 2)),
    "seq2seq": (Seq2Seq(Seq2SeqConfig(PAIRS.vocab_size, **SMALL)), PAIRS, (3, 2)),
    "attention-lstm": (AttentionLSTM(AttentionLSTMConfig(3, 2, 8, 8)), CHARS, None),
    "mlp": (MLP(MLPConfig(4, 2)), None, None),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_sizes_are_those_of_the_weights(name, tmp_path):
    model, tokenizer, size = MODELS[name]
    run = SavedRun(tmp_path, model, tokenizer)
    assert attention_size(run) == size
    if size is None:
        with pytest.raises(ValueError, match="has no attention between tokens"):
            attention_on(run, "abc")
    else:
        tokens, keys, weights = attention_on(run, "abc")
        assert weights.shape == (*size, len(tokens), len(keys))
