"""A server for one model, with the routes of OpenAI's API.

``Engine`` is its core and needs nothing but NumPy: one thread that continues many texts together. ``tinyformer serve``
puts it behind HTTP, which needs ``pip install "tinyformer[serve]"``.
"""

from typing import TYPE_CHECKING

from ..names import module_attributes
from .engine import Busy, Closed, Engine
from .generation import Generation, Token

__all__ = ["Busy", "Closed", "Engine", "Generation", "Token"]

if not TYPE_CHECKING:                                       # to a type checker an unknown name is an error
    __getattr__, __dir__ = module_attributes(__name__, __all__)
