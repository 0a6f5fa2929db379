"""Folders in the layout that models are published in: shards and their index, names, settings."""

import json
import tracemalloc

import ml_dtypes
import numpy as np
import pytest

from tinyformer.interop.fields import require
from tinyformer.interop.published import meet, read_state, weights_file
from tinyformer.interop.weights import read_weights, write_weights
from tinyformer.models import GPT, GPTConfig, load_model

CONFIG = GPTConfig(vocab_size=13, block_size=8, n_layer=2, n_head=2, n_embd=16)


@pytest.fixture
def sharded(tmp_path):
    """A model, and its folder with the weights in three shards and an index."""
    model = GPT(CONFIG)
    model.save_pretrained(tmp_path)
    state, _ = read_weights(tmp_path / "model.safetensors")
    where = {}
    for i in range(3):
        file = f"model-{i + 1:05d}-of-00003.safetensors"
        part = {name: state[name] for name in list(state)[i::3]}
        write_weights(tmp_path / file, part)
        where.update(dict.fromkeys(part, file))
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
    return model, tmp_path


def test_shards(sharded, rng):
    model, folder = sharded
    ids = rng.integers(0, 13, (2, 8))
    np.testing.assert_array_equal(load_model(folder)(ids).data, model.eval()(ids).data)


def test_one_file_goes_before_an_index(sharded):
    _, folder = sharded
    other = GPT(CONFIG)
    other.save_pretrained(folder)
    assert weights_file(folder) == folder / "model.safetensors"
    np.testing.assert_array_equal(load_model(folder).wte.weight.data, other.wte.weight.data)


def index(**changes):
    def damage(folder):
        path = folder / "model.safetensors.index.json"
        where = json.loads(path.read_text())["weight_map"]
        path.write_text(json.dumps({"weight_map": {**where, **changes}}))
    return damage


def text(content):
    return lambda folder: (folder / "model.safetensors.index.json").write_text(content)


def cut(folder):
    path = folder / "model-00003-of-00003.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


def pickled(folder):
    (folder / "model.safetensors.index.json").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'false'\ntR.")


@pytest.mark.parametrize("damage, message", (
    (lambda folder: (folder / "model-00002-of-00003.safetensors").unlink(),
     r"model-00002-of-00003.safetensors: no such file; "
      r".*index.json says that it holds transformer\..* and 8 other tensors"),
    (cut, "model-00003-of-00003.safetensors: damaged or not a safetensors file .*tensor 'transformer"),
    (index(color="model-00001-of-00003.safetensors"),
     "model-00001-of-00003.safetensors: it has no tensor 'color', which"),
    (index(color="../model-00001-of-00003.safetensors"), "index.json: its weight_map is not an object of file names"),
    (index(color=3), "index.json: its weight_map is not an object of file names"),
    (text("{}"), "index.json: its weight_map is not an object of file names"),
    (text("{"), "index.json is not JSON"),
    (text("[" * 100_000), "index.json is not JSON"),
    (text('{"weight_map": {}}'), "config.json: it has 2 layers, but there are only 0 tensors"),
    (pickled, "model.safetensors: no such file; pytorch_model.bin is a pickle, which can run any code and is not read"),
))
def test_damage_is_named(sharded, damage, message):
    damage(sharded[1])
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        load_model(sharded[1])
    assert str(sharded[1]) in str(caught.value)


def test_a_shape_that_does_not_fit_names_tensor_and_file(sharded):
    _, folder = sharded
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "n_positions": 9}))
    with pytest.raises(ValueError,
                       match=r"index.json: does not fit .*wpe.weight has shape \(8, 16\), expected \(9, 16\)"):
        load_model(folder)


@pytest.mark.parametrize("dtype", (np.float16, ml_dtypes.bfloat16))
def test_half_precision_becomes_float32(sharded, dtype):
    model, folder = sharded
    state = {name: array.astype(dtype) for name, array in read_state(weights_file(folder)).items()}
    write_weights(folder / "model.safetensors", state)
    for (name, found), expected in zip(load_model(folder).named_parameters(), model.parameters()):
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found.data, expected.data.astype(dtype).astype(np.float32), err_msg=name)


@pytest.mark.parametrize("dtype", (np.float32, ml_dtypes.bfloat16))
def test_never_two_copies(tmp_path, dtype):
    model = GPT(GPTConfig(vocab_size=1000, block_size=64, n_layer=4, n_head=4, n_embd=256))
    model.save_pretrained(tmp_path)
    state, _ = read_weights(tmp_path / "model.safetensors")
    write_weights(tmp_path / "model.safetensors", {name: array.astype(dtype) for name, array in state.items()})
    del state
    tracemalloc.start()
    try:
        again = GPT.from_pretrained(tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.1 * 4 * again.num_parameters()


def test_prefixes():
    own = {"wte.weight", "model.norm.weight"}
    assert meet({"transformer.wte.weight": 1, "model.norm.weight": 2, "lm_head": 3}, own, "transformer.") == {
        "wte.weight": 1, "model.norm.weight": 2, "lm_head": 3}
    assert meet({"norm.weight": 1}, own, "model.") == {"model.norm.weight": 1}


def test_required_settings():
    require({"hidden_act": "silu", "other": 1}, hidden_act=("silu", "swish"), absent=(None,))
    with pytest.raises(ValueError,
                       match="hidden_act is 'relu', which this model does not have; expected 'silu' or 'swish'"):
        require({"hidden_act": "relu"}, hidden_act=("silu", "swish"))
