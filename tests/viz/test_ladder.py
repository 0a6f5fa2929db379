"""The picture of a ladder, of made-up figures."""

import struct

import pytest

from tinyformer.viz.ladder import cost, draw_ladder

RUNGS = [{"name": "uniform", "kind": "guess", "loss": 3.3, "sd": None, "parameters": 0, "seconds": 0.0},
         {"name": "bigram", "kind": "counted", "loss": 2.4, "sd": None, "parameters": 700, "seconds": 0.1, "n": 2},
         {"name": "LSTM", "kind": "network", "loss": 1.9, "sd": 0.01, "parameters": 53_000, "seconds": 12.0}]
REPORT = {"about": "Names", "unit": "nats per character", "part": "test", "rungs": RUNGS,
          "kneser_ney": {"loss": 2.0, "n": 5}}


def test_a_row_for_each_rung_at_its_loss(tmp_path, monkeypatch):
    from matplotlib.axes import Axes
    drawn, said = [], []
    errorbar, annotate = Axes.errorbar, Axes.annotate

    def note(self, text, *rest, **how):
        said.append(text)
        return annotate(self, text, *rest, **how)

    def dot(self, x, y, xerr=None, **how):
        drawn.append((x, y, xerr))
        return errorbar(self, x, y, xerr=xerr, **how)

    monkeypatch.setattr(Axes, "annotate", note)
    monkeypatch.setattr(Axes, "errorbar", dot)
    draw_ladder(REPORT, tmp_path / "ladder.png")
    assert drawn == [(3.3, 0, None), (2.4, 1, None), (1.9, 2, 0.01)]
    assert said == ["3.300", "", "2.400", "700 · < 1 s", "1.900 ± 0.010", "53 k · 12 s",
                    "best of counting: n = 5, 2.000",
                    "parameters · training"]
    data = (tmp_path / "ladder.png").read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n") and struct.unpack(">II", data[16:24])[0] == 864


@pytest.mark.parametrize("parameters, seconds, words", (
    (0, 0.0, ""), (27, 0.2, "27 · < 1 s"), (1510, 3.4, "1.5 k · 3 s"), (53_403, 75.0, "53 k · 75 s"),
    (1_250_000, 1.0, "1.25 M · 1 s")))
def test_what_a_rung_costs(parameters, seconds, words):
    assert cost({"parameters": parameters, "seconds": seconds}) == words
