"""The embedding table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..number_checks import check_integer
from ..writes import write
from . import functional as F, init
from .module import Module, Parameter

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from ..autograd import Tensor
    from ..typing import TensorLike


class Embedding(Module):
    """A learned vector for each of ``num_embeddings`` tokens.   indices (…) integers    y (…, embedding_dim)

    weight (num_embeddings, embedding_dim) starts standard normal. The row ``padding_idx``, which may count from the
    end, starts at zero and gets no gradient.

    Raises TypeError or ValueError unless the sizes are integers of at least 1 and padding_idx is one of the rows.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None,
                 dtype: DTypeLike = np.float32) -> None:
        self.num_embeddings = check_integer(self, "num_embeddings", num_embeddings, at_least=1)
        self.embedding_dim = check_integer(self, "embedding_dim", embedding_dim, at_least=1)
        if padding_idx is not None:
            n = self.num_embeddings
            padding_idx = check_integer(self, "padding_idx", padding_idx, -n, n - 1) % n
        self.padding_idx = padding_idx
        self.weight = Parameter(np.empty((self.num_embeddings, self.embedding_dim), dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Re-initialize the table."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            write(self.weight.data[self.padding_idx], 0)

    def forward(self, indices: TensorLike) -> Tensor:
        """The rows ``indices`` of the table."""
        return F.embedding(indices, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        """Sizes and options."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"
