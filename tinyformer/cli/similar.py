"""tinyformer similar "query" texts … """

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def command(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="The text that the others are compared with.")],
    texts: Annotated[list[str], typer.Argument(metavar="TEXT …", help="Texts, or one file with a text per line.")],
    model: Annotated[Path, typer.Option(
        metavar="DIR",
        help="The folder of a BERT, or minilm, which `tinyformer data fetch minilm` downloads.")] = Path("minilm"),
    top: Annotated[int, typer.Option(min=1, help="The number of texts to show.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Find the texts whose meaning is most similar to a query. MiniLM, a published BERT, turns texts into vectors."""
    from ..models import Bert
    from ..similar import nearest, sentence_vectors
    from ..text import load_tokenizer
    from ..train.saved_run import model_folder
    from .runs import naming
    texts = _lines(Path(texts[0])) if len(texts) == 1 and Path(texts[0]).is_file() else texts
    if not query.strip():
        raise ValueError("similar: the query is empty, expected a text")
    folder = model_folder(model)
    bert, tokenizer = Bert.from_pretrained(folder), load_tokenizer(folder)
    with naming(folder):
        vectors = sentence_vectors(bert, tokenizer, [query, *texts])
    best, similarities = nearest(vectors[0], vectors[1:], top)
    if as_json:
        print(json.dumps({"query": query, "texts": [{"text": texts[i], "place": int(i), "similarity": float(s)}
                                                    for i, s in zip(best, similarities)]}, ensure_ascii=False))
        return
    for i, similarity in zip(best, similarities):
        print(f"{similarity:+.4f}  {texts[i]}")


def _lines(path: Path) -> list[str]:
    """The texts of a file: its lines that are not blank."""
    from ..files import read_text
    lines = list(filter(None, map(str.strip, read_text(path).splitlines())))
    if not lines:
        raise ValueError(f"{path} has no text, expected one per line")
    return lines

