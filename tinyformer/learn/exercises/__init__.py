"""The exercises, a file a theme. They are numbered in the order of the book's chapters; none needs a later one."""

from __future__ import annotations

from ..exercise import Exercise
from . import (activations, attention, classical_models, classification, encoder, explanations, fairness, generating,
               llama, mse_and_linear, normalization, online_softmax, optimizers, pictures, private_training, recurrence,
               serving, similarity, tensors, through_time, transformer)

THEMES = (mse_and_linear, activations, tensors, classification, classical_models, normalization, pictures, optimizers,
          recurrence, through_time, attention, transformer, encoder, llama, online_softmax, explanations, generating,
          similarity, private_training, serving, fairness)
# Every exercise by its name, which is the name of the function to write, in the order of the chapters.
EXERCISES = {e.name: e for e in sorted((e for theme in THEMES for e in vars(theme).values() if isinstance(e, Exercise)),
                                       key=lambda e: e.chapter)}
