"""Every operation against its PyTorch twin: values, and gradients for random cotangents, over random shapes and
options.

``@case("name", …)`` marks a function that draws one example for the operation ``op``: (inputs, ours, theirs). ``ours``
takes tensors, ``theirs`` the module torch and its tensors. Each is run for several seeds, in float64 and float32.
"""

from __future__ import annotations

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer import ops

TOLERANCE = {"float64": 1e-12, "float32": 1e-5}
SEEDS = 15
CASES = []

# sinusoidal, rotary_frequencies and rotary_tables make constants; dropout draws from a generator that PyTorch does not
# have.
WITHOUT_TWIN = {"sinusoidal", "rotary_frequencies", "rotary_tables", "dropout"}


def case(*names):
    def mark(draw):
        CASES.extend((name, draw) for name in names)
        return draw
    return mark


def test_no_operation_is_missing():
    public = {name for name in ops.__all__ if name != "composed"}
    assert public - WITHOUT_TWIN == {name for name, _ in CASES} | {"getitem"}       # test_getitem


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name, draw", CASES, ids=[f"{name}-{draw.__name__}" for name, draw in CASES])
def test_parity(torch, name, draw, dtype):
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        compare(torch, rng, dtype, *draw(rng, getattr(ops, name)))


def compare(torch, rng, dtype, inputs, ours, theirs):
    """Values and all gradients. Several outputs are compared one by one and differentiated together."""
    xs = [tfm.tensor(np.asarray(x, dtype), requires_grad=True) for x in inputs]
    ts = [torch.tensor(np.asarray(x, dtype), requires_grad=True) for x in inputs]
    kept = [x.data.copy() for x in xs]
    with np.errstate(all="ignore"):
        ys, us = ours(*xs), theirs(torch, *ts)
        ys, us = (ys, us) if isinstance(ys, tuple) else ((ys,), (us,))
        assert len(ys) == len(us)
        for i, (y, u) in enumerate(zip(ys, us)):
            close(y.data, u.detach().numpy(), dtype, f"output {i}")
        dys = [np.asarray(rng.standard_normal(y.shape), y.dtype) for y in ys]
        if len(ys) == 1:
            ys[0].backward(dys[0])
        else:
            sum((y * dy).sum() for y, dy in zip(ys, dys)).backward()
        torch.autograd.backward(us, [torch.tensor(dy) for dy in dys])
    for i, (x, t, before) in enumerate(zip(xs, ts, kept)):
        np.testing.assert_array_equal(x.data, before, "an input was changed")
        close(x.grad, t.grad.numpy(), dtype, f"gradient of input {i}")


def close(ours, theirs, dtype, what):
    """Each entry within the tolerance, relative to it or to 1."""
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype), what
    tolerance = TOLERANCE[dtype]
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance, err_msg=what)


# ------------------------------------------------------------------------------------------------ draws

def shape_(rng, low=0, high=4, empty=True):
    """A shape of ``low`` to ``high`` axes; now and then one of length zero."""
    shape = rng.integers(1, 5, rng.integers(low, high + 1))
    if empty and shape.size and rng.random() < 0.1:
        shape[rng.integers(shape.size)] = 0
    return tuple(int(n) for n in shape)


def broadcast_shapes(rng, count):
    """Shapes that broadcast together: leading axes left out, others of length one."""
    whole = shape_(rng)
    shapes = []
    for _ in range(count):
        own = tuple(1 if rng.random() < 0.3 else n for n in whole)
        shapes.append(own[rng.integers(0, len(own) + 1):] if rng.random() < 0.4 else own)
    return shapes


def ties(rng, shape):
    """Few different numbers, so that many are equal."""
    return rng.integers(-2, 3, shape).astype(float)


def axis_(rng, ndim):
    """None, one axis from either end, or several."""
    kind = rng.integers(3) if ndim else 0
    if kind == 0:
        return None
    if kind == 1:
        return int(rng.integers(-ndim, ndim))
    return tuple(int(a) for a in rng.permutation(ndim)[:rng.integers(1, ndim + 1)])


def dims(axis, ndim):
    """An axis as PyTorch wants it."""
    return tuple(range(ndim)) if axis is None else axis


# ------------------------------------------------------------------------------------------------ arithmetic

@case("add", "subtract", "multiply", "divide", "maximum", "minimum")
def broadcast(rng, op):
    """Axes left out, and axes of length one."""
    a, b = (rng.standard_normal(s) for s in broadcast_shapes(rng, 2))
    return [a, np.where(np.abs(b) < 0.1, 1, b)], op, lambda t, x, y: getattr(t, op.__name__)(x, y)


@case("add", "subtract", "multiply", "divide", "maximum", "minimum")
def with_a_number(rng, op):
    """A Python number on either side; a tie in the extrema."""
    x, number = ties(rng, shape_(rng)), float(rng.integers(1, 3))
    if rng.random() < 0.5:
        return [x], lambda x: op(x, number), lambda t, x: getattr(t, op.__name__)(x, t.full((), number, dtype=x.dtype))
    return ([np.where(x == 0, 3, x)], lambda x: op(number, x),
            lambda t, x: getattr(t, op.__name__)(t.full((), number, dtype=x.dtype), x))


@case("maximum", "minimum")
def equals(rng, op):
    return [ties(rng, s) for s in broadcast_shapes(rng, 2)], op, lambda t, x, y: getattr(t, op.__name__)(x, y)


@case("negative", "exp", "abs", "relu", "sigmoid", "tanh", "softplus", "silu", "leaky_relu", "gelu")
def entry_by_entry(rng, op):
    return [3 * rng.standard_normal(shape_(rng))], op, TWINS[op.__name__]


@case("abs", "relu", "leaky_relu")
def at_the_kink(rng, op):
    return [ties(rng, (4, 5))], op, TWINS[op.__name__]


@case("sigmoid", "tanh", "softplus", "silu", "gelu")
def far_out(rng, op):
    return [np.concatenate([rng.uniform(-30, 30, 200), [-1000.0, -100.0, 0.0, 100.0, 1000.0]])], op, TWINS[op.__name__]


TWINS = {
    "negative": lambda t, x: -x,
    "exp": lambda t, x: x.exp(),
    "abs": lambda t, x: x.abs(),
    "relu": lambda t, x: x.relu(),
    "sigmoid": lambda t, x: x.sigmoid(),
    "tanh": lambda t, x: x.tanh(),
    "softplus": lambda t, x: t.logaddexp(x, t.zeros_like(x)),           # F.softplus turns linear at 20
    "silu": lambda t, x: t.nn.functional.silu(x),
    "leaky_relu": lambda t, x: t.nn.functional.leaky_relu(x),
    "gelu": lambda t, x: t.nn.functional.gelu(x),
}


@case("gelu")
def tanh_form(rng, op):
    x = rng.uniform(-30, 30, 200) if rng.random() < 0.5 else rng.standard_normal(shape_(rng))
    return [x], lambda x: op(x, approximate="tanh"), lambda t, x: t.nn.functional.gelu(x, approximate="tanh")


@case("leaky_relu")
def other_slopes(rng, op):
    slope = float(rng.choice([0.0, 0.2, 1.0]))
    return ([rng.standard_normal(shape_(rng))], lambda x: op(x, negative_slope=slope),
            lambda t, x: t.nn.functional.leaky_relu(x, slope))


@case("log", "sqrt")
def above_zero(rng, op):
    return [rng.uniform(0.1, 5, shape_(rng))], op, lambda t, x: getattr(t, op.__name__)(x)


@case("power")
def positive_base(rng, op):
    a, b = broadcast_shapes(rng, 2)
    return [rng.uniform(0.1, 3, a), rng.uniform(-2, 3, b)], op, lambda t, x, y: x ** y


@case("power")
def base_zero(rng, op):
    """Among the exponents 0, where 0⁰ = 1, and ½, where the slope is infinite."""
    return ([rng.choice([0.0, 0.5, 2.0], (4, 5)), rng.choice([0.0, 0.5, 1.0, 2.0], (4, 5))], op, lambda t, x, y: x ** y)


@case("power")
def number_as_exponent(rng, op):
    n = rng.choice([-2, -1, 0, 1, 2, 3, 0.5]).item()
    x = rng.choice([0.0, 0.5, 1.0, 2.0, -1.5] if n >= 1 or n == 0 else [0.5, 1.0, 2.0], (4, 5))
    return [x], lambda x: x ** n, lambda t, x: x ** n


@case("power")
def number_as_base(rng, op):
    n = float(rng.choice([0.0, 0.5, 1.0, 2.0]))
    return [rng.choice([0.0, 0.5, 2.0], (4, 5))], lambda y: n ** y, lambda t, y: n ** y


@case("where")
def of_three_shapes(rng, op):
    c, a, b = broadcast_shapes(rng, 3)
    condition = rng.random(c) < 0.5
    return ([rng.standard_normal(a), rng.standard_normal(b)], lambda x, y: op(condition, x, y),
            lambda t, x, y: t.where(t.tensor(condition), x, y))


@case("where")
def with_minus_infinity(rng, op):
    condition = rng.random((3, 4)) < 0.5
    return ([rng.standard_normal((3, 4))], lambda x: op(condition, x, -np.inf),
            lambda t, x: t.where(t.tensor(condition), x, -np.inf))


@case("clip")
def on_the_bounds_too(rng, op):
    low, high = rng.permutation([(-1.0, 1.0), (None, 1.0), (-1.0, None), (0.0, 0.0)]).tolist()[0]
    return [ties(rng, shape_(rng))], lambda x: op(x, min=low, max=high), lambda t, x: t.clamp(x, min=low, max=high)


@case("astype")
def to_and_fro(rng, op):
    to = rng.choice(["float32", "float64"])
    # Exact in float32, so that the two types can be compared at either tolerance.
    return [ties(rng, shape_(rng))], lambda x: op(x, dtype=to) * 0.5, lambda t, x: x.to(getattr(t, to)) * 0.5


# ------------------------------------------------------------------------------------------------ reductions

@case("sum", "mean")
def along_axes(rng, op):
    shape, keepdims = shape_(rng), bool(rng.integers(2))
    if op is ops.mean and 0 in shape:
        shape = (3, 2)
    axis = axis_(rng, len(shape))
    return ([rng.standard_normal(shape)], lambda x: op(x, axis=axis, keepdims=keepdims),
            lambda t, x: getattr(t, op.__name__)(x, dim=dims(axis, x.ndim), keepdim=keepdims))


@case("max", "min")
def with_ties(rng, op):
    shape, keepdims = shape_(rng, empty=False), bool(rng.integers(2))
    axis = axis_(rng, len(shape))
    return ([ties(rng, shape)], lambda x: op(x, axis=axis, keepdims=keepdims),
            lambda t, x: getattr(t, f"a{op.__name__}")(x, dim=dims(axis, x.ndim), keepdim=keepdims))


@case("var", "std")
def corrected(rng, op):
    shape, keepdims = tuple(rng.integers(4, 6, rng.integers(1, 4)).tolist()), bool(rng.integers(2))
    axis, correction = axis_(rng, len(shape)), int(rng.integers(3))
    return ([rng.standard_normal(shape)], lambda x: op(x, axis=axis, keepdims=keepdims, correction=correction),
            lambda t, x: getattr(t, op.__name__)(x, dim=dims(axis, x.ndim), keepdim=keepdims, correction=correction))


@case("logsumexp")
def with_infinities(rng, op):
    """Some entries −∞, but no whole row (PyTorch's gradient is NaN then, ours 0); some so large that e to them
    overflows."""
    x = rng.standard_normal(shape_(rng, empty=False)) * float(rng.choice([1, 100, 1000]))
    axis, keepdims = axis_(rng, x.ndim), bool(rng.integers(2))
    out = rng.random(x.shape) < float(rng.choice([0, 0.4]))
    x = np.where(out & ~out.all(axis=axis, keepdims=True), -np.inf, x)
    return ([x], lambda x: op(x, axis=axis, keepdims=keepdims),
            lambda t, x: t.logsumexp(x, dim=dims(axis, x.ndim), keepdim=keepdims))


@case("cumsum")
def running(rng, op):
    x = rng.standard_normal(shape_(rng, low=1))
    axis = int(rng.integers(-x.ndim, x.ndim))
    return [x], lambda x: op(x, axis=axis), lambda t, x: t.cumsum(x, dim=axis)


# ------------------------------------------------------------------------------------------------ shapes

@case("reshape")
def other_shape(rng, op):
    x = rng.standard_normal((2, 3, 4))
    shape = [(6, 4), (-1,), (4, -1, 2), (2, 1, 12), (1, 24, 1)][rng.integers(5)]
    return [x], lambda x: op(x, shape=shape), lambda t, x: x.reshape(shape)


@case("transpose")
def permuted(rng, op):
    x = rng.standard_normal(shape_(rng, low=1))
    axes = None if rng.random() < 0.3 else tuple(int(a) - x.ndim * rng.integers(2) for a in rng.permutation(x.ndim))
    return ([x], lambda x: op(x, axes=axes),
            lambda t, x: x.permute(*(tuple(range(x.ndim))[::-1] if axes is None else axes)))


# From the front and the back, with repeats, boolean, several arrays together and apart. (A number beside arrays is an
# array to NumPy and not to PyTorch, which puts the axes in another order then.)
INDICES = [
    1, -2, slice(1, 3), slice(None, None, 2), None, ..., (..., 0), (slice(1, 4), None, -1), (0, 1, 2),
    (None, ..., slice(2, 5)), np.array([2, 0, 2, -1, -2]), np.array([[0, 0], [3, -4]]), [1, 1, -1],
    (slice(None), np.array([4, 4, 0])), (..., np.array([-1, 5])), (np.array([0, 0, 1]), np.array([2, 2, -1])),
    (np.array([1, 1]), slice(None), np.array([-1, -1])), (slice(None), np.array([[1], [0]]), np.array([3, 3, 3])),
    (np.array([0, 3, 3]), None, slice(1, 3)), (np.array([[0], [0]]), np.array([1, 1]), np.array([2])),
    ([0, 0, 2], slice(None), [1, 1, 1]), ((0, 0, 1), slice(2)),
    np.array([True, False, True, True]), (slice(None), np.array([True, False, False, True, True])),
    (np.array([True, False, True, True]), np.array([0, 0, 4])), np.zeros((4, 5), bool),
    np.arange(120).reshape(4, 5, 6) % 3 == 0, np.arange(20).reshape(4, 5) % 3 == 0,
]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("index", INDICES, ids=lambda index: " ".join(str(index).split()))
def test_getitem(torch, rng, index, dtype):
    def theirs(t, x):
        return x[tuple(t.tensor(i) if isinstance(i, (np.ndarray, list, tuple)) else i
                       for i in (index if isinstance(index, tuple) else (index,)))]

    compare(torch, rng, dtype, [rng.standard_normal((4, 5, 6))], lambda x: x[index], theirs)


@case("flip")
def reversed_(rng, op):
    x = rng.standard_normal(shape_(rng))
    axis = axis_(rng, x.ndim)
    return [x], lambda x: op(x, axis=axis), lambda t, x: t.flip(x, (axis,) if isinstance(axis, int)
                                                                else dims(axis, x.ndim))


@case("pad")
def bordered(rng, op):
    x = rng.standard_normal(shape_(rng, low=1))
    widths, value = [tuple(rng.integers(0, 3, 2).tolist()) for _ in x.shape], float(rng.standard_normal())
    flat = [n for pair in widths[::-1] for n in pair]
    return [x], lambda x: op(x, widths=widths, value=value), lambda t, x: t.nn.functional.pad(x, flat, value=value)


@case("broadcast_to")
def repeated(rng, op):
    a, b = broadcast_shapes(rng, 2)
    whole = np.broadcast_shapes(a, b)
    return [rng.standard_normal(a)], lambda x: op(x, shape=whole), lambda t, x: x.broadcast_to(whole)


@case("concatenate")
def joined(rng, op):
    shape = shape_(rng, low=1)
    axis = int(rng.integers(-len(shape), len(shape)))
    lengths = rng.integers(0, 4, rng.integers(1, 4))
    inputs = [rng.standard_normal([n if i == axis % len(shape) else m for i, m in enumerate(shape)]) for n in lengths]
    return inputs, lambda *xs: op(*xs, axis=axis), lambda t, *xs: t.cat(xs, dim=axis)


@case("stack")
def stacked(rng, op):
    shape = shape_(rng)
    axis = int(rng.integers(-len(shape) - 1, len(shape) + 1))
    inputs = [rng.standard_normal(shape) for _ in range(rng.integers(1, 4))]
    return inputs, lambda *xs: op(*xs, axis=axis), lambda t, *xs: t.stack(xs, dim=axis)


@case("split")
def cut(rng, op):
    axis = int(rng.integers(-2, 2))
    sections = [2, 1, 3, (1, 2, 3), (6,), (0, 6)][rng.integers(6)]
    return ([rng.standard_normal((6, 6))], lambda x: op(x, sections=sections, axis=axis),
            lambda t, x: t.split(x, 6 // sections if isinstance(sections, int) else sections, dim=axis))


# ------------------------------------------------------------------------------------------------ recurrence

@case("rnn", "gru", "lstm")
def through_time(rng, op):
    T, B, I, H = (int(n) for n in rng.integers(1, 6, 4))
    gates, states = {"rnn": (1, 1), "gru": (3, 1), "lstm": (4, 2)}[op.__name__]
    bias, reverse, relu = (bool(b) for b in rng.integers(2, size=3))
    shapes = [(T, B, I), *[(B, H)] * states, (gates * H, I), (gates * H, H), *[(gates * H,)] * 2 * bias]
    options = {"nonlinearity": "relu" if relu else "tanh"} if op.__name__ == "rnn" else {}

    def theirs(t, x, *rest):
        state = tuple(h[None] for h in rest[:states])
        name = {"rnn": "rnn_relu" if relu else "rnn_tanh"}.get(op.__name__, op.__name__)
        y, *last = getattr(t, name)(x.flip(0) if reverse else x, state if states == 2 else state[0],
                                    list(rest[states:]), bias, 1,
                                    0.0, False, False, False)
        return y.flip(0) if reverse else y, *(h[0] for h in last)

    return [rng.standard_normal(shape) for shape in shapes], lambda *xs: op(*xs, reverse=reverse, **options), theirs


# ------------------------------------------------------------------------------------------------ products

# Vectors on either side, leading axes that broadcast, and nothing to sum over.
PRODUCTS = [((3,), (3,)), ((3,), (3, 4)), ((2, 3), (3,)), ((2, 3), (3, 4)), ((5, 2, 3), (3,)), ((3,), (5, 3, 4)),
            ((5, 1, 2, 3), (4, 3, 2)), ((2, 3), (4, 3, 5)), ((4, 2, 3), (3, 5)), ((2, 0), (0, 3))]

for left, right in PRODUCTS:
    @case("matmul")
    def of_shapes(rng, op, left=left, right=right):
        return [rng.standard_normal(left), rng.standard_normal(right)], op, lambda t, x, y: x @ y


@case("linear")
def with_and_without_bias(rng, op):
    x = rng.standard_normal((*shape_(rng, high=3), 4))
    parameters = [rng.standard_normal((3, 4)), rng.standard_normal(3)][:rng.integers(1, 3)]
    return [x, *parameters], op, lambda t, *xs: t.nn.functional.linear(*xs)


@case("linear_gelu")
def fused_with_and_without_bias(rng, op):
    x = rng.standard_normal((*shape_(rng, high=3), 4))
    parameters = [rng.standard_normal((3, 4)), rng.standard_normal(3)][:rng.integers(1, 3)]
    return [x, *parameters], op, lambda t, *xs: t.nn.functional.gelu(t.nn.functional.linear(*xs), approximate="tanh")


# Sums over letters that one operand has alone, outer products, several operands, other orders.
EQUATIONS = ["i,i->", "ij->ji", "ij->", "ij->j", "i,j->ij", "ij,jk->ik", "ij,k->ik", "ij,ij->i", "bij,bjk->bik",
             "bthd,bshd->bhts", "bi,bj,bk->bijk", "ab,bc,cd->ad", "i,ij,j->", "abc,c->ba"]

for equation in EQUATIONS:
    @case("einsum")
    def summed(rng, op, equation=equation):
        sizes = {letter: int(rng.integers(1, 5)) for letter in "abcdhijkst"}
        inputs = [rng.standard_normal([sizes[letter] for letter in term])
                  for term in equation.split("->")[0].split(",")]
        return inputs, lambda *xs: op(equation, *xs), lambda t, *xs: t.einsum(equation, *xs)


# ------------------------------------------------------------------------------------------------ rows and tables

@case("softmax", "log_softmax")
def along_an_axis(rng, op):
    x = rng.standard_normal(shape_(rng, low=1)) * float(rng.choice([1, 1000]))
    axis = int(rng.integers(-x.ndim, x.ndim))
    if x.shape[axis] == 0:
        x = np.zeros((2, 3))
        axis = 1
    return [x], lambda x: op(x, axis=axis), lambda t, x: getattr(t, op.__name__)(x, dim=axis)


@case("softmax", "log_softmax")
def masked(rng, op):
    x = rng.standard_normal((3, 5))
    x[:, 1:][rng.random((3, 4)) < 0.4] = -np.inf
    return [x], op, lambda t, x: getattr(t, op.__name__)(x, dim=-1)


@case("layer_norm")
def layer(rng, op):
    x = (rng.standard_normal((*shape_(rng, high=3), 7)) + rng.standard_normal()) * float(rng.choice([0.1, 1, 100]))
    parameters = [rng.standard_normal(7) for _ in range(rng.integers(3))]
    eps = float(rng.choice([1e-5, 1e-2]))
    return ([x, *parameters], lambda *xs: op(*xs, eps=eps),
            lambda t, x, w=None, b=None: t.nn.functional.layer_norm(x, (7,), w, b, eps))


@case("rms_norm")
def rms(rng, op):
    x = rng.standard_normal((*shape_(rng, high=3), 7)) * float(rng.choice([0.01, 1, 100]))
    parameters = [rng.standard_normal(7)][:rng.integers(2)]
    eps = float(rng.choice([1e-6, 1e-2]))
    return [x, *parameters], lambda *xs: op(*xs,
                                            eps=eps), lambda t, x, w=None: t.nn.functional.rms_norm(x, (7,), w, eps)


@case("batch_norm")
def batch(rng, op):
    """Trained on the batch, or with given constants, in two or three axes."""
    shape = (5, 3) if rng.random() < 0.5 else (4, 3, 5)
    parameters = [rng.standard_normal(3) for _ in range(rng.integers(3))]
    given = None if rng.random() < 0.5 else (rng.standard_normal(3), rng.uniform(0.5, 2, 3))

    def ours(x, *ps):
        mean, var = (None, None) if given is None else (g.astype(x.dtype) for g in given)
        return op(x, *ps, mean=mean, var=var, eps=1e-4)

    def theirs(t, x, w=None, b=None):
        mean, var = (None, None) if given is None else (t.tensor(g, dtype=x.dtype) for g in given)
        return t.nn.functional.batch_norm(x, mean, var, w, b, training=given is None, eps=1e-4)

    return [2 * rng.standard_normal(shape) + 1, *parameters], ours, theirs


@case("group_norm")
def groups_of_channels(rng, op):
    groups, each = (int(n) for n in rng.integers(1, 4, 2))
    C = groups * each
    x = 2 * rng.standard_normal((2, C, *[(), (5,), (3, 4)][rng.integers(3)])) + 1
    if x[0].size == groups:                                 # one number a group: PyTorch refuses it
        x = rng.standard_normal((2, C, 5))
    parameters = [rng.standard_normal(C) for _ in range(rng.integers(3))]
    eps = float(rng.choice([1e-5, 1e-2]))
    return ([x, *parameters], lambda *xs: op(*xs, num_groups=groups, eps=eps),
            lambda t, x, w=None, b=None: t.nn.functional.group_norm(x, groups, w, b, eps))


# ------------------------------------------------------------------------------------------------ pictures

def pictures_(rng, channels):
    """(N, C, H, W) of different heights and widths, now and then without N or with N = 0."""
    N, H, W = int(rng.integers(0, 4)), *(int(n) for n in rng.integers(6, 10, 2))
    return rng.standard_normal((*[(N,), ()][int(rng.random() < 0.2)], channels, H, W))


def one_or_two(rng, low, high):
    """An integer, or one for the rows and one for the columns."""
    return int(rng.integers(low, high)) if rng.random() < 0.5 else tuple(int(n) for n in rng.integers(low, high, 2))


@case("conv2d")
def patches(rng, op):
    groups, C, O = (int(n) for n in rng.integers(1, 4, 3))
    kernel = tuple(int(n) for n in rng.integers(1, 4, 2))
    options = {"stride": one_or_two(rng, 1, 4), "padding": one_or_two(rng, 0, 4), "dilation": one_or_two(rng, 1, 3),
               "groups": groups}
    if rng.random() < 0.3:
        options.update(padding=str(rng.choice(["same", "valid"])), stride=1)
    inputs = [pictures_(rng, C * groups), rng.standard_normal((O * groups, C, *kernel)),
              *[rng.standard_normal(O * groups)][:rng.integers(2)]]
    return inputs, lambda *xs: op(*xs, **options), lambda t, *xs: t.nn.functional.conv2d(*xs, **options)


@case("conv_transpose2d")
def transposed_patches(rng, op):
    groups, C, O = (int(n) for n in rng.integers(1, 4, 3))
    kernel = tuple(int(n) for n in rng.integers(1, 4, 2))
    stride, dilation = (tuple(int(n) for n in rng.integers(1, 4, 2)) for _ in range(2))
    options = {"stride": stride, "padding": one_or_two(rng, 0, 3), "dilation": dilation, "groups": groups,
               "output_padding": tuple(int(rng.integers(max(s, d))) for s, d in zip(stride, dilation))}
    inputs = [pictures_(rng, C * groups), rng.standard_normal((C * groups, O, *kernel)),
              *[rng.standard_normal(O * groups)][:rng.integers(2)]]
    return inputs, lambda *xs: op(*xs, **options), lambda t, *xs: t.nn.functional.conv_transpose2d(*xs, **options)


def windows_(rng):
    kernel = one_or_two(rng, 1, 4)
    low = min(kernel) if isinstance(kernel, tuple) else kernel
    return {"kernel_size": kernel, "stride": [None, one_or_two(rng, 1, 4)][rng.integers(2)],
            "padding": int(rng.integers(low // 2 + 1)), "ceil_mode": bool(rng.integers(2))}


@case("max_pool2d")
def maxima_of_windows(rng, op):
    """With ties, NaN and −∞: which pixel gets the gradient is PyTorch's choice."""
    x = pictures_(rng, 2)
    if rng.random() < 0.5:
        x = ties(rng, x.shape)
    x = np.where(rng.random(x.shape) < float(rng.choice([0, 0.1, 0.6])), float(rng.choice([np.nan, -np.inf])), x)
    options = {**windows_(rng), "dilation": one_or_two(rng, 1, 3)}
    return [x], lambda x: op(x, **options), lambda t, x: t.nn.functional.max_pool2d(x, **options)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_the_places_of_maxima(torch, rng, dtype):
    for _ in range(SEEDS):
        x, options = ties(rng, (2, 3, 7, 8)), {**windows_(rng), "return_indices": True}
        y, indices = ops.max_pool2d(tfm.tensor(x.astype(dtype)), **options)
        u, places = torch.nn.functional.max_pool2d(torch.tensor(x.astype(dtype)), **options)
        np.testing.assert_array_equal(y.data, u)
        np.testing.assert_array_equal(indices.data, places)


@case("avg_pool2d")
def means_of_windows(rng, op):
    options = {**windows_(rng), "count_include_pad": bool(rng.integers(2)),
               "divisor_override": [None, int(rng.integers(1, 6))][rng.integers(2)]}
    return ([pictures_(rng, 2)], lambda x: op(x, **options), lambda t, x: t.nn.functional.avg_pool2d(x, **options))


@case("embedding")
def looked_up(rng, op):
    indices = rng.integers(0, 6, shape_(rng))
    padding = None if rng.random() < 0.5 else int(rng.integers(6))
    return ([rng.standard_normal((6, 3))], lambda W: op(indices, W, padding_idx=padding),
            lambda t, W: t.nn.functional.embedding(t.tensor(indices), W, padding_idx=padding))


@case("rotary")
def turned(rng, op):
    """Pair (i, i + D/2) as a complex number, times e^{iθ}."""
    T, half = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    x, angle = rng.standard_normal((*shape_(rng, high=2), T, 2 * half)), rng.uniform(-4, 4, (T, half))
    cos, sin = np.cos(angle), np.sin(angle)

    def theirs(t, x):
        z = t.complex(x[..., :half], x[..., half:]) * t.polar(t.ones(T, half, dtype=x.dtype),
                                                              t.tensor(angle, dtype=x.dtype))
        return t.cat([z.real, z.imag], dim=-1)

    return [x], lambda x: op(x, cos, sin), theirs


# ------------------------------------------------------------------------------------------------ losses

def reduction_(rng):
    return str(rng.choice(["mean", "sum", "none"]))


@case("mse_loss")
def squares(rng, op):
    shape, reduction = shape_(rng, empty=False), reduction_(rng)
    return ([rng.standard_normal(shape), rng.standard_normal(shape)], lambda x, y: op(x, y, reduction=reduction),
            lambda t, x, y: t.nn.functional.mse_loss(x, y, reduction=reduction))


@case("cross_entropy")
def classes(rng, op):
    """Ignored rows (now and then all of them), label smoothing, extreme logits, and classes under several axes."""
    V, reduction = int(rng.integers(2, 6)), reduction_(rng)
    targets = rng.integers(0, V, shape_(rng, low=1, high=3, empty=False))
    logits = rng.standard_normal((*targets.shape, V)) * float(rng.choice([1, 1000]))
    ignored = int(rng.choice([-100, -1, 0]))
    targets = np.where(rng.random(targets.shape) < float(rng.choice([0, 0.4, 1], p=[0.4, 0.5, 0.1])), ignored, targets)
    options = {"ignore_index": ignored, "label_smoothing": float(rng.choice([0, 0.1, 1])), "reduction": reduction}
    return ([logits], lambda x: op(x, targets, **options),
            lambda t, x: t.nn.functional.cross_entropy(t.movedim(x, -1, 1), t.tensor(targets), **options))


@case("binary_cross_entropy_with_logits")
def two_classes(rng, op):
    shape, reduction = shape_(rng, empty=False), reduction_(rng)
    x = rng.standard_normal(shape) * float(rng.choice([1, 1000]))
    target = rng.random(shape) if rng.random() < 0.5 else rng.integers(0, 2, shape)
    return ([x, target], lambda x, y: op(x, y, reduction=reduction),
            lambda t, x, y: t.nn.functional.binary_cross_entropy_with_logits(x, y, reduction=reduction))


# ------------------------------------------------------------------------------------------------ similarity

@case("normalize")
def unit_length(rng, op):
    """Some vectors are zero."""
    x = rng.standard_normal(shape_(rng, low=1))
    axis = int(rng.integers(-x.ndim, x.ndim))
    x = np.where(rng.random(x.shape[:-1] + (1,)) < 0.2, 0, x)
    eps = float(rng.choice([1e-12, 0.5]))
    return ([x], lambda x: op(x, axis=axis, eps=eps), lambda t, x: t.nn.functional.normalize(x, dim=axis, eps=eps))


@case("squared_distances")
def all_pairs(rng, op):
    N, K, C = rng.integers(1, 6, 3)
    return ([rng.standard_normal((N, C)), rng.standard_normal((K, C))], op,
            lambda t, x, c: ((x[:, None] - c) ** 2).sum(-1))


@case("contrastive_loss")
def partners(rng, op):
    """CLIP's loss as its paper prints it, and NT-Xent over both views."""
    N, C = rng.integers(1, 7, 2)
    within = bool(rng.random() < 0.5)
    inputs = [rng.standard_normal((N, C)), rng.standard_normal((N, C)), rng.standard_normal(())]

    def theirs(t, a, b, scale):
        entropy = t.nn.functional.cross_entropy
        if not within:
            logits, diagonal = scale.exp() * a @ b.T, t.arange(N)
            return (entropy(logits, diagonal) + entropy(logits.T, diagonal)) / 2
        z = t.cat([a, b])
        logits = (scale.exp() * z @ z.T).masked_fill(t.eye(2 * N, dtype=t.bool), -np.inf)
        return entropy(logits, (t.arange(2 * N) + N) % (2 * N))

    return inputs, lambda a, b, scale: op(a, b, scale, within=within), theirs


@case("grid_sample")
def places(rng, op):
    N, C, H, W, h, w = rng.integers(1, 6, 6)
    aligned = bool(rng.random() < 0.5)
    return ([rng.standard_normal((N, C, H, W)), rng.uniform(-1.5, 1.5, (N, h, w, 2))],
            lambda x, grid: op(x, grid, align_corners=aligned),
            lambda t, x, grid: t.nn.functional.grid_sample(x, grid, align_corners=aligned))


# ------------------------------------------------------------------------------------------------ latent variables

@case("gaussian_kl")
def divergence(rng, op):
    """Of two normal distributions, and from one to N(0, I); a divergence of 0 now and then."""
    shape = (*shape_(rng, high=2), int(rng.integers(1, 5)))
    inputs = [rng.standard_normal(shape) for _ in range(int(rng.choice([2, 4])))]
    if len(inputs) == 4 and rng.random() < 0.2:
        inputs[2:] = inputs[:2]

    def theirs(t, mean, log_variance, *other):
        normal = t.distributions.Normal
        m, l = other or (t.zeros_like(mean), t.zeros_like(mean))
        q, p = normal(mean, (log_variance / 2).exp()), normal(m, (l / 2).exp())
        return t.distributions.kl_divergence(q, p).sum(-1)

    return inputs, op, theirs


@case("reparametrize")
def samples(rng, op):
    """``rsample`` of a normal distribution computes mean + deviation · noise."""
    shape = (*shape_(rng, high=2), int(rng.integers(1, 5)))
    return ([rng.standard_normal(shape) for _ in range(3)], op,
            lambda t, mean, log_variance, noise: mean + t.exp(log_variance / 2) * noise)


# ------------------------------------------------------------------------------------------------ attention

def qkv(rng):
    """Queries, keys and values of unequal lengths and widths, with heads in groups, and the shape of their scores."""
    lead = tuple(rng.integers(1, 4, rng.integers(0, 3)).tolist())
    G, group = rng.integers(1, 4, 2)
    T, S, D, E = rng.integers(1, 6, 4)
    shapes = (*lead, G * group, T, D), (*lead, G, S, D), (*lead, G, S, E)
    return [rng.standard_normal(s) for s in shapes], tuple(int(n) for n in (*lead, G * group, T, S))


def sdpa(t, *args, **options):
    return t.nn.functional.scaled_dot_product_attention(*args, enable_gqa=True, **options)


@case("scaled_dot_product_attention")
def plain_or_causal(rng, op):
    """T and S differ: causal attention is aligned at the first key."""
    inputs, _ = qkv(rng)
    options = {"is_causal": bool(rng.integers(2)), "scale": None if rng.random() < 0.5 else 0.3}
    return inputs, lambda *xs: op(*xs, **options), lambda t, *xs: sdpa(t, *xs, **options)


@case("scaled_dot_product_attention")
def without_heads(rng, op):
    inputs = [rng.standard_normal(s) for s in ((3, 4), (5, 4), (5, 2))]
    causal = bool(rng.integers(2))
    return (inputs, lambda *xs: op(*xs, is_causal=causal),
            lambda t, *xs: t.nn.functional.scaled_dot_product_attention(*xs, is_causal=causal))


@case("attention_with_weights")
def outputs_and_weights(rng, op):
    """PyTorch's function keeps the weights for itself, so they are written out here."""
    inputs, _ = qkv(rng)
    causal = bool(rng.integers(2))

    def theirs(t, q, k, v):
        k, v = (x.repeat_interleave(q.shape[-3] // k.shape[-3], -3) for x in (k, v))
        scores = q @ k.mT / q.shape[-1] ** 0.5
        hidden = ~t.ones(scores.shape[-2:], dtype=t.bool).tril() if causal else t.zeros((), dtype=t.bool)
        weights = scores.masked_fill(hidden, -t.inf).softmax(-1)
        return weights @ v, weights

    return inputs, lambda *xs: op(*xs, is_causal=causal), theirs


def mask_shape(rng, scores):
    """Two trailing axes or more of the scores' shape, some of length one."""
    own = tuple(1 if rng.random() < 0.3 else n for n in scores)
    return own[rng.integers(0, len(scores) - 1):]


@case("scaled_dot_product_attention")
def boolean_mask(rng, op):
    """Every query sees one key at least; now and then the mask is causal on top."""
    inputs, scores = qkv(rng)
    mask = rng.random(mask_shape(rng, scores)) < 0.6
    mask[..., 0] = True
    causal = bool(rng.integers(2))
    both = mask & np.tri(*scores[-2:], dtype=bool) if causal else mask
    return (inputs, lambda *xs: op(*xs, mask, is_causal=causal), lambda t, *xs: sdpa(t, *xs, attn_mask=t.tensor(both)))


@case("scaled_dot_product_attention")
def additive_mask(rng, op):
    """The mask has a gradient too, and holds −∞ here and there."""
    inputs, scores = qkv(rng)
    mask = rng.standard_normal(mask_shape(rng, scores))
    mask[..., 1:][rng.random(mask[..., 1:].shape) < 0.2] = -np.inf
    return [*inputs, mask], op, lambda t, q, k, v, mask: sdpa(t, q, k, v, attn_mask=mask)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_queries_that_may_look_nowhere_give_zeros(torch, rng, dtype):
    """Value zero, and no gradient from there: as if the query were not masked and its output not used."""
    for _ in range(SEEDS):
        inputs, scores = qkv(rng)
        mask = rng.random(scores) < 0.3
        nowhere = ~mask.any(axis=-1, keepdims=True)

        def ours(*xs):
            y = ops.scaled_dot_product_attention(*xs, mask)
            np.testing.assert_array_equal(y.data[nowhere[..., 0]], 0)
            return y * ~nowhere

        compare(torch, rng, dtype, inputs, ours,
                lambda t, *xs: sdpa(t, *xs, attn_mask=t.tensor(mask | nowhere)) * t.tensor(~nowhere))


def test_rows_of_minus_infinity_have_a_logsumexp_without_gradient():
    x = tfm.tensor(np.array([[-np.inf, -np.inf], [0.0, -np.inf]]), requires_grad=True)
    y = ops.logsumexp(x, axis=1)
    y.backward(np.array([2.0, 3.0]))
    np.testing.assert_array_equal(y.data, [-np.inf, 0])
    np.testing.assert_array_equal(x.grad, [[0, 0], [3, 0]])


@case("residual_self_attention")
def added_to_its_input(rng, op):
    C, D = int(rng.integers(1, 5)), int(rng.integers(1, 5))
    inputs = [rng.standard_normal((*shape_(rng), 4, C)), *(0.5 * rng.standard_normal((D, C)) for _ in range(2)),
              rng.standard_normal((C, C))]
    return inputs, op, lambda t, h, Wq, Wk, Wv: h + t.softmax((h @ Wq.T) @ (h @ Wk.T).mT, dim=-1) @ (h @ Wv.T)


@case("sparse_linear")
def entries_of_a_matrix(rng, op):
    """Two entries may lie at one place: they add up, as in PyTorch's sparse tensors."""
    N, F, K, entries = 4, 5, 3, 9
    rows, columns = rng.integers(0, N, entries), rng.integers(0, F, entries)
    inputs = [rng.standard_normal(entries), rng.standard_normal((K, F)), rng.standard_normal(K)]
    return (inputs, lambda values, W, b: op(rows, columns, values, W, b, N=N),
            lambda t, values, W, b: t.zeros(N, F, dtype=W.dtype).index_put(
                (t.tensor(rows), t.tensor(columns)), values, accumulate=True) @ W.T + b)
