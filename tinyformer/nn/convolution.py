"""Convolutions over sequences and pictures: the same weights at every place."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..number_checks import check_integer
from ..ops.windows import pair
from . import functional as F, init
from .argument_checks import as_input
from .module import Module, Parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import DTypeLike

    from ..autograd import Tensor
    from ..typing import TensorLike

# PyTorch's names of what lies around a picture, and NumPy's
PADDING_MODES: dict[str, Any] = {
    "zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


class _Convolution(Module):
    """What the three have in common: sizes, weight, bias and their start."""

    axes = 2
    transposed = False

    def __init__(self, in_channels: Any, out_channels: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any,
                 groups: Any, bias: bool, padding_mode: str, dtype: DTypeLike) -> None:
        self.in_channels = check_integer(self, "in_channels", in_channels, at_least=1)
        self.out_channels = check_integer(self, "out_channels", out_channels, at_least=1)
        self.groups = check_integer(self, "groups", groups, at_least=1)
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ValueError(f"{type(self).__name__}: groups is {groups}, expected a divisor of in_channels "
                             f"{in_channels} and of out_channels {out_channels}")
        self.kernel_size = self._lengths("kernel_size", kernel_size, 1)
        self.stride = self._lengths("stride", stride, 1)
        self.dilation = self._lengths("dilation", dilation, 1)
        if isinstance(padding, str) and not self.transposed:
            if padding not in ("same", "valid"):
                raise ValueError(f"{type(self).__name__}: padding is {padding!r}, expected integers, 'same' or 'valid'")
            if padding == "same" and set(self.stride) != {1}:
                raise ValueError(f"{type(self).__name__}: padding is 'same' with a stride of {stride}, "
                                 f"expected a stride of 1")
            self.padding: Any = padding
        else:
            self.padding = self._lengths("padding", padding, 0)
        if padding_mode not in ({"zeros": 0} if self.transposed else PADDING_MODES):
            expected = "'zeros'" if self.transposed else "one of " + ", ".join(map(repr, PADDING_MODES))
            raise ValueError(f"{type(self).__name__}: padding_mode is {padding_mode!r}, expected {expected}")
        self.padding_mode = padding_mode
        rows, columns = self.out_channels, self.in_channels // self.groups
        if self.transposed:
            rows, columns = self.in_channels, self.out_channels // self.groups
        self.weight = Parameter(np.empty((rows, columns, *self.kernel_size), dtype))
        self.bias = Parameter(np.empty(self.out_channels, dtype)) if bias else None
        self.reset_parameters()

    def _lengths(self, name, value, at_least) -> Any:
        if self.axes == 2:
            return pair(self, name, value, at_least)
        value = value if isinstance(value, (tuple, list)) else [value]
        numbers = tuple(check_integer(self, name, one, at_least) for one in value)
        if len(numbers) != 1:
            raise ValueError(f"{type(self).__name__}: {name} is {tuple(value)!r}, expected an integer")
        return numbers

    def reset_parameters(self) -> None:
        """Re-initialize weight and bias."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(init.fans(self.weight)[0])
            init.uniform_(self.bias, -bound, bound)

    def _expect(self, x):
        """x with its axes checked, as a tensor of the weight's type."""
        x = as_input(self, x, self.weight)
        if x.ndim not in (self.axes + 1, self.axes + 2) or x.shape[-self.axes - 1] != self.in_channels:
            shape = ", ".join([str(self.in_channels), *("L" if self.axes == 1 else "HW")])
            raise ValueError(f"{type(self).__name__}: x has shape {x.shape}, expected (N, {shape}) or ({shape})")
        return x

    def _surrounded(self, x):
        """(x, padding left to do): a mode other than "zeros" repeats pixels of x around it."""
        if self.padding_mode == "zeros" or self.padding == "valid":
            return x, self.padding
        total = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size)]
        widths = ([(n // 2, n - n // 2) for n in total] if self.padding == "same" else [(p, p) for p in self.padding])
        lengths = x.shape[-self.axes:]
        limit = {"reflect": -1, "circular": 0}.get(self.padding_mode, math.inf)
        if any(max(width) > n + limit for width, n in zip(widths, lengths)):
            raise ValueError(f"{type(self).__name__}: padding is {self.padding!r} with padding_mode "
                             f"{self.padding_mode!r}, but x has shape {x.shape}: expected less padding or a larger x")
        places: list[Any] = [np.pad(np.arange(n), width, PADDING_MODES[self.padding_mode])  # type: ignore[call-overload]
                             for n, width in zip(lengths, widths)]
        return x[(..., *np.ix_(*places))], 0

    def extra_repr(self) -> str:
        """Sizes and options."""
        return (f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
                f"padding={self.padding!r}, dilation={self.dilation}, groups={self.groups}, "
                f"bias={self.bias is not None}")


class Conv1d(_Convolution):
    """y[o, t] = b[o] + Σ W[o, c, i] x[c, stride t + dilation i − padding], the sum over c and i.

    x (N, in_channels, L) or (in_channels, L)    y (N, out_channels, ⌊(L + 2 padding − dilation (kernel_size − 1) − 1) /
    stride⌋ + 1)

    weight W (out_channels, in_channels/groups, kernel_size) and bias b (out_channels,) start uniform in ±1/√n, n the
    terms of a sum. padding may be "same" or "valid", padding_mode "zeros", "reflect", "replicate" or "circular".

    Raises TypeError or ValueError unless the numbers are integers of at least 1 (padding: 0), groups divides the
    channels and the modes are known; when called, for x of other channels or smaller than the kernel.
    """

    axes = 1

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int | Sequence[int],
                 stride: int | Sequence[int] = 1, padding: int | Sequence[int] | str = 0,
                 dilation: int | Sequence[int] = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros",
                 dtype: DTypeLike = np.float32) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode,
                         dtype)

    def forward(self, x: TensorLike) -> Tensor:
        """b + Σ W x over the kernel at each place."""
        x, padding = self._surrounded(self._expect(x))
        return F.conv1d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv2d(_Convolution):
    """y[o, p, q] = b[o] + Σ W[o, c, i, j] x[c, s p + d i − pad, s q + d j − pad], the sum over c, i and j.

    x (N, in_channels, H, W) or (in_channels, H, W)    y (N, out_channels, H′, W′), H′ = ⌊(H + 2 pad − d (kh − 1) − 1) /
    s⌋ + 1. Sizes are integers or pairs (rows, columns).

    weight W (out_channels, in_channels/groups, kh, kw) and bias b (out_channels,) start uniform in ±1/√n, n the terms
    of a sum. padding may be "same" or "valid", padding_mode "zeros", "reflect", "replicate" or "circular".

    Raises TypeError or ValueError unless the numbers are integers of at least 1 (padding: 0), groups divides the
    channels and the modes are known; when called, for x of other channels or smaller than the kernel.   Source: LeCun
    et al. (1989); book (3.10).
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int | Sequence[int],
                 stride: int | Sequence[int] = 1, padding: int | Sequence[int] | str = 0,
                 dilation: int | Sequence[int] = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros",
                 dtype: DTypeLike = np.float32) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode,
                         dtype)

    def forward(self, x: TensorLike) -> Tensor:
        """b + Σ W x over the kernel at each place."""
        x, padding = self._surrounded(self._expect(x))
        return F.conv2d(x, self.weight, self.bias, stride=self.stride, padding=padding, dilation=self.dilation,
                        groups=self.groups)


class ConvTranspose2d(_Convolution):
    """The transpose of ``Conv2d`` as a linear map: each pixel of x adds W x to a patch of y, so y is larger than x.

    x (N, in_channels, H, W) or (in_channels, H, W)    y (N, out_channels, H′, W′), H′ = s (H − 1) − 2 pad + d (kh − 1)
    + 1 + output_padding. Sizes are integers or pairs (rows, columns).

    weight W (in_channels, out_channels/groups, kh, kw) and bias b (out_channels,) start uniform in ±1/√n, with n =
    out_channels/groups · kh · kw, as in PyTorch.

    Raises TypeError or ValueError unless the numbers are integers of at least 1 (paddings: 0), groups divides the
    channels and output_padding is less than the stride or the dilation.   Source: Zeiler et al. (2010).
    """

    transposed = True

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int | Sequence[int],
                 stride: int | Sequence[int] = 1, padding: int | Sequence[int] = 0,
                 output_padding: int | Sequence[int] = 0, groups: int = 1, bias: bool = True,
                 dilation: int | Sequence[int] = 1, padding_mode: str = "zeros", dtype: DTypeLike = np.float32) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode,
                         dtype)
        self.output_padding = pair(self, "output_padding", output_padding, 0)

    def forward(self, x: TensorLike) -> Tensor:
        """b + W x added to the patch of every pixel."""
        return F.conv_transpose2d(self._expect(x), self.weight, self.bias, stride=self.stride, padding=self.padding,
                                  output_padding=self.output_padding, groups=self.groups, dilation=self.dilation)
