"""Text from a language model: choose a token, append it, and repeat.

A model is anything with ``model(ids, cache)`` and ``model.config.block_size``. If it has ``for_decoding()``, a
generation calls that once and uses the model that it returns.

>>> generate(model, ids, 100, temperature=0.8, top_p=0.9, rng=1)            # sampling
>>> generate(model, ids, 100, temperature=0)                                # greedy decoding
>>> beams(model, ids, 100, beams=4)                                         # beam search with four beams
"""

from typing import TYPE_CHECKING

from ..names import module_attributes
from .beam import beam_search, beams
from .cache import KVCache
from .choice import choose
from .pictures import interpolations, latent_plane
from .rows import RowCache
from .sampling import generate, stream, stream_lines
from .text import stream_text

__all__ = ["KVCache", "RowCache", "beam_search", "beams", "choose", "generate", "interpolations", "latent_plane",
           "stream", "stream_lines", "stream_text"]

if not TYPE_CHECKING:                                       # to a type checker an unknown name is an error
    __getattr__, __dir__ = module_attributes(__name__, __all__)
