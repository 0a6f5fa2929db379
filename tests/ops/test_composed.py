"""The derived operations against the same out of simpler ones: value and gradients, for a random gradient of the
output."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from tinyformer import ops
from tinyformer.autograd import Tensor
from tinyformer.ops import composed


def _normal(rng, *shapes):
    return [rng.standard_normal(shape) for shape in shapes]


def _rotary(rng):
    return _normal(rng, (2, 3, 5, 8)), list(ops.rotary_tables(5, 8, dtype=np.float64))


def _attention(mask=None):
    """Six query heads on two key heads."""
    def draw(rng):
        arrays = _normal(rng, (2, 6, 5, 4), (2, 2, 7, 4), (2, 2, 7, 3))
        return arrays + (_normal(rng, mask) if mask else []), []
    return draw


def _boolean_attention(rng):
    mask = rng.random((5, 7)) < 0.6
    mask[:, 0] = True
    mask[2] = False
    return _normal(rng, (2, 3, 5, 4), (2, 3, 7, 4), (2, 3, 7, 3)), [mask]


def _recurrent(gates, states=1):
    def draw(rng):
        T, B, I, H = 5, 4, 3, 6
        weights = [(gates * H, I), (gates * H, H), (gates * H,), (gates * H,)]
        return _normal(rng, (T, B, I), *[(B, H)] * states, *weights), []
    return draw


# name: (what draws ([differentiated arrays], [constants after them]), options of both, options of the derived one
# alone), …
EXAMPLES = [
    *((name, lambda rng: (_normal(rng, (3, 5)), []), {}, {}) for name in ("sigmoid", "silu", "softplus")),
    *(("std", lambda rng: (_normal(rng, (3, 5, 4)), []), {"axis": axis, "correction": correction}, {})
      for axis in (None, 1, (0, 2)) for correction in (0, 1)),
    ("gelu_tanh", lambda rng: (_normal(rng, (3, 5)), []), {}, {"approximate": "tanh"}),
    *((name, lambda rng: (_normal(rng, (3, 5, 4)), []), {"axis": axis}, {})
      for name in ("softmax", "log_softmax") for axis in (-1, 0, 1)),
    ("linear", lambda rng: (_normal(rng, (2, 3, 5), (7, 5), (7,)), []), {}, {}),
    ("linear", lambda rng: (_normal(rng, (3, 5), (7, 5)), []), {}, {}),
    ("layer_norm", lambda rng: (_normal(rng, (2, 3, 5), (5,), (5,)), []), {}, {}),
    ("layer_norm", lambda rng: (_normal(rng, (3, 5), (5,), (5,)), []), {"eps": 0.1}, {}),
    ("rms_norm", lambda rng: (_normal(rng, (2, 3, 5), (5,)), []), {}, {}),
    ("batch_norm", lambda rng: (_normal(rng, (6, 5), (5,), (5,)), []), {}, {}),
    *(("group_norm", lambda rng: (_normal(rng, (3, 6, 4, 5), (6,), (6,)), []), {"num_groups": groups, "eps": eps}, {})
      for groups, eps in ((1, 1e-5), (3, 0.1), (6, 1e-5))),
    *(("conv2d", lambda rng, groups=options.get("groups", 1): (
        _normal(rng, (2, 4, 9, 8), (6, 4 // groups, 3, 2), (6,)), []), options, {}) for options in (
            {}, {"stride": 2}, {"padding": 2}, {"dilation": 2}, {"groups": 2},
            {"stride": 3, "padding": 1, "dilation": 2, "groups": 2})),
    *(("conv_transpose2d", lambda rng, groups=options.get("groups", 1): (
        _normal(rng, (2, 4, 5, 4), (4, 6 // groups, 3, 2), (6,)), []), options, {}) for options in (
            {}, {"stride": 2}, {"padding": 1}, {"dilation": 2}, {"groups": 2},
            {"stride": 3, "padding": 1, "dilation": 2, "groups": 2})),
    *(("max_pool2d", lambda rng: (_normal(rng, (2, 3, 9, 8)), []), options, {}) for options in (
        {"kernel_size": 2, "stride": 2}, {"kernel_size": 3, "stride": 2, "padding": 1},
        {"kernel_size": 3, "stride": 1, "dilation": 2, "padding": 1})),
    *(("avg_pool2d", lambda rng: (_normal(rng, (2, 3, 9, 8)), []), options, {}) for options in (
        {"kernel_size": 2, "stride": 2}, {"kernel_size": 3, "stride": 2, "padding": 1})),
    ("embedding", lambda rng: ([rng.integers(0, 4, (3, 5)), *_normal(rng, (4, 6))], []), {}, {}),
    ("rotary", _rotary, {}, {}),
    ("scaled_dot_product_attention", _attention(), {}, {}),
    ("scaled_dot_product_attention", _attention(), {"is_causal": True, "scale": 0.7}, {}),
    ("scaled_dot_product_attention", _attention(mask=(5, 7)), {}, {}),
    ("scaled_dot_product_attention", _attention(mask=(2, 1, 1, 7)), {"is_causal": True}, {}),
    ("scaled_dot_product_attention", _boolean_attention, {}, {}),
    ("residual_self_attention", lambda rng: (_normal(rng, (2, 5, 4), (3, 4), (3, 4), (4, 4)), []), {}, {}),
    *((name, _recurrent(gates, states), options, {})
      for name, gates, states, extra in (("rnn", 1, 1, {}), ("rnn", 1, 1, {"nonlinearity": "relu"}), ("gru", 3, 1, {}),
                                         ("lstm", 4, 2, {}))
      for options in (extra, {**extra, "reverse": True}, {**extra, "lengths": [3, 5, 0, 1]},
                      {**extra, "lengths": [3, 5, 0, 1], "reverse": True})),
    ("mse_loss", lambda rng: (_normal(rng, (3, 5), (3, 5)), []), {}, {}),
    *(("cross_entropy", lambda rng: (_normal(rng, (6, 5)), [rng.integers(0, 5, 6)]), {"label_smoothing": smoothing}, {})
      for smoothing in (0.0, 0.2)),
    *(("gaussian_kl", lambda rng, n=n: (_normal(rng, *[(3, 5)] * n), []), {}, {}) for n in (2, 4)),
    ("reparametrize", lambda rng: (_normal(rng, (3, 5), (3, 5), (3, 5)), []), {}, {}),
    ("binary_cross_entropy_with_logits", lambda rng: ([*_normal(rng, (3, 5)), rng.random((3, 5))], []), {}, {}),
    *(("normalize", lambda rng: (_normal(rng, (3, 5, 4)), []), {"axis": axis}, {}) for axis in (-1, 1)),
    ("squared_distances", lambda rng: (_normal(rng, (6, 5), (3, 5)), []), {}, {}),
    *(("contrastive_loss", lambda rng: (_normal(rng, (6, 5), (6, 5), ()), []), {"within": within}, {})
      for within in (False, True)),
    ("grid_sample", lambda rng: ([*_normal(rng, (2, 3, 5, 4)), rng.uniform(-1.3, 1.3, (2, 6, 3, 2))], []), {}, {}),
]


def test_every_composed_form_has_an_example():
    own = {name for name, value in vars(composed).items()
           if inspect.isfunction(value) and value.__module__ == composed.__name__ and not name.startswith("_")}
    assert own == {name for name, *_ in EXAMPLES}


@pytest.mark.parametrize("name, draw, options, extra", EXAMPLES, ids=[f"{e[0]}-{i}" for i, e in enumerate(EXAMPLES)])
def test_derived_is_composed(rng, name, draw, options, extra):
    arrays, constants = draw(rng)
    derived = getattr(ops, name.removesuffix("_tanh"))
    results = []
    for operation in (lambda *a, **o: derived(*a, **o, **extra), getattr(composed, name)):
        inputs = [Tensor(a.copy(), requires_grad=True) if a.dtype == np.float64 else a for a in arrays]
        values, draw_cotangent = operation(*inputs, *constants, **options), np.random.default_rng(1)
        values = values if isinstance(values, tuple) else (values,)
        ops.stack([(y * draw_cotangent.standard_normal(y.shape)).sum() for y in values]).sum().backward()
        results.append([*(y.data for y in values), *(x.grad for x in inputs if isinstance(x, Tensor))])
    for ours, oracle in zip(*results, strict=True):
        assert np.abs(oracle).max() > 1e-3
        np.testing.assert_allclose(ours, oracle, rtol=1e-12, atol=1e-12)
