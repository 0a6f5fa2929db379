"""Pictures of training, attention, gradients, computation graphs and classifiers."""

from typing import TYPE_CHECKING

from ..names import module_attributes
from .attention import AttentionMaps, draw_attention, watch_attention
from .attribution import draw_attributions
from .evaluation import draw_confusion_matrix, draw_evaluation
from .fairness import draw_group_rates, draw_pairs
from .gradients import draw_state_gradients, state_gradients
from .graph import Graph, computation_graph
from .ladder import draw_ladder
from .losses import draw_losses, draw_runs, losses_figure
from .rounds import draw_rounds
from .sheets import draw_pictures, picture_sheet
from .sliders import explore

__all__ = ["AttentionMaps", "Graph", "computation_graph", "draw_attention", "draw_attributions",
           "draw_confusion_matrix", "draw_evaluation", "draw_group_rates", "draw_ladder", "draw_losses", "draw_pairs",
           "draw_pictures", "draw_rounds", "draw_runs", "draw_state_gradients", "explore", "losses_figure",
           "picture_sheet", "state_gradients", "watch_attention"]

if not TYPE_CHECKING:                                       # to a type checker an unknown name is an error
    __getattr__, __dir__ = module_attributes(__name__, __all__)
