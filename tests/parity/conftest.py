"""What the tests against PyTorch and Hugging Face's transformers share."""

from __future__ import annotations

import copy
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
    """On one thread: what is compared is tiny, and threads that wait for each other on a busy machine take most of the
    time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield torch
    torch.set_num_threads(threads)


@pytest.fixture
def tokenizers():
    if os.environ.get("TINYFORMER_REQUIRE_TORCH"):
        import tokenizers
    else:
        tokenizers = pytest.importorskip("tokenizers",
                                         reason="Hugging Face's tokenizers are the oracle, and not installed")
    return tokenizers


@pytest.fixture
def oracle(torch, monkeypatch):
    """transformers' models and the comparison with them; the test is skipped where transformers is missing."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")               # no test asks the network
    if os.environ.get("TINYFORMER_REQUIRE_TORCH"):
        import transformers
    else:
        transformers = pytest.importorskip("transformers",
                                           reason="transformers is the oracle here and is not installed")
    return Oracle(transformers, torch, monkeypatch)


def relative(came, expected):
    """The largest difference, in units of the largest entry expected."""
    return np.abs(came - expected).max() / max(np.abs(expected).max(), 1e-6)


class Oracle:
    def __init__(self, transformers, torch, monkeypatch):
        self.transformers, self.torch, self.monkeypatch = transformers, torch, monkeypatch

    def build(self, cls, config, dtype, seed=0):
        """A model of transformers' class, in ``dtype`` throughout, all of its parameters some way from where they
        start."""
        torch = self.torch
        # norms and angles are in float32 there, whatever the model is in
        if dtype == "float64":
            self.monkeypatch.setattr(torch, "float32", torch.float64)
            self.monkeypatch.setattr(torch, "float", torch.float64)
            self.monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
        torch.manual_seed(seed)
        model = cls(config).eval().to(getattr(torch, dtype))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        return model

    def compare(self, ours, theirs, rng, length):
        """Logits and the gradient of the mean cross-entropy for every parameter.

        In float32 the bound is wider where PyTorch's own gradient moves as far when its parameters are rounded.
        """
        torch, dtype = self.torch, str(next(ours.parameters()).dtype)
        x, y = rng.integers(0, ours.config.vocab_size, (2, 2, length))
        logits = theirs(torch.from_numpy(x)).logits
        np.testing.assert_allclose(ours(x).data, logits.detach().numpy(), rtol=0, atol=LOGITS[dtype])
        ours.loss(x, y).backward()
        expected = self._gradients(theirs, x, y)
        state = ours.adopt(expected)
        assert set(state) == {name for name, _ in ours.named_parameters()}
        bound = GRADIENT[dtype]
        errors = {name: relative(parameter.grad, state[name]) for name, parameter in ours.named_parameters()}
        if dtype == "float32" and max(errors.values()) >= bound:
            bound = max(bound, 4 * self._sensitivity(theirs, x, y, expected))
        for name, error in errors.items():
            assert error < bound, f"gradient of {name}: {error}"

    def _gradients(self, theirs, x, y):
        torch = self.torch
        theirs.zero_grad()
        logits = theirs(torch.from_numpy(x)).logits
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), torch.from_numpy(y.ravel())).backward()
        return {name: parameter.grad.numpy().copy() for name, parameter in theirs.named_parameters()}

    def _sensitivity(self, theirs, x, y, gradients, draws=4):
        """How far half a unit in the last place of each parameter moves PyTorch's own gradients: the rounding of
        float32 that no implementation avoids. A few of the random configurations amplify it a thousandfold."""
        torch, most = self.torch, 0.0
        for _ in range(draws):
            moved = copy.deepcopy(theirs)
            with torch.no_grad():
                for parameter in moved.parameters():
                    parameter.mul_(1 + (torch.rand_like(parameter) - 0.5) * 2.0 ** -23)
            found = self._gradients(moved, x, y)
            most = max(most, *(relative(found[name], gradient) for name, gradient in gradients.items()))
        return most
