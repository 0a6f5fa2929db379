"""tinyformer fill-mask "to [MASK] or not to [MASK]" """

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Optional

import typer


def command(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="A text with [MASK] in place of the words to predict.")],
    model: Annotated[Optional[Path], typer.Option(
        metavar="DIR", help="The folder of a BERT. Default: the newest in runs/.")] = None,
    top: Annotated[int, typer.Option(min=1, help="The number of predictions to show for each mask.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Predict masked words with a BERT. `tinyformer train bert-tiny` trains one."""
    from ..models import BertForPreTraining
    from ..text import WordPieceTokenizer, load_tokenizer
    from ..train.saved_run import model_folder
    from .runs import naming, newest_run
    folder = model_folder(model) if model else newest_run("masked")
    bert, tokenizer = BertForPreTraining.from_pretrained(folder), load_tokenizer(folder)
    if not isinstance(tokenizer, WordPieceTokenizer) or tokenizer.vocab_size != bert.config.vocab_size:
        raise ValueError(f"{folder}: its tokenizer is a {tokenizer!r}, "
                         f"expected WordPiece of {bert.config.vocab_size} tokens")
    with naming(folder):
        guesses = fill(bert, tokenizer, text, top)
    if as_json:
        print(json.dumps({"text": text, "masks": guesses}, ensure_ascii=False))
        return
    for n, words in enumerate(guesses):
        print("\n" * (n > 0) + "\n".join(f"{p:6.1%}  {token}" for token, p in words))
    print("\n" + filled(text, guesses))


def fill(bert: Any, tokenizer: Any, text: str, top: int = 5) -> list[list[tuple[str, float]]]:
    """For each [MASK] of ``text`` the ``top`` most likely tokens as (token, probability).

    Each [MASK] is predicted independently of the others.
    """
    import numpy as np

    from ..autograd import no_grad
    from ..nn.argument_checks import check_finite
    ids = tokenizer.encode(text, special=True)
    places = np.flatnonzero(ids == tokenizer.mask)
    if not places.size:
        raise ValueError('fill-mask: the text has no [MASK], expected one such as "to [MASK] or not to be"')
    if len(ids) > bert.config.block_size:
        raise ValueError(f"fill-mask: the text has {len(ids)} tokens, expected at most {bert.config.block_size}")
    with no_grad():
        logits = bert.words(ids[None])
    check_finite("fill-mask: the model's logits", logits.data)
    p = logits.softmax().data[0, places]                                        # (masks, V)
    return [[(tokenizer.tokens[i], float(row[i])) for i in np.argsort(-row, kind="stable")[:top]] for row in p]


def filled(text: str, guesses: list[list[tuple[str, float]]]) -> str:
    """``text`` with the most likely token in place of each mask."""
    for words in guesses:
        token = words[0][0]
        text = text.replace("[MASK]", token.removeprefix("##"), 1)
    return text
