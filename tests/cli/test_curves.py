"""tinyformer curves"""

import os
import shutil
from pathlib import Path

import pytest

from tinyformer import viz


@pytest.fixture
def drawn(monkeypatch):
    kept = []
    monkeypatch.setattr(viz, "draw_runs", lambda *arguments: kept.append(arguments))
    return kept


def test_a_picture(cli, trained):
    result = cli("curves", trained, trained, "--out", "both.png")
    assert result.code == 0 and result.errors == [] and result.lines == ["picture  both.png"]
    assert Path("both.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_what_is_drawn(cli, trained, drawn):
    shutil.copytree(trained, "runs/other")
    assert cli("curves", trained, "runs/other").code == 0
    runs, path, title, unit = drawn[0]
    assert list(runs) == [str(Path(trained)),
                          str(Path("runs/other"))] and unit == "nats per token" and title == "Loss curves"
    assert [record["step"]
            for record in runs[str(Path("runs/other"))]] == list(range(1, 13)) and path == Path("curves.png")
    tokenizer = Path("runs/other/tokenizer.json")
    tokenizer.write_text(tokenizer.read_text(encoding="utf-8") + " ", encoding="utf-8")
    assert cli("curves", trained, "runs/other").code == 0
    assert "different tokens: the values cannot be compared" in drawn[1][2]


def test_bad_input(refused, trained, drawn):
    refused(2, "recipe.toml: no such file", "curves", trained, "nowhere")
    shutil.copytree(trained, "runs/counted")
    os.remove("runs/counted/metrics.jsonl")
    refused(1, "no step was recorded there", "curves", "runs/counted")
    shutil.copytree(trained, "runs/classifier")
    recipe = Path("runs/classifier/recipe.toml")
    from tinyformer.train import load_recipe
    recipe.write_text(load_recipe("transformer-movie").to_toml(), encoding="utf-8")
    refused(1, "losses that cannot be compared: nats per token in", "curves", trained, "runs/classifier")
    refused(2, "Missing argument", "curves")
    assert not drawn
