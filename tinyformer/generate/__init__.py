"""Text from a language model: choose a token, append it, ask again.

A model is anything with ``model(ids, cache)`` and ``model.config.block_size``. One with ``for_decoding()`` gives, once for each
generation, the form of itself that is called for the tokens.

>>> generate(model, ids, 100, temperature=0.8, top_p=0.9, rng=1)            # by chance
>>> generate(model, ids, 100, temperature=0)                                # always the likeliest
>>> beams(model, ids, 100, beams=4)                                         # the likeliest that four beginnings lead to
"""

from .beam import beam_search, beams
from .cache import KVCache
from .choice import choose
from .sampling import generate, stream, stream_lines
from .text import stream_text

__all__ = ["KVCache", "beam_search", "beams", "choose", "generate", "stream", "stream_lines", "stream_text"]
