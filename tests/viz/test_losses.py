"""Loss curves."""

import struct

import numpy as np
import pytest

from tinyformer.viz import draw_losses
from tinyformer.viz.losses import smooth


@pytest.mark.parametrize("width", (1, 2, 7, 50))
def test_smooth_is_a_mean_of_the_last_values(rng, width):
    values = rng.normal(size=20)
    naive = [values[max(0, i - width + 1):i + 1].mean() for i in range(20)]
    np.testing.assert_allclose(smooth(values, width), naive, rtol=0, atol=1e-12)


@pytest.mark.parametrize("steps", (0, 1, 120))
def test_a_picture_is_drawn_whatever_was_measured(tmp_path, steps):
    records = [{"step": i, "train_loss": 4 / i, "val_loss": 4 / i if i % 50 == 0 else None} for i in range(1, steps + 1)]
    path = tmp_path / "loss.png"
    draw_losses(records, path, title="a run", levels={"uniform": 3.3}, final=(steps, 2.0) if steps else None)
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", data[16:24])
    assert (width, height) == (840, 504)


def test_the_curves_are_those_of_the_records(tmp_path, monkeypatch):
    from matplotlib.axes import Axes
    drawn = {}
    monkeypatch.setattr(Axes, "plot", lambda self, x, y, *_, label=None, **__: drawn.update({label: (list(x), list(y))}))
    monkeypatch.setattr(Axes, "legend", lambda *_, **__: None)
    records = [{"step": i, "train_loss": float(i), "val_loss": {2: 9.0, 4: 8.0}.get(i)} for i in range(1, 5)]
    draw_losses(records, tmp_path / "loss.png", title="a run")
    assert drawn[None] == ([1, 2, 3, 4], [1.0, 2.0, 3.0, 4.0])
    assert drawn["validation"] == ([2, 4], [9.0, 8.0])
