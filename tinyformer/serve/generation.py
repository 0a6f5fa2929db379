"""One text that the server continues: what was asked, and what came so far."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np

from ..generate.choice import Choice
from ..generate.pieces import Pieces
from ..rng import generator

if TYPE_CHECKING:
    from ..typing import Array, RNGLike


@dataclass(frozen=True)
class Token:
    """A token with its natural logarithm of probability, and those of the most likely tokens, best first.

    logprob     None for the first token of a prompt, which nothing predicts
    """

    id: int
    logprob: float | None
    top: dict[int, float]


@dataclass(eq=False)
class Generation:
    """A prompt, how to continue it, and the continuation. ``Engine.submit`` takes it; the engine's thread fills it.

    prompt          ids (T,), T ≥ 1
    max_tokens      the largest number of new tokens
    choice          how a token is chosen from the logits
    rng             a seed or Generator of this generation's own
    stop            texts that end it and are left out
    logprobs        how many of the most likely tokens to report with each token; None reports nothing
    echo            whether the tokens of the prompt are reported too
    seconds         the time limit, counted from the start of the prompt's reading
    """

    prompt: Array
    max_tokens: int = 16
    choice: Choice = field(default_factory=Choice)
    rng: RNGLike = None
    stop: Sequence[str] = ()
    logprobs: int | None = None
    echo: bool = False
    seconds: float = float("inf")

    finish_reason: str | None = field(default=None, init=False)     # "stop", "length", "canceled" or "error"
    error: Exception | None = field(default=None, init=False)
    tokens: list[Token] = field(default_factory=list, init=False)   # of the continuation, the end token left out
    prompt_tokens: list[Token] = field(default_factory=list, init=False)
    canceled: bool = field(default=False, init=False)
    listener: Callable[[], None] | None = field(default=None, init=False)       # see ``Service.submit``
    streams: bool = field(default=False, init=False)
    submitted: float = field(default=0.0, init=False)               # on the clock of ``time.monotonic``
    started: float = field(default=0.0, init=False)
    first: float = field(default=0.0, init=False)                   # when the first token came

    def __post_init__(self) -> None:
        self.draws = generator(self.rng)
        self._ready: deque[str] = deque()
        self._pieces: Any = None

    @property
    def text(self) -> str:
        """All that was generated so far."""
        return self._pieces.text if self._pieces else ""

    def take(self) -> str:
        """The text that came since the last call."""
        taken = []
        while self._ready:
            taken.append(self._ready.popleft())
        return "".join(taken)

    def cancel(self) -> None:
        """Ask the engine to drop this generation before its next step."""
        self.canceled = True

    # What follows is called by the engine's thread.

    def begin(self, tokenizer: Any) -> None:
        """The prompt is about to be read."""
        self.started, self._pieces = monotonic(), Pieces(tokenizer, self.stop)

    def token(self, id: int, logits: Array) -> Token:
        """``id`` with what this generation reports of the ``logits`` (V,) that it was chosen from."""
        if self.logprobs is None:
            return Token(id, None, {})
        shifted = logits.astype(np.float64) - float(logits.max())
        logp = shifted - np.log(np.exp(shifted).sum())
        known = logp[:self._pieces.tokenizer.vocab_size]    # a published model may have rows without a token
        best = np.argsort(-known, kind="stable")[:self.logprobs]
        return Token(id, float(logp[id]), {int(k): float(logp[k]) for k in best})

    def append(self, token: Token, ends: Sequence[int]) -> None:
        """One more token; sets ``finish_reason`` if it is the last one."""
        self.first = self.first or monotonic()
        if token.id in ends:
            return self.finish("stop")
        self.tokens.append(token)
        self._ready.append(self._pieces.add(token.id))
        if self._pieces.stopped:
            self.finish("stop")
        elif len(self.tokens) >= self.max_tokens or monotonic() - self.started > self.seconds:
            self.finish("length")

    def finish(self, reason: str, error: Exception | None = None) -> None:
        """No further token: the text that was held back is certain now."""
        if self._pieces:
            self._ready.append(self._pieces.rest())
        self.error, self.finish_reason = error, reason
