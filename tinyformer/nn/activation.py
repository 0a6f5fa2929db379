"""Activations as layers, for ``Sequential``. x and y have one shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..number_checks import check_integer, check_number
from . import functional as F
from .module import Module

if TYPE_CHECKING:
    from ..autograd import Tensor
    from ..typing import TensorLike


class ReLU(Module):
    """y = max(x, 0)."""

    def forward(self, x: TensorLike) -> Tensor:
        """max(x, 0)."""
        return F.relu(x)


class LeakyReLU(Module):
    """y = x for x > 0, else ``negative_slope`` times x.

    Raises TypeError or ValueError unless negative_slope is a finite number.   Source: Maas et al. (2013).
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = check_number(self, "negative_slope", negative_slope)

    def forward(self, x: TensorLike) -> Tensor:
        """x, or negative_slope times x."""
        return F.leaky_relu(x, negative_slope=self.negative_slope)

    def extra_repr(self) -> str:
        """The slope."""
        return f"negative_slope={self.negative_slope}"


class GELU(Module):
    """y = x Φ(x), with Φ the standard normal distribution function; ``approximate="tanh"`` is the form of GPT-2.

    Raises ValueError for another ``approximate`` than "none" and "tanh".   Source: Hendrycks and Gimpel (2016).
    """

    def __init__(self, approximate: str = "none") -> None:
        if approximate not in ("none", "tanh"):
            raise ValueError(f"GELU: approximate is {approximate!r}, expected 'none' or 'tanh'")
        self.approximate = approximate

    def forward(self, x: TensorLike) -> Tensor:
        """x Φ(x)."""
        return F.gelu(x, approximate=self.approximate)

    def extra_repr(self) -> str:
        """The form."""
        return f"approximate={self.approximate!r}"


class SiLU(Module):
    """y = x σ(x).   Source: Elfwing et al. (2017)."""

    def forward(self, x: TensorLike) -> Tensor:
        """x σ(x)."""
        return F.silu(x)


class Sigmoid(Module):
    """y = σ(x) = 1 / (1 + e⁻ˣ)."""

    def forward(self, x: TensorLike) -> Tensor:
        """σ(x)."""
        return F.sigmoid(x)


class Tanh(Module):
    """y = tanh x."""

    def forward(self, x: TensorLike) -> Tensor:
        """tanh x."""
        return F.tanh(x)


class Softplus(Module):
    """y = ln(1 + e^{βx}) / β; where βx exceeds ``threshold``, y = x.

    Raises TypeError or ValueError unless beta is a finite number above 0 and threshold a number, possibly infinite.
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta = check_number(self, "beta", beta, above=0)
        self.threshold = check_number(self, "threshold", threshold, finite=False)

    def forward(self, x: TensorLike) -> Tensor:
        """ln(1 + e^{βx}) / β."""
        return F.softplus(x, self.beta, self.threshold)

    def extra_repr(self) -> str:
        """β and the threshold."""
        return f"beta={self.beta}, threshold={self.threshold}"


class Softmax(Module):
    """yᵢ = e^{xᵢ} / Σⱼ e^{xⱼ} along the axis ``dim``, an integer, which may count from the end."""

    def __init__(self, dim: int = -1) -> None:
        self.dim = check_integer(self, "dim", dim)

    def forward(self, x: TensorLike) -> Tensor:
        """e^{xᵢ} / Σⱼ e^{xⱼ}."""
        return F.softmax(x, self.dim)

    def extra_repr(self) -> str:
        """The axis."""
        return f"dim={self.dim}"
