"""The loop alone: it equals the same steps written out, and these errors stop it."""

import math

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer import nn, ops, optim
from tinyformer.models import GPT, GPTConfig
from tinyformer.train.loop import training_steps

CONFIG = GPTConfig(vocab_size=7, block_size=4, n_layer=1, n_head=2, n_embd=8)


def setting_out(lr=1e-2):
    """A model, its optimizer and schedule, and a function that returns batches: the same ones on each call of this."""
    tfm.seed(3)
    model = GPT(CONFIG).to(np.float64)
    optimizer = optim.AdamW(model.parameters(), lr=lr)
    rng = np.random.default_rng(4)
    return model, optimizer, optim.CosineSchedule(optimizer, 2, 10, lr, 0.0), lambda: rng.integers(0, 7, (2, 3, 4))


@pytest.mark.parametrize("accumulate, clip", ((1, 0.0), (1, 0.1), (3, 0.0), (3, 0.1)))
def test_steps_written_out(accumulate, clip):
    model, optimizer, schedule, next_batch = setting_out()
    steps = list(training_steps(model, optimizer, schedule, next_batch, max_steps=5, accumulate=accumulate, clip=clip))

    other, optimizer, schedule, next_batch = setting_out()
    for i, step in enumerate(steps):
        batches = [next_batch() for _ in range(accumulate)]
        # one batch of all has the same mean and gradient
        x, y = (np.concatenate(part) for part in zip(*batches))
        loss = other.loss(x, y)
        loss.backward()
        norm = math.sqrt(sum((p.grad ** 2).sum() for p in other.parameters()))
        if clip and norm > clip:
            for p in other.parameters():
                p.grad *= clip / (norm + 1e-6)
        assert (step.step, step.inputs) == (i + 1, 12 * accumulate)
        assert step.loss == pytest.approx(loss.item(), rel=1e-12)
        assert step.grad_norm == pytest.approx(norm, rel=1e-12)
        assert step.lr == pytest.approx(schedule.lr)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    for (name, p), q in zip(model.named_parameters(), other.parameters()):
        np.testing.assert_allclose(p.data, q.data, rtol=0, atol=1e-10, err_msg=name)


def test_the_rate_is_the_schedules_and_is_said_before_it_moves():
    parts = setting_out(lr=1e-2)
    assert [step.lr for step in training_steps(*parts, max_steps=10)] == pytest.approx(
        [1e-2 / 3, 2e-2 / 3] + [1e-2 * (1 + math.cos(math.pi * r / 8)) / 2 for r in range(8)])


def test_start_is_the_number_of_steps_done_already():
    assert [step.step for step in training_steps(*setting_out(), start=3, max_steps=5)] == [4, 5]
    assert list(training_steps(*setting_out(), start=5, max_steps=5)) == []


def test_gradients_are_cleared_after_each_step():
    model, *rest = setting_out()
    next(training_steps(model, *rest, max_steps=5))
    assert all(p.grad is None for p in model.parameters())


def test_a_parameter_that_no_gradient_reaches_is_told_of_once():
    model, optimizer, schedule, next_batch = setting_out()
    model.spare = nn.Linear(2, 2).to(np.float64)
    with pytest.warns(UserWarning, match="no gradient reached spare.weight, spare.bias") as caught:
        list(training_steps(model, optimizer, schedule, next_batch, max_steps=3))
    assert len(caught) == 1


# ------------------------------------------------------------------------------------------------ not finite

def test_a_broken_operation_is_named_with_its_step(monkeypatch):
    """From step 3 on the norms give infinities; the first operation after a sound input is named, not those behind
    it."""
    model, *rest = setting_out()
    steps = training_steps(model, *rest, max_steps=5)
    next(steps), next(steps)
    gelu = ops.gelu.raw
    broken = tfm.differentiable(lambda x, *, approximate="none": (gelu(x)[0] * np.inf, gelu(x)[1]))
    broken.__name__ = "gelu"
    monkeypatch.setattr(nn.functional, "gelu", broken)
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match=(
            r"step 3: the loss is nan: "
            r"the first operation whose output is not finite is gelu, of shape \(3, 4, 32\); try a")):
        next(steps)


def test_a_broken_parameter_is_named_with_the_step():
    model, *rest = setting_out()
    steps = training_steps(model, *rest, max_steps=5)
    next(steps)
    model.h[0].mlp.c_proj.weight.data[1, 2] = np.inf
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match=(
            "step 2: the loss is nan: the parameter h.0.mlp.c_proj.weight is not finite since the last update")):
        next(steps)


def test_a_broken_gradient_is_named_where_it_began(monkeypatch):
    """The loss is sound and the backward pass is not: nearest to the loss stands the last parameter."""
    model, *rest = setting_out()
    gelu = ops.gelu.raw

    def bad(x, *, approximate="none"):
        return gelu(x)[0], lambda dy: np.full_like(x, np.nan)

    monkeypatch.setattr(nn.functional, "gelu", tfm.differentiable(bad))
    with pytest.raises(FloatingPointError,
                       match=r"step 1: the loss is 1\.9\d*, but the gradient of h.0.mlp.c_fc.bias is not"):
        next(training_steps(model, *rest, max_steps=5))


def test_a_rate_far_too_high():
    """Somewhere the numbers overflow: the message names the step and a place, and no step after it is done."""
    model, *rest = setting_out(lr=1e200)
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match=r"step \d: the loss is .* not finite"):
        list(training_steps(model, *rest, max_steps=10))
