"""Loss curves."""

import struct

import numpy as np
import pytest

from tinyformer.viz import draw_losses, draw_runs
from tinyformer.viz.losses import smooth


@pytest.mark.parametrize("width", (1, 2, 7, 50))
def test_smooth_is_a_mean_of_the_last_values(rng, width):
    values = rng.normal(size=20)
    naive = [values[max(0, i - width + 1):i + 1].mean() for i in range(20)]
    np.testing.assert_allclose(smooth(values, width), naive, rtol=0, atol=1e-12)


@pytest.mark.parametrize("steps", (0, 1, 120))
def test_a_picture_is_drawn_whatever_was_measured(tmp_path, steps):
    records = [{"step": i, "train_loss": 4 / i, "val_loss": 4 / i if i % 50 == 0 else None}
               for i in range(1, steps + 1)]
    path = tmp_path / "loss.png"
    draw_losses(records, path, title="a run", levels={"uniform": 3.3}, final=(steps, 2.0) if steps else None)
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", data[16:24])
    assert (width, height) == (840, 504)


def test_the_curves_are_those_of_the_records(tmp_path, monkeypatch):
    from matplotlib.axes import Axes
    drawn = {}
    monkeypatch.setattr(Axes, "plot",
                        lambda self, x, y, *_, label=None, **__: drawn.update({label: (list(x), list(y))}))
    monkeypatch.setattr(Axes, "legend", lambda *_, **__: None)
    records = [{"step": i, "train_loss": float(i), "val_loss": {2: 9.0, 4: 8.0}.get(i)} for i in range(1, 5)]
    draw_losses(records, tmp_path / "loss.png", title="a run")
    assert drawn[None] == ([1, 2, 3, 4], [1.0, 2.0, 3.0, 4.0])
    assert drawn["validation"] == ([2, 4], [9.0, 8.0])


def test_curves_of_several_runs(tmp_path, monkeypatch):
    from matplotlib.axes import Axes
    drawn, plot = [], Axes.plot
    monkeypatch.setattr(Axes, "plot",
                        lambda self, x, y, **how: (drawn.append((list(x), list(y), how)), plot(self, x, y, **how))[1])
    runs = {"first": [{"step": i, "train_loss": 1.0 * i, "val_loss": {2: 9.0, 4: 8.5, 5: 8.75}.get(i)}
                      for i in range(1, 6)],
            "second": [{"step": 3, "train_loss": 2.0, "val_loss": None}]}
    path = tmp_path / "curves.png"
    path.write_bytes(b"old")
    draw_runs(runs, path)
    (_, training, _), (steps, validation, how), (_, other, unmeasured) = drawn
    assert training == [1, 2, 3, 4, 5] and (steps, validation) == ([2, 4, 5], [9.0, 8.5, 8.75]) and other == [2]
    assert how["label"] == "first, lowest 8.500" and unmeasured["label"] == "second, not measured"
    assert how["color"] != unmeasured["color"]
    assert struct.unpack(">II", path.read_bytes()[16:24]) == (960, 576) and list(tmp_path.iterdir()) == [path]


def test_many_runs_are_told_apart(tmp_path, monkeypatch):
    from matplotlib.axes import Axes
    styles, plot = [], Axes.plot
    monkeypatch.setattr(Axes, "plot", lambda self, *xy, **how: (styles.append((how["color"], how["linestyle"])),
                                                                plot(self, *xy, **how))[1])
    draw_runs({str(i): [{"step": 1, "train_loss": i, "val_loss": None}] for i in range(20)}, tmp_path / "a.png")
    assert len(set(styles)) == 20


def test_runs_without_steps(tmp_path):
    with pytest.raises(ValueError, match="but there is no run"):
        draw_runs({}, tmp_path / "a.png")
    with pytest.raises(ValueError, match="but b has none"):
        draw_runs({"a": [{"step": 1, "train_loss": 1, "val_loss": None}], "b": []}, tmp_path / "a.png")


def test_names_of_levels_keep_clear_of_curves_and_of_each_other(tmp_path, monkeypatch):
    from tinyformer.viz import losses
    kept = []
    monkeypatch.setattr(losses, "save_figure", lambda figure, path: kept.append(figure))
    records = [{"step": i, "train_loss": 1.1 + 3 * 0.99 ** i, "val_loss": 1.3 if i % 50 == 0 else None}
               for i in range(1, 801)]
    draw_losses(records, tmp_path / "loss.png", "a run",
                levels={"uniform": 4.63, "bigram": 2.32, "Kneser-Ney": 1.16, "unigram": 1.19}, final=(800, 1.31))
    figure, = kept
    figure.draw_without_rendering()
    axes, = figure.axes
    boxes = [text.get_window_extent() for text in axes.texts if text.get_text() != "1.310"]
    assert len(boxes) == 4
    for i, box in enumerate(boxes):
        assert box.x0 >= axes.bbox.x1 and box.x1 <= figure.bbox.x1 and figure.bbox.y0 <= box.y0 \
            and box.y1 <= figure.bbox.y1
        assert not any(box.overlaps(other) for other in boxes[:i])
