"""The layers that everything has: a matrix, a table, and noise."""

from __future__ import annotations

import math

import numpy as np

from ..writes import write
from . import functional as F, init
from .argument_checks import as_input, check_sizes
from .module import Module, Parameter


class Linear(Module):
    """y = x Wᵀ + b.   x (…, in_features)    y (…, out_features)

    weight W (out_features, in_features) and bias b (out_features,) start uniform in ±1/√in_features.
    """

    def __init__(self, in_features, out_features, bias=True, dtype=np.float32):
        check_sizes(self, in_features=in_features, out_features=out_features)
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(np.empty((out_features, in_features), dtype))
        self.bias = Parameter(np.empty(out_features, dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self):
        """Draw weight and bias anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features)
            init.uniform_(self.bias, -bound, bound)

    def forward(self, x):
        return F.linear(as_input(self, x, self.weight), self.weight, self.bias)

    def extra_repr(self):
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Embedding(Module):
    """A learned vector for each of ``num_embeddings`` tokens.   indices (…) integers    y (…, embedding_dim)

    weight (num_embeddings, embedding_dim) starts standard normal. The row ``padding_idx`` starts at zero and gets no gradient.
    """

    def __init__(self, num_embeddings, embedding_dim, padding_idx=None, dtype=np.float32):
        check_sizes(self, num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ValueError(f"Embedding: padding_idx is {padding_idx}, expected one of the {num_embeddings} rows")
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = padding_idx if padding_idx is None else padding_idx % num_embeddings
        self.weight = Parameter(np.empty((num_embeddings, embedding_dim), dtype))
        self.reset_parameters()

    def reset_parameters(self):
        """Draw the table anew."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            write(self.weight.data[self.padding_idx], 0)

    def forward(self, indices):
        return F.embedding(indices, self.weight, self.padding_idx)

    def extra_repr(self):
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"


class Dropout(Module):
    """In training, each entry is set to zero with probability p and the rest is scaled by 1/(1 − p); else y = x."""

    def __init__(self, p=0.5):
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout: p is {p}, expected 0 ≤ p ≤ 1")
        self.p = p

    def forward(self, x):
        return F.dropout(as_input(self, x), self.p, self.training)

    def extra_repr(self):
        return f"p={self.p}"
