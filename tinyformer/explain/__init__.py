"""Looking inside: which parts of an input a score depends on, and what layers and heads do.

>>> import tinyformer as tfm
>>> from tinyformer import explain
>>> attributions, gap = explain.integrated_gradients(model, x, target=3)       # x (N, …), model(x) (N, classes)
"""

from typing import TYPE_CHECKING

from ..names import module_attributes
from .attention import induction_scores, rollout
from .decoders import ablate_heads, head_importance, logit_lens
from .gradients import input_x_gradient, saliency, smooth_grad
from .integrated import integrated_gradients
from .relevance import layer_relevance
from .removal import occlusion
from .shapley import shapley_values
from .tokens import token_attributions
from .trust import (alternative_attention, curve_area, deletion_curve, insertion_curve, rank_correlation,
                    with_random_weights)

__all__ = ["ablate_heads", "alternative_attention", "curve_area", "deletion_curve", "head_importance",
           "induction_scores", "input_x_gradient", "insertion_curve", "integrated_gradients", "layer_relevance",
           "logit_lens", "occlusion", "rank_correlation", "rollout", "saliency", "shapley_values", "smooth_grad",
           "token_attributions", "with_random_weights"]

if not TYPE_CHECKING:                                       # to a type checker an unknown name is an error
    __getattr__, __dir__ = module_attributes(__name__, __all__)
