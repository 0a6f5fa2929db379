"""Private training: gradients of single examples, DP-SGD, and the ε that it costs. Chapter 18 derives them."""

from typing import TYPE_CHECKING

from ..names import module_attributes
from .accountant import (ACCOUNTANTS, epsilon, epsilon_of_history, gaussian_epsilon, noise_multiplier_for,
                         renyi_divergence)
from .optimizer import DPOptimizer, clipped_sum
from .per_example import PerExample, gradient_factors, per_example_gradients, per_example_norms

__all__ = ["ACCOUNTANTS", "DPOptimizer", "PerExample", "clipped_sum", "epsilon", "epsilon_of_history",
           "gaussian_epsilon", "gradient_factors", "noise_multiplier_for", "per_example_gradients",
           "per_example_norms", "renyi_divergence"]

if not TYPE_CHECKING:                                       # to a type checker an unknown name is an error
    __getattr__, __dir__ = module_attributes(__name__, __all__)
