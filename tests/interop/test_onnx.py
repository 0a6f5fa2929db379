"""ONNX files: what they hold, and that ONNX Runtime computes from them what the model computes."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tinyformer import interop, models, ops
from tinyformer.autograd import Tensor
from tinyformer.models import GPT, MLP, GPTConfig, MLPConfig

onnx = pytest.importorskip("onnx", reason="needs the package onnx")


def test_the_file_is_checked_and_says_what_it_is(tmp_path):
    model = GPT(GPTConfig(50, block_size=16, n_layer=2, n_head=2, n_embd=8, dropout=0.1))
    interop.onnx.export(model, tmp_path / "m.onnx")
    proto = onnx.load(tmp_path / "m.onnx")
    onnx.checker.check_model(proto, full_check=True)
    assert proto.producer_name == "tinyformer"
    assert {entry.key: entry.value for entry in proto.metadata_props} == {"architecture": "gpt", "vocab_size": "50"}
    assert [entry.version for entry in proto.opset_import] == [20]
    ids, = proto.graph.input
    assert ids.name == "input_ids" and ids.type.tensor_type.elem_type == onnx.TensorProto.INT64
    assert [d.dim_param for d in ids.type.tensor_type.shape.dim] == ["batch", "sequence"]
    logits, = proto.graph.output
    assert logits.name == "logits" and logits.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert [d.dim_param or d.dim_value for d in logits.type.tensor_type.shape.dim] == ["batch", "sequence", 50]
    assert model.training                                   # the model's mode is as it was
    assert not any(node.op_type == "Dropout" for node in proto.graph.node)


def test_weights_stand_once_under_their_names(tmp_path):
    model = GPT(GPTConfig(50, block_size=16, n_layer=1, n_head=2, n_embd=8))
    interop.onnx.export(model, tmp_path / "m.onnx")
    stored = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(tmp_path / "m.onnx").graph.initializer}
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(stored[name], array)
    assert sum(array.size for array in stored.values()) < sum(p.size for p in model.parameters()) + 100


def test_what_has_no_form_is_refused_by_name(tmp_path):
    from tinyformer import nn
    for model in (nn.Linear(2, 3), object(), models.NGram(models.NGramConfig(5)), models.HMM(models.HMMConfig(3, 5)),
                  models.CLIP(models.CLIPConfig(16, 5))):
        with pytest.raises(TypeError, match=type(model).__name__):
            interop.onnx.export(model, tmp_path / "m.onnx")
    assert not [*tmp_path.iterdir()]


def test_an_operation_without_a_converter_is_named(tmp_path, monkeypatch):
    from tinyformer import ops
    from tinyformer.interop.onnx.table import CONVERTERS
    monkeypatch.delitem(CONVERTERS, ops.relu)
    with pytest.raises(ValueError, match="MLP cannot be written as ONNX: the operation relu"):
        interop.onnx.export(MLP(MLPConfig(4, 2)), tmp_path / "m.onnx")
    assert not [*tmp_path.iterdir()]


class Odd(MLP):
    """Logits that depend on the inputs past the operations: their converter would write a constant."""

    way = "scale"

    def forward(self, x):
        x = x if isinstance(x, Tensor) else Tensor(x)
        logits = super().forward(x)
        if self.way == "scale":
            return logits * float(np.abs(logits.data).max())
        if self.way == "mask":
            return ops.where(logits.data > 0, logits, 0.0)
        return logits[:2] if len(x) == 3 else logits * 2


@pytest.mark.parametrize("way, message", (("scale", "a number changes with the inputs"),
                                          ("mask", "an array of shape .* and type bool changes"),
                                          ("branch", "operations of a forward pass change")))
def test_values_that_were_computed_past_the_operations_are_refused(tmp_path, way, message):
    model = Odd(MLPConfig(4, 2))
    model.way = way
    with pytest.raises(ValueError, match=f"Odd cannot be written as ONNX: .*{message}"):
        interop.onnx.export(model, tmp_path / "m.onnx")
    assert not [*tmp_path.iterdir()]


def test_too_many_weights_for_one_file(tmp_path, monkeypatch):
    from tinyformer.interop.onnx import writing
    monkeypatch.setattr(writing, "LIMIT", 100)
    with pytest.raises(ValueError, match="MLP has weights of .* bytes in float32, expected at most 100"):
        interop.onnx.export(MLP(MLPConfig(4, 2)), tmp_path / "m.onnx")


@pytest.mark.parametrize("sizes, expected", (
    ((4, 4, 4), 4), ((2, 3, 5), "batch"), ((28, 44, 20), "4 sequence"), ((14, 33, 25), "batch sequence"),
    ((9, 14, 10), "batch + sequence"), ((6, 10, 4), "sequence - 1"), ((15, 34, 26), "batch sequence + 1")))
def test_sizes_from_their_values(sizes, expected):
    from tinyformer.interop.onnx.sizes import Size, fit
    B, T = ("batch",), ("sequence",)
    wanted = {4: 4, "batch": Size((B,)), "4 sequence": Size((T,), 4), "batch sequence": Size((B, T)),
              "batch + sequence": Size((B + T,)), "sequence - 1": Size((T,), 1, -1),
              "batch sequence + 1": Size((B, T), 1, 1)}
    assert fit(sizes, {"batch": (2, 3, 5), "sequence": (7, 11, 5)}) == wanted[expected]


def test_a_size_that_nothing_gives():
    from tinyformer.interop.onnx.sizes import fit
    with pytest.raises(ValueError, match="a size is 1, 5, 2 for inputs of the sizes batch 2, 3, 5"):
        fit((1, 5, 2), {"batch": (2, 3, 5), "sequence": (7, 11, 5)})


def test_numpy_on_the_inputs_is_recorded_and_tensors_hold_plain_arrays():
    from tinyformer.arrays import plain_array
    from tinyformer.interop.onnx.recorded_arrays import RecordedArray, recorded
    from tinyformer.interop.onnx.recording import Recording
    ids = np.array([[3, 1, 0], [2, 0, 0]])
    recording = Recording({"ids": ids}, {})
    given = recorded(ids, recording)
    assert plain_array("f", given) is given and type(Tensor(given).data) is np.ndarray
    lengths = np.maximum((given != 0).sum(axis=1), 1)
    assert isinstance(lengths, RecordedArray) and lengths.tolist() == [2, 1]
    assert [a.name for a in recording.applications] == ["not_equal", "reduce", "maximum"]
    assert recording.applications[1].sources[0].key == (0, 0) and recording.source(lengths).key == (2, 0)
    assert not (given != 0).all() and given.min() == 0      # numbers and truth values are plain
    mask = given != 0
    before = recording.source(mask)
    mask[:, 0] = False
    assert np.asarray(mask).tolist() == [[False, True, False], [False, False, False]]
    assert recording.source(mask) != before and recording.applications[-1].sources[0] == before


@pytest.mark.parametrize("room", range(4, 30))
def test_the_sizes_of_the_recorded_passes_differ_from_each_other(room):
    from tinyformer.interop.onnx.cached import cached_form
    from tinyformer.interop.onnx.forms import form_of
    from tinyformer.interop.onnx.writing import _symbols
    seq2seq = models.Seq2Seq(models.Seq2SeqConfig(5, room, 1, 1, 4))
    gpt = GPT(GPTConfig(5, room, 1, 1, 4))
    for form in (form_of(seq2seq), cached_form(seq2seq), form_of(gpt), cached_form(gpt)):
        sizes = _symbols(form)
        assert len({*sizes.values()}) == len(sizes) and all(min(found) >= 1 for found in sizes.values())
        assert max(sizes["sequence"]) <= room
        if "past_sequence" in sizes:
            new = sizes.get("decoder_sequence") or sizes["sequence"]
            assert max(map(sum, zip(sizes["past_sequence"], new))) <= room and len({*sizes["past_sequence"]}) > 1


def test_the_example_of_generating_with_a_cache(tmp_path):
    """The page's loop chooses the tokens that ``generate`` chooses."""
    pytest.importorskip("onnxruntime", reason="needs the package onnxruntime")
    page = Path(__file__).parents[2] / "chapters" / "reference" / "interop-onnx.md"
    code = page.read_text(encoding="utf-8").split("```python\n")[2].split("```")[0]
    import onnxruntime
    model = GPT(GPTConfig(30, block_size=60, n_layer=2, n_head=2, n_embd=8)).eval()
    for parameter in model.parameters():
        parameter.data *= 10
    prompt = np.array([4, 7, 2])
    tokenizer = SimpleNamespace(encode=lambda text: prompt)
    names = {"interop": interop, "onnxruntime": onnxruntime, "np": np, "model": model, "tokenizer": tokenizer}
    exec(code.replace('"gpt.onnx"', repr(str(tmp_path / "gpt.onnx"))), names)
    assert names["ids"] == model.generate(prompt[None], 50, temperature=0)[0, 3:].tolist()
