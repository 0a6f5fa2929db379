"""Pooling layers: each window of a picture becomes one number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..number_checks import check_integer
from ..ops.windows import pair
from . import functional as F
from .argument_checks import as_input
from .module import Module

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..autograd import Tensor
    from ..typing import TensorLike


class _Pooling(Module):
    def __init__(self, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool) -> None:
        self.kernel_size = pair(self, "kernel_size", kernel_size, 1)
        self.stride = self.kernel_size if stride is None else pair(self, "stride", stride, 1)
        self.padding = pair(self, "padding", padding, 0)
        self.ceil_mode = ceil_mode
        if any(2 * p > k for p, k in zip(self.padding, self.kernel_size)):
            raise ValueError(f"{type(self).__name__}: padding is {padding}, expected at most half of kernel_size "
                             f"{kernel_size}")

    def extra_repr(self) -> str:
        """Sizes and options."""
        return (f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
                f"ceil_mode={self.ceil_mode}")


class MaxPool2d(_Pooling):
    """The maximum of each window, channel by channel.   x (N, C, H, W) or (C, H, W)

    stride None is kernel_size: the windows do not overlap. ``ceil_mode`` lets the last window stick out.
    ``return_indices`` returns (y, indices), where an index is W·row + column of the maximum.

    Raises TypeError or ValueError unless the numbers are integers of at least 1 (padding: 0) or pairs of them and
    padding is at most half of kernel_size; when called, if not even one window fits into x.   Source: book (3.12).
    """

    def __init__(self, kernel_size: int | Sequence[int], stride: int | Sequence[int] | None = None,
                 padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, return_indices: bool = False,
                 ceil_mode: bool = False) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode)
        self.dilation = pair(self, "dilation", dilation, 1)
        self.return_indices = return_indices

    def forward(self, x: TensorLike) -> Tensor:
        """The maximum of each window."""
        return F.max_pool2d(as_input(self, x), kernel_size=self.kernel_size, stride=self.stride, padding=self.padding,
                            dilation=self.dilation, ceil_mode=self.ceil_mode, return_indices=self.return_indices)


class AvgPool2d(_Pooling):
    """The mean of each window, channel by channel.   x (N, C, H, W) or (C, H, W)

    stride None is kernel_size: the windows do not overlap. ``ceil_mode`` lets the last window stick out. The mean
    counts pixels of the padding, as zeros, unless ``count_include_pad`` is False; ``divisor_override`` replaces the
    count.

    Raises TypeError or ValueError unless the numbers are integers of at least 1 (padding: 0) or pairs of them and
    padding is at most half of kernel_size; when called, if not even one window fits into x.
    """

    def __init__(self, kernel_size: int | Sequence[int], stride: int | Sequence[int] | None = None,
                 padding: int | Sequence[int] = 0, ceil_mode: bool = False, count_include_pad: bool = True,
                 divisor_override: int | None = None) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode)
        self.count_include_pad = count_include_pad
        self.divisor_override = (None if divisor_override is None
                                 else check_integer(self, "divisor_override", divisor_override, at_least=1))

    def forward(self, x: TensorLike) -> Tensor:
        """The mean of each window."""
        return F.avg_pool2d(as_input(self, x), kernel_size=self.kernel_size, stride=self.stride, padding=self.padding,
                            ceil_mode=self.ceil_mode, count_include_pad=self.count_include_pad,
                            divisor_override=self.divisor_override)
