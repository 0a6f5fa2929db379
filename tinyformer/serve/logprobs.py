"""The "logprobs" of a choice: its tokens, their log-probabilities, the most likely ones, and where each begins."""

from __future__ import annotations

from typing import Any

from .generation import Generation, Token


class Logprobs:
    """What is to be reported of the tokens of ``generation``, a part with each piece of text."""

    def __init__(self, tokenizer: Any, generation: Generation) -> None:
        self.tokenizer, self.generation = tokenizer, generation
        self.prompt, self.reported, self.offset = generation.echo, 0, 0

    def take(self) -> dict[str, Any] | None:
        """The part since the last call; None if none was asked for."""
        one = self.generation
        if one.logprobs is None:
            return None
        new = list(one.prompt_tokens) if self.prompt else []
        self.prompt = False
        end = len(one.tokens)
        new += one.tokens[self.reported:end]
        self.reported = end
        return self._written(new)

    def _written(self, tokens: list[Token]) -> dict[str, Any]:
        pieces, offsets = self.tokenizer.pieces([token.id for token in tokens]), []
        for piece in pieces:
            offsets.append(self.offset)
            self.offset += len(piece)
        tops = [None if token.logprob is None else
                {self.tokenizer.pieces([id])[0]: value for id, value in token.top.items()} for token in tokens]
        return {"tokens": pieces, "token_logprobs": [token.logprob for token in tokens], "top_logprobs": tops,
                "text_offset": offsets}
