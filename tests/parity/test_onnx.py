"""ONNX Runtime computes from an exported file what the model computes: within 1e-5 of the largest output."""

import numpy as np
import pytest

from tinyformer import interop
from tinyformer.autograd import no_grad
from tinyformer.models import GPT, MLP, GPTConfig, MLPConfig

pytest.importorskip("onnx", reason="needs the package onnx")
runtime = pytest.importorskip("onnxruntime", reason="needs the package onnxruntime")


def assert_equal(model, path, batches, forward=None):
    """One session gives the model's outputs for every one of ``batches``, {name: array} each."""
    model.eval()
    interop.onnx.export(model, path)
    session = runtime.InferenceSession(path)
    for batch in batches:
        with no_grad():
            expected = (forward or model)(*batch.values())
        expected = expected if isinstance(expected, tuple) else (expected,)
        for found, wanted in zip(session.run(None, batch), expected, strict=True):
            wanted = np.asarray(wanted)
            assert found.shape == wanted.shape
            assert np.abs(found - wanted).max() <= 1e-5 * max(np.abs(wanted).max(), 1e-3)


def texts(rng, vocab_size, block_size):
    """Ids of several sizes, none of them the size of a recorded forward pass."""
    for B, T in ((1, 1), (4, block_size), (1, max(block_size // 2, 1)), (6, max(block_size - 1, 1))):
        yield {"input_ids": rng.integers(0, vocab_size, (B, T))}


@pytest.mark.parametrize("seed", range(8))
def test_gpt(tmp_path, seed):
    rng = np.random.default_rng(seed)
    heads = int(rng.integers(1, 4))
    config = GPTConfig(int(rng.integers(2, 60)), int(rng.choice([1, 2, 3, 8, 33])), int(rng.integers(1, 4)), heads,
                       heads * int(rng.integers(1, 9)), dropout=0.1, bias=bool(seed % 2),
                       n_inner=int(rng.choice([0, 5])))
    assert_equal(GPT(config), tmp_path / "m.onnx", texts(rng, config.vocab_size, config.block_size))


@pytest.mark.parametrize("activation", ("relu", "leaky-relu", "gelu", "silu", "tanh", "sigmoid"))
@pytest.mark.parametrize("batch_norm", (False, True))
def test_mlp(tmp_path, activation, batch_norm):
    rng = np.random.default_rng(0)
    model = MLP(MLPConfig(7, 3, n_layer=2, n_hidden=9, activation=activation, batch_norm=batch_norm, dropout=0.2))
    model.train()
    for _ in range(3):                                      # running statistics other than 0 and 1
        model(3 * rng.standard_normal((16, 7), np.float32) + 1)
    assert_equal(model, tmp_path / "m.onnx", [{"x": rng.standard_normal((n, 7), np.float32)} for n in (1, 4, 9)])
