"""What models that generate share: stacks of layers, inputs as rows, samples as pictures, classes as conditions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import nn, ops
from ..arrays import plain_array
from ..autograd import Tensor
from ..number_checks import check_integer
from ..rng import generator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..nn import Module
    from ..typing import Array, RNGLike, Shape, TensorLike


def stack(widths: Sequence[int], activation: Callable[[], Module] = nn.ReLU, *, batch_norm: bool = False,
          dropout: float = 0.0) -> nn.Sequential:
    """Linear layers of ``widths``; between two of them batch norm, the activation and dropout."""
    layers: list[Module] = []
    for width, following in zip(widths[:-2], widths[1:-1]):
        layers.append(nn.Linear(width, following))
        if batch_norm:
            layers.append(nn.BatchNorm1d(following))
        layers.append(activation())
        if dropout:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(*widths[-2:]))


def picture_shape(n_features: int) -> Shape:
    """(1, side, side) of a gray picture of ``n_features`` pixels; (n_features,) unless that is a square."""
    side = math.isqrt(n_features)
    return (1, side, side) if side * side == n_features else (n_features,)


def as_rows(model: Any, x: TensorLike, shape: Shape, name: str = "x") -> Tensor:
    """``x``, pictures (N, \\*shape) or rows of their numbers, as rows (N, n). ValueError for another shape of ``name``.
    """
    x = x if isinstance(x, Tensor) else Tensor(plain_array(type(model).__name__, x))
    width = math.prod(shape)
    if x.ndim == 0 or x.shape[1:] not in ((width,), tuple(shape)) or not len(x):
        wanted = " or ".join(dict.fromkeys(f"(N, {', '.join(map(str, s))})" for s in ((width,), shape)))
        raise ValueError(f"{type(model).__name__}: {name} has shape {x.shape}, expected {wanted} with N ≥ 1")
    return x if x.ndim == 2 else ops.reshape(x, shape=(len(x), width))


def check_pixels(model: Any, rows: Tensor) -> None:
    """ValueError unless all pixels are in 0…1."""
    low, high = float(rows.data.min()), float(rows.data.max())
    if not (0 <= low and high <= 1):                        # false for NaN, too
        raise ValueError(f"{type(model).__name__}: the pixels of x are {low:g}…{high:g}, expected 0…1")


def with_class(model: Any, rows: TensorLike, y: TensorLike | None) -> Tensor:
    """``rows`` (N, n) with the one-hot class of each appended, (N, n + n_classes), if the model is conditional.

    ValueError for a conditional model without classes, and for classes that it does not know.
    """
    rows = rows if isinstance(rows, Tensor) else Tensor(rows)
    if not model.config.conditional:
        return rows
    K, name = model.config.n_classes, type(model).__name__
    if y is None:
        raise ValueError(f"{name}: the model is conditional, expected the classes y, integers (N,)")
    y = plain_array(name, y)
    if y.shape != (len(rows),) or y.dtype.kind not in "iu":
        raise ValueError(f"{name}: y has shape {y.shape} and type {y.dtype}, expected integers ({len(rows)},)")
    if ((y < 0) | (y >= K)).any():
        raise ValueError(f"{name}: a class is {y[(y < 0) | (y >= K)][0]}, expected 0…{K - 1}")
    return ops.concatenate(rows, ops.embedding(y, np.eye(K, dtype=rows.dtype)), axis=1)


def drawn(model: Any, n: int, rng: RNGLike, y: Array | int | None) -> tuple[Array, Array | None]:
    """(z, y) for ``n`` samples: latent vectors of N(0, I), (n, n_latent), and the classes of a conditional model.

    y       the classes, one for each sample, or one for all; None draws them at random, each equally likely

    ValueError for classes where the model has none.
    """
    n = check_integer(f"{type(model).__name__}.sample", "n", n, at_least=1)
    rng = generator(rng)
    dtype = next(iter(model.parameters())).dtype
    z = rng.standard_normal((n, model.config.n_latent)).astype(dtype)
    if not model.config.conditional:
        if y is not None:
            raise ValueError(f"{type(model).__name__}: the model was trained without classes, so it cannot draw "
                             f"samples of one; train it with model.conditional=true")
        return z, None
    if y is None:
        return z, rng.integers(0, model.config.n_classes, n)
    return z, np.broadcast_to(np.asarray(y), (n,)) if np.ndim(y) == 0 else np.asarray(y)
