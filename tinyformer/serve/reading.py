"""How the model reads the texts of running generations: prompts in pieces, then a token of each text together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..generate import KVCache, RowCache
from .generation import Token

if TYPE_CHECKING:
    from ..typing import Array
    from .generation import Generation

PIECE = 128                 # tokens of prompts that one step reads


class Reading:
    """The ids that a generation's next token depends on, and how many of them the model has read.

    ids         a list, the prompt and what follows it
    cache       what the model keeps of this text while it has no row
    row         whether the text has a row in the cache that the texts share
    """

    def __init__(self, generation: Generation, context: int) -> None:
        self.generation, self.context = generation, context
        self.ids = [int(id) for id in generation.prompt]
        self.begin()

    def begin(self) -> None:
        """Nothing has been read."""
        self.cache: KVCache | None = KVCache(min(self.context, len(self.ids) + self.generation.max_tokens))
        self.row = False

    def restart(self, id: int) -> None:
        """Forget the text before ``id``, as a model of separate lines does behind the end of a line."""
        self.ids = [id]
        self.begin()

    @property
    def slides(self) -> bool:
        """Whether the text is longer than the context: each step then reads the last ``context`` ids again."""
        return len(self.ids) > self.context

    def read(self, model: Any, most: int) -> tuple[int, Array | None]:
        """Read up to ``most`` of the next ids. Returns their number, and the logits (V,) of the token behind the text
        if none is left."""
        assert self.cache is not None
        start = self.cache.length
        new = np.array([self.ids[start:start + most]])
        logits = model(new, self.cache).data[0]                                 # (T, V)
        self.cache.advance(new.shape[1])
        self._report(start, logits)
        return len(logits), logits[-1] if self.cache.length == len(self.ids) else None

    def _report(self, start, logits):
        """Give the generation the prompt's tokens with their probabilities, if it asked for them."""
        one = self.generation
        if one.echo and one.logprobs is not None and start < len(one.prompt):
            if start == 0:
                one.prompt_tokens.append(Token(self.ids[0], None, {}))
            following = self.ids[start + 1:min(start + len(logits) + 1, len(one.prompt))]
            one.prompt_tokens += [one.token(id, row) for id, row in zip(following, logits)]


class Readings:
    """All running texts of a model.

    A prompt is read into a cache of its own. If the model ``reads_rows``, the text then gets a row of one cache, and
    each step reads the last token of all rows in one call. A text that no longer fits into the model's context is read
    again from its window, all such texts together. Models without rows read the token of each text in turn.
    """

    def __init__(self, model: Any, most: int) -> None:
        self.model, self.most = model, most
        self.running: list[Reading] = []
        self.rows = RowCache(most) if getattr(model, "reads_rows", False) else None
        self._in_row: list[Reading] = []                    # by the number of the row

    def add(self, generation: Generation) -> None:
        """Begin with the prompt of ``generation`` in the next step."""
        self.running.append(Reading(generation, self.model.config.block_size))

    def remove(self, reading: Reading) -> None:
        """Forget a text."""
        self.running.remove(reading)
        self.leave_row(reading)

    def leave_row(self, reading: Reading) -> None:
        """Give the text's row to the last one."""
        if reading.row and self.rows is not None:
            row = self._in_row.index(reading)
            self.rows.remove(row)
            self._in_row[row] = self._in_row[-1]
            self._in_row.pop()
            reading.row = False

    def step(self) -> Iterator[tuple[Sequence[Reading], Any]]:
        """Read one token of every text, and a piece of the prompts.

        Yields (texts, their logits (N, V), or the exception that their reading raised).
        """
        for readings, read in list(self._parts()):
            try:
                logits = read()
            except Exception as error:                      # whatever it is, only these texts suffer
                yield readings, error
            else:
                if logits is not None:
                    yield readings, logits

    def _parts(self):
        """(texts, function that reads them) of this step."""
        for reading in self.running:                        # a text that outgrew the context needs no cache
            if reading.slides:
                self.leave_row(reading)
                reading.cache = None
        if self._in_row:
            yield list(self._in_row), self._read_rows
        slid = [reading for reading in self.running if reading.slides]
        if slid:
            yield slid, lambda: self.model(np.array([one.ids[-one.context:] for one in slid])).data[:, -1]
        left = PIECE
        for reading in self.running:
            if reading.cache is None or reading.row or reading.slides:
                continue
            unread = len(reading.ids) - reading.cache.length
            if unread == 1 and reading.cache.length or left > 0:
                yield [reading], lambda reading=reading, most=max(1, left): self._read_alone(reading, most)
                left -= unread

    def _read_rows(self):
        ids = np.array([[reading.ids[-1]] for reading in self._in_row])
        logits = self.model(ids, self.rows).data[:, -1]
        if self.rows is not None:
            self.rows.advance(1)
        return logits

    def _read_alone(self, reading, most):
        _, logits = reading.read(self.model, most)
        if logits is None:
            return None
        if self.rows is not None:
            self.rows.add(reading.cache)
            self._in_row.append(reading)
            reading.row, reading.cache = True, None
        return logits[None]
