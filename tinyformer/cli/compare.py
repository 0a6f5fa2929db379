"""tinyformer compare NAME …"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

if TYPE_CHECKING:
    from ..models import LlamaConfig


def command(
    names: Annotated[Optional[list[str]], typer.Argument(
        metavar="NAME", help="Published models. Default: llama3 qwen2.5 qwen3.")] = None,
    train: Annotated[bool, typer.Option(
        "--train", help="Train a small model of each architecture on the same text.")] = False,
    seeds: Annotated[int, typer.Option(
        min=1, help="With --train: the number of trainings, each from another seed.")] = 3,
    out: Annotated[Path, typer.Option(
        metavar="DIR", file_okay=False,
        help="With --train: the folder for the runs and their curves.")] = Path("runs/compare"),
    settings: Annotated[Optional[list[str]], typer.Option(
        "--set", metavar="section.key=value",
        help="With --train: change the recipe llama-tiny, once for each value.")] = None,
) -> None:
    """Compare the published configs of Llama 3 and Qwen. --train also compares small models of these architectures."""
    from ..models.published_sizes import KNOWN
    from .console import finish_unread
    if train:
        finish_unread()
    names = [*dict.fromkeys(names or ("llama3", "qwen2.5", "qwen3"))]
    for name in names:
        if name not in KNOWN:
            raise ValueError(f"unknown model {name!r}; expected some of {', '.join(KNOWN)}")
    columns = [table(KNOWN[name][1]) for name in names]
    show([("", [KNOWN[name][0] for name in names]),
          *((point, [column[point] for column in columns]) for point in columns[0])])
    if train:
        from ..train.comparison import train_compared
        found = train_compared({name: KNOWN[name][1] for name in names}, out, range(1, seeds + 1), settings or ())
        print("\nsmall models, trained with the recipe llama-tiny on the same text with the same budget\n")
        show([("", names), *((point, [row(figures) for figures in found.values()]) for point, row in TRAINED.items())])
        print(f"\nruns and curves  {out}")


def table(c: LlamaConfig) -> dict[str, str]:
    """{property: text} of a config."""
    from ..models.published_sizes import cache_bytes, flops_per_token, parameters
    parts, (weights, attention), cache = parameters(c), flops_per_token(c), cache_bytes(c)
    total = sum(parts.values())
    stretched = f", stretched {c.rope_factor:g} × beyond {c.rope_original:,}" if c.rope_factor != 1 else ""
    return {
        "parameters": f"{total:,}",
        **{f"  {part}": f"{n:,} ({n / total:.1%})" if n else "–" for part, n in parts.items()},
        "in bfloat16": f"{2 * total / 1e9:.1f} GB",
        "FLOPs per token": f"{weights / 1e9:.2f} G",
        "  + for each before it": f"{attention / 1e6:.2f} M",
        "  doubled at a context of": f"{weights // attention:,}",
        "KV cache per token (16 bit)": f"{cache / 1024:g} KiB",
        "  for the whole context": f"{cache * c.block_size / 2 ** 30:.2f} GiB",
        "context": f"{c.block_size:,}",
        "vocabulary": f"{c.vocab_size:,}",
        "layers × width": f"{c.n_layer} × {c.n_embd:,}",
        "heads: queries / keys": f"{c.n_head} / {c.n_kv_head}, {c.head_dim} wide",
        "MLP width": f"{c.n_inner:,} ({c.n_inner / c.n_embd:.2f} ×)",
        "norm": f"RMS, ε = {c.norm_eps:g}",
        "norms of queries and keys": "yes" if c.qk_norm else "no",
        "biases": "queries, keys, values" if c.qkv_bias else "none",
        "output": "the embedding's weight" if c.tied else "a matrix of its own",
        "rotations": f"θ = {c.rope_theta:,.0f}{stretched}",
    }


TRAINED = {
    "validation loss": lambda f: f"{statistics.fmean(f['losses']):.4f}",
    "  standard deviation": lambda f: f"{statistics.stdev(f['losses']):.4f}" if len(f["losses"]) > 1 else "–",
    "  seeds": lambda f: " ".join(f"{loss:.3f}" for loss in f["losses"]),
    "tokens/s in training": lambda f: f"{f['tokens_per_s']:,.0f}",
    "arrays of one step": lambda f: f"{f['megabytes']:.1f} MB",
    "parameters": lambda f: f"{f['parameters']:,}",
}


def show(rows: list[tuple[str, list[str]]]) -> None:
    """Print [(property, [text of each column])] as a table; ≠ marks rows whose texts differ."""
    first = max(len(point) for point, _ in rows)
    widths = [max(len(texts[i]) for _, texts in rows) for i in range(len(rows[0][1]))]
    for point, texts in rows:
        mark = "≠" if point and len(set(texts)) > 1 else " "
        print(f"{point:<{first}} {mark} " + "  ".join(f"{text:<{width}}"
                                                      for text, width in zip(texts, widths)).rstrip())
