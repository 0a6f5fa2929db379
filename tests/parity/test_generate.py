"""Ways of choosing against the logits processors of Hugging Face's transformers, and beam search against its
``generate``."""

import numpy as np
import pytest

from tinyformer import Tensor
from tinyformer.generate import beams, generate
from tinyformer.generate.choice import Choice, penalized


@pytest.fixture
def transformers(torch):
    return pytest.importorskip("transformers", reason="transformers is the oracle here and is not installed")


@pytest.mark.parametrize("how", (
    {"temperature": 0.6}, {"top_k": 7}, {"top_p": 0.4}, {"top_p": 0.9}, {"min_p": 0.05}, {"min_p": 0.5},
    {"temperature": 1.7, "top_k": 20, "top_p": 0.8, "min_p": 0.1},
), ids=str)
def test_probabilities(torch, transformers, rng, how):
    """Temperature, top_k, top_p and min_p in the order in which ``generate`` applies them there."""
    logits = rng.normal(0, 2, (40, 50))
    scores = torch.from_numpy(logits)
    for name, processor in (("temperature", transformers.TemperatureLogitsWarper),
                            ("top_k", transformers.TopKLogitsWarper),
                            ("top_p", transformers.TopPLogitsWarper), ("min_p", transformers.MinPLogitsWarper)):
        if name in how:
            scores = processor(how[name])(None, scores)
    order = np.argsort(-logits, axis=1)
    p = Choice(**how).probabilities(np.take_along_axis(logits, order, axis=1))
    theirs = np.take_along_axis(scores.softmax(-1).numpy(), order, axis=1)
    np.testing.assert_allclose(p / p.sum(axis=1, keepdims=True), theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("penalty", (0.7, 1.3, 5.0))
def test_the_penalty_of_repetition(torch, transformers, rng, penalty):
    logits, ids = rng.normal(0, 2, (6, 30)), rng.integers(0, 30, (6, 12))
    theirs = transformers.RepetitionPenaltyLogitsProcessor(penalty)(torch.from_numpy(ids), torch.from_numpy(logits))
    np.testing.assert_allclose(penalized(logits, ids, penalty), theirs.numpy(), rtol=1e-15)


class Theirs:
    """One of their models behind our protocol.

    Its cache holds the tokens themselves, so that it shows whether beams that change places take their past along.
    """

    training = False

    def __init__(self, torch, model, block_size):
        self.torch, self.model = torch, model
        self.config = type("Config", (), {"block_size": block_size, "vocab_size": model.config.vocab_size})

    def __call__(self, ids, cache=None):
        new = ids.shape[1]
        if cache is not None:
            ids = cache.extend(self, ids[:, None, :, None], ids[:, None, :, None])[0][:, 0, :, 0]
        return Tensor(self.model(self.torch.from_numpy(np.ascontiguousarray(ids))).logits[:, -new:].detach().numpy())

    def eval(self):
        pass

    def train(self, mode):
        pass


@pytest.fixture
def theirs(torch, transformers):
    torch.manual_seed(0)
    config = transformers.GPT2Config(vocab_size=17, n_positions=32, n_embd=16, n_layer=2, n_head=2,
                                     initializer_range=0.6,
                                     bos_token_id=None, eos_token_id=None)
    return Theirs(torch, transformers.GPT2LMHeadModel(config).double().eval(), 32)


@pytest.mark.parametrize("k", (2, 3, 5))
@pytest.mark.parametrize("end", (None, 4))
def test_the_same_beams(torch, theirs, rng, k, end):
    """Their score divides by another power of the length than Wu's; at the power 0 both are the plain sum."""
    for _ in range(3):
        prompt = rng.integers(5, 17, 4)
        ids = torch.from_numpy(prompt[None])
        found = theirs.model.generate(ids, attention_mask=torch.ones_like(ids), num_beams=k, do_sample=False,
                                      max_new_tokens=12, length_penalty=0.0, early_stopping=True, eos_token_id=end,
                                      pad_token_id=0)[0].numpy()
        if end in found:
            found = found[:list(found).index(end)]
        np.testing.assert_array_equal(beams(theirs, prompt, 12, k, end, length_penalty=0.0), found)


def test_the_same_text_with_a_penalty(torch, theirs, rng):
    prompt = rng.integers(5, 17, 4)
    ids = torch.from_numpy(prompt[None])
    found = theirs.model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=20,
                                  repetition_penalty=1.4, pad_token_id=0)[0].numpy()
    np.testing.assert_array_equal(generate(theirs, prompt, 20, temperature=0, repetition_penalty=1.4), found)
