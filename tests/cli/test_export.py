"""``tinyformer export``: the file, what comes with it, and what is refused."""

import sys
from pathlib import Path

import pytest

from tinyformer.models import MLP, MLPConfig
from tinyformer.text import load_tokenizer

onnx = pytest.importorskip("onnx", reason="needs the package onnx")


def test_the_newest_model_with_its_tokenizer(cli, trained):
    result = cli("export", "--to", "out/m.onnx")
    assert result.code == 0 and result.errors == []
    assert result.lines == [f"{Path('out/m.onnx')}  {Path('out/m.onnx').stat().st_size:,} bytes, GPT",
                            str(Path("out/tokenizer.json"))]
    assert onnx.load("out/m.onnx").graph.output[0].name == "logits"
    assert load_tokenizer("out").tokens == load_tokenizer(trained).tokens


def test_the_tokenizer_of_the_model_is_not_replaced(cli, trained):
    own = Path(trained) / "tokenizer.json"
    own.write_text(own.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    before = own.read_bytes()
    assert cli("export", "--model", str(trained), "--to", str(own.with_name("m.onnx"))).lines[-1] == str(own)
    assert own.read_bytes() == before


def test_a_classifier_with_the_names_of_its_classes(cli, tmp_path):
    MLP(MLPConfig(4, 3)).save_pretrained("model")
    result = cli("export", "--model", "model", "--to", "m.onnx")
    assert result.code == 0 and result.lines[-1] == "labels.json"
    assert Path("labels.json").read_text(encoding="utf-8") == '{"0": "0", "1": "1", "2": "2"}\n'


def test_classes_are_named_as_in_the_folder(cli):
    MLP(MLPConfig(4, 2)).save_pretrained("model")
    Path("model/classes.json").write_text('["ham", "späm"]\n', encoding="utf-8")
    assert cli("export", "--model", "model", "--to", "m.onnx").code == 0
    assert Path("labels.json").read_text(encoding="utf-8") == '{"0": "ham", "1": "späm"}\n'


def test_with_a_cache(cli, refused, trained):
    result = cli("export", "--to", "m.onnx", "--with-cache")
    assert result.code == 0 and result.errors == []
    names = [entry.name for entry in onnx.load("m.onnx").graph.output]
    assert names[:3] == ["logits", "present.0.key", "present.0.value"]
    MLP(MLPConfig(4, 3)).save_pretrained("model")
    refused(1, "MLP has no cache of keys and values", "export", "--model", "model", "--to", "x.onnx", "--with-cache")


def test_refusals_leave_nothing(refused, monkeypatch):
    refused(1, "no trained model under runs/", "export", "--to", "m.onnx")
    refused(1, "--to m.bin: expected the name of a file that ends in .onnx", "export", "--to", "m.bin")
    refused(2, "Missing option '--to'", "export")
    MLP(MLPConfig(4, 3)).save_pretrained("model")
    monkeypatch.setitem(sys.modules, "onnx", None)
    refused(1, "tinyformer: export: the package onnx is missing; pip", "export", "--model", "model", "--to", "m.onnx")
    assert not [*Path().glob("*.onnx")] and not [*Path().glob("*.json")]
