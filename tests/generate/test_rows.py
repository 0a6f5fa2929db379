"""Texts of different lengths in one cache: each gets the logits that it gets alone."""

from __future__ import annotations

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer.generate import KVCache, RowCache
from tinyformer.models import GPT, GPTConfig, Llama, LlamaConfig

MODELS = {
    "gpt": lambda: GPT(GPTConfig(vocab_size=30, block_size=200, n_layer=2, n_head=2, n_embd=16, bias=True)),
    "llama": lambda: Llama(LlamaConfig(vocab_size=30, block_size=200, n_layer=2, n_head=4, n_kv_head=2, n_embd=16,
                                       n_inner=32, qk_norm=True)),
}


@pytest.mark.parametrize("backend", ("native", "numpy"))
@pytest.mark.parametrize("name", MODELS)
def test_rows_that_come_and_go_have_the_logits_of_each_text_alone(name, backend, rng):
    before = tfm.backend.info()["live"]
    try:
        tfm.backend.use(backend)
    except RuntimeError:
        pytest.skip("the native kernels are not built")
    try:
        model = MODELS[name]().eval()
        form = model.for_decoding()
        rows, texts = RowCache(4), []                       # texts[i] is in row i; its last token is not read yet
        with tfm.no_grad():
            for step in range(120):
                if len(texts) < 4 and (not texts or rng.random() < 0.3):
                    text = rng.integers(0, 30, rng.integers(2, 90)).tolist()
                    cache = KVCache(len(text))
                    form(np.array([text[:-1]]), cache)
                    cache.advance(len(text) - 1)
                    assert rows.add(cache) == len(texts)
                    texts.append(text)
                got = form(np.array([[text[-1]] for text in texts]), rows).data[:, -1]
                rows.advance(1)
                for text, one in zip(texts, got):
                    np.testing.assert_allclose(one, model(np.array([text])).data[0, -1], rtol=2e-5, atol=2e-6)
                    text.append(int(rng.integers(0, 30)))
                for row in reversed(range(len(texts))):
                    if rng.random() < 0.05 or len(texts[row]) > 150:
                        rows.remove(row)
                        texts[row] = texts[-1]
                        texts.pop()
                assert rows.length.tolist() == [len(text) - 1 for text in texts]
    finally:
        tfm.backend.use(before)


def test_wrong_rows_are_refused():
    rows, cache = RowCache(1), KVCache(3)
    rows.add(cache)
    with pytest.raises(ValueError, match="all 1 rows are taken"):
        rows.add(cache)
    with pytest.raises(ValueError, match="2 positions of 1 rows, expected 1 of each of 1"):
        rows.reserve("layer", 1, 1, 2, 1, np.float32)
