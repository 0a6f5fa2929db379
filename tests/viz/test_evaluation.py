"""The pictures of a classifier."""

import struct

import numpy as np
import pytest

from tinyformer.viz import draw_confusion_matrix, draw_evaluation, evaluation


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are drawn, and not saved."""
    kept = []
    monkeypatch.setattr(evaluation, "save_figure", lambda figure, path: kept.append(figure))
    return kept


def test_rows_are_true_classes_and_colors_are_shares_of_the_row(drawn):
    matrix = np.array([[90, 10, 0], [5, 15, 1230], [0, 0, 0]])
    draw_confusion_matrix(matrix, ["cat", "a dog", "猫"], "a.png", title="animals")
    axes, = drawn[0].axes
    assert {text.get_position(): text.get_text() for text in axes.texts} == {
        (column, row): f"{matrix[row, column]:,}" for row in range(3) for column in range(3)}
    shares = axes.images[0].get_array()
    np.testing.assert_allclose(
        shares, [[0.9, 0.1, 0], [5 / 1250, 15 / 1250, 1230 / 1250], [0, 0, 0]], rtol=0, atol=1e-12
    )
    for text in axes.texts:                                 # white on blue, black on white
        column, row = text.get_position()
        assert text.get_color() == ("white" if shares[row, column] > 0.5 else "black")
    assert axes.get_xlabel() == "predicted" and axes.get_ylabel() == "true" and axes.get_title() == "animals"
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels][:2] == ["cat", "a dog"]


def test_shares_are_written_as_they_are(drawn):
    draw_confusion_matrix([[0.75, 0.25], [0.5, 0.5]], "ab", "a.png")
    assert [text.get_text() for text in drawn[0].axes[0].texts] == ["0.75", "0.25", "0.50", "0.50"]


@pytest.mark.parametrize(
    "K, name, numbers",
    ((1, "a", 1), (2, "negative", 4), (10, "a class of a long name", 100), (25, "x", 625), (400, "x", 0)),
)
def test_names_and_numbers_stay_apart(drawn, K, name, numbers):
    """In any number of classes, numbers stay in their cells, names stay apart, and the size is limited."""
    matrix = np.full((K, K), 1234 if K < 50 else 7)
    draw_confusion_matrix(matrix, [f"{name} {k}" for k in range(K)], "a.png")
    figure, (axes,) = drawn[0], drawn[0].axes
    assert max(figure.get_size_inches()) < 26 and len(axes.texts) == numbers
    assert len(axes.get_yticklabels()) == min(K, 200)      # of 400 every second one
    if K == 400:
        return
    figure.canvas.draw()
    cell = axes.get_window_extent().width / K
    assert all(text.get_window_extent().width <= cell * 1.02 for text in axes.texts)
    for labels, side in ((axes.get_xticklabels(), "width"), (axes.get_yticklabels(), "height")):
        assert K < 3 or all(getattr(label.get_window_extent(), side) <= 1.2 * cell for label in labels)


def test_the_file(tmp_path):
    draw_confusion_matrix(np.eye(10, dtype=int) * 50, list("0123456789"), tmp_path / "new" / "a.png")
    data = (tmp_path / "new" / "a.png").read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n") and min(struct.unpack(">II", data[16:24])) > 500
    with pytest.raises(ValueError, match="a.jpg: a picture is a PNG file"):
        draw_confusion_matrix([[1]], ["a"], tmp_path / "a.jpg")


@pytest.mark.parametrize("matrix, classes, said", (
    ([[1, 2]], ["a"], r"matrix has shape \(1, 2\), expected \(1, 1\) for 1 classes"),
    ([[1, 2], [3, 4]], ["a"], r"matrix has shape \(2, 2\), expected \(1, 1\)"),
    (np.zeros((0, 0)), [], r"matrix has shape \(0, 0\)"),
    ([[1, -2], [3, 4]], "ab", "finite numbers of at least 0"),
    ([[1.0, np.nan], [3, 4]], "ab", "finite numbers of at least 0"),
    ([["1", "2"], ["3", "4"]], "ab", "entries that are not counts or shares"),
))
def test_matrices_that_are_none(matrix, classes, said):
    with pytest.raises(ValueError, match=said):
        draw_confusion_matrix(matrix, classes, "a.png")


def test_the_three_parts_of_an_evaluation(drawn):
    draw_evaluation(
        {
            "confusion": [[40, 10], [5, 45]],
            "classes": ["ham", "spam"],
            "kind": "bow",
            "most_frequent_class_accuracy": 0.5,
            "baseline": "bag of words",
            "baseline_accuracy": 0.8,
            "accuracy": 0.85,
            "confidence_interval": [0.78, 0.92],
            "reliability": [
                {"count": 30, "confidence": 0.6, "accuracy": 0.5},
                {"count": 70, "confidence": 0.9, "accuracy": 1.0},
            ],
            "calibration_error": 0.05,
        },
        "a.png",
    )
    matrix, bars, curve = drawn[0].axes
    assert [text.get_text() for text in matrix.texts] == ["40", "10", "5", "45"]
    assert [label.get_text() for label in bars.get_yticklabels()] == [
        "most frequent class",
        "bag of words",
        "this model",
    ]
    assert [bar.get_width() for bar in bars.patches] == [
        0.5,
        0.8,
        0.85,
    ] and curve.get_title() == "reliability, error 0.050"
    assert [list(line.get_ydata()) for line in curve.lines] == [[0, 1], [0.5, 1.0]]


def test_without_a_path_a_confusion_matrix_is_a_figure_and_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    figure = draw_confusion_matrix([[3, 1], [0, 2]], ["no", "yes"])
    assert [text.get_text() for text in figure.axes[0].texts] == ["3", "1", "0", "2"] and not list(tmp_path.iterdir())
