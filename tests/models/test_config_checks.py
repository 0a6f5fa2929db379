"""What the configs of all models check."""

import pytest

from tinyformer.models import BertConfig, GPTConfig, LlamaConfig, LogisticConfig, MLPConfig, NGramConfig, Seq2SeqConfig


@pytest.mark.parametrize("config, wrong, message", (
    (GPTConfig, {"n_layer": 0}, "GPTConfig: n_layer is 0, expected an integer of at least 1"),
    (GPTConfig, {"n_layer": True}, "GPTConfig: n_layer is True, expected an integer"),
    (BertConfig, {"n_inner": 2.5}, "BertConfig: n_inner is 2.5, expected an integer"),
    (NGramConfig, {"n": "3"}, "NGramConfig: n is '3', expected an integer"),
    (Seq2SeqConfig, {"label_smoothing": 1.5}, "Seq2SeqConfig: label_smoothing is 1.5, expected 0 ≤ label_smoothing ≤ 1"),
    (BertConfig, {"dropout": "0.1"}, "BertConfig: dropout is '0.1', expected 0 ≤ dropout ≤ 1"),
    (BertConfig, {"eps": -1e-12}, "BertConfig: eps is -1e-12, expected a finite number above 0"),
    (BertConfig, {"eps": "x"}, "BertConfig: eps is 'x', expected a finite number above 0"),
    (BertConfig, {"pad": -1}, "BertConfig: pad is -1, expected an id below vocab_size 9"),
    (MLPConfig, {"n_features": 2, "n_classes": 2, "l2": None}, "MLPConfig: l2 is None, expected a finite number"),
    (LlamaConfig, {"rope_theta": "1e6"}, "LlamaConfig: rope_theta is '1e6', expected a finite number above 0"),
    (BertConfig, {"dropout": -0.1}, "BertConfig: dropout is -0.1, expected 0 ≤ dropout ≤ 1"),
    (GPTConfig, {"n_embd": 30, "n_head": 4}, "GPTConfig: n_embd 30 cannot be divided among n_head 4 heads"),
    (MLPConfig, {"n_features": 2, "n_classes": 2, "l1": float("nan")},
     "MLPConfig: l1 is nan, expected a finite number of at least 0"),
    (LogisticConfig, {"n_features": 2, "n_classes": 2, "l2": float("inf")},
     "LogisticConfig: l2 is inf, expected a finite number"),
    (NGramConfig, {"smoothing": "good"}, "NGramConfig: smoothing is 'good', expected one of none, add-k"),
))
def test_settings_that_will_not_do(config, wrong, message):
    sizes = {"vocab_size": 9} if "n_features" not in wrong else {}
    with pytest.raises(ValueError) as caught:
        config(**sizes, **wrong)
    assert str(caught.value).startswith(message)
