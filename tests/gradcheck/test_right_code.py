"""Right code is not accused: float32 inside, gradients that are zero, saturated losses."""

from __future__ import annotations

import numpy as np
import pytest

from tinyformer.gradcheck import check, sample

f32 = np.float32


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def elementwise(x):
    y = np.tanh(x.astype(f32))
    return y.astype(float), lambda dy: (dy.astype(f32) * (1 - y * y)).astype(float)


def partly(x):
    y = np.tanh(x.astype(f32)).astype(float)
    return y + x, lambda dy: dy * (2 - y * y)


def norm(x, g):
    x32 = x.astype(f32)
    c = x32 - x32.mean(axis=-1, keepdims=True)
    s = np.sqrt((c * c).mean(axis=-1, keepdims=True) + f32(1e-5))
    v = c / s

    def vjp(dy):
        h = dy.astype(f32) * g.astype(f32)
        dx = (h - h.mean(axis=-1, keepdims=True) - v * (h * v).mean(axis=-1, keepdims=True)) / s
        return dx.astype(float), (dy * v).sum(axis=0).astype(float)
    return (v * g.astype(f32)).astype(float), vjp


def recurrent(x, U):
    h, u = [np.zeros(x.shape[1], f32)], U.astype(f32)
    for row in x.astype(f32):
        h.append(np.tanh(row + u @ h[-1]))

    def vjp(dy):
        dx, dU, dh = np.zeros_like(x), np.zeros_like(U), np.zeros(x.shape[1])
        for t in reversed(range(len(x))):
            da = (dh + dy[t]) * (1 - h[t + 1] ** 2)
            dx[t], dh = da, u.T @ da
            dU += np.outer(da, h[t])
        return dx, dU
    return np.stack(h[1:]).astype(float), vjp


def attention(q, k, v):
    q32, k32, v32 = (a.astype(f32) for a in (q, k, v))
    scale = f32(1 / np.sqrt(q.shape[-1]))
    p = softmax(q32 @ k32.T * scale)

    def vjp(do):
        do = do.astype(f32)
        dp = do @ v32.T
        ds = p * (dp - (p * dp).sum(axis=-1, keepdims=True)) * scale
        return tuple(a.astype(float) for a in (ds @ k32, ds.T @ q32, p.T @ do))
    return (p @ v32).astype(float), vjp


def block(x, W, U, g):
    n, back_n = norm(x, g)
    a, back_a = attention(n, n, n)
    h = x + a
    z = (h.astype(f32) @ W.astype(f32)).astype(float)
    r = np.maximum(z, 0)

    def vjp(dy):
        dr = (dy.astype(f32) @ U.astype(f32).T).astype(float) * (z > 0)
        dh = dy + dr @ W.T
        dn, dg = back_n(sum(back_a(dh)))
        return dh + dn, h.T @ dr, r.T @ dy, dg
    return h + (r.astype(f32) @ U.astype(f32)).astype(float), vjp


KINDS = [(elementwise, ("BC",)), (partly, ("BC",)), (norm, ("BC", "C")), (recurrent, ("TH", "HH")),
         (attention, ("TD", "SD", "SE")), (block, ("TC", "CF", "FC", "C"))]


@pytest.mark.parametrize("function, shapes", KINDS, ids=lambda value: getattr(value, "__name__", ""))
def test_float32_inside_is_a_note(function, shapes):
    for seed in range(3):
        report = check(function, *sample(*shapes, seed=seed))
        assert report.ok, report
        for one in report.inputs:
            assert {"float32"} <= {f.code for f in one.findings} <= {"float32", "kink"}, report


@pytest.mark.parametrize("function, shapes", KINDS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_mistake_shows_through_float32(function, shapes):
    def wrong(*arrays):
        value, vjp = function(*arrays)
        return value, lambda dy: tuple(-2 * g for g in vjp(dy)) if len(shapes) > 1 else -2 * vjp(dy)
    for one in check(wrong, *sample(*shapes)).inputs:
        assert not one.ok and [f.code for f in one.findings if f.code != "kink"] == ["sign", "factor", "float32"]


def test_float64_is_not_taken_for_float32():
    def rows(x):
        top = x.max(axis=1, keepdims=True)
        return (x - top).clip(-1, None), lambda dy: back(x, dy, top)

    def back(x, dy, top):
        dx = dy * (x - top >= -1)
        dx[np.arange(len(x)), x.argmax(axis=1)] -= dx.sum(axis=1)
        return dx
    for x in (np.array([[1.0, 2.0, 2.5], [0.0, 1e6, 3.0]]), 1e6 * sample("BC")[0]):
        report = check(rows, x)
        assert report.ok and "float32" not in [f.code for f in report.inputs[0].findings]


def test_a_zero_gradient_is_information_and_names_an_input_that_tests_it():
    def relu(x):
        return np.maximum(x, 0), lambda dy: dy * (x > 0)
    report = check(relu, -np.abs(sample("BC")[0]) - 0.1)
    finding, = report.inputs[0].findings
    assert report.ok and finding.code == "flat" and "nothing was tested" in finding.message
    assert finding.evidence["input_to_try"] == "−x"

    def constant(x):
        p = softmax(x)
        return p.sum(axis=-1), lambda dy: 0 * x + p * (dy - dy)[:, None]
    report = check(constant, *sample("BC"))
    assert report.ok and [f.code for f in report.inputs[0].findings] == ["flat"]


@pytest.mark.parametrize("size", [5, 20, 30, 40, 700])
def test_a_certain_and_right_cross_entropy(size):
    t = np.array([0, 2, 4])

    def cross_entropy(x):
        p = softmax(x)
        top = x.max(axis=1)
        value = (np.log(np.exp(x - top[:, None]).sum(axis=1)) + top - x[np.arange(3), t]).mean()

        def vjp(dL):
            d = p.copy()
            d[np.arange(3), t] -= 1
            return d * dL / 3
        return value, vjp
    x, = sample("BC")
    x[np.arange(3), t] += size
    assert check(cross_entropy, x).ok
