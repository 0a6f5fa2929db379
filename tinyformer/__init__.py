"""tinyformer: a deep-learning framework small enough to read in an evening, with every gradient derived by hand.

>>> import tinyformer as tfm
>>> x = tfm.tensor([1.0, 2.0, 3.0], requires_grad=True)
>>> y = (x * x).sum()
>>> y.backward()
>>> x.grad
array([2., 4., 6.], dtype=float32)
"""

from . import nn, ops, optim                                            # ops registers the operations on Tensor
from .autograd import Tensor, differentiable, no_grad, tensor, unreached
from .kernels import backend
from .rng import seed

__version__ = "0.1.0"
__all__ = ["Tensor", "backend", "differentiable", "nn", "no_grad", "ops", "optim", "seed", "tensor", "unreached"]
