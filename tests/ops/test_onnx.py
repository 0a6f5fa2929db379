"""Each operation as ONNX nodes, run by ONNX Runtime, gives what the operation gives; the others are listed here."""

import numpy as np
import pytest

from tinyformer import ops

pytest.importorskip("onnx", reason="needs the package onnx")
runtime = pytest.importorskip("onnxruntime", reason="needs the package onnxruntime")

# Losses, and what only training or data with random places does; a model's evaluation uses none of them.
WITHOUT = {"binary_cross_entropy_with_logits", "contrastive_loss", "cross_entropy", "dropout", "gaussian_kl",
           "grid_sample", "mse_loss", "reparametrize", "sparse_linear"}
# Cases that the converter refuses, with a part of the reason.
REFUSED = {"statistics of the batch", "drops weights", "divisor_override", "an index of",
           "grouped heads with a mask of each head"}


def narrow(value):
    return value.astype(np.float32) if isinstance(value, np.ndarray) and value.dtype == np.float64 else value


def test_the_operation_as_onnx_nodes(case):
    from tinyformer.interop.onnx.forms import Form, Input
    from tinyformer.interop.onnx.table import CONVERTERS
    from tinyformer.interop.onnx.writing import model_proto
    if case.name in WITHOUT:
        assert case.operation not in CONVERTERS
        return
    inputs, options = case.draw(seed=1)
    inputs, options = [narrow(value) for value in inputs], {name: narrow(value) for name, value in options.items()}
    arrays = {f"x{i}": value for i, value in enumerate(inputs)
              if isinstance(value, np.ndarray) and (case.name != "getitem" or i == 0)}

    def forward(**given):
        made = case.operation(*(given.get(f"x{i}", value) for i, value in enumerate(inputs)), **options)
        return {f"y{i}": y for i, y in enumerate(made if isinstance(made, tuple) else (made,))}

    form = Form({name: Input(array.shape, lambda rng, shape, array=array: array) for name, array in arrays.items()},
                forward)
    try:
        proto = model_proto(form, {}, case.name)
    except ValueError as error:
        assert any(reason in str(error) for reason in REFUSED), error
        pytest.skip(str(error))
    session = runtime.InferenceSession(proto.SerializeToString())
    names = {entry.name for entry in session.get_inputs()}
    found = session.run(None, {name: np.asarray(array) for name, array in arrays.items() if name in names})
    for one, wanted in zip(found, forward(**arrays).values(), strict=True):
        assert one.shape == wanted.shape
        np.testing.assert_allclose(one, wanted.data, rtol=2e-5, atol=2e-6)


def test_every_operation_has_a_converter_or_a_reason(covered):
    from tinyformer.interop.onnx.table import CONVERTERS
    assert {name for name in covered if getattr(ops, name) not in CONVERTERS} == WITHOUT
