"""The gradient check of a layer, shared by the tests of this folder."""

import numpy as np
import pytest

from tinyformer.gradcheck import check
from tinyformer.nn import Module


@pytest.fixture
def check_layer(rng):
    """A function that checks the gradients of a layer's inputs and of random parameters, in float64."""
    def check_layer(layer, *inputs, **options):
        layer.to(np.float64)
        for parameter in layer.parameters():
            parameter.data[...] = rng.normal(0, 0.7, parameter.shape)

        class FirstOutput(Module):
            def __init__(self):
                self.layer = layer

            def forward(self, *xs):
                y = self.layer(*xs, **options)
                return y[0] if isinstance(y, tuple) else y

        # Another seed than the inputs': a cotangent equal to x is one whose gradient a normalization sends to zero.
        report = check(FirstOutput(), *inputs, seed=1)
        assert report.ok, str(report)
        differentiated = [one for one in report.inputs if one.differentiated]
        floats = sum(np.asarray(x).dtype.kind == "f" for x in inputs)
        assert len(differentiated) == floats + len(list(layer.parameters()))
        assert all(one.error < 1e-7 for one in differentiated), str(report)

    return check_layer
