"""Optimizers, learning-rate schedules and gradient clipping. They work in place on plain arrays; no graph is recorded.

A training step, in which the gradients of k small batches add up to the gradient of one large batch:

>>> for x, y in batches[:k]:
...     (model.loss(x, y) / k).backward()           # backward adds to .grad
>>> norm = clip_grad_norm_(model.parameters(), 1.0)
>>> optimizer.step()                                # with the rate that the schedule set
>>> schedule.step()                                 # sets the rate of the next step
>>> optimizer.zero_grad()

OPTIMIZERS and SCHEDULES are the classes that a recipe can name, by their names there.
"""

from typing import TYPE_CHECKING

from ..names import module_attributes
from .adaptive import Adagrad, Adam, AdamW, RMSprop
from .clip import clip_grad_norm_, clip_grad_value_
from .muon import Muon, param_groups_for_muon
from .optimizer import OPTIMIZERS, Optimizer
from .param_groups import param_groups_by_decay, param_groups_by_level
from .schedule import (SCHEDULES, CosineSchedule, ExponentialSchedule, InverseSquareRootSchedule, LinearSchedule,
                       ReduceOnPlateau, Schedule, StepSchedule)
from .sgd import SGD

__all__ = ["Adagrad", "Adam", "AdamW", "CosineSchedule", "ExponentialSchedule", "InverseSquareRootSchedule",
           "LinearSchedule", "Muon", "OPTIMIZERS", "Optimizer", "RMSprop", "ReduceOnPlateau", "SCHEDULES", "SGD",
           "Schedule", "StepSchedule", "clip_grad_norm_", "clip_grad_value_", "param_groups_by_decay",
           "param_groups_by_level", "param_groups_for_muon"]

if not TYPE_CHECKING:                                       # to a type checker an unknown name is an error
    __getattr__, __dir__ = module_attributes(__name__, __all__)
