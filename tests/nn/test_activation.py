import numpy as np
import pytest

from tinyformer import nn

LAYERS = [nn.ReLU(), nn.LeakyReLU(0.2), nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.Sigmoid(), nn.Tanh(), nn.Softplus(),
          nn.Softplus(beta=2.0, threshold=1.0), nn.Softmax(), nn.Softmax(dim=0)]


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_gradients(check_layer, rng, layer):
    x = rng.normal(size=(4, 5))
    x[np.abs(x) < 0.05] += 0.2                              # away from the kinks at 0 …
    x[np.abs(x - 0.5) < 0.05] += 0.2                        # … and, of Softplus, at threshold/beta
    check_layer(layer, x)


def test_values_at_a_few_points():
    x = np.array([-1.0, 0.0, 2.0])
    np.testing.assert_array_equal(nn.LeakyReLU(0.2)(x), [-0.2, 0, 2])
    np.testing.assert_allclose(nn.Softplus()(np.array([-1000.0, 0.0, 30.0])), [0, np.log(2), 30], rtol=1e-12)
    np.testing.assert_allclose(nn.GELU()(x), [-0.15865525393145707, 0, 1.9544997361036416], rtol=1e-12)
    assert np.asarray(nn.Softmax(dim=0)(np.ones((4, 2))))[0, 0] == 0.25


def test_bad_arguments_and_repr():
    with pytest.raises(ValueError, match="GELU: approximate is 'erf', expected 'none' or 'tanh'"):
        nn.GELU("erf")
    assert [repr(layer) for layer in LAYERS[:4]] == ["ReLU()", "LeakyReLU(negative_slope=0.2)",
                                                    "GELU(approximate='none')",
                                                     "GELU(approximate='tanh')"]
