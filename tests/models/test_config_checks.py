"""What the configs of all models check, and what their methods of learning do."""

import json
import math
from dataclasses import asdict

import numpy as np
import pytest

from tinyformer.models import (HMM, BertConfig, GPTConfig, HMMConfig, LinearConfig, LinearRegression, LlamaConfig,
                               LogisticConfig, LogisticRegression, MLPConfig, NGramConfig, Seq2SeqConfig)


@pytest.mark.parametrize("config, wrong, message", (
    (GPTConfig, {"n_layer": 0}, "GPTConfig: n_layer is 0, expected an integer of at least 1"),
    (GPTConfig, {"n_layer": True}, "GPTConfig: n_layer is True, expected an integer"),
    (BertConfig, {"n_inner": 2.5}, "BertConfig: n_inner is 2.5, expected an integer"),
    (NGramConfig, {"n": "3"}, "NGramConfig: n is '3', expected an integer"),
    (Seq2SeqConfig, {"label_smoothing": 1.5},
     "Seq2SeqConfig: label_smoothing is 1.5, expected 0 ≤ label_smoothing ≤ 1"),
    (BertConfig, {"dropout": "0.1"}, "BertConfig: dropout is '0.1', expected 0 ≤ dropout ≤ 1"),
    (BertConfig, {"eps": -1e-12}, "BertConfig: eps is -1e-12, expected a finite number above 0"),
    (BertConfig, {"eps": "x"}, "BertConfig: eps is 'x', expected a finite number above 0"),
    (BertConfig, {"pad": -1}, "BertConfig: pad is -1, expected an id below vocab_size 9"),
    (MLPConfig, {"n_features": 2, "n_classes": 2, "l2": None}, "MLPConfig: l2 is None, expected a finite number"),
    (LlamaConfig, {"head_dim": False}, "LlamaConfig: head_dim is False, expected an integer of at least 0"),
    (LlamaConfig, {"head_dim": 3}, "LlamaConfig: head_dim is 3, expected an even number"),
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


def test_a_number_of_numpy_is_saved_as_one_of_pythons():
    config = GPTConfig(vocab_size=np.int64(9), dropout=np.float32(0.5))
    assert type(config.vocab_size) is int and type(config.dropout) is float
    assert GPTConfig(**json.loads(json.dumps(asdict(config)))) == config


X, Y, CLASSES = np.eye(4, 3), np.arange(4.0), np.arange(4) % 2
LEARNING = {
    "solve l2": lambda v: LinearRegression(LinearConfig(3)).solve(X, Y, l2=v),
    "descend lr": lambda v: LinearRegression(LinearConfig(3)).descend(X, Y, v, 1),
    "descend steps": lambda v: LinearRegression(LinearConfig(3)).descend(X, Y, 0.1, v),
    "descend batch_size": lambda v: LinearRegression(LinearConfig(3)).descend(X, Y, 0.1, 1, batch_size=v),
    "fit steps": lambda v: LogisticRegression(LogisticConfig(3, 2)).fit(X, CLASSES, steps=v),
    "fit tolerance": lambda v: LogisticRegression(LogisticConfig(3, 2)).fit(X, CLASSES, tolerance=v),
    "newton steps": lambda v: LogisticRegression(LogisticConfig(3, 2)).newton(X, CLASSES, steps=v),
    "newton tolerance": lambda v: LogisticRegression(LogisticConfig(3, 2)).newton(X, CLASSES, tolerance=v),
    "fit iterations": lambda v: HMM(HMMConfig(2, 3)).fit([[0, 1, 2]], iterations=v),
    "fit tolerance of states": lambda v: HMM(HMMConfig(2, 3)).fit([[0, 1, 2]], tolerance=v),
    "fit_tagged k": lambda v: HMM(HMMConfig(2, 3)).fit_tagged([[0, 1]], [[0, 1]], k=v),
}


WRONG = (True, "3", math.nan, math.inf, -1)


@pytest.mark.parametrize("name, value", [(name, value) for name in LEARNING for value in WRONG
                                         if name != "fit tolerance of states" or value not in (math.inf, -1)])
def test_numbers_of_learning_have_their_ranges(name, value):
    message = f"(LinearRegression|LogisticRegression|HMM): {name.split()[1]} is .*, expected"
    with pytest.raises((TypeError, ValueError), match=message):
        LEARNING[name](value)
