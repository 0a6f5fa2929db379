"""Operations on pictures: a convolution, pooling, and normalization over groups of channels."""

from __future__ import annotations

import numpy as np

from ..exercise import Exercise, WrongAnswer


def conv2d(x, weight, bias):
    """Convolution of pictures.

        y[n, o, p, q] = b[o] + Σ W[o, c, i, j] x[n, c, p + i, q + j], the sum over c, i and j

    x (N, C, H, W)    weight W (O, C, kh, kw)    bias b (O,)    y (N, O, P, Q), P = H − kh + 1, Q = W − kw + 1.
    vjp(dy) returns dx, dweight, dbias.
    """
    kh, kw = weight.shape[2:]
    P, Q = x.shape[2] - kh + 1, x.shape[3] - kw + 1
    y = np.zeros((len(x), len(weight), P, Q)) + bias[:, None, None]
    for i in range(kh):
        for j in range(kw):                                 # entry (i, j) of the kernel meets x shifted by (i, j)
            y += np.einsum("oc,ncpq->nopq", weight[:, :, i, j], x[:, :, i:i + P, j:j + Q])

    def vjp(dy):
        dx, dweight = np.zeros_like(x), np.zeros_like(weight)
        for i in range(kh):
            for j in range(kw):
                dx[:, :, i:i + P, j:j + Q] += np.einsum("oc,nopq->ncpq", weight[:, :, i, j], dy)
                dweight[:, :, i, j] = np.einsum("nopq,ncpq->oc", dy, x[:, :, i:i + P, j:j + Q])
        dbias = dy.sum(axis=(0, 2, 3))
        return dx, dweight, dbias

    return y, vjp


CONV2D = Exercise(
    conv2d, "03 Neural networks",
    inputs=lambda rng, N=2, C=3, O=5, H=7: (rng.normal(size=(N, C, H, 9)), rng.normal(size=(O, C, 3, 4)),
                                            rng.normal(size=O)),
    question="All entries of dy and of a 2 × 2 kernel are 1, and the picture has 3 × 3 pixels. "
             "What is dx of the pixel in the middle?",
    answer=lambda f: f(np.zeros((1, 1, 3, 3)), np.ones((1, 1, 2, 2)), np.zeros(1))[1](np.ones((1, 1, 2, 2)))[0][0, 0, 1,
                                                                                                              1],
    hints=("Entry (i, j) of the kernel is a matrix (O, C) that meets the picture shifted by (i, j). What are the "
           "gradients of one matrix product?",
           "A pixel lies in several windows, so its gradients add up: dx at the shifted place gets Wᵀ dy of each "
           "(i, j). One entry of the kernel is used in all windows of all pictures."),
    wrong=(
        WrongAnswer("overwrite", "windows overwrite each other", "A pixel lies in several windows: add.",
                    {"j:j + Q] += np.einsum(\"oc,nopq": "j:j + Q] = np.einsum(\"oc,nopq"}),
        WrongAnswer("operand", "the kernel turned around in dx",
                    "The entry (i, j) that was multiplied with a pixel also takes dy back to this pixel.",
                    {"weight[:, :, i, j], dy)": "weight[:, :, kh - 1 - i, kw - 1 - j], dy)"}),
        WrongAnswer("lost-path", "only the last entry of the kernel in dx",
                    "Every entry of the kernel meets the picture, each at its own place.",
                    {"dx[:, :, i:i + P": "dx = np.zeros_like(x)\n                dx[:, :, i:i + P"}),
        WrongAnswer("operand", "dweight without the shift", "Which pixels did entry (i, j) meet?",
                    {"dy, x[:, :, i:i + P, j:j + Q])\n        dbias": "dy, x[:, :, :P, :Q])\n        dbias"}),
        WrongAnswer("factor", "dweight divided by the number of pictures", "There is no mean here.",
                    {"dy, x[:, :, i:i + P, j:j + Q])\n        dbias":
                     "dy, x[:, :, i:i + P, j:j + Q]) / len(x)\n        dbias"}),
        WrongAnswer("reduction/factor", "dbias averaged over the windows",
                    "The gradients of all uses of b[o] add up.",
                    {"dbias = dy.sum(axis=(0, 2, 3))": "dbias = dy.sum(axis=0).mean(axis=(1, 2))"}),
        WrongAnswer("unbroadcast", "dbias summed over the pictures alone", "b[o] is added to every pixel of channel o.",
                    {"dbias = dy.sum(axis=(0, 2, 3))": "dbias = dy.sum(axis=0)"}),
        WrongAnswer("sign", "dx with a minus", "y grows with x where the kernel is positive.",
                    {"j:j + Q] += np.einsum(\"oc,nopq": "j:j + Q] -= np.einsum(\"oc,nopq"}),
    ))


def max_pool(x):
    """Max pooling of windows of 2 × 2.

        y[n, c, p, q] = max of x[n, c, 2p, 2q], x[n, c, 2p, 2q + 1], x[n, c, 2p + 1, 2q], x[n, c, 2p + 1, 2q + 1]

    x (N, C, H, W), H and W even    y (N, C, H/2, W/2). Of equal pixels the first, row by row, is the maximum.
    vjp(dy) returns dx.
    """
    N, C, H, W = x.shape
    windows = x.reshape(N, C, H // 2, 2, W // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(N, C, H // 2, W // 2, 4)
    winner = windows.argmax(axis=-1)                        # 0 to 3: 2 · row + column within the window
    y = windows.max(axis=-1)

    def vjp(dy):
        chosen = winner[..., None] == np.arange(4)          # (N, C, H/2, W/2, 4)
        dwindows = chosen * dy[..., None]
        dx = dwindows.reshape(N, C, H // 2, W // 2, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(N, C, H, W)
        return dx

    return y, vjp


MAX_POOL = Exercise(
    max_pool, "03 Neural networks",
    inputs=lambda rng, N=2, C=3, P=5: (rng.normal(size=(N, C, 2 * P, 12)),),
    question="All pixels of a picture are equal, and every entry of dy is 1. What is dx of the last pixel of a window?",
    answer=lambda f: f(np.ones((1, 1, 2, 2)))[1](np.ones((1, 1, 1, 1)))[0, 0, 1, 1],
    hints=("Where did each maximum lie? The other three pixels of its window could change a little without any effect.",
           "dwindows (N, C, H/2, W/2, 4) has dy at the winner, else 0. Then undo the reshape and the transpose."),
    wrong=(
        WrongAnswer("mask", "dy shared by all four pixels", "Only the largest pixel of a window counts.",
                    {"chosen * dy[..., None]": "np.ones(4) * dy[..., None]"}),
        WrongAnswer("mask/factor", "a quarter of dy for each pixel", "That is the gradient of a mean.",
                    {"chosen * dy[..., None]": "np.ones(4) / 4 * dy[..., None]"}),
        WrongAnswer("head-order/permuted", "rows and columns of the windows not exchanged back",
                    "The transpose that made the windows must be undone before the reshape.",
                    {"W // 2, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(N, C, H, W)":
                     "W // 2, 2, 2).reshape(N, C, H, W)"}),
        WrongAnswer("case", "equal pixels all get dy", "Of equal pixels the first is the maximum, and gets all of dy.",
                    {"winner[..., None] == np.arange(4)": "windows == y[..., None]"}),
        WrongAnswer("inverted-mask", "the smallest pixel gets dy", "Which pixel was chosen?",
                    {"winner[..., None] == np.arange(4)": "windows.argmin(axis=-1)[..., None] == np.arange(4)"}),
        WrongAnswer("local-derivative", "multiplied by the pixel", "The slope of a maximum is 1 at the winner.",
                    {"dwindows = chosen * dy": "dwindows = chosen * windows * dy"}),
        WrongAnswer("sign", "dx with a minus", "y grows with its winner.", {"chosen * dy[": "chosen * -dy["}),
        WrongAnswer("unexplained", "np.tile in place of np.repeat",
                    "The four pixels of a window are neighbors. np.tile puts whole copies of dy beside each other.",
                    {"chosen * dy[..., None]":
                     "chosen * np.tile(dy, (1, 1, 2, 2)).reshape(N, C, H // 2, 2, W // 2, 2).transpose("
                     "0, 1, 2, 4, 3, 5).reshape(chosen.shape)"}),
    ),
    cases={"equal pixels": lambda rng: (rng.integers(0, 2, (2, 2, 4, 6)).astype(float),)})


def avg_pool(x):
    """Average pooling of windows of 3 × 3 that overlap, two pixels apart.

        y[n, c, p, q] = Σ x[n, c, 2p + i, 2q + j] / 9, the sum over i and j from 0 to 2

    x (N, C, H, W), H and W odd    y (N, C, P, Q), P = (H − 1)/2, Q = (W − 1)/2.    vjp(dy) returns dx.
    """
    P, Q = x.shape[2] // 2, x.shape[3] // 2                 # of odd numbers
    y = np.zeros((*x.shape[:2], P, Q))
    for i in range(3):
        for j in range(3):                                  # pixel (i, j) of every window
            y += x[:, :, i:i + 2 * P:2, j:j + 2 * Q:2] / 9

    def vjp(dy):
        dx = np.zeros_like(x)
        for i in range(3):
            for j in range(3):
                dx[:, :, i:i + 2 * P:2, j:j + 2 * Q:2] += dy / 9
        return dx

    return y, vjp


AVG_POOL = Exercise(
    avg_pool, "03 Neural networks",
    inputs=lambda rng, N=2, C=3, P=5: (rng.normal(size=(N, C, 2 * P + (3 if P % 3 == 0 else 1), 9)),),
    question="Every entry of dy is 9. What is dx of a pixel that lies in four windows?",
    answer=lambda f: f(np.zeros((1, 1, 5, 5)))[1](np.full((1, 1, 2, 2), 9.0))[0, 0, 2, 2],
    hints=("A mean is a sum with equal weights. Which weight has each pixel of a window?",
           "Neighboring windows share a row or a column of pixels, whose gradients add up. The loop of the forward "
           "pass shows where each pixel lies."),
    wrong=(
        WrongAnswer("overwrite", "windows overwrite each other", "A pixel may lie in several windows: add.",
                    {"2 * Q:2] += dy / 9": "2 * Q:2] = dy / 9"}),
        WrongAnswer("factor", "not divided by the size of the window", "Each pixel has a weight of 1/9.",
                    {"+= dy / 9": "+= dy"}),
        WrongAnswer("factor", "divided by the number of windows", "The mean is over the pixels of a window.",
                    {"+= dy / 9": "+= dy / (P * Q)"}),
        WrongAnswer("dropped", "only the middle pixel of each window", "Every pixel of a window is in its mean.",
                    {"2 * Q:2] += dy / 9": "2 * Q:2] += dy / 9 * (i == 1) * (j == 1)"}),
        WrongAnswer("local-derivative", "multiplied by the pixel", "The slope of a mean does not depend on the pixels.",
                    {"+= dy / 9": "+= dy / 9 * x[:, :, i:i + 2 * P:2, j:j + 2 * Q:2]"}),
        WrongAnswer("unexplained", "windows one pixel apart", "Neighboring windows start two pixels apart.",
                    {"2 * P:2, j:j + 2 * Q:2] += dy": "P, j:j + Q] += dy"}),
        WrongAnswer("sign", "dx with a minus", "y grows with every pixel.", {"2 * Q:2] += dy": "2 * Q:2] -= dy"}),
    ))


def group_norm(x, weight, bias):
    """Group norm with two groups of channels.

        y = γ ⊙ x̂ + β,   x̂ = (x − μ)/σ,   μ and σ² = mean (x − μ)² + 10⁻⁵ of each picture and group

    x, y (N, C, L), C even, L pixels in a row    weight γ, bias β (C,).    vjp(dy) returns dx, dweight, dbias.
    """
    N, C, L = x.shape
    rows = x.reshape(2 * N, C // 2 * L)                     # a row for each picture and group
    centered = rows - rows.mean(axis=1, keepdims=True)
    sigma = np.sqrt((centered ** 2).mean(axis=1, keepdims=True) + 1e-5)
    xhat = centered / sigma
    y = weight[:, None] * xhat.reshape(N, C, L) + bias[:, None]

    def vjp(dy):
        g = (dy * weight[:, None]).reshape(2 * N, C // 2 * L)                   # the gradient of xhat
        dx = (g - g.mean(axis=1, keepdims=True) - xhat * (g * xhat).mean(axis=1, keepdims=True)) / sigma
        dweight = (dy * xhat.reshape(N, C, L)).sum(axis=(0, 2))
        dbias = dy.sum(axis=(0, 2))
        return dx.reshape(N, C, L), dweight, dbias

    return y, vjp


GROUP_NORM = Exercise(
    group_norm, "03 Neural networks",
    inputs=lambda rng, N=5, C=3, L=7: (rng.normal(size=(N, 2 * C, L)), rng.normal(size=2 * C), rng.normal(size=2 * C)),
    question="γ is 1. What is the sum of dx over one group of one picture?",
    answer=lambda f: f(np.arange(6.0).reshape(1, 2, 3) ** 2, np.ones(2), np.ones(2))[1](np.ones((1, 2, 3)))[0].sum(),
    hints=("dx has the three terms of batch norm. Its means are over the channels of a group and their pixels.",
           "With a row for each picture and group, dx is that of layer norm. γ belongs to a channel, so dγ sums over "
           "the pictures and the pixels."),
    wrong=(
        WrongAnswer("mean-term", "the mean treated as a constant", "μ depends on every pixel of the group.",
                    {" - g.mean(axis=1, keepdims=True)": ""}),
        WrongAnswer("variance-term", "the variance treated as a constant", "σ depends on every pixel of the group.",
                    {" - xhat * (g * xhat).mean(axis=1, keepdims=True)": ""}),
        WrongAnswer("local-derivative", "γ forgotten in dx", "y is γ ⊙ x̂ + β, so dy is first multiplied by γ.",
                    {"g = (dy * weight[:, None])": "g = (dy * np.ones((C, 1)))"}),
        WrongAnswer("row-scale/local-derivative", "1/σ forgotten", "x̂ is x − μ divided by σ.",
                    {"keepdims=True)) / sigma": "keepdims=True))"}),
        WrongAnswer("reduction/mean-term", "the mean of g over the pictures", "Every picture is treated separately.",
                    {"g - g.mean(axis=1, keepdims=True)": "g - g.mean(axis=0)"}),
        WrongAnswer("unbroadcast", "dγ summed over the pictures alone", "All pixels of a channel share γ.",
                    {"xhat.reshape(N, C, L)).sum(axis=(0, 2))": "xhat.reshape(N, C, L)).sum(axis=0)"}),
        WrongAnswer("reduction/factor", "dβ averaged", "The gradients of all uses of β add up.",
                    {"dbias = dy.sum(axis=(0, 2))": "dbias = dy.mean(axis=(0, 2))"}),
        WrongAnswer("local-derivative/swapped", "dγ without x̂", "γ multiplies x̂.",
                    {"(dy * xhat.reshape(N, C, L)).sum": "dy.sum"}),
    ))
