"""ONNX files: what they hold, and that ONNX Runtime computes from them what the model computes."""

import numpy as np
import pytest

from tinyformer import interop
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
    for model in (nn.Linear(2, 3), object()):
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
