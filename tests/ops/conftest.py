"""The table of cases: for every operation, inputs at which its gradient is to be checked.

A test that takes ``case`` runs for every row. Inputs lie away from kinks; shapes are drawn at random.
"""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from tinyformer import ops


class Draw:
    """Random arrays by the letters of their axes: ``d("BTC")``. A letter has one length, 2 to 5, throughout a case.

    N has 4 to 7: of two examples alone, batch norm makes 1 and −1 whatever they are, and nearly no gradient is left.
    """

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.lengths = {}

    def shape(self, axes):
        for axis in axes:
            self.lengths.setdefault(axis, 1 if axis == "1" else int(self.rng.integers(2, 6)) + 2 * (axis == "N"))
        return tuple(self.lengths[axis] for axis in axes)

    def __call__(self, axes):
        return self.rng.standard_normal(self.shape(axes))

    def __getitem__(self, axis):
        return self.shape(axis)[0]

    def positive(self, axes):
        return self.rng.uniform(0.5, 2, self.shape(axes))

    def apart(self, axes):
        """Entries at least 0.1 from zero and from each other."""
        values = np.arange(1, 1 + np.prod(self.shape(axes), dtype=int)) * 0.1
        signs = self.rng.choice([-1, 1], values.shape)
        return self.rng.permutation(values * signs).reshape(self.shape(axes))

    def integers(self, axes, end):
        return self.rng.integers(0, end, self.shape(axes))

    def boolean(self, axes):
        return self.rng.random(self.shape(axes)) < 0.5


class Small(Draw):
    """Every letter has a length of 0 to 3."""

    def shape(self, axes):
        for axis in axes:
            self.lengths.setdefault(axis, 1 if axis == "1" else int(self.rng.choice(4, p=(0.15, 0.3, 0.3, 0.25))))
        return super().shape(axes)


def _attention(axes, mask=None, group=1, **options):
    """q (…, H, T, D), k (…, G, S, D), v (…, G, S, E), with the number of query heads a multiple of that of key
    heads."""
    def build(d):
        heads = axes[-1:] if axes else ""                   # the letter of the key heads, if there are any
        d.lengths["H"] = d[heads] * group if heads else 1
        query = axes[:-1] + "H" if axes else ""
        inputs = d(query + "TD"), d(axes + "SD"), d(axes + "SE")
        return (*inputs, *(() if mask is None else (mask(d),))), options
    return build


def _some_rows_empty(d):
    mask = d.boolean("TS")
    mask[0] = False
    return mask


def _minus_infinity(d):
    return np.where(d.boolean("HTS"), d("HTS"), -np.inf)


def _rotary(axes):
    def build(d):
        d.lengths["D"] = 2 * d["P"]
        cos, sin = ops.rotary_tables(d["T"], d["D"], dtype=np.float64)
        return (d(axes),), {"cos": cos, "sin": sin}
    return build


def _of(*axes, draw=Draw.__call__, **options):
    """A case of inputs with the given axes; what is no string of axes is passed on as it is."""
    return lambda d: (tuple(draw(d, a) if isinstance(a, str) else a for a in axes), options)


def _recurrent(gates, states, bias=True, lengths=None, **options):
    def build(d):
        d.lengths["G"] = gates * d["H"]
        inputs = d("TBI"), *(d("BH") for _ in range(states)), d("GI"), d("GH"), *((d("G"), d("G")) if bias else ())
        given = {} if lengths is None else {"lengths": np.append(d.integers("B", d["T"] + 1)[1:], d["T"])}
        return inputs, {**given, **options}
    return build


def _groups(**options):
    """Groups of two to five channels."""
    def build(d):
        G = d["G"]
        d.lengths["C"] = G * d["D"]
        return (d("NCT"), d("C"), d("C")), {"num_groups": G, **options}
    return build


def _picture(*axes, parts=1, **options):
    """Pictures (…, H, W) of 5 to 8 pixels, and a kernel (O, C, k, l) of at most 3; the letters C, O times ``parts``."""
    def build(d):
        for axis in "CO":
            d.lengths[axis] = parts * d[axis]
        d.lengths["I"] = d.lengths["C"] // parts
        for axis, low, high in (("H", 5, 9), ("W", 5, 9), ("k", 1, 4), ("l", 1, 4)):
            d.lengths[axis] = int(d.rng.integers(low, high))
        return tuple(d.apart(a) if "max" in options else d(a) for a in axes), {
            name: value for name, value in options.items() if name != "max"}
    return build


def _targets(d, ignored=False):
    targets = d.integers("BT", d["V"])
    if ignored:
        targets[0, 0] = targets[-1, -1] = -100
    return targets


def _places(d, aligned):
    """Places (B, I, J, 2) in pictures (…, H, W) and a little outside, at least 0.1 of a pixel away from its center."""
    lengths = np.array([d["W"], d["H"]])
    pixels = d.rng.integers(-2, lengths + 1, (*d.shape("BIJ"), 2)) + d.rng.uniform(0.1, 0.9, (*d.shape("BIJ"), 2))
    return (pixels - (lengths - 1) / 2) / np.maximum((lengths - 1 if aligned else lengths) / 2, 0.5)


BINARY = [("BTC", "BTC"), ("BTC", "C"), ("T1", "BTC"), ("1C", "T1"), ("", "BT"), ("", ""), ("BT", 0.7), (0.7, "BT")]
REDUCTIONS = [{}, {"axis": 0}, {"axis": -1, "keepdims": True}, {"axis": (0, 2)}, {"axis": (-1, 1), "keepdims": True},
              {"keepdims": True}]

CASES = {
    # arithmetic
    **{name: [_of(*axes) for axes in BINARY] + [lambda d: ((d("BT"), d.integers("BT", 5)), {})]
       for name in ("add", "subtract", "multiply", "maximum", "minimum")},
    "divide": [_of(*axes, draw=Draw.apart) for axes in BINARY],
    "power": [_of(*axes, draw=Draw.positive) for axes in BINARY] + [
        _of("BT", 2), _of("BT", 3), _of("BT", 1), _of("BT", 0), _of("BT", -1, draw=Draw.apart),
        lambda d: ((d("BT"), np.array(3)), {}), lambda d: ((d.positive("BT"), d("BT")), {})],
    **{name: [_of("BTC"), _of("")] for name in ("negative", "exp", "relu", "leaky_relu", "sigmoid", "tanh", "silu",
                                                "softplus",
                                                "gelu")},
    "log": [_of("BT", draw=Draw.positive)],
    "sqrt": [_of("BT", draw=Draw.positive)],
    "abs": [_of("BT", draw=Draw.apart)],
    "where": [lambda d: ((d.boolean("BT"), d("BT"), d("BT")), {}), lambda d: ((d.boolean("T"), d("BT"), d("1T")), {}),
              lambda d: ((d.boolean("BT"), d(""), d("T")), {}), lambda d: ((d.boolean("BT"), d("BT"), 0.5), {}),
              lambda d: ((d.boolean("BT"), 2, d("BT")), {})],
    "clip": [_of("BT", min=-0.5), _of("BT", max=0.5), _of("BT", min=-0.5, max=0.5)],
    "astype": [_of("BT", dtype=np.float64)],
    # activations
    "softmax": [_of("BTC"), _of("BTC", axis=0), _of("BTC", axis=1), _of("C"), _of("B1")],
    "log_softmax": [_of("BTC"), _of("BTC", axis=0), _of("BTC", axis=1), _of("C"), _of("B1")],
    # reductions
    **{name: [_of("BTC", **options) for options in REDUCTIONS] + [_of("C"), _of("")]
       for name in ("sum", "mean", "logsumexp")},
    **{name: [_of("BTC", draw=Draw.apart, **options) for options in REDUCTIONS] for name in ("max", "min")},
    **{name: [_of("BTC", correction=correction, **options) for options in REDUCTIONS for correction in (0, 1)]
       for name in ("var", "std")},
    "cumsum": [_of("BTC", axis=0), _of("BTC", axis=-1), _of("C", axis=0)],
    # shapes
    "reshape": [lambda d: ((d("BTC"),), {"shape": (d["B"] * d["T"], -1)}), _of("BT", shape=-1), _of("", shape=(1, 1))],
    "transpose": [_of("BTC"), _of("BTC", axes=(2, 0, 1)), _of("BTC", axes=(0, -1, 1)), _of("C")],
    "getitem": [
        lambda d, index=index: ((d("BTC"), index), {}) for index in (
            0, -1, slice(1, None), slice(None, None, -1), (Ellipsis, 0), (None, 1),
            (slice(None), 1, slice(None, None, 2)),
            np.array([1, 0, 1, 1]), np.array([[0, 1], [1, 1]]), (np.array([0, 1, 0]), np.array([1, 1, 1])),
            (np.array([0, 1, 0]), slice(None), np.array([1, 1, 1])), [1, 1], np.array(1))
    ] + [lambda d: ((d("BT"), np.arange(d["B"] * d["T"]).reshape(d.shape("BT")) % 2 == 0), {}),
         lambda d: ((d("BTC"), (np.arange(d["B"]) < 2, 0)), {})],
    "concatenate": [_of("BT", "BT"), _of("BT", "CT", "BT", axis=0), _of("TB", "TC", axis=-1), _of("BT")],
    "stack": [_of("BT", "BT"), _of("BT", "BT", "BT", axis=-1), _of("BT", "BT", axis=1), _of("", "")],
    "split": [lambda d: ((d("BTC"),), {"sections": [1, d["T"] - 1], "axis": 1}),
              lambda d: ((d("BTC"),), {"sections": d["C"], "axis": -1}), _of("BT", sections=1),
              lambda d: ((d("BT"),), {"sections": [d["B"], 0], "axis": 0})],
    "pad": [_of("BT", widths=((1, 2), (0, 3))), _of("B", widths=((2, 0),), value=1.5)],
    "broadcast_to": [lambda d: ((d("T1"),), {"shape": d.shape("BTC")}), lambda d: ((d(""),), {"shape": d.shape("BT")}),
                     lambda d: ((d("C"),), {"shape": d.shape("BTC")})],
    "flip": [_of("BTC"), _of("BTC", axis=1), _of("BTC", axis=(0, -1))],
    # products
    "matmul": [_of("TC", "CV"), _of("BTC", "BCV"), _of("BTC", "CV"), _of("TC", "BCV"), _of("B1TC", "HCV"),
               _of("C", "CV"),
               _of("TC", "C"), _of("C", "C"), _of("BTC", "C"), _of("C", "BCV")],
    "linear": [_of("BTC", "VC", "V"), _of("BTC", "VC"), _of("C", "VC", "V"), _of("TC", "VC", None)],
    "linear_gelu": [_of("BTC", "VC", "V"), _of("BTC", "VC"), _of("C", "VC", "V"), _of("TC", "VC", None)],
    "einsum": [_of("bthd,bshd->bhts", "BTHD", "BSHD", draw=lambda d, a: d(a) if a.isupper() else a),
               *(_of(equation, *axes, draw=lambda d, a: d(a) if a.isupper() else a) for equation, *axes in (
                   ("ij->j", "BT"), ("ij->", "BT"), ("i,j->ij", "B", "T"), ("ij,jk,kl->il", "BT", "TC", "CV"),
                   ("ij->ji", "BT"), ("ij,ik->j", "BT", "BC"), ("i,i->i", "B", "B"), ("ab, bc -> ac", "BT", "TC")))],
    # normalization
    "layer_norm": [_of("BTC", "C", "C"), _of("BTC", "C"), _of("BTC"), _of("C", "C", "C", eps=0.1),
                   _of("BTC", None, "C")],
    "rms_norm": [_of("BTC", "C"), _of("BTC"), _of("C", "C", eps=0.1)],
    "batch_norm": [_of("NC", "C", "C"), _of("NCT", "C", "C"), _of("NC"), _of("NCT", "C"), _of("NC", None, "C", eps=0.1),
                   lambda d: ((d("NCT"), d("C"), d("C")), {"mean": d("C"), "var": d.positive("C")})],
    "group_norm": [lambda d: ((d("NCT"), d("C"), d("C")), {"num_groups": 1}), _groups(), _groups(eps=0.1),
                   lambda d: ((d("NCTD"),), {"num_groups": d["C"]}), lambda d: ((d("NC"), None, d("C")),
                                                                              {"num_groups": 1, "eps": 0.5})],
    # pictures
    "conv2d": [_picture("NCHW", "OIkl", "O"), _picture("NCHW", "OIkl", padding="same"),
               _picture("NCHW", "OIkl", "O", stride=2, padding=1), _picture("NCHW", "OIkl", dilation=(2, 1)),
               _picture("NCHW", "OIkl", "O", parts=2, groups=2, stride=(1, 3)), _picture("CHW", "OIkl", "O"),
               _picture("NCHW", "OIkl", "O", stride=2, padding=(0, 3), dilation=2)],
    "conv_transpose2d": [_picture("NCHW", "COkl", "O"), _picture("NCHW", "COkl", stride=2, output_padding=1),
                         _picture("NCHW", "COkl", "O", stride=3, padding=1, dilation=(2, 1)),
                         _picture("NCHW", "CIkl", parts=2, groups=2), _picture("CHW", "COkl", "O", stride=(1, 2))],
    "max_pool2d": [_picture("NCHW", max=True, kernel_size=2), _picture("CHW", max=True, kernel_size=(3, 2), stride=1),
                   _picture("NCHW", max=True, kernel_size=3, stride=2, padding=1),
                   _picture("NCHW", max=True, kernel_size=2, stride=3, dilation=2, padding=(0, 1), ceil_mode=True)],
    "avg_pool2d": [_picture("NCHW", kernel_size=2), _picture("CHW", kernel_size=(3, 2), stride=1),
                   _picture("NCHW", kernel_size=3, stride=2, padding=1, ceil_mode=True),
                   _picture("NCHW", kernel_size=3, stride=2, padding=1, ceil_mode=True, count_include_pad=False),
                   _picture("NCHW", kernel_size=2, divisor_override=3)],
    # lookup, regularization, positions
    "sparse_linear": [lambda d: ((d.integers("E", d["N"]), d.integers("E", d["F"]), d("E"), d("KF"), d("K")),
                                 {"N": d["N"]})],
    "embedding": [lambda d: ((d.integers("BT", d["V"]), d("VC")), {}), lambda d: ((np.array(1), d("VC")), {}),
                  lambda d: ((np.zeros(7, int), d("VC")), {})],
    "dropout": [_of("BTC", p=0.5, rng=3), _of("BTC", p=0.1, rng=1), _of("BTC", p=0.0)],
    "rotary": [_rotary("TD"), _rotary("BHTD")],
    # attention
    "scaled_dot_product_attention": [
        _attention(""), _attention("", is_causal=True), _attention("G"), _attention("BG", group=3),
        _attention("BG", group=2, is_causal=True, scale=0.3), _attention("ABG"), _attention("BG", dropout_p=0.3, rng=5),
        _attention("BG", lambda d: d.boolean("TS")), _attention("BG", _some_rows_empty, group=2),
        _attention("BG", lambda d: np.zeros(d.shape("TS"), bool)), _attention("BG", lambda d: d("TS")),
        _attention("BG", lambda d: d("B1TS"), group=2), _attention("BG", lambda d: d("1S"), is_causal=True),
        _attention("BG", _minus_infinity, group=2), _attention("", lambda d: d("TS"))],
    "attention_with_weights": [
        _attention(""), _attention("", is_causal=True), _attention("BG", group=2, is_causal=True, scale=0.3),
        _attention("BG", dropout_p=0.3, rng=5), _attention("BG", _some_rows_empty, group=2),
        _attention("BG", lambda d: d("TS")),
        _attention("BG", _minus_infinity, group=2), _attention("BG", lambda d: d("1S"), is_causal=True, dropout_p=0.2,
                                                               rng=1)],
    "residual_self_attention": [lambda d: ((d("TC") / 2, d("DC"), d("DC"), d("CC")), {}),
                                lambda d: ((d("ABTC") / 2, d("DC"), d("DC"), d("CC")), {})],
    # recurrence
    **{name: [_recurrent(gates, states, bias=bias, **options) for options in (
        {}, {"reverse": True}, {"lengths": "T"}, {"lengths": "T", "reverse": True}) for bias in (True, False)]
       for name, gates, states in (("rnn", 1, 1), ("gru", 3, 1), ("lstm", 4, 2))},
    # losses
    "mse_loss": [_of("BT", "BT"), _of("BT", "BT", reduction="sum"), _of("BT", "BT", reduction="none"), _of("", "")],
    "cross_entropy": [
        lambda d, ignored=ignored, smoothing=smoothing, reduction=reduction: (
            (d("BTV"), _targets(d, ignored)), {"label_smoothing": smoothing, "reduction": reduction})
        for ignored in (False, True) for smoothing in (0.0, 0.2) for reduction in ("mean", "sum", "none")
    ] + [lambda d: ((d("V"), np.array(1)), {}), lambda d: ((d("BV"), np.full(d["B"], 1)), {"ignore_index": 0})],
    "binary_cross_entropy_with_logits": [lambda d, reduction=reduction: (
        (d("BT"), d.rng.random(d.shape("BT"))), {"reduction": reduction}) for reduction in ("mean", "sum", "none")],
    # similarity, resampling
    "normalize": [_of("BTC"), _of("BTC", axis=1), _of("C", axis=0), _of("BC", eps=100.0)],
    "squared_distances": [_of("NC", "KC")],
    "contrastive_loss": [_of("NC", "NC", ""), _of("NC", "NC", "", within=True), _of("NC", "NC", 0.5),
                         lambda d: ((d("1C"), d("1C"), d("")), {"within": True})],
    "grid_sample": [lambda d, aligned=aligned: ((d("BCHW"), _places(d, aligned)), {"align_corners": aligned})
                    for aligned in (False, True)],
    # latent variables
    "gaussian_kl": [_of("BT", "BT"), _of("D", "D"), _of("BTD", "BTD", "BTD", "BTD")],
    "reparametrize": [_of("BT", "BT", "BT"), _of("D", "D", "D")],
}
CASES["leaky_relu"] += [_of("BTC", negative_slope=0.3), _of("BTC", negative_slope=0.0)]
CASES["gelu"] += [_of("BTC", approximate="tanh"), _of("", approximate="tanh")]


class Case:
    """An operation, its inputs and its options."""

    def __init__(self, name, number):
        self.name, self.number = name, number
        self.operation = getattr(ops, name)

    def __repr__(self):
        return f"{self.name}-{self.number}"

    def draw(self, seed, kind=Draw):
        """(inputs, options) for this seed, in float64."""
        return CASES[self.name][self.number](kind([seed, self.number, zlib.crc32(self.name.encode())]))

    def draw_small(self, seed):
        """The same with axes of length 0 to 3."""
        return self.draw(seed, Small)


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", [Case(name, i) for name, cases in CASES.items() for i in range(len(cases))],
                             ids=repr)


@pytest.fixture
def covered():
    """The names of the operations that have cases."""
    return set(CASES)
