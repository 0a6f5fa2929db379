"""The counterfactual test finds a planted bias of known size, covers it, and is silent where there is none."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest

from tinyformer.fairness import TEMPLATES, Swaps, counterfactual, template_gaps

PAIRS = {"he": "she", "him": "her", "his": "her"}


def length(texts):
    return np.array([len(text) for text in texts], float)


def female(texts):
    return np.array([bool(re.search(r"\b(?:she|her)\b|她", text.lower())) for text in texts], float)


def test_gaps_signs_and_counts():
    report = counterfactual(length, ["He ran.", "she and her film", "a film", "Her and he"], PAIRS)
    assert report.gaps.tolist() == [-1, -1, 1] and report.places.tolist() == [0, 1, 3]
    assert report.n == 3 and report.without == 1 and report.mean == pytest.approx(-1 / 3)
    assert report.first.tolist() == [7, 15, 11] and report.second.tolist() == [8, 16, 10]
    assert report.mean_absolute == 1 and report.flips(7.5) == pytest.approx(1 / 3)
    assert "3 texts with a swap word, 1 without" in str(report) and repr(report) == str(report)
    assert json.loads(json.dumps(report.as_dict()))["mean"] == report.mean
    same = counterfactual(female, ["他来了", "她来了", "其他"], Swaps({"他": "她"}))
    assert same.gaps.tolist() == [-1, -1] and same.without == 1 and same.interval == (-1, -1) and same.p == 0


def test_the_interval_and_the_tests_by_hand():
    """Gaps 1, 2, 3, 4, −1: mean 1.8, s² = 3.7, t = 2.0925 with 4 degrees of freedom."""
    gaps = iter(([1.0, 2, 3, 4, 0], [0.0, 0, 0, 0, 1]))
    report = counterfactual(lambda texts: next(gaps), [f"he {i}" for i in range(5)], {"he": "she"})
    half = 2.776445 * math.sqrt(3.7 / 5)
    assert report.interval == pytest.approx((1.8 - half, 1.8 + half), abs=1e-5)
    assert report.p == pytest.approx(0.10453, abs=1e-5) and report.p_sign == pytest.approx(2 * 6 / 32)
    one = counterfactual(length, ["he"], PAIRS)
    assert one.interval == (-math.inf, math.inf) and one.p == 1
    assert one.as_dict()["interval"] == [None, None]
    none = counterfactual(lambda texts: np.zeros(len(texts)), ["he", "she"], PAIRS)
    assert none.p == none.p_sign == 1 and none.interval == (0, 0) and none.flips() == 0


@pytest.mark.parametrize("planted", (0.0, 0.1))
def test_the_interval_covers_in_95_of_100_sets(planted):
    """1,000 sets of 25 texts. The score is noise that depends on the text, plus a planted bias for male words."""
    rng = np.random.default_rng(3)
    covered, alarms, found = 0, 0, []
    texts = [f"{'He' if i % 2 else 'She'} is in film {i}, and others are too." for i in range(25)]

    def predict(texts):
        return rng.normal(0.5, 0.2, len(texts)) + planted * (1 - female(texts))

    for _ in range(1000):
        report = counterfactual(predict, texts, PAIRS)
        low, high = report.interval
        covered += low <= planted <= high
        alarms += report.p < 0.05
        found.append(report.mean)
        assert (report.p < 0.05) == (not low <= 0 <= high)
    assert abs(covered / 1000 - 0.95) <= 0.02
    assert np.mean(found) == pytest.approx(planted, abs=4 * np.std(found) / math.sqrt(1000))
    assert (alarms / 1000 > 0.3) if planted else abs(alarms / 1000 - 0.05) <= 0.02


def test_templates_have_one_gap_each():
    """A planted bias that the templates scale: the report is over templates, the table over pairs."""
    def predict(texts):
        return female(texts) * np.array([0.1 + 0.2 * ("film" in text) for text in texts])

    templates = ["{} likes this.", "the film has {} in it."]
    report, table = template_gaps(predict, templates, {"he": "she", "the man": "her"})
    assert table.shape == (2, 2)
    np.testing.assert_allclose(table, [[-0.1, -0.1], [-0.3, -0.3]])
    assert report.n == 2 and report.mean == pytest.approx(-0.2) and report.without == 0
    seen = []
    template_gaps(lambda texts: seen.extend(texts) or np.zeros(len(texts)), templates, {"he": "she"})
    assert seen == ["He likes this.", "the film has he in it.", "She likes this.", "the film has she in it."]
    assert len(set(TEMPLATES)) == 18 and all(text.count("{}") == 1 for text in TEMPLATES)
    for empty, message in (([], "got no texts"), (["no place"], "'no place' has no {}, expected one")):
        with pytest.raises(ValueError, match=message):
            template_gaps(predict, empty, {"he": "she"})


@pytest.mark.parametrize("predict, texts, swaps, kind, message", [
    (length, ["the film"], PAIRS, ValueError, "none of the 1 texts has a swap word, expected one of he=she, him=her, "),
    (length, [], PAIRS, ValueError, "got no texts, expected at least one"),
    (length, "he", PAIRS, TypeError, "got one text, expected a list of texts"),
    (length, ["he", 3], PAIRS, TypeError, r"texts\[1\] is a int, expected a str"),
    (length, ["he"], [("he", "she")], TypeError, "got a list, expected a mapping"),
    (length, 3, PAIRS, TypeError, "got a int, expected a list of texts"),
    (0.5, ["he"], PAIRS, TypeError, "predict is a float, expected a function from a list of texts to their scores"),
    (lambda texts: 0.5, ["he"], PAIRS, ValueError, r"returned the shape \(\) for 1 texts, expected \(1,\)"),
    (lambda texts: [float("nan")], ["he"], PAIRS, ValueError, "returned nan, expected finite scores"),
])
def test_refusals(predict, texts, swaps, kind, message):
    with pytest.raises(kind, match=message):
        counterfactual(predict, texts, swaps)


@pytest.mark.parametrize("level", [0, 1, 2, math.nan])
def test_a_level_outside_0_to_1_is_refused(level):
    with pytest.raises(ValueError, match="counterfactual: level is"):
        counterfactual(length, ["he", "she"], PAIRS, level=level)
    with pytest.raises(ValueError, match="template_gaps: level is"):
        template_gaps(length, TEMPLATES, {"he": "she"}, level=level)
