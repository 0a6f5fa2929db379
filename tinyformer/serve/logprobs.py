"""The "logprobs" of a choice: its tokens, their log-probabilities, the most likely ones, and the place in
the text of the character that each is or belongs to."""

from __future__ import annotations

from typing import Any

from ..generate.pieces import Pieces
from .generation import Generation, Token


class Logprobs:
    """What is to be reported of the tokens of ``generation``, a part with each piece of text."""

    def __init__(self, tokenizer: Any, generation: Generation) -> None:
        self.tokenizer, self.generation = tokenizer, generation
        self.prompt, self.reported, self.text = generation.echo, 0, Pieces(tokenizer)

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
        for token in tokens:
            before = len(self.text.text)
            cut = self.text.text.endswith("\ufffd")         # the last character may lack bytes
            self.text.add(token.id)
            completed = cut and (len(self.text.text) == before or self.text.text[before - 1] != "\ufffd")
            offsets.append(before - completed)
        # with the token itself, which need not be one of the most likely
        tops = [None if token.logprob is None else
                {self.tokenizer.pieces([id])[0]: value for id, value in {**token.top, token.id: token.logprob}.items()}
                for token in tokens]
        return {"tokens": pieces, "token_logprobs": [token.logprob for token in tokens], "top_logprobs": tops,
                "text_offset": offsets}
