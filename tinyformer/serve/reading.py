"""How the model reads the text of one generation: its prompt in pieces, then token by token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..generate import KVCache

if TYPE_CHECKING:
    from ..typing import Array
    from .generation import Generation


class Reading:
    """The ids that a generation's next token depends on, and the cache of those that the model has read.

    ids         a list, the prompt and what follows it
    cache       of this text alone; None once the text is longer than the model's context
    """

    def __init__(self, model: Any, generation: Generation) -> None:
        self.model, self.generation = model, generation
        self.ids = [int(id) for id in generation.prompt]
        self.context = model.config.block_size
        self.begin()

    def begin(self) -> None:
        """Nothing has been read yet."""
        self.cache: KVCache | None = KVCache(min(self.context, len(self.ids) + self.generation.max_tokens))

    def restart(self, id: int) -> None:
        """Forget the text before ``id``, as a model of separate lines does behind the end of a line."""
        self.ids = [id]
        self.begin()

    @property
    def unread(self) -> int:
        """How many ids the model has yet to read."""
        return len(self.ids) - (self.cache.length if self.cache else 0)

    @property
    def slides(self) -> bool:
        """Whether the text is longer than the context, so that each step reads the last ``context`` ids again."""
        return len(self.ids) > self.context

    def read(self, most: int) -> Array:
        """Read the next ids, ``most`` at most. Returns the logits (T, V) of the tokens behind each of them."""
        if self.slides or self.cache is None:
            self.cache = None
            return self.model(self.window[None]).data[0]
        start = self.cache.length
        new = np.array([self.ids[start:start + most]])
        logits = self.model(new, self.cache).data[0]
        self.cache.advance(new.shape[1])
        return logits

    @property
    def window(self) -> Array:
        """The last ids that fit into the context."""
        return np.array(self.ids[-self.context:])
