"""Pictures of pairs and of groups: what is drawn where, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from tinyformer.fairness import group_intervals, group_metrics
from tinyformer.viz import draw_group_rates, draw_pairs


def test_pairs(tmp_path):
    figure = draw_pairs([0.2, 0.6, 0.9], [0.3, 0.4, 0.8], tmp_path / "pairs.png", names=("he", "she"), title="films")
    axes, = figure.axes
    same, changed = axes.lines[-2:]
    assert same.get_xydata().tolist() == [[0.2, 0.3], [0.9, 0.8]] and changed.get_xydata().tolist() == [[0.6, 0.4]]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["same label: 2", "label changes: 1"]
    assert axes.get_xlabel() == "score with the he" and axes.get_title() == "films"
    assert (tmp_path / "pairs.png").read_bytes().startswith(b"\x89PNG")
    for wrong in (([0.1], [0.1, 0.2]), ([], []), ([[0.1]], [[0.2]])):
        with pytest.raises(ValueError, match=r"expected one shape \(n,\), not empty"):
            draw_pairs(*wrong)


def test_group_rates(tmp_path):
    y, p, groups = np.array([1, 0, 1, 0, 1]), np.array([1, 1, 1, 0, 0]), np.array(["男", "男", "女", "女", "女"])
    found, intervals = (measure(y, p, sensitive_features=groups) for measure in (group_metrics, group_intervals))
    figure = draw_group_rates(found, intervals, tmp_path / "rates.png")
    axes, = figure.axes
    assert [line.get_xdata()[0] for line in axes.lines[::3]] == [found[group]["selection_rate"] for group in found]
    assert [text.get_text() for text in axes.get_yticklabels()][0] == "selection rate"
    assert (tmp_path / "rates.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="expected the same groups, at least one"):
        draw_group_rates(found, {})
