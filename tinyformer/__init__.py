"""tinyformer: a deep-learning framework small enough to read in an evening, with every gradient derived by hand.

>>> import tinyformer as tfm
>>> x = tfm.tensor([1.0, 2.0, 3.0], requires_grad=True)
>>> y = (x * x).sum()
>>> y.backward()
>>> x.grad
array([2., 4., 6.], dtype=float32)
"""

from typing import TYPE_CHECKING

from . import nn, ops, optim                                            # ops registers the operations on Tensor
from .autograd import Tensor, differentiable, no_grad, tensor, unreached
from .creation import arange, full, ones, rand, randn, zeros
from .kernels import backend
from .names import module_attributes
from .ops import concatenate as cat, stack
from .rng import seed, seed as manual_seed
from .saving import load, save

__version__ = "0.2.0"
__all__ = ["Tensor", "arange", "backend", "cat", "differentiable", "full", "load", "manual_seed", "nn", "no_grad",
           "ones", "ops", "optim", "rand", "randn", "save", "seed", "stack", "tensor", "unreached", "zeros"]

if not TYPE_CHECKING:                                       # to a type checker an unknown name is an error
    __getattr__, __dir__ = module_attributes(__name__, __all__)
