"""Training on several machines or for several owners of data: federated averaging, in one process or over MPI."""

from typing import TYPE_CHECKING

from ..names import module_attributes
from .averaging import masked, unmasked_sum, weighted_mean
from .federated import Federation, federated_averaging
from .flower import flower_client
from .ranks import rank, size
from .splits import split_clients

__all__ = ["Federation", "federated_averaging", "flower_client", "masked", "rank", "size", "split_clients",
           "unmasked_sum", "weighted_mean"]

if not TYPE_CHECKING:                                       # to a type checker an unknown name is an error
    __getattr__, __dir__ = module_attributes(__name__, __all__)
