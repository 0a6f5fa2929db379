"""Pictures."""

from .gradients import draw_state_gradients, state_gradients
from .losses import draw_losses

__all__ = ["draw_losses", "draw_state_gradients", "state_gradients"]
