"""The recurrent language model: composed of single steps, its gradients, its state in place of a cache."""

import numpy as np
import pytest

from tinyformer import nn
from tinyformer.generate import KVCache, generate
from tinyformer.gradcheck import check
from tinyformer.models import Recurrent, RecurrentConfig, load_model

V, C, H = 11, 4, 5
CELLS = {"rnn": nn.RNNCell, "gru": nn.GRUCell, "lstm": nn.LSTMCell}
kinds = pytest.mark.parametrize("kind", CELLS)


def model(kind="lstm", **changes):
    config = dict(vocab_size=V, block_size=8, kind=kind, n_layer=1, n_embd=C, n_hidden=H)
    return Recurrent(RecurrentConfig(**{**config, **changes})).to(np.float64)


@pytest.fixture
def ids(rng):
    return rng.integers(0, V, (3, 8))


@kinds
def test_it_is_a_cell_step_by_step(ids, kind):
    one = model(kind)
    state = one.state_dict()
    cell = CELLS[kind](C, H, dtype=np.float64)
    cell.load_state_dict({name: state[f"rnn.{name}_l0"] for name in cell.state_dict()})
    logits, hidden = one(ids).data, None
    for t in range(8):
        hidden = cell(state["embedding.weight"][ids[:, t]], hidden)
        h = (hidden[0] if kind == "lstm" else hidden).data
        np.testing.assert_allclose(logits[:, t], h @ state["output.weight"].T + state["output.bias"], rtol=0,
                                   atol=1e-12)


class Loss(nn.Module):
    """A model's loss as its forward pass, so that ``check`` finds the parameters."""

    def __init__(self, model):
        self.model = model

    def forward(self, ids, targets):
        return self.model.loss(ids, targets)


@kinds
def test_gradients(rng, ids, kind):
    one, targets = model(kind, n_layer=2), rng.integers(0, V, (3, 8))
    targets[0, 3:] = -100
    report = check(Loss(one), ids, targets)
    assert report.ok, str(report)
    learned = [entry for entry in report.inputs if entry.differentiated]
    assert [entry.name for entry in learned] == [f"model.{name}" for name, _ in one.named_parameters()]
    assert 0 < max(entry.error for entry in learned) < 1e-7


@kinds
@pytest.mark.parametrize("place", (0, 3, 7))
def test_a_token_changes_all_that_follows_and_nothing_before(rng, ids, kind, place):
    one = model(kind)
    changed = ids.copy()
    changed[:, place] = (changed[:, place] + rng.integers(1, V, 3)) % V
    moved = np.abs(one(changed).data - one(ids).data).max(axis=(0, 2)) > 0
    assert list(moved) == [False] * place + [True] * (8 - place)


@kinds
def test_the_state_stands_for_what_was_read(ids, kind):
    one, cache = model(kind, n_layer=2), KVCache(8)
    parts = []
    for new in (ids[:, :3], ids[:, 3:4], ids[:, 4:]):
        parts.append(one(new, cache).data)
        cache.advance(new.shape[1])
    np.testing.assert_allclose(np.concatenate(parts, axis=1), one(ids).data, rtol=0, atol=1e-12)


@kinds
def test_rows_of_the_state_can_be_picked(ids, kind):
    one, cache, rows = model(kind, n_layer=2), KVCache(8), np.array([2, 0, 0])
    one(ids[:, :3], cache)
    cache.advance(3)
    cache.pick(rows)
    np.testing.assert_allclose(one(ids[:, 3:], cache).data,
                               one(np.concatenate([ids[rows, :3], ids[:, 3:]], axis=1)).data[:, 3:],
                               rtol=0, atol=1e-12)


@kinds
def test_it_writes_the_same_with_and_without_its_state(ids, kind):
    one = model(kind)
    written = [generate(one, ids[:, :2], 15, use_cache=cached, rng=1) for cached in (True, False)]
    np.testing.assert_array_equal(*written)
    assert written[0].shape == (3, 17) and (written[0] != generate(one, ids[:, :2], 15, rng=2)).any()


@kinds
def test_saved_and_read_again(tmp_path, ids, kind):
    one = Recurrent(RecurrentConfig(V, 8, kind, 2, C, H, dropout=0.5))
    one.save_pretrained(tmp_path)
    again = load_model(tmp_path)
    assert type(again) is Recurrent and again.config == one.config
    np.testing.assert_array_equal(again(ids).data, one.eval()(ids).data)


def test_dropout_acts_in_training_alone(ids):
    one = model(dropout=0.5)
    assert (one.train()(ids).data != one(ids).data).any()
    np.testing.assert_array_equal(one.eval()(ids).data, one(ids).data)


# ------------------------------------------------------------------------------------------------ bad input

@pytest.mark.parametrize("shape", ((8,), (1, 9), (1, 0), (1, 2, 3)))
def test_ids_of_a_wrong_shape(shape):
    with pytest.raises(ValueError, match=r"Recurrent: ids have shape .*, expected \(B, T\) with 1 ≤ T ≤ 8"):
        model()(np.zeros(shape, int))


def test_ids_that_are_no_tokens():
    with pytest.raises(ValueError, match=f"expected 0…{V - 1}"):
        model()(np.array([[V]]))
    with pytest.raises(TypeError, match="expected integers"):
        model()(np.array([[0.5]]))


@pytest.mark.parametrize("changes, message", (
    ({"kind": "elman"}, "kind is 'elman', expected one of rnn, gru, lstm"),
    ({"n_hidden": 0}, "n_hidden is 0, expected an integer of at least 1"),
    ({"n_layer": 2.0}, "n_layer is 2.0"),
    ({"dropout": -0.1}, "dropout is -0.1, expected 0 ≤ dropout ≤ 1"),
))
def test_configs_out_of_range(changes, message):
    with pytest.raises(ValueError, match=f"RecurrentConfig: {message}"):
        model(**changes)
