"""Pictures."""

from .attention import AttentionMaps, draw_attention, rollout, watch_attention
from .gradients import draw_state_gradients, state_gradients
from .graph import Graph, computation_graph
from .losses import draw_losses, draw_runs

__all__ = ["AttentionMaps", "Graph", "computation_graph", "draw_attention", "draw_losses", "draw_runs", "draw_state_gradients",
           "rollout", "state_gradients", "watch_attention"]
