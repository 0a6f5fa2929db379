"""What the tests against PyTorch and Hugging Face's transformers share."""

from __future__ import annotations

import os

import numpy as np
import pytest

LOGITS = {"float64": 1e-10, "float32": 1e-5}
GRADIENT = {"float64": 1e-9, "float32": 1e-4}               # relative to the largest entry


@pytest.fixture(params=("float64", "float32"))
def dtype(request):
    return request.param


@pytest.fixture
def torch(torch):
    """On one thread: what is compared is tiny, and threads that wait for each other on a busy machine take most of the time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield torch
    torch.set_num_threads(threads)


@pytest.fixture
def tokenizers():
    if os.environ.get("TINYFORMER_REQUIRE_TORCH"):
        import tokenizers
    else:
        tokenizers = pytest.importorskip("tokenizers", reason="Hugging Face's tokenizers are the oracle, and not installed")
    return tokenizers


@pytest.fixture
def oracle(torch, monkeypatch):
    """transformers' models and the comparison with them; the test is skipped where transformers is missing."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")               # no test asks the network
    if os.environ.get("TINYFORMER_REQUIRE_TORCH"):
        import transformers
    else:
        transformers = pytest.importorskip("transformers", reason="transformers is the oracle here and is not installed")
    return Oracle(transformers, torch, monkeypatch)


class Oracle:
    def __init__(self, transformers, torch, monkeypatch):
        self.transformers, self.torch, self.monkeypatch = transformers, torch, monkeypatch

    def build(self, cls, config, dtype, seed=0):
        """A model of transformers' class, in ``dtype`` throughout, all of its parameters some way from where they start."""
        torch = self.torch
        if dtype == "float64":                              # norms and angles are in float32 there, whatever the model is in
            self.monkeypatch.setattr(torch, "float32", torch.float64)
            self.monkeypatch.setattr(torch, "float", torch.float64)
            self.monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
        torch.manual_seed(seed)
        model = cls(config).eval().to(getattr(torch, dtype))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        return model

    def compare(self, ours, theirs, rng, length, layout=lambda name, array: array):
        """Logits and the gradient of the mean cross-entropy for every parameter. ``layout`` puts their gradients as ours are."""
        torch, dtype = self.torch, str(next(ours.parameters()).dtype)
        x, y = rng.integers(0, ours.config.vocab_size, (2, 2, length))
        logits = theirs(torch.from_numpy(x)).logits
        np.testing.assert_allclose(ours(x).data, logits.detach().numpy(), rtol=0, atol=LOGITS[dtype])
        ours.loss(x, y).backward()
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), torch.from_numpy(y.ravel())).backward()
        state = ours.adopt({name: parameter.grad.numpy() for name, parameter in theirs.named_parameters()})
        assert set(state) == {name for name, _ in ours.named_parameters()}
        for name, parameter in ours.named_parameters():
            error = np.abs(parameter.grad - state[name]).max() / max(np.abs(state[name]).max(), 1e-6)
            assert error < GRADIENT[dtype], f"gradient of {name}: {error}"
