"""GPT against the same architecture in PyTorch's own layers: logits, loss, every gradient, and five steps of
training."""

import numpy as np
import pytest

from tinyformer import optim
from tinyformer.models import GPT, GPTConfig

TOLERANCE = {"float64": 1e-10, "float32": 1e-4}


@pytest.fixture
def build(torch):
    """A function from a config to the model in PyTorch: pre-norm blocks, fused attention, GELU's tanh form, tied
    output."""
    from torch import nn
    from torch.nn import functional as F

    class Block(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.n_head = c.n_head
            self.ln_1, self.ln_2 = nn.LayerNorm(c.n_embd, bias=c.bias), nn.LayerNorm(c.n_embd, bias=c.bias)
            self.attn = nn.ModuleDict({"c_attn": nn.Linear(c.n_embd, 3 * c.n_embd, bias=c.bias),
                                       "c_proj": nn.Linear(c.n_embd, c.n_embd, bias=c.bias)})
            self.mlp = nn.ModuleDict({"c_fc": nn.Linear(c.n_embd, 4 * c.n_embd, bias=c.bias),
                                      "c_proj": nn.Linear(4 * c.n_embd, c.n_embd, bias=c.bias)})

        def forward(self, x):
            q, k, v = (z.unflatten(-1, (self.n_head, -1)).transpose(1, 2)
                       for z in self.attn["c_attn"](self.ln_1(x)).chunk(3, dim=-1))
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.attn["c_proj"](y.transpose(1, 2).flatten(2))
            return x + self.mlp["c_proj"](F.gelu(self.mlp["c_fc"](self.ln_2(x)), approximate="tanh"))

    class Model(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.wte, self.wpe = nn.Embedding(c.vocab_size, c.n_embd), nn.Embedding(c.block_size, c.n_embd)
            self.h = nn.ModuleList(Block(c) for _ in range(c.n_layer))
            self.ln_f = nn.LayerNorm(c.n_embd, bias=c.bias)

        def forward(self, ids):
            x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1]))
            for block in self.h:
                x = block(x)
            return self.ln_f(x) @ self.wte.weight.T

        def loss(self, ids, targets):
            return F.cross_entropy(self(ids).flatten(0, 1), targets.flatten())

    return Model


@pytest.fixture(params=(
    dict(vocab_size=13, block_size=8, n_layer=2, n_head=2, n_embd=16, bias=True),
    dict(vocab_size=65, block_size=16, n_layer=3, n_head=4, n_embd=32, bias=False),
    dict(vocab_size=7, block_size=5, n_layer=1, n_head=1, n_embd=6, bias=False),
), ids=("bias", "no bias", "one head"))
def pair(request, torch, build, rng, dtype):
    """Our model and PyTorch's with the same weights, some way from their start."""
    ours = GPT(GPTConfig(**request.param)).to(dtype)
    for parameter in ours.parameters():
        parameter.data += rng.normal(0, 0.1, parameter.shape).astype(dtype)
    theirs = build(ours.config).to(getattr(torch, dtype))
    theirs.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in ours.state_dict().items()})
    return ours, theirs


def batch(rng, config, B=4):
    return rng.integers(0, config.vocab_size, (2, B, config.block_size))


def close(ours, theirs, dtype, what):
    theirs = theirs.detach().numpy()
    assert ours.shape == theirs.shape and str(ours.dtype) == dtype, what
    error = np.abs(ours - theirs).max() / np.abs(theirs).max()
    assert error < TOLERANCE[dtype], f"{what}: {error}"


def test_logits_loss_and_every_gradient(torch, pair, rng, dtype):
    ours, theirs = pair
    x, y = batch(rng, ours.config)
    close(ours(x).data, theirs(torch.from_numpy(x)), dtype, "logits")
    loss, other = ours.loss(x, y), theirs.loss(torch.from_numpy(x), torch.from_numpy(y))
    close(loss.data, other, dtype, "loss")
    loss.backward()
    other.backward()
    gradients = dict(theirs.named_parameters())
    assert set(gradients) == {name for name, _ in ours.named_parameters()}
    for name, parameter in ours.named_parameters():
        close(parameter.grad, gradients[name].grad, dtype, f"gradient of {name}")


def test_five_steps_of_training(torch, pair, rng, dtype):
    """AdamW with decay on matrices alone, after clipping to a norm that bites."""
    ours, theirs = pair
    # The bias of the keys shifts all scores of a query alike, so its gradient is zero but for rounding, and g/√v would
    # make steps of that; this eps is far above it.
    options = dict(lr=1e-2, betas=(0.9, 0.99), eps=1e-5)
    mine = optim.AdamW(optim.param_groups_by_decay(ours.parameters(), 0.1), **options)
    named = list(theirs.parameters())
    other = torch.optim.AdamW([{"params": [p for p in named if p.dim() >= 2], "weight_decay": 0.1},
                               {"params": [p for p in named if p.dim() < 2], "weight_decay": 0.0}], **options)
    for _ in range(5):
        x, y = batch(rng, ours.config)
        mine.zero_grad()
        loss = ours.loss(x, y)
        loss.backward()
        norm = optim.clip_grad_norm_(ours.parameters(), 0.5)
        mine.step()

        other.zero_grad()
        their_loss = theirs.loss(torch.from_numpy(x), torch.from_numpy(y))
        their_loss.backward()
        their_norm = torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
        other.step()
        assert norm > 0.5 and norm == pytest.approx(their_norm.item(), rel=TOLERANCE[dtype])
        close(loss.data, their_loss, dtype, "loss")
    weights = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        close(parameter.data, weights[name], dtype, name)


def test_the_same_tokens_are_generated(torch, pair, rng, dtype):
    ours, theirs = pair
    ids = rng.integers(0, ours.config.vocab_size, 2)
    found = ours.generate(ids, 3 * ours.config.block_size, temperature=0)
    for end in range(2, len(found)):
        window = torch.from_numpy(found[None, max(0, end - ours.config.block_size):end])
        assert theirs(window)[0, -1].argmax().item() == found[end]
