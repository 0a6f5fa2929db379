"""Tensors as Python's numbers and sequences, and among NumPy's arrays."""

from __future__ import annotations

import copy
import inspect
import math
import operator
import pickle

import numpy as np
import pytest

from tinyformer import nn, ops
from tinyformer.autograd import Tensor, no_grad, tensor


def leaf(*values, dtype=np.float64):
    return Tensor(np.array(values, dtype), requires_grad=True)


def masked():
    return np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0])


# ------------------------------------------------------------------------------------------------ one number

def test_a_tensor_of_one_number_is_formatted_and_converted():
    x, n, flag = tensor(1.25), tensor(7), tensor(True)
    assert (f"{x:.1f}", f"{n:03d}", f"{flag:d}", "%.2f" % x) == ("1.2", "007", "1", "1.25")
    assert (int(x), float(n), complex(x), bool(flag), math.sqrt(tensor(4.0))) == (1, 7.0, 1.25 + 0j, True, 2.0)
    assert (math.floor(x), math.ceil(x), tensor([2.5]).item(), float(tensor([[2.5]]))) == (1, 2, 2.5, 2.5)
    assert f"{tensor([1.0, 2.0])}" == str(tensor([1.0, 2.0])) == "tensor([1., 2.])"


@pytest.mark.parametrize("shape", [(1,), (2, 3), (0,)])
def test_a_tensor_with_axes_has_no_format(shape):
    with pytest.raises(TypeError, match=r"format: a tensor of shape .* has no format '.3f'; format one .* x.item\(\)"):
        f"{tensor(np.ones(shape)):.3f}"


@pytest.mark.parametrize("convert", [bool, int, float])
def test_several_entries_are_no_number(convert):
    for shape in ((2,), (0,)):
        with pytest.raises(ValueError, match=rf"{convert.__name__}: a tensor of shape .* is not a single number"):
            convert(tensor(np.ones(shape)))


def test_an_index_is_an_integer_of_any_shape_with_one_entry():
    assert "abc"[tensor(1)] == "abc"[tensor([1])] == "abc"[tensor(True)] == "b"
    assert list(range(tensor(2))) == [0, 1] and operator.index(tensor([[5]])) == 5
    with pytest.raises(TypeError, match="index: a tensor of float32 cannot be an index, expected integers"):
        "abc"[tensor(1.0)]


@pytest.mark.parametrize("call, advice", [(lambda x: round(x, 1), r"round\(x.item\(\), digits\)"), (round, "np.round"),
                                          (lambda x: divmod(x, 2), "x // y and x % y"), (lambda x: divmod(2, x),
                                          "x // y")])
def test_what_pytorch_has_no_method_for_is_refused_with_advice(call, advice):
    with pytest.raises(TypeError, match=advice):
        call(tensor(1.25))


# ------------------------------------------------------------------------------------------------ integers

@pytest.mark.parametrize("sign", ["//", "%", "&", "|", "^", "<<", ">>"])
@pytest.mark.parametrize("left, right", [("x", "y"), ("x", "2"), ("9", "y"), ("a", "y"), ("x", "a")])
def test_operators_of_integers_are_numpys(sign, left, right):
    a, b = np.array([[7, 1, 4]]), np.array([[3], [2]])
    names = {"x": tensor(a), "y": tensor(b), "a": a + 1}
    z = eval(f"{left} {sign} {right}", names)
    assert isinstance(z, Tensor) and not z.requires_grad
    np.testing.assert_array_equal(z.data, eval(f"{left} {sign} {right}", {**names, "x": a, "y": b}))


def test_quotients_are_rounded_down_and_remainders_have_the_divisors_sign():
    x = tensor([-7, 7])
    assert (x // 2).tolist() == [-4, 3] and (x % 2).tolist() == [1, 1] and (x % -2).tolist() == [-1, -1]
    y = tensor([-7.5, 7.5]) // 2
    assert y.tolist() == [-4, 3] and y.dtype == np.float32 and (tensor([7.5]) % 2).tolist() == [1.5]
    x //= 2
    assert x.tolist() == [-4, 3]


@pytest.mark.parametrize("sign", ["//", "%"])
def test_an_integer_by_zero_is_an_error(sign):
    for divisor in ("0", "tensor([1, 0])"):
        with pytest.raises(ZeroDivisionError, match=f"{sign}: an integer is divided by 0"):
            eval(f"tensor([1, 2]) {sign} {divisor}", {"tensor": tensor})


def test_booleans():
    a, b = tensor([True, False, True]), tensor([True, True, False])
    assert ((a & b).tolist(), (a | b).tolist(), (a ^ b).tolist(), (~a).tolist()) == (
        [True, False, False], [True, True, True], [False, True, True], [False, True, False])
    assert (a & b).dtype == (~a).dtype == bool and (~tensor([1, 2])).tolist() == [-2, -3]
    assert (np.array([True, True, False]) & a).tolist() == [True, False, False]
    for change, message in ((lambda: -a, "negative"), (lambda: +a, "expected numbers"), (lambda: a - b, "subtract")):
        with pytest.raises(TypeError, match=message):
            change()


@pytest.mark.parametrize("expression", ["x & 1", "1 | x", "x ^ x", "x << 1", "~x", "i & 1.5"])
def test_bits_of_floating_point_numbers_are_refused(expression):
    with pytest.raises(TypeError, match="expected integers or bool"):
        eval(expression, {"x": tensor([1.0]), "i": tensor([1])})


@pytest.mark.parametrize("expression", ["x // 2", "2 % x", "i // x"])
def test_what_has_no_gradient_does_not_take_what_wants_one(expression):
    with pytest.raises(TypeError, match=r"this operator has no gradient; use it on x.detach\(\)"):
        eval(expression, {"x": leaf(1.0, dtype=np.float32), "i": tensor([1])})


@pytest.mark.parametrize("expression", ["i / 2", "i + 0.5", "i.exp()", "ops.mean(i)", "ops.exp(2)", "ops.exp([1, 2])",
                                        "1 / i", "ops.where(i > 1, i, 0.5)"])
def test_floating_point_numbers_out_of_integers_are_float32(expression):
    value = eval(expression, {"i": tensor([1, 2]), "ops": ops})
    assert value.dtype == np.float32
    np.testing.assert_allclose(value, eval(expression, {"i": tensor([1.0, 2.0]), "ops": ops}), rtol=1e-6)


def test_arrays_of_float64_keep_their_type():
    assert ops.exp(np.array([1.0])).dtype == (tensor([1]) * np.array([1.5])).dtype == np.float64


def test_a_list_beside_a_tensor_of_float64_keeps_its_digits():
    x = leaf(1.0)
    assert (x * [0.1]).tolist() == [0.1] and (x + 0 == [1.0]).all() and (tensor([0.1]) == [0.1]).all()


# ------------------------------------------------------------------------------------- sequences and comparisons

def test_a_tensor_is_a_sequence_along_its_first_axis():
    x = leaf([1.0, 2.0], [3.0, 4.0])
    first, second = x
    assert len(x) == 2 and second.tolist() == [3, 4] and first.requires_grad
    assert [row.tolist() for row in reversed(x)] == [[3, 4], [1, 2]]
    assert 3 in x and 5 not in x and x.tolist() == [[1, 2], [3, 4]]
    for call in (len, list):
        with pytest.raises(TypeError, match="a tensor without axes"):
            call(tensor(1.0))


def test_none_and_text_equal_no_tensor():
    x = tensor([1.0, 2.0])
    assert (x == None) is False and (x != None) is True and (x == "a") is False         # noqa: E711
    for other in ("a", None):
        with pytest.raises(TypeError, match="'<' not supported between instances of 'Tensor' and"):
            x < other


def test_copies():
    x = leaf(1.0, 2.0)
    x.grad = np.ones(2)
    for copied in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert copied.tolist() == [1, 2] and copied.requires_grad and copied.grad.tolist() == [1, 1] and copied is not x
    assert copy.copy(x).data is x.data and copy.deepcopy(x).data is not x.data
    with pytest.raises(RuntimeError, match="deepcopy: this tensor was computed by multiply"):
        copy.deepcopy(x * 2)


def test_members_can_be_listed():
    names = dict(inspect.getmembers(tensor([1.0])))
    assert {"relu", "item", "grad", "shape"} <= names.keys()
    assert not [name for name in names if name.startswith("_") and name[1] != "_"]


# ------------------------------------------------------------------------------------------------ NumPy

@pytest.mark.parametrize("sign", ["+", "-", "*", "/", "**", "@"])
def test_an_array_on_the_left_leaves_arithmetic_to_the_tensor(sign):
    a = np.array([1.5, 2.5])
    named = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "**": np.power, "@": np.matmul}[sign]
    for function in (lambda a, x: eval(f"a {sign} x", {"a": a, "x": x}), named):
        x = leaf(2.0, 4.0)
        z = function(a, x)
        np.testing.assert_allclose(z.data, function(a, x.data))
        z.sum().backward()
        assert x.grad.shape == (2,)
        assert function(x, a).requires_grad and function(x, x).requires_grad


@pytest.mark.parametrize("function", [np.negative, np.abs])
def test_functions_behind_signs_work(function):
    x = leaf(2.0, -4.0)
    function(x).sum().backward()
    assert x.grad.tolist() == ([-1, -1] if function is np.negative else [1, -1])


def test_functions_without_a_gradient_give_plain_arrays():
    x = leaf(1.0, np.nan)
    for result, expected in ((np.isnan(x), [0, 1]), (np.isfinite(x), [1, 0]), (np.array([0.0, 2.0]) < x, [1, 0]),
                             (np.array([1.0, 1.0]) == x, [1, 0]), (np.less(x, 2), [1, 0]), (np.logical_not(x), [0, 0])):
        assert type(result) is np.ndarray and result.tolist() == [bool(e) for e in expected]
    y = leaf(3.0, 1.0)
    assert np.allclose(y, [3, 1]) and np.argmax(y) == 0 and np.argsort(y).tolist() == [1, 0] and np.shape(y) == (2,)
    assert np.array_equal(y, y.data) and np.array([y, y]).shape == (2, 2) and np.round(y).tolist() == [3, 1]
    np.testing.assert_allclose(y, y.data)
    np.testing.assert_array_equal([y, y], np.asarray([y, y]))


@pytest.mark.parametrize("call, advice", [
    (lambda x: np.tanh(x), "np.tanh would .* write ops.tanh for"), (lambda x: np.sum(x), "write ops.sum for"),
    (lambda x: np.concatenate([x, x]), "ops.concatenate"), (lambda x: np.stack([x, np.ones(2)]), "ops.stack"),
    (lambda x: np.where(x > 1, x, 0), "ops.where"), (lambda x: np.linalg.norm(x), r"np.linalg.norm would .*sqrt\(\)"),
    (lambda x: np.dot(x, x), "x @ y"), (lambda x: np.add.reduce(x), "ops.sum"), (lambda x: np.mean(x, axis=0),
    "ops.mean"),
    (lambda x: np.einsum("i->", x), "ops.einsum"), (lambda x: np.sin(x), "np.sin of x.data for an array"),
    (lambda x: np.maximum(x, 0), "ops.maximum"), (lambda x: np.exp(np.ones(2), out=x), "np.exp: .* in place")])
def test_functions_that_would_lose_the_gradient_say_what_to_write(call, advice):
    with pytest.raises(TypeError, match=advice):
        call(leaf(1.0, 2.0))


def test_without_a_gradient_numpy_computes_with_the_values():
    with no_grad():
        y = leaf(1.0, 2.0) * 2
    assert np.concatenate([y, y]).tolist() == [2, 4, 2, 4] and np.sum(y) == 6 and type(np.stack([y])) is np.ndarray


def test_an_array_takes_no_tensor_in_place():
    a = np.ones(2)
    with pytest.raises(TypeError, match=r"np.add: an array cannot take a tensor in place; .* array = array \+ tensor"):
        a += leaf(1.0, 2.0)
    a[:] = leaf(1.0, 2.0)
    a += leaf(1.0, 2.0).data
    assert a.tolist() == [2, 4]


# ------------------------------------------------------------------------------------------------ what arrays are taken

PLACES = {
    "tensor": tensor, "in a list": lambda a: tensor([a]), "deeper": lambda a: tensor([[a], [a]]),
    "in a tuple": lambda a: tensor((a,)),
    "add": lambda a: leaf(1.0, 2.0, 3.0) + a, "radd": lambda a: a + leaf(1.0, 2.0, 3.0), "list": lambda a: ops.exp([a]),
    "compared": lambda a: leaf(1.0, 2.0, 3.0) < a, "equal": lambda a: leaf(1.0, 2.0, 3.0) == a,
    "in": lambda a: a in leaf(1.0),
    "Linear": lambda a: nn.Linear(3, 2)(a),
    "linear": lambda a: ops.linear(a, np.eye(3)),
    "data": lambda a: setattr(leaf(1.0), "data", a), "grad": lambda a: setattr(leaf(1.0), "grad", a),
    "setitem": lambda a: tensor([1.0, 2.0, 3.0]).__setitem__(slice(None), a), "joined": lambda a: ops.concatenate([a,
    np.ones(2)]),
    "isnan": lambda a: np.equal(leaf(1.0, 2.0, 3.0), a),
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_masked_array_is_refused_everywhere(place):
    with pytest.raises(TypeError, match=r"a masked array would lose its mask; expected .* as masked.filled\(0\)"):
        place(masked())


def test_a_masked_array_changes_nothing_in_place_and_is_no_index():
    p, x = leaf(1.0, 2.0, 3.0), masked()
    for index in (np.ma.array([0, 1], mask=[0, 1]), (np.ma.array([0, 1], mask=[0, 1]),), [np.ma.array([0], mask=[1])]):
        for call in (lambda: p[index], lambda: tensor([1.0, 2.0]).__setitem__(index, 0)):
            with pytest.raises(TypeError, match="masked array"):
                call()
    with no_grad(), pytest.raises(TypeError, match=r"\+=: a masked array"):
        p += masked()
    assert p.tolist() == [1, 2, 3]
    x += p                                                  # NumPy's own: the values of the tensor, and the mask stays
    assert x.tolist() == [2, None, 6] and (x < p).tolist() == [False, None, False]


@pytest.mark.parametrize("sign", ["+", "-", "*", "/", "**"])
def test_a_masked_array_on_the_left_leaves_it_to_the_tensor_to_refuse(sign):
    with pytest.raises(TypeError, match="masked array would lose its mask"):
        eval(f"a {sign} x", {"a": masked(), "x": leaf(1.0, 2.0, 3.0)})


def test_matplotlib_draws_tensors():
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure
    x, axes = leaf(1.0, 2.0, 3.0) * 2, Figure().subplots()
    line, = axes.plot(x, x)
    np.testing.assert_array_equal(line.get_xydata(), [[2, 2], [4, 4], [6, 6]])
    axes.plot(x), axes.scatter(x, x), axes.hist(x), axes.bar(x, x), axes.fill_between(x, x)
    axes.imshow(tensor(np.ones((2, 2)))), axes.errorbar(x, x, yerr=x), axes.axhline(x[0])


@pytest.mark.parametrize("array, type_", [(np.ones(3, complex), "complex128"), (np.array(["a", "b", "c"]), "<U1"),
                                          (np.array([1, None, "a"], object), "object"), (np.array([0], "M8[D]"),
                                          "datetime64")])
@pytest.mark.parametrize("place", ["tensor", "in a list", "add", "Linear", "linear", "data", "setitem", "joined",
                                   "compared"])
def test_other_types_are_refused_by_name(array, type_, place):
    with pytest.raises(TypeError, match=f"{type_}.* cannot be held; expected float32, float64, integers or bool"):
        PLACES[place](array)


def test_half_precision():
    x = leaf(1.0, 2.0)
    assert (x + np.ones(2, np.float16)).tolist() == [2, 3]
    assert nn.Linear(2, 1)(np.ones((1, 2), np.float16)).dtype == np.float32
    for call in (tensor, ops.exp):
        with pytest.raises(TypeError, match=r"float16 cannot be held; .*; convert it with astype\(np.float32\)"):
            call(np.ones(2, np.float16))


def test_a_matrix_multiplies_otherwise():
    matrix = np.ones((2, 2)).view(np.matrix)
    assert tensor(matrix).tolist() == [[1, 1], [1, 1]] and type(tensor(matrix).data) is np.ndarray
    for call in (lambda: matrix * tensor([[1.0]]), lambda: tensor([[1.0]]) * matrix, lambda: tensor([[1.0]]) == matrix):
        with pytest.raises(TypeError, match=r"np.matrix gives \* another meaning; .*np.asarray\(matrix\)"):
            call()


@pytest.mark.parametrize("call, message", [
    (lambda: ops.linear(np.float32(3), np.eye(2)), "linear: x is float, expected an array or a tensor"),
    (lambda: ops.linear(np.eye(2), 3), "linear: weight is int, expected"), (lambda: ops.var(2.0),
    "var: x is float, expected"),
    (lambda: ops.sum(None), "sum: x is None, expected"), (lambda: tensor(1.0) + None, "add: y is None, expected"),
    (lambda: ops.exp("a"), "exp: x is str, expected"), (lambda: "a" * tensor(1.0), "multiply: y is str, expected"),
    (lambda: tensor(1.0) * 1j, "multiply: complex cannot be held"), (lambda: ops.exp({}), "exp: x is dict, expected"),
    (lambda: ops.var(tensor([1, 2])), "var: x is int64, expected float32 or float64"),
    (lambda: ops.sum(tensor([1.0]), dim=0), "sum: no argument is called dim; write axis"),
    (lambda: tensor([1.0]).sum(axis=0, keepdim=True), "sum: no argument is called keepdim; write keepdims")])
def test_what_is_no_array_is_named(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_a_list_of_tensors_does_not_lose_their_gradients():
    a, b = leaf(1.0), leaf(2.0)
    with pytest.raises(TypeError, match="mean: a list holds tensors that require a gradient, .* with ops.stack"):
        ops.mean([a, b])
    assert ops.mean([a.detach(), b.detach()]).item() == 1.5


@pytest.mark.parametrize("take", [tensor, ops.exp, lambda value: leaf(1.0) + value,
                                  lambda value: setattr(leaf(1.0), "data", value)])
def test_lists_of_unequal_lengths(take):
    with pytest.raises(ValueError, match="^(tensor|exp|add): .*inhomogeneous"):
        take([[1.0], [1.0, 2.0]])


class Foreign:
    """An array of another library."""

    dtype = np.dtype(np.float64)

    def __array__(self, dtype=None, copy=None):
        return np.array([0.1, 2.0], dtype)


def test_arrays_of_other_libraries_keep_their_type():
    assert tensor(Foreign()).dtype == np.float64 and tensor(Foreign()).tolist() == [0.1, 2]
    x = leaf(1.0, 2.0, dtype=np.float32)
    for y in (x * Foreign(), Foreign() * x):
        assert y.dtype == np.float32 and y.requires_grad
    assert ops.exp(Foreign()).dtype == np.float64


def test_tensors_of_pytorch(torch):
    t = torch.tensor([0.1, 2.0], dtype=torch.float64)
    assert tensor(t).dtype == np.float64 and tensor(t).tolist() == [0.1, 2]
    x = leaf(1.0, 2.0)
    (x * t).sum().backward()
    assert x.grad.tolist() == [0.1, 2] and ops.linear(t[None], x.reshape(1, 2).detach()).tolist() == [[4.1]]
    with pytest.raises(RuntimeError, match="requires grad"):
        x * t.requires_grad_()
