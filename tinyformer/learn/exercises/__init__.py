"""The exercises, a file a theme. They are numbered in the order of the book's chapters; none needs a later one."""

from __future__ import annotations

from ..exercise import Exercise
from . import (activations, attention, classification, counted, encoder, first, llama, normalization, online, optimizers,
               recurrence, tensors, through_time, transformer)

THEMES = (first, activations, tensors, classification, counted, normalization, optimizers, recurrence, through_time, attention,
          transformer, encoder, llama, online)
EXERCISES = {e.name: e for e in sorted((e for theme in THEMES for e in vars(theme).values() if isinstance(e, Exercise)),
                                       key=lambda e: e.chapter)}
