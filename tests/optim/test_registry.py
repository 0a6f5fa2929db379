"""A recipe can name every registered optimizer and schedule; a new one registers itself where it is defined."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from tinyformer import optim
from tinyformer.autograd import Tensor
from tinyformer.optim import OPTIMIZERS, SCHEDULES

SETTINGS = SimpleNamespace(max_steps=10, warmup_steps=2, lr=0.125, min_lr=0.0625, muon_lr=0.5, weight_decay=0.25,
                           layer_decay=0.5, beta1=0.75, beta2=0.875)


def parameters():
    return [Tensor(np.ones(shape, np.float32), requires_grad=True) for shape in ((3, 2), (3,), (2, 2))]


@pytest.fixture
def registry():
    """The registries, which are afterwards as they were before."""
    before = dict(OPTIMIZERS), dict(SCHEDULES)
    yield
    for table, kept in zip((OPTIMIZERS, SCHEDULES), before):
        table.clear()
        table.update(kept)


def test_the_names_that_recipes_may_have_keep_their_classes():
    assert {name: kind.__name__ for name, kind in OPTIMIZERS.items()}.items() >= {
        "sgd": "SGD", "adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSprop", "adagrad": "Adagrad",
        "muon": "Muon"}.items()
    assert {name: kind.__name__ for name, kind in SCHEDULES.items()}.items() >= {
        "cosine": "CosineSchedule", "linear": "LinearSchedule", "inverse-sqrt": "InverseSquareRootSchedule"}.items()
    for kind in (*OPTIMIZERS.values(), *SCHEDULES.values()):
        assert getattr(optim, kind.__name__) is kind


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_of_a_recipe(name):
    hidden, bias, head = parameters()
    optimizer = OPTIMIZERS[name].from_recipe([hidden, bias, head], SETTINGS, [hidden], [[head], [hidden, bias]])
    group = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    assert type(optimizer) is OPTIMIZERS[name]
    assert group[id(head)]["lr"] == 0.125 and group[id(bias)]["lr"] == 0.0625               # the lower level
    assert group[id(hidden)]["lr"] == (0.25 if name == "muon" else 0.0625)
    assert [group[id(p)]["weight_decay"] for p in (hidden, bias, head)] == [0.25, 0, 0.25]
    before = hidden.data.copy()
    for p in (hidden, bias, head):
        p.grad = np.ones_like(p.data)
    optimizer.step()
    assert (hidden.data < before).all()


def test_what_each_takes_from_a_recipe():
    taken = {name: kind.from_recipe(parameters(), SETTINGS).defaults for name, kind in OPTIMIZERS.items()}
    assert all(taken[name]["betas"] == (0.75, 0.875) for name in ("adam", "adamw", "muon"))
    assert taken["sgd"]["momentum"] == 0.75 and taken["rmsprop"]["alpha"] == 0.875


@pytest.mark.parametrize("name, highest, last", [("cosine", 0.125, 0.0625), ("linear", 0.125, 0.0625),
                                                 ("inverse-sqrt", 0.125, 0.125 * (2 / 11) ** 0.5)])
def test_a_schedule_of_a_recipe(name, highest, last):
    optimizer = optim.SGD(parameters(), lr=1.0)
    schedule = SCHEDULES[name].from_recipe(optimizer, SETTINGS)
    rates = [schedule.at(n) for n in range(12)]
    assert max(rates) == pytest.approx(highest) and rates[10] == pytest.approx(last)
    assert optimizer.param_groups[0]["lr"] == rates[0] < highest
    short = SimpleNamespace(**{**vars(SETTINGS), "max_steps": 1, "warmup_steps": 100})
    assert SCHEDULES[name].from_recipe(optimizer, short).warmup_steps == 1                  # no longer than the run


def test_a_new_one_registers_itself(registry):
    class SignDescent(optim.Optimizer, recipe="sign"):
        """θ ← θ − η sign g."""

        def __init__(self, parameters, lr=0.1, weight_decay=0.0):
            super().__init__(parameters, lr=lr, weight_decay=weight_decay)

        def update(self, theta, g, state, group):
            theta -= group["lr"] * np.sign(g)

    class Constant(optim.Schedule, recipe="constant"):
        """η(n) = max_lr."""

        @classmethod
        def from_recipe(cls, optimizer, settings):
            return cls(optimizer, settings.lr)

        def at(self, n):
            return self.max_lr

    class Quiet(SignDescent):
        """No recipe can name this one."""

    assert OPTIMIZERS["sign"] is SignDescent and Quiet not in OPTIMIZERS.values()
    given = parameters()
    optimizer = OPTIMIZERS["sign"].from_recipe(given, SETTINGS)
    assert SCHEDULES["constant"].from_recipe(optimizer, SETTINGS).lr == 0.125
    given[0].grad = np.full((3, 2), -7, np.float32)
    optimizer.step()
    np.testing.assert_array_equal(given[0].data, 1.125)


def test_a_name_is_taken_once(registry):
    for base, name in ((optim.Optimizer, "adamw"), (optim.Schedule, "cosine")):
        with pytest.raises(ValueError, match=f"Mine: recipe='{name}' is the name of .* already; choose another one"):
            type("Mine", (base,), {"__qualname__": "Mine"}, recipe=name)
    for _ in range(2):                                      # a notebook's cell that runs twice
        class Mine(optim.Optimizer, recipe="mine"):
            """Another one each time."""
    assert OPTIMIZERS["mine"] is Mine and OPTIMIZERS["adamw"] is optim.AdamW


def test_a_schedule_without_from_recipe_says_so():
    with pytest.raises(NotImplementedError, match="StepSchedule does not say how to make it from a recipe"):
        optim.StepSchedule.from_recipe(optim.SGD(parameters()), SETTINGS)
