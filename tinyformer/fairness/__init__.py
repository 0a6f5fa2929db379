"""Is a classifier fair? Rates of groups, counterfactual swaps of words, and what reduces a difference. Chapter 22."""

from typing import TYPE_CHECKING

from ..names import module_attributes
from .counterfactual import TEMPLATES, Counterfactual, counterfactual, template_gaps
from .groups import (demographic_parity_difference, equalized_odds_difference, group_calibration, group_intervals,
                     group_metrics, rate_differences)
from .lists import GENDER_WORDS, PRONOUNS, load_swaps, name_pairs
from .mitigation import apply_thresholds, group_thresholds, reweighing, swap_augmented, swap_averaged
from .swaps import Swaps

__all__ = ["GENDER_WORDS", "PRONOUNS", "TEMPLATES", "Counterfactual", "Swaps", "apply_thresholds", "counterfactual",
           "demographic_parity_difference", "equalized_odds_difference", "group_calibration", "group_intervals",
           "group_metrics", "group_thresholds", "load_swaps", "name_pairs", "rate_differences", "reweighing",
           "swap_augmented", "swap_averaged", "template_gaps"]

if not TYPE_CHECKING:                                       # to a type checker an unknown name is an error
    __getattr__, __dir__ = module_attributes(__name__, __all__)
