"""The gradient of one parameter for each of B examples, stored as the factors that it is the product of.

A linear layer adds Σₜ dyₜ xₜᵀ to the gradient of its matrix for each example. Neither the norm of this sum nor a
weighted sum over the examples needs the B matrices themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kernels

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__: list[str] = []


class Outer:
    """gₙ = Σₜ aₙₜ xₙₜᵀ.   a (B, T, out), x (B, T, in)

    With ``rows`` the vectors a are one-hot: ``a`` holds integers (B, T), the index of the 1 of each among ``rows``
    entries. This is an embedding, whose gradient adds the rows of repeated tokens.
    """

    def __init__(self, a: NDArray[Any], x: NDArray[Any], rows: int | None = None):
        self.a, self.x, self.rows = a, x, rows
        self.shape = (a.shape[2] if rows is None else rows, x.shape[2])

    def of(self, n: int) -> NDArray[Any]:
        """The gradient of example ``n``, (out, in)."""
        if self.rows is None:
            return kernels.matmul(self.a[n].T, self.x[n])
        return kernels.embedding_gradient(self.a[n], self.x[n], self.rows)

    def weighted_sum(self, s: NDArray[Any]) -> NDArray[Any]:
        """Σₙ sₙ gₙ = (s ⊙ a)ᵀ x, (out, in), in one product.   Book (18.5)."""
        x = self.x.reshape(-1, self.shape[1])
        if self.rows is None:
            return kernels.matmul((self.a * s[:, None, None]).reshape(-1, self.shape[0]).T, x)
        return kernels.embedding_gradient(self.a.reshape(-1), x * np.repeat(s, self.a.shape[1])[:, None], self.rows)

    def products(self, other: Outer) -> NDArray[np.float64]:
        """The inner product ⟨gₙ, g′ₙ⟩ for each example, (B,), in float64: it may be beyond the range of float32.

            ⟨Σₜ aₜ xₜᵀ, Σᵤ a′ᵤ x′ᵤᵀ⟩ = Σₜᵤ (aₜ · a′ᵤ)(xₜ · x′ᵤ)        book (18.6)
        """
        if self.x.shape[1] == other.x.shape[1] == 1 and self.rows is None and other.rows is None:
            return (np.einsum("bto,bto->b", self.a, other.a, dtype=np.float64)
                    * np.einsum("bti,bti->b", self.x, other.x, dtype=np.float64))
        (first, size), (second, its_size) = self._normalized(), other._normalized()
        grams = _gram_of_left(first, second) * kernels.matmul(first.x, second.x.swapaxes(1, 2))
        return grams.sum(axis=(1, 2)) * size * its_size

    def _normalized(self) -> tuple[Outer, NDArray[np.float64]]:
        """(the same with entries of at most 1, the factors (B,) by which its gradients are smaller).

        Products of its entries then stay within the range of float32.
        """
        x, size = _unit(self.x)
        if self.rows is not None:
            return Outer(self.a, x, self.rows), size
        a, other = _unit(self.a)
        return Outer(a, x), size * other

    @property
    def gram_is_cheaper(self) -> bool:
        """Whether two Gram matrices (T, T) take less work than the matrix (out, in) of each example."""
        T, (out, width) = self.x.shape[1], self.shape
        return self.rows is not None or T * (out + width) <= out * width or T == 1


def _unit(vectors: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """(vectors (B, T, width) divided by the largest entry of each example, these entries (B,)); zeros stay."""
    size = np.abs(vectors).max(axis=(1, 2), initial=0)
    size = np.where(size > 0, size, size.dtype.type(1))
    with np.errstate(invalid="ignore"):                     # ∞/∞ is NaN: the norm says that it is not finite
        return vectors / size[:, None, None], size.astype(np.float64)


def _gram_of_left(first: Outer, second: Outer) -> NDArray[Any]:
    """aₜ · a′ᵤ, (B, T, U). The product with a one-hot vector reads an entry."""
    if first.rows is None and second.rows is None:
        return kernels.matmul(first.a, second.a.swapaxes(1, 2))
    if first.rows is not None and second.rows is not None:
        return (first.a[:, :, None] == second.a[:, None, :]).astype(first.x.dtype)
    if first.rows is None:
        return np.take_along_axis(first.a, second.a[:, None, :], axis=2)
    return np.take_along_axis(second.a, first.a[:, None, :], axis=2).swapaxes(1, 2)


class Stored:
    """gₙ as it is: an array (B, …), for parameters that are small."""

    def __init__(self, array: NDArray[Any]):
        self.array = array

    def of(self, n: int) -> NDArray[Any]:
        """The gradient of example ``n``."""
        return self.array[n]

    def weighted_sum(self, s: NDArray[Any]) -> NDArray[Any]:
        """Σₙ sₙ gₙ."""
        return np.tensordot(s, self.array, 1)


def squared_norms(parts: list[Outer | Stored], B: int) -> NDArray[np.float64]:
    """‖Σ of the parts‖² of each example, (B,): a parameter that is used twice has two parts.

    Gram matrices give it where that is cheaper. Otherwise the gradients are formed one example at a time.
    """
    if len(parts) == 1 and isinstance(parts[0], Stored):
        flat = parts[0].array.reshape(B, -1).astype(np.float64)
        return np.einsum("bi,bi->b", flat, flat)
    outer = [part for part in parts if isinstance(part, Outer)]
    if len(outer) == len(parts) and all(part.gram_is_cheaper for part in outer):
        found = sum(part.products(part) for part in outer)
        for i, part in enumerate(outer):
            found = found + 2 * sum(part.products(other) for other in outer[i + 1:])
        return np.maximum(found, 0)                         # rounding may leave −0 where two parts cancel
    norms = []
    for n in range(B):
        g = np.sum([part.of(n) for part in parts], axis=0).ravel().astype(np.float64)
        norms.append(np.dot(g, g))
    return np.array(norms)
