"""Ladders: their rungs of counting against loops, and what is said of made-up figures."""

import math

import numpy as np
import pytest

from tinyformer.train import ladder
from tinyformer.train.ladder import LADDERS, counted_rungs, findings, report, rung
from tinyformer.train.recipe import load_recipe, names


def made_up(**losses):
    """Rungs by their names: a number is one of counting, a list a network's of several seeds."""
    rungs = [rung("uniform", "guess", [math.log(27)], 0, 0.0)]
    for n, (name, loss) in enumerate(losses.items(), 1):
        if isinstance(loss, list):
            rungs.append(rung(name, "network", loss, 100 * n, 2.0))
        else:
            rungs.append({**rung(name, "counted", [loss], 10 * n, 0.1), "n": n})
    return rungs


def test_every_rung_has_its_recipe_on_the_same_data():
    for one in LADDERS.values():
        recipes = [load_recipe(recipe) for _, recipe in one.networks]
        assert {recipe for _, recipe in one.networks} <= set(names())
        assert all(recipe.data == recipes[0].data for recipe in recipes)


def test_means_and_spreads_in_the_ladders_unit():
    found = report("shakespeare", made_up(unigram=3.0, MLP=[2.0, 2.2, 2.4]), "data")
    uniform, unigram, mlp = found["rungs"]
    assert uniform["loss"] == pytest.approx(math.log2(27)) and unigram["loss"] == pytest.approx(3 / math.log(2))
    assert mlp["loss"] == pytest.approx(2.2 / math.log(2)) and mlp["sd"] == pytest.approx(0.2 / math.log(2))
    assert uniform["sd"] is None and unigram["sd"] is None
    assert (found["unit"], found["part"], found["data"]) == ("bits per character", "validation", "data")
    assert found["kneser_ney"]["name"] == "unigram" and found["findings"] == []


def test_the_best_of_counting_stands_beside_even_where_it_is_no_rung():
    found = report("names", made_up(unigram=2.8, bigram=2.4, three=2.1, four=2.2, MLP=[2.0]))
    assert [step["name"] for step in found["rungs"]] == ["uniform", "unigram", "bigram", "MLP"]
    assert found["kneser_ney"]["name"] == "three" and found["kneser_ney"]["n"] == 3


def test_a_ladder_that_goes_down_has_nothing_to_be_said():
    found = report("names", made_up(unigram=2.8, bigram=2.4, MLP=[2.2, 2.21], RNN=[2.1, 2.11]))
    assert found["findings"] == []


def test_rungs_that_are_no_lower_or_do_not_separate_are_named():
    found = report("names", made_up(unigram=2.8, bigram=2.4, MLP=[2.3, 2.2], RNN=[2.2, 2.1], GRU=[2.3, 2.3]))
    assert found["findings"] == ["RNN and MLP do not separate: 0.100 apart, their spreads reach 0.141",
                                 "GRU is no better than RNN: 2.300 against 2.150"]


def test_networks_that_lose_to_counting_are_named():
    best = {"n": 5, "loss": 1.9}
    one, two = ({"name": name, "kind": "network", "loss": loss, "sd": None}
                for name, loss in (("MLP", 2.0), ("RNN", 1.95)))
    assert findings([one], best) == ["MLP LOSES to counting: Kneser-Ney with n = 5 has 1.900"]
    assert findings([one, two], best) == ["MLP, RNN LOSE to counting: Kneser-Ney with n = 5 has 1.900"]
    assert findings([one, two], {"n": 5, "loss": 2.1}) == []


def test_counted_rungs_against_loops(rng):
    class Text:
        train = [np.array([0, *rng.integers(1, 4, 3), 0]) for _ in range(30)]

        def sizes(self):
            return {"vocab_size": 4}

    judged = [np.array([0, 1, 2, 0]), np.array([0, 3, 0])]
    rungs = counted_rungs(Text(), judged)
    assert [step["name"] for step in rungs] == ["uniform", "unigram", "bigram", "3-gram", "4-gram", "5-gram", "6-gram"]
    assert rungs[0]["nats"] == [math.log(4)]
    model = ladder.NGram(ladder.NGramConfig(4, 3)).fit(Text.train)
    total = sum(model.log_prob(line).sum() for line in judged)
    assert rungs[3]["nats"][0] == pytest.approx(-total / 5,
                                                rel=1e-12) and rungs[3]["parameters"] == model.num_parameters()


def test_a_run_of_another_recipe_is_no_rung(tmp_path):
    (tmp_path / "recipe.toml").write_text('name = "pydocs-char"\n')
    with pytest.raises(ValueError,
                       match="a run of the recipe pydocs-char is no rung of the ladder names, "
                             "expected one of mlp-names"):
        ladder.climb("names", tmp_path / "out", given=[tmp_path])
