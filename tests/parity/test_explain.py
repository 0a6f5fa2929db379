"""Attributions equal those of Captum on the same weights, in float64."""

from __future__ import annotations

import os

import numpy as np
import pytest

from tinyformer import explain, nn
from tinyformer.autograd import Tensor

if not os.environ.get("TINYFORMER_REQUIRE_TORCH"):
    pytest.importorskip("captum", reason="Captum is the oracle here and is not installed")

N, D, K = 5, 7, 3
TARGET = np.array([0, 2, 1, 1, 0])


def pair(torch, activation="ReLU", bias=True):
    """The same network here and there."""
    ours = nn.Sequential(nn.Linear(D, 9, bias=bias), getattr(nn, activation)(), nn.Linear(9, 6, bias=bias),
                         getattr(nn, activation)(), nn.Linear(6, K, bias=bias)).to(np.float64)
    there = torch.nn
    theirs = there.Sequential(there.Linear(D, 9, bias=bias), getattr(there, activation)(),
                              there.Linear(9, 6, bias=bias), getattr(there, activation)(),
                              there.Linear(6, K, bias=bias)).double()
    theirs.load_state_dict({name: torch.from_numpy(value) for name, value in ours.state_dict().items()})
    return ours, theirs.eval()


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=0, atol=1e-6)    # Captum sums steps in float32


@pytest.fixture
def x(rng):
    return rng.normal(size=(N, D))


@pytest.mark.parametrize("activation", ("ReLU", "Tanh", "GELU"))
def test_gradients(torch, activation, x):
    from captum.attr import InputXGradient, Saliency
    ours, theirs = pair(torch, activation)
    t, target = torch.from_numpy(x), torch.from_numpy(TARGET)
    close(explain.saliency(ours, x, TARGET), Saliency(theirs).attribute(t.requires_grad_(), target))
    close(explain.saliency(ours, x, 1, absolute=False), Saliency(theirs).attribute(t, 1, abs=False))
    close(explain.input_x_gradient(ours, x, TARGET), InputXGradient(theirs).attribute(t, target))


@pytest.mark.parametrize("activation", ("ReLU", "Tanh"))
@pytest.mark.parametrize("method", ("gausslegendre", "riemann_middle", "riemann_trapezoid"))
def test_integrated_gradients(torch, activation, method, x, rng):
    from captum.attr import IntegratedGradients
    ours, theirs = pair(torch, activation)
    start, target = rng.normal(size=(N, D)), torch.from_numpy(TARGET)
    for baseline, there in ((None, None), (0.5, 0.5), (start, torch.from_numpy(start)),
                            (start[0], torch.from_numpy(start[:1]))):
        found, gap = explain.integrated_gradients(ours, x, baseline, TARGET, n_steps=20, method=method)
        expected, delta = IntegratedGradients(theirs).attribute(
            torch.from_numpy(x), there, target, n_steps=20, method=method, return_convergence_delta=True)
        if method == "riemann_trapezoid":                   # Captum's weights add up to 19/20
            close(found, expected * 20 / 19)
        else:
            close(found, expected)
            close(gap, delta)


def test_smooth_grad_of_no_noise(torch, x):
    from captum.attr import NoiseTunnel, Saliency
    ours, theirs = pair(torch, "Tanh")
    t = torch.from_numpy(x).requires_grad_()
    close(explain.smooth_grad(ours, x, 1, n_samples=2, stdev=0.0),
          NoiseTunnel(Saliency(theirs)).attribute(t, nt_type="smoothgrad", nt_samples=2, stdevs=0.0, target=1,
                                                  abs=False))


def test_occlusion(torch, x, rng):
    from captum.attr import Occlusion
    ours, theirs = pair(torch)
    target = torch.from_numpy(TARGET)
    for window in (1, 3, 7):
        close(explain.occlusion(ours, x, window, TARGET, baseline=0.25),
              Occlusion(theirs).attribute(torch.from_numpy(x), (window,), target=target, baselines=0.25))
    blocks = rng.normal(size=(2, 3, D))
    w = rng.normal(size=(3, D))
    close(explain.occlusion(lambda t: (t * w).sum(axis=(1, 2)).tanh(), blocks, (2, 3)),
          Occlusion(lambda t: (t * torch.from_numpy(w)).sum(dim=(1, 2)).tanh()).attribute(
              torch.from_numpy(blocks), (2, 3)))
    close(explain.occlusion(lambda t: (t * w).sum(axis=(1, 2)).tanh(), blocks, 2),
          Occlusion(lambda t: (t * torch.from_numpy(w)).sum(dim=(1, 2)).tanh()).attribute(
              torch.from_numpy(blocks), (2, D)))


def test_shapley_values(torch, rng):
    from captum.attr import ShapleyValues
    x, start = rng.normal(size=(2, 4)), rng.normal(size=4)
    layer = nn.Linear(4, K, dtype=np.float64)
    W, b = (torch.from_numpy(p.data) for p in layer.parameters())
    found = explain.shapley_values(lambda t: layer(t).tanh(), x, start, 2)
    sampled = ShapleyValues(lambda t: torch.tanh(t @ W.T + b)).attribute(
        torch.from_numpy(x), torch.from_numpy(start[None]), target=2)
    close(found, sampled)                                   # theirs goes through all 4! orders


@pytest.mark.parametrize("bias", (True, False))
def test_layer_relevance(torch, bias, x):
    from captum.attr import LRP
    from captum.attr._utils.lrp_rules import EpsilonRule
    ours, theirs = pair(torch, bias=bias)
    for epsilon in (1e-9, 0.1):
        for layer in theirs:
            if hasattr(layer, "weight"):
                layer.rule = EpsilonRule(epsilon)
        expected = LRP(theirs).attribute(torch.from_numpy(x).requires_grad_(), torch.from_numpy(TARGET))
        close(explain.layer_relevance(ours, x, TARGET, epsilon), expected)


def test_an_lstm_with_a_mask(torch, rng):
    """f closes over what belongs to the batch, and the inputs are sequences."""
    from captum.attr import IntegratedGradients
    C, H, T = 3, 4, 6
    ours = nn.LSTM(C, H, batch_first=True, dtype=np.float64)
    theirs = torch.nn.LSTM(C, H, batch_first=True).double()
    theirs.load_state_dict({name: torch.from_numpy(value) for name, value in ours.state_dict().items()})
    x, w = rng.normal(size=(2, T, C)), rng.normal(size=(T, H))
    found, gap = explain.integrated_gradients(lambda t: (ours(t)[0] * w).sum(axis=(1, 2)), Tensor(x))
    expected, delta = IntegratedGradients(lambda t: (theirs(t)[0] * torch.from_numpy(w)).sum(dim=(1, 2))).attribute(
        torch.from_numpy(x), return_convergence_delta=True)
    close(found, expected)
    assert np.abs(gap).max() < 1e-9 and np.abs(delta.detach().numpy()).max() < 1e-9


def test_a_bert_classifier(torch):
    """The words' vectors of a BERT, beside transformers' BERT, in float64."""
    transformers = pytest.importorskip("transformers", reason="transformers is the oracle here and is not installed")
    from captum.attr import IntegratedGradients, Saliency

    from tinyformer.models import BertClassifier, BertClassifierConfig
    torch.manual_seed(0)
    theirs = transformers.BertForSequenceClassification(transformers.BertConfig(
        vocab_size=30, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
        max_position_embeddings=12)).double().eval()
    config = BertClassifierConfig(30, 12, n_layer=2, n_head=2, n_embd=16, n_inner=24)
    ours = BertClassifier(config).to(np.float64).eval()
    state = {name: value.numpy() for name, value in theirs.state_dict().items() if "position_ids" not in name}
    ours.load_state_dict({name: state[name] for name in ours.state_dict()})
    ids, target = np.array([[2, 7, 8, 9, 3], [2, 4, 5, 6, 3]]), np.array([1, 0])
    vectors = ours.embedding(ids).data

    def there(v):
        return theirs(inputs_embeds=v, attention_mask=torch.ones(v.shape[:2], dtype=torch.long)).logits

    def here(v):
        return ours.read(v, np.ones(v.shape[:2], bool))

    close(explain.saliency(here, vectors, target),
          Saliency(there).attribute(torch.from_numpy(vectors).requires_grad_(), torch.from_numpy(target)))
    close(explain.integrated_gradients(here, vectors, target=target, n_steps=20)[0],
          IntegratedGradients(there).attribute(torch.from_numpy(vectors), target=torch.from_numpy(target), n_steps=20))
