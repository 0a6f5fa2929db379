"""Positions, residual paths, a complete block, tied weights, and decoding with a cache."""

from __future__ import annotations

import numpy as np

from tinyformer import ops

from ..exercise import Exercise, WrongAnswer


def sinusoidal(T, C):
    """Sinusoidal positions.

        table[t, 2i] = sin(t / 10000^{2i/C}),   table[t, 2i + 1] = cos(t / 10000^{2i/C})

    T time steps, C features (even).    Returns the table (T, C), in float64.
    """
    angle = np.arange(T)[:, None] / 10000 ** (np.arange(0, C, 2) / C)
    table = np.zeros((T, C))
    table[:, 0::2] = np.sin(angle)
    table[:, 1::2] = np.cos(angle)
    return table


SINUSOIDAL = Exercise(
    sinusoidal, "10 The Transformer",
    inputs=lambda rng, T=5, half=3: (T, 2 * half),
    question="What is the sum of the first row (t = 0) of a table with C = 6?",
    answer=lambda f: f(2, 6)[0].sum(),
    hints=("First compute the angles: a table (T, C/2).",
           "Sines go into the even columns, cosines into the odd ones: slices with a step of 2."),
    wrong=(
        WrongAnswer("formula", "halves in place of alternating columns",
                    "Even columns have sines, odd columns cosines.",
              {"table[:, 0::2]": "table[:, :C // 2]", "table[:, 1::2]": "table[:, C // 2:]"}),
        WrongAnswer("formula", "sines and cosines swapped", "At t = 0 the even columns are 0.",
              {"= np.sin(angle)": "= np.cos(angle)", "= np.cos(angle)": "= np.sin(angle)"}),
        WrongAnswer("formula", "the exponent i/C", "The exponent is 2i/C, which is almost 1 for the last pair.",
              {"np.arange(0, C, 2) / C": "np.arange(C // 2) / C"}),
        WrongAnswer("formula", "multiplied in place of divided", "Later features oscillate more slowly.",
              {"[:, None] / 10000": "[:, None] * 10000.0"}),
        WrongAnswer("formula", "counted from 1", "The first time step is t = 0.",
                    {"np.arange(T)": "np.arange(1, T + 1)"}),
    ))


def rope(x, cos, sin):
    """Rotary positions: each pair of features is rotated by an angle.

        y₁ = x₁ cos − x₂ sin,   y₂ = x₂ cos + x₁ sin,   x₁ and x₂ the two halves of x's features

    x, y (T, D)    cos, sin (T, D/2).    vjp(dy) returns dx.
    """
    half = x.shape[1] // 2
    x1, x2 = x[:, :half], x[:, half:]
    y = np.concatenate([x1 * cos - x2 * sin, x2 * cos + x1 * sin], axis=1)

    def vjp(dy):
        dy1, dy2 = dy[:, :half], dy[:, half:]
        return np.concatenate([dy1 * cos + dy2 * sin, dy2 * cos - dy1 * sin], axis=1)

    return y, vjp


def _rope_inputs(rng, T=5, half=3):
    angle = np.arange(1, T + 1)[:, None] / 10 ** (np.arange(half) / half)
    return rng.normal(size=(T, 2 * half)), np.cos(angle), np.sin(angle)


ROPE = Exercise(
    rope, "10 The Transformer", constant="cos sin", inputs=_rope_inputs,
    question="The sum of the squares of a row of dy is 7. What is it in the same row of dx?",
    answer=lambda f: np.square(f(np.ones((1, 2)), np.cos([[0.3]]),
                                 np.sin([[0.3]]))[1](np.array([[2.0, np.sqrt(3)]]))).sum(),
    hints=("x₁ is used in both halves of y, and so is x₂.",
           "The opposite angle undoes a rotation. Which of cos and sin changes its sign with the angle?"),
    wrong=(
        WrongAnswer("rotation", "rotated forward again", "The backward pass rotates by the opposite angle.",
              {"dy1 * cos + dy2 * sin, dy2 * cos - dy1 * sin": "dy1 * cos - dy2 * sin, dy2 * cos + dy1 * sin"}),
        WrongAnswer("rotation", "pairs of adjacent features", "Here the pairs are i and i + D/2.",
              {"dy1, dy2 = dy[:, :half], dy[:, half:]": "dy1, dy2 = dy[:, 0::2], dy[:, 1::2]"}),
        WrongAnswer("lost-path/rotation", "only the cosines", "y₂ depends on x₁ as well.",
              {"dy1 * cos + dy2 * sin, dy2 * cos - dy1 * sin": "dy1 * cos, dy2 * cos"}),
        WrongAnswer("rotation", "not rotated at all", "The forward pass rotates x, so rotate dy back.",
              {"np.concatenate([dy1 * cos + dy2 * sin, dy2 * cos - dy1 * sin], axis=1)": "dy.copy()"}),
        WrongAnswer("rotation/sign", "both signs plus", "One of the two sine terms has a minus sign.",
              {"dy2 * cos - dy1 * sin": "dy2 * cos + dy1 * sin"}),
        WrongAnswer("permuted/rotation", "the halves swapped", "The first half of dx belongs to x₁.",
              {"[dy1 * cos + dy2 * sin, dy2 * cos - dy1 * sin]": "[dy2 * cos - dy1 * sin, dy1 * cos + dy2 * sin]"}),
    ))


def residual(x, weight, W):
    """A residual branch with a layer norm before it.

        y = x + n Wᵀ,   n = layer norm of x's rows with γ

    x, y (N, C)    weight γ (C,)    W (C, C).    vjp(dy) returns dx, dweight, dW.

    ``ops.layer_norm.raw(x, weight)`` gives (n, vjp_norm), and vjp_norm(dn) gives (dx, dweight, None).
    """
    n, vjp_norm = ops.layer_norm.raw(x, weight)
    y = x + n @ W.T

    def vjp(dy):
        dn = dy @ W
        dx, dweight, _ = vjp_norm(dn)
        return dy + dx, dweight, dy.T @ n

    return y, vjp


RESIDUAL = Exercise(
    residual, "10 The Transformer",
    inputs=lambda rng, N=5, C=3: (rng.normal(size=(N, C)), rng.normal(size=C), rng.normal(size=(C, C))),
    question="W is 0, so the branch adds nothing, and dy is all ones. What is each entry of dx?",
    answer=lambda f: f(np.eye(3), np.ones(3), np.zeros((3, 3)))[1](np.ones((3, 3)))[0][0, 0],
    hints=("x is used twice: on the direct path and in the branch.",
           "In the branch, go back through W first, then call the vjp of the norm."),
    wrong=(
        WrongAnswer("lost-path/overwrite", "the direct path forgotten",
              "The term +x passes dy on unchanged. That is the purpose of a residual path.",
                    {"return dy + dx,": "return dx,"}),
        WrongAnswer("lost-path/overwrite", "the branch forgotten", "The norm uses x as well.",
              {"return dy + dx,": "return dy.copy(),"}),
        WrongAnswer("local-derivative", "the norm skipped", "The branch applies the norm to x.",
              {"return dy + dx,": "return dy + dn,"}),
        WrongAnswer("operand", "Wᵀ in place of W",
                    "W is square, so the shape does not show the mistake. Write the indices.",
                    {"dn = dy @ W": "dn = dy @ W.T"}),
        WrongAnswer("operand", "dW from x", "W is multiplied by the normalized rows n.", {"dy.T @ n": "dy.T @ x"}),
        WrongAnswer("transpose", "dW transposed",
                    "W is square, so the shape does not show the mistake. Write the indices.",
                    {"dy.T @ n": "n.T @ dy"}),
        WrongAnswer("missing-term", "the direct path twice", "Count each path once.",
                    {"return dy + dx,": "return 2 * dy + dx,"}),
    ))


def block(x, norm1, norm2, Wqkv, Wo, W1, W2):
    """A Transformer block with one causal head.

        h = x + attention(norm(x)) Woᵀ,   y = h + relu(norm(h) W₁ᵀ) W₂ᵀ

    x, y (T, C)    norm1, norm2 (C,)    Wqkv (3C, C), Wo (C, C)    W1 (F, C), W2 (C, F).
    vjp(dy) returns the gradients of all seven, in their order.

    ``ops.NAME.raw(…)`` gives (value, vjp) of rms_norm, linear, relu and scaled_dot_product_attention.
    """
    n1, vjp_n1 = ops.rms_norm.raw(x, norm1)
    qkv, vjp_qkv = ops.linear.raw(n1, Wqkv)
    q, k, v = np.split(qkv, 3, axis=1)
    a, vjp_a = ops.scaled_dot_product_attention.raw(q, k, v, is_causal=True)
    o, vjp_o = ops.linear.raw(a, Wo)
    h = x + o
    n2, vjp_n2 = ops.rms_norm.raw(h, norm2)
    f1, vjp_f1 = ops.linear.raw(n2, W1)
    r, vjp_r = ops.relu.raw(f1)
    f2, vjp_f2 = ops.linear.raw(r, W2)
    y = h + f2

    def vjp(dy):
        dr, dW2, _ = vjp_f2(dy)
        df1 = vjp_r(dr)
        dn2, dW1, _ = vjp_f1(df1)
        dh, dnorm2 = vjp_n2(dn2)
        dh = dh + dy                                        # the residual path
        da, dWo, _ = vjp_o(dh)
        dq, dk, dv, _ = vjp_a(da)
        dn1, dWqkv, _ = vjp_qkv(np.concatenate([dq, dk, dv], axis=1))
        dx, dnorm1 = vjp_n1(dn1)
        return dx + dh, dnorm1, dnorm2, dWqkv, dWo, dW1, dW2

    return y, vjp


BLOCK = Exercise(
    block, "10 The Transformer",
    inputs=lambda rng, T=3, C=2,
    F=5: tuple(rng.normal(size=s) for s in ((T, C), C, C, (3 * C, C), (C, C), (F, C), (C, F))),
    question="Wo and W2 are 0, and dy is all ones. What is each entry of dx?",
    answer=lambda f: f(np.eye(2), *map(np.ones, (2, 2, (6, 2))), np.zeros((2, 2)), np.ones((3, 2)),
        np.zeros((2, 3)))[1](
        np.ones((2, 2)))[0][0, 0],
    hints=("Every line of the forward pass has a vjp. Call them in reverse order, "
           "and give each the gradient that the previous one returned.",
           "h and x are each used twice: directly and in a branch. Concatenate dq, dk, dv for the vjp of qkv."),
    wrong=(
        WrongAnswer("lost-path/overwrite", "the second residual path lost", "y = h + …, so dy is also a gradient of h.",
              {"dh = dh + dy ": "dh = dh "}),
        WrongAnswer("lost-path/overwrite", "the first residual path lost", "h = x + …, so dh is also a gradient of x.",
              {"return dx + dh,": "return dx,"}),
        WrongAnswer("lost-path/overwrite", "dy in place of dh on the first residual path",
                    "The gradient of h has more terms than dy.",
              {"return dx + dh,": "return dx + dy,"}),
        WrongAnswer("permuted/gate-order", "queries, keys and values in another order", "Use the order of the split.",
              {"[dq, dk, dv]": "[dk, dq, dv]"}),
        WrongAnswer("mask/local-derivative", "the ReLU skipped", "The ReLU is between W1 and W2.",
              {"df1 = vjp_r(dr)": "df1 = dr"}),
        WrongAnswer("swapped", "the weights of the norms swapped", "Use the order of the arguments.",
              {"dx + dh, dnorm1, dnorm2": "dx + dh, dnorm2, dnorm1"}),
        WrongAnswer("missing", "no gradient for Wqkv", "vjp_qkv returns it.", {"dnorm2, dWqkv,": "dnorm2, None,"}),
    ))


def tied(indices, W):
    """Tied weights: one table for the embedding and the output layer.

        h = tanh W[indices],   logits = h Wᵀ

    indices integers (N,)    W (V, C)    logits (N, V).    vjp(dlogits) returns dW.
    """
    h = np.tanh(W[indices])
    logits = h @ W.T

    def vjp(dlogits):
        dW = dlogits.T @ h
        dh = dlogits @ W
        np.add.at(dW, indices, dh * (1 - h ** 2))
        return dW

    return logits, vjp


TIED = Exercise(
    tied, "11 GPT",
    inputs=lambda rng, N=7, V=5, C=3: (np.append(rng.integers(V - 1, size=N - 1), 0), rng.normal(size=(V, C))),
    question="The table has 5 rows, indices are [1, 3, 1], dlogits has no zero. How many rows of dW are not zero?",
    answer=lambda f: np.count_nonzero(f(np.array([1, 3, 1]), np.eye(5))[1](np.ones((3, 5))).any(axis=1)),
    hints=("W has two uses: the output layer and the embedding. Write the gradient of each use, then add them.",
           "The output layer gives dlogitsᵀ h. The gradient of the embedding goes through "
           "the tanh, and indices may repeat."),
    wrong=(
        WrongAnswer("overwrite/lost-path", "the embedding's part forgotten", "The embedding uses W as well.",
              {"        np.add.at(dW, indices, dh * (1 - h ** 2))\n": ""}),
        WrongAnswer("overwrite/lost-path", "the output layer's part forgotten", "The output layer uses W as well.",
              {"dW = dlogits.T @ h": "dW = np.zeros_like(W)"}),
        WrongAnswer("duplicate-index", "repeated indices counted once",
                    "With repeated indices, += keeps only the last gradient.",
              {"np.add.at(dW, indices, dh * (1 - h ** 2))": "dW[indices] += dh * (1 - h ** 2)"}),
        WrongAnswer("overwrite/duplicate-index", "= in place of +=", "The second use overwrites the first.",
              {"np.add.at(dW, indices, dh * (1 - h ** 2))": "dW[indices] = dh * (1 - h ** 2)"}),
        WrongAnswer("local-derivative", "the tanh skipped", "h is the tanh of the embedding.",
                    {"dh * (1 - h ** 2)": "dh"}),
        WrongAnswer("factor", "the mean of both uses", "The gradients of the uses add up.",
                    {"return dW": "return dW / 2"}),
    ))


def residual_attention(h):
    """Self-attention without weights or scale, plus its input.

    The articles use this form:

        y = h + softmax(h hᵀ) h

    h, y (T, C).    vjp(dy) returns dh.
    """
    e = np.exp(h @ h.T)
    P = e / e.sum(axis=1, keepdims=True)
    y = h + P @ h

    def vjp(dy):
        dP = dy @ h.T
        dS = P * (dP - (P * dP).sum(axis=1, keepdims=True))
        dvalue = P.T @ dy
        dquery = dS @ h
        dkey = dS.T @ h
        return dy + dquery + dkey + dvalue

    return y, vjp


RESIDUAL_ATTENTION = Exercise(
    residual_attention, "15 Reading the articles again",
    inputs=lambda rng, T=5, C=3: (rng.normal(size=(T, C)) / 2,),
    question="There is a single row (T = 1), and dy is all ones. What is each entry of dh?",
    answer=lambda f: f(np.array([[0.3, -0.5]]))[1](np.ones((1, 2)))[0, 0],
    hints=("h is used four times: in the sum, as query, "
           "as key and as value. Each use gives a gradient of the shape of h.",
           "Compute the gradients dquery, dkey and dvalue as if q, k and v were different; then add all four."),
    wrong=(
        WrongAnswer("overwrite/lost-path", "the use as value forgotten", "The attention weights multiply h as well.",
              {" + dkey + dvalue": " + dkey"}),
        WrongAnswer("overwrite/lost-path", "the use as key forgotten", "hᵀ in the scores depends on h as well.",
                    {" + dkey + dvalue": " + dvalue"}),
        WrongAnswer("overwrite/lost-path", "the residual path forgotten",
                    "In y = h + …, the first h gets dy unchanged.",
              {"return dy + dquery": "return dquery"}),
        WrongAnswer("overwrite/lost-path", "the softmax treated as a constant", "P depends on h.",
              {"dy + dquery + dkey + dvalue": "dy + dvalue"}),
        WrongAnswer("operand", "P in place of Pᵀ", "The gradient of the values sums over the rows of P.",
                    {"P.T @ dy": "P @ dy"}),
        WrongAnswer("softmax-diagonal/missing-term", "the softmax's sum forgotten",
                    "The weights of a row share one sum.",
              {"(dP - (P * dP).sum(axis=1, keepdims=True))": "dP"}),
        WrongAnswer("operand", "the gradient of the queries in place of that of the keys",
                    "h hᵀ is symmetric, but dS is not.",
              {"dkey = dS.T @ h": "dkey = dS @ h"}),
    ))


def cached_attention(q, k, v, past_k, past_v):
    """Attention with a key–value cache, one new token at a time.

        K = [past_k; k],   V = [past_v; v],   o = softmax(q Kᵀ / √D) V

    q, k, v (1, D) of the new token    past_k, past_v (T, D), T may be 0.
    Returns o (1, D), K and V (T + 1, D), for the next token.
    """
    K = np.concatenate([past_k, k])
    V = np.concatenate([past_v, v])
    scores = q @ K.T / np.sqrt(q.shape[1])
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    P = e / e.sum(axis=1, keepdims=True)
    return P @ V, K, V


CACHED_ATTENTION = Exercise(
    cached_attention, "11 GPT",
    cases={"scores of ±2000": lambda rng: (
        np.array([[100.0, 0, 0]]), np.array([[20.0, 0, 0]]), np.ones((1, 3)), np.array([[-20.0, 0, 0], [19, 1, 1]]),
        np.eye(3)[:2]),
           "scores of -2000": lambda rng: (np.array([[100.0, 0, 0]]), np.array([[-40.0, 0, 0]]), np.ones((1, 3)),
                                           np.array([[-40.01, 1, 1]]), np.eye(3)[:1])},
    inputs=lambda rng, T=5, D=3: tuple(rng.normal(size=(n, D)) for n in (1, 1, 1, T, T)),
    question="The past is empty (T = 0). What is the new token's attention weight on itself, in percent?",
    answer=lambda f: np.round(100 * f(*map(np.ones, ((1, 2), (1, 2), (1, 2), (0, 2), (0, 2))))[0][0, 0], 6),
    hints=("The result must equal the last row of causal attention over all tokens.",
           "Concatenate first, then attend: the new token also attends to itself. No mask is needed, "
           "because no later token exists."),
    wrong=(
        WrongAnswer("formula", "no attention of the new token to itself", "Concatenate before you attend.",
              {"q @ K.T": "q @ np.concatenate([past_k, k * 0]).T"}),
        WrongAnswer("formula", "the new token put first", "Later tokens come later in the cache.",
              {"[past_k, k]": "[k, past_k]", "[past_v, v]": "[v, past_v]"}),
        WrongAnswer("formula", "the scale forgotten", "Scores are divided by √D.", {" / np.sqrt(q.shape[1])": ""}),
        WrongAnswer("formula", "the old cache returned",
                    "The next token needs the key and the value of this token as well.",
              {"return P @ V, K, V": "return P @ V, past_k, past_v"}),
        WrongAnswer("formula", "keys used as values", "The scores use the keys, the result uses the values.",
              {"return P @ V, K, V": "return P @ K, K, V"}),
        WrongAnswer("formula", "the cache in the wrong order", "The order is o, K, V.",
              {"return P @ V, K, V": "return P @ V, V, K"}),
    ))
