"""The neural n-gram: its formula, what it may look at, its gradients and how it writes."""

import numpy as np
import pytest

from tinyformer import nn
from tinyformer.generate import generate
from tinyformer.gradcheck import check
from tinyformer.models import NeuralNGram, NeuralNGramConfig, load_model

V, n, C, H = 11, 3, 4, 6


def model(**changes):
    config = dict(vocab_size=V, block_size=9, n_context=n, n_embd=C, n_hidden=H)
    return NeuralNGram(NeuralNGramConfig(**{**config, **changes})).to(np.float64)


@pytest.fixture
def ids(rng):
    return rng.integers(0, V, (2, 9))


def test_the_formula_one_token_at_a_time(ids):
    one = model()
    C_, Hm, d, U, b = (one.state_dict()[name] for name in ("embedding.weight", "hidden.weight", "hidden.bias",
                                                           "output.weight", "output.bias"))
    logits = one(ids).data
    for row, sequence in enumerate(ids):
        padded = [V] * (n - 1) + list(sequence)             # the vector of number V stands before the beginning
        for t in range(9):
            x = np.concatenate([C_[token] for token in padded[t:t + n]])
            np.testing.assert_allclose(logits[row, t], U @ np.tanh(Hm @ x + d) + b, rtol=0, atol=1e-12)


@pytest.mark.parametrize("place", range(9))
def test_a_token_is_seen_by_itself_and_the_n_minus_1_after_it(rng, ids, place):
    one = model()
    changed = ids.copy()
    changed[:, place] = (changed[:, place] + rng.integers(1, V, 2)) % V
    moved = np.abs(one(changed).data - one(ids).data).max(axis=(0, 2)) > 0
    assert list(np.flatnonzero(moved)) == list(range(place, min(place + n, 9)))


class Loss(nn.Module):
    """A model's loss as its forward pass, so that ``check`` finds the parameters."""

    def __init__(self, model):
        self.model = model

    def forward(self, ids, targets):
        return self.model.loss(ids, targets)


def test_gradients(rng, ids):
    one, targets = model(n_context=4), rng.integers(0, V, (2, 9))
    targets[0, 3] = -100
    report = check(Loss(one), ids, targets)
    assert report.ok, str(report)
    learned = [entry for entry in report.inputs if entry.differentiated]
    assert [entry.name for entry in learned] == [f"model.{name}" for name, _ in one.named_parameters()]
    assert 0 < max(entry.error for entry in learned) < 1e-7


def test_it_writes_the_same_with_and_without_a_cache(ids):
    one = model()
    written = [generate(one, ids[:, :2], 15, use_cache=cached, rng=1) for cached in (True, False)]
    np.testing.assert_array_equal(*written)
    assert written[0].shape == (2, 17) and (written[0] != generate(one, ids[:, :2], 15, rng=2)).any()


def test_saved_and_read_again(tmp_path, ids):
    one = NeuralNGram(NeuralNGramConfig(V, 9, n, C, H, dropout=0.5))
    one.save_pretrained(tmp_path)
    again = load_model(tmp_path)
    assert type(again) is NeuralNGram and again.config == one.config
    np.testing.assert_array_equal(again(ids).data, one.eval()(ids).data)


def test_dropout_acts_in_training_alone(ids):
    one = model(dropout=0.5)
    assert (one.train()(ids).data != one(ids).data).any()
    np.testing.assert_array_equal(one.eval()(ids).data, one(ids).data)


# ------------------------------------------------------------------------------------------------ bad input

@pytest.mark.parametrize("shape", ((9,), (1, 10), (1, 0), (1, 2, 3)))
def test_ids_of_a_wrong_shape(shape):
    with pytest.raises(ValueError, match=r"NeuralNGram: ids have shape .*, expected \(B, T\) with 1 ≤ T ≤ 9"):
        model()(np.zeros(shape, int))


def test_ids_that_are_no_tokens():
    # which is the row of the beginning, and no token
    with pytest.raises(ValueError, match=f"NeuralNGram: an id is {V}, expected 0…{V - 1}"):
        model()(np.array([[V]]))
    with pytest.raises(TypeError, match="expected integers"):
        model()(np.array([[0.5]]))


@pytest.mark.parametrize("changes, message", (
    ({"n_context": 10}, "n_context is 10, expected at most block_size = 9"),
    ({"n_hidden": 0}, "n_hidden is 0, expected an integer of at least 1"),
    ({"n_embd": 2.0}, "n_embd is 2.0"),
    ({"dropout": 1.5}, "dropout is 1.5, expected 0 ≤ dropout ≤ 1"),
))
def test_configs_out_of_range(changes, message):
    with pytest.raises(ValueError, match=f"NeuralNGramConfig: {message}"):
        model(**changes)
