"""Families of mistakes that no single step shows: constrained inputs, other places of the graph, one of many paths."""

from __future__ import annotations

import numpy as np
import pytest

from tinyformer.gradcheck import check, sample


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def codes(function, *inputs, i=0):
    return [finding.code for finding in check(function, *inputs).inputs[i].findings]


def kept(x, how):
    return {"rows that sum to one": softmax, "unit rows": lambda x: x / np.linalg.norm(x, axis=1, keepdims=True),
            "symmetric": lambda x: x + x.T}[how](x)


@pytest.mark.parametrize("how", ["rows that sum to one", "unit rows", "symmetric"])
def test_inputs_with_a_constraint(how):
    x = kept(np.random.default_rng(0).standard_normal((4, 4)), how)

    def function(x):                                        # the gradient is right for such inputs alone
        if how == "symmetric":
            return (x @ x).sum(), lambda dy: -dy * 2 * np.add.outer(x.sum(axis=0), x.sum(axis=0)) / 2
        s = (x if how == "rows that sum to one" else x * x).sum(axis=1, keepdims=True)
        slope = 1.0 if how == "rows that sum to one" else 2 * x
        return x / s, lambda dy: -(dy - slope * (dy * x).sum(axis=1, keepdims=True))
    assert codes(function, x) == ["sign"]


def test_the_upstream_gradient_in_place_of_the_one_that_came_back():
    def block(x, w, u):
        h = x + np.tanh(x @ w)
        z = np.maximum(h @ u, 0)
        y = h + z

        def vjp(dy):
            dz = dy * (z > 0)
            dh = dy + dz @ u.T
            dt = dh * (1 - np.tanh(x @ w) ** 2)
            return dy + dt @ w.T, x.T @ dt, h.T @ dz
        return y, vjp
    assert codes(block, *sample("BC", "CC", "CC", square=False)) == ["lost-path"]


def test_one_use_of_a_shared_part():
    def two(x, w):
        h = np.tanh(x @ w)
        y = h * np.exp(-h) + np.sin(h)

        def vjp(dy):
            dh = dy * (np.exp(-h) - h * np.exp(-h)) * (1 - h * h) + dy * np.cos(h)
            return dh @ w.T, x.T @ dh
        return y, vjp
    assert codes(two, *sample("BI", "IC")) == ["local-derivative"]


@pytest.mark.parametrize("edit, code", [
    ("h[t]", "operand"), ("h[T - t]", "operand"), ("h[t - 1]", "")])
def test_another_state_of_a_recurrence(edit, code):
    scope = {"np": np}
    exec(f"""
def rnn(x, U):
    T, h = len(x), [np.zeros(x.shape[1])]
    for t in range(1, T + 1):
        h.append(np.tanh(x[t - 1] + U @ h[t - 1]))
    def vjp(dy):
        dx, dU, dh = np.zeros_like(x), np.zeros_like(U), np.zeros(x.shape[1])
        for t in range(T, 0, -1):
            da = (dh + dy[t - 1]) * (1 - h[t] ** 2)
            dx[t - 1] = da
            dU += np.outer(da, {edit})
            dh = U.T @ da
        return dx, dU
    return np.stack(h[1:]), vjp
""", scope)
    assert codes(scope["rnn"], *sample("TC", "CC"), i=1) == ([code] if code else [])


@pytest.mark.parametrize("old, new, code", [
    ("range(T, 0, -1)", "range(1, T + 1)", "lost-path"), ("s = h[t - 1]", "s = h[t]", "operand"),
    ("s = h[t - 1]", "s = h[-1]", "operand"), ("return", "return", "")])
def test_a_loop_in_the_wrong_order_or_with_another_state(old, new, code):
    source = """
def euler(x, U):
    T, h = 4, [x]
    for t in range(1, T + 1):
        h.append(h[t - 1] + 0.3 * np.tanh(h[t - 1] @ U))
    def vjp(dy):
        dh, dU = np.zeros_like(x), np.zeros_like(U)
        for t in range(T, 0, -1):
            s = h[t - 1]
            dh = dh + dy[t - 1]
            da = 0.3 * dh * (1 - np.tanh(s @ U) ** 2)
            dU += s.T @ da
            dh = dh + da @ U.T
        return dh, dU
    return np.stack(h[1:]), vjp
"""
    scope = {"np": np}
    exec(source.replace(old, new), scope)
    assert codes(scope["euler"], *sample("NC", "CC"), i=1) == ([code] if code else [])


def test_a_mistake_in_a_helper_that_is_called_twice():
    scope = {"np": np}
    exec("""
def norm(x):
    s = np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return (x - x.mean(-1, keepdims=True)) / s, s

def norm_back(dn, n, s):
    return (dn - n * (dn * n).mean(-1, keepdims=True)) / s

def twice(x, w):
    n, s = norm(x)
    m, r = norm(n @ w + x)

    def vjp(dy):
        dh = norm_back(dy, m, r)
        return norm_back(dh @ w.T, n, s) + dh, n.T @ dh
    return m, vjp
""", scope)
    assert codes(scope["twice"], *sample("NC", "CC"), i=0) == ["mean-term"]


@pytest.mark.parametrize("edit, accepted", [
    ("dx[i + 1:i + 4] += dy[i] * w", ("permuted", "leak")), ("dx[i:i + 3] += dy[i] * w[::-1]", ("operand", "permuted")),
    ("dx[i:i + 3] = dy[i] * w", ("overwrite",)), ("dx[i:i + 3] += dy[i] * w", ())])
def test_windows(edit, accepted):
    scope = {"np": np}
    exec(f"""
def convolve(x, w):
    n = len(x) - 3
    y = np.zeros(n)
    for i in range(n):
        y[i] = x[i:i + 3] @ w
    def vjp(dy):
        dx, dw = np.zeros_like(x), np.zeros_like(w)
        for i in range(n):
            {edit}
            dw += dy[i] * x[i:i + 3]
        return dx, dw
    return y, vjp
""", scope)
    found = codes(scope["convolve"], np.random.default_rng(0).standard_normal(8), np.array([0.5, -1.5, 2.0]))
    assert found == [] if not accepted else found[0] in accepted


def test_the_first_k_for_the_top_k():
    def top(x):
        i = np.argsort(-x)[:3]

        def vjp(dy):
            dx = np.zeros_like(x)
            dx[:3] = dy
            return dx
        return x[i], vjp
    assert codes(top, np.array([0.3, -1.0, 2.0, 0.1, 1.5]))[0] in ("permuted", "mask", "dropped")


@pytest.mark.parametrize("edit, code", [
    ("d = logits.copy()", "local-derivative"), ("d = softmax(p)", "local-derivative"),
    ("d = softmax(logits, 0)", "reduction"), ("d = p.copy(); t = other", "operand"), ("d = p.copy()", "")])
def test_a_cross_entropy_with_one_array_exchanged(edit, code):
    scope = {"np": np, "softmax": softmax}
    exec(f"""
def cross_entropy(x, w, ids, other):
    logits = x @ w
    p = softmax(logits)
    def vjp(dL):
        t = ids
        {edit}
        d[np.arange(len(x)), t] -= 1
        d *= dL / len(x)
        return d @ w.T, x.T @ d, None, None
    return -np.log(p[np.arange(len(x)), ids]).mean(), vjp
""", scope)
    x, w = sample("NI", "IV")
    found = codes(scope["cross_entropy"], x, w, np.array([1, 0, 3]), np.array([0, 2, 2]), i=1)
    assert found == ([code] if code else [])


# ------------------------------------------------------------------------------------------------ misleading names

def test_rows_of_a_table_are_not_swapped():
    def positions(x, P):
        T = x.shape[0]
        return x + P[:T], lambda dy: (dy, dy)
    x, P = sample("TC", "LC")
    assert codes(positions, x, np.concatenate([P, P])[:len(x) + 2], i=1) == ["unbroadcast"]


def test_a_missing_temperature_is_a_factor():
    def scores(q, k, temperature):
        return q * temperature @ k.T, lambda dy: (dy @ k, temperature * dy.T @ q, np.asarray((dy * (q @ k.T)).sum()))
    assert codes(scores, *sample("TD", "SD"), np.array(0.7)) == ["factor"]


def test_dropout_drawn_again_is_not_deterministic():
    def dropout(x):
        keep = np.random.default_rng(0).random(x.shape) > 0.5
        return x * keep, lambda dy: dy * (np.random.random(x.shape) > 0.5)
    assert codes(dropout, *sample("BC")) == ["nondeterministic"]


def test_a_missing_term_is_asked_for_before_a_wrong_slope():
    def sum_of_paths(x):
        t = np.tanh(x)
        return t + np.exp(-x * x) + t * np.sin(x), lambda dy: dy * (1 - t * t) + dy * (-2 * x * np.exp(-x * x))
    assert codes(sum_of_paths, *sample("BC"))[0] in ("missing-term", "overwrite", "lost-path")


def test_factors_are_said_once():
    report = check(lambda x: (x.sum(), lambda dy: 15 * dy * np.ones_like(x)), *sample("BC"))
    message = report.inputs[0].findings[0].message
    assert "15 times" in message and "15 = 15" not in message


def test_a_factor_of_zero_in_the_forward_pass_breaks_no_hypothesis():
    def weighted(x):
        total = 0.0 * x
        for k in (0.0, 1.0, 2.0):
            total = total + k * np.sin(x) ** 2
        return total, lambda dy: dy * 3 * 2 * np.cos(x)
    assert codes(weighted, *sample("BC")) == ["local-derivative"]
