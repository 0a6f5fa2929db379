"""A masked array is refused wherever layers, models, losses, generation and files take arrays."""

from __future__ import annotations

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer import generate, models, nn, ops
from tinyformer.train import scores


def floats(*shape):
    array = np.ma.array(np.linspace(0, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape))
    array[(0,) * len(shape)] = np.ma.masked
    return array


def integers(*shape):
    return np.ma.array(np.zeros(shape, int), mask=np.ones(shape, bool))


def plain(*shape):
    return np.ones(shape, np.float32)


def gpt():
    return models.GPT(models.GPTConfig(vocab_size=3, block_size=4, n_layer=1, n_head=1, n_embd=4))


TAKES = {
    "Linear": lambda: nn.Linear(3, 2)(floats(2, 3)), "Embedding": lambda: nn.Embedding(3, 2)(integers(2, 3)),
    "LayerNorm": lambda: nn.LayerNorm(3)(floats(2, 3)), "BatchNorm1d": lambda: nn.BatchNorm1d(3)(floats(2, 3)),
    "Dropout": lambda: nn.Dropout(0.5)(floats(2, 3)), "ReLU": lambda: nn.ReLU()(floats(2, 3)),
    "LSTM": lambda: nn.LSTM(3, 2)(floats(2, 1, 3)), "LSTM's state": lambda: nn.LSTM(3, 2)(
        plain(2, 1, 3), (floats(1, 1, 2), plain(1, 1, 2))), "GRUCell": lambda: nn.GRUCell(3, 2)(floats(1, 3)),
    "query": lambda: nn.MultiheadAttention(4, 2)(floats(2, 1, 4), plain(2, 1, 4), plain(2, 1, 4)),
    "attn_mask": lambda: nn.MultiheadAttention(4, 2)(*[plain(2, 1, 4)] * 3, attn_mask=floats(2, 2)),
    "key_padding_mask": lambda: nn.MultiheadAttention(4, 2)(*[plain(2, 1, 4)] * 3, key_padding_mask=floats(1, 2) > 0),
    "functional mask": lambda: nn.functional.scaled_dot_product_attention(*[plain(2, 3)] * 3, floats(2, 2)),
    "functional norm": lambda: nn.functional.rms_norm(floats(2, 3), 3), "lengths": lambda: ops.rnn(
        plain(2, 1, 3), plain(1, 2), plain(2, 3), plain(2, 2), None, None, lengths=integers(1)),
    "logits": lambda: nn.CrossEntropyLoss()(floats(2, 3), np.array([0, 1])),
    "targets": lambda: nn.CrossEntropyLoss()(plain(2, 3), integers(2)),
    "MSELoss": lambda: nn.MSELoss()(plain(2), floats(2)),
    "Parameter": lambda: nn.Parameter(floats(2)), "state": lambda: nn.Linear(3, 2).load_state_dict(
        {"weight": floats(2, 3), "bias": plain(2)}),
    "gradient": lambda: (nn.Parameter(plain(2)) * 2).backward(floats(2)),
    "save": lambda: tfm.save({"a": floats(2)}, "never-written"), "full": lambda: tfm.full((2,), np.ma.masked),
    "ids": lambda: gpt()(integers(1, 4)), "loss": lambda: gpt().loss(np.zeros((1, 4), int), integers(1, 4)),
    "generate": lambda: generate.generate(gpt(), integers(1, 2), 1), "accuracy": lambda: scores.accuracy(
        integers(2), np.zeros(2, int)), "confusion": lambda: scores.confusion_matrix(integers(2), np.zeros(2, int), 2),
}


@pytest.mark.parametrize("take", TAKES.values(), ids=TAKES)
def test_masked_arrays_are_refused(take):
    with pytest.raises(TypeError, match=r"a masked array would lose its mask; expected .* as masked.filled\(0\)"):
        take()
