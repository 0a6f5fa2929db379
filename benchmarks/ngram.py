"""N-gram models of characters: how long counting takes, and what each way of smoothing makes of Shakespeare.

    python benchmarks/ngram.py

Counts five million characters of Python's standard library at n = 5, then prints bits per character on the validation
split of tiny Shakespeare for n = 1…6. TINYFORMER_DATA must name the folder of tinyshakespeare.txt, or it is downloaded.
"""

from __future__ import annotations

import time

import numpy as np

from tinyformer.data import split
from tinyformer.models import NGram, NGramConfig
from tinyformer.models.ngram_counts import Counts
from tinyformer.text import CharTokenizer, load_corpus

WAYS = {                                                    # none of a model with probability 0 somewhere
    "add 1": {"smoothing": "add-k"},
    "add 0.01": {"smoothing": "add-k", "k": 0.01},
    "stupid back-off, normalized": {"smoothing": "stupid"},
    "Katz": {"smoothing": "katz"},
    "Kneser-Ney": {"smoothing": "kneser-ney"},
    "modified Kneser-Ney": {"smoothing": "modified-kneser-ney"},
}
ORDERS = range(1, 7)


def main():
    text = load_corpus("pysource")
    ids = np.resize(CharTokenizer.train(text).encode(text), 5_000_000)
    began = time.perf_counter()
    counts = Counts(ids, 5, int(ids.max()) + 1)
    seconds = time.perf_counter() - began
    print(f"{len(ids):,} characters of {counts.vocab_size} kinds, n = 5: "
          f"{sum(len(level.keys) for level in counts.levels):,} "
          f"n-grams counted in {seconds:.1f} s\n")

    text = load_corpus("shakespeare")
    tokenizer = CharTokenizer.train(text)
    train, validation = split(tokenizer.encode(text), 0.9)
    counts = Counts(train, max(ORDERS), tokenizer.vocab_size)
    print("bits per character (perplexity)".ljust(30) + "".join(f"n = {n}".rjust(16) for n in ORDERS))
    for name, how in WAYS.items():
        row = name.ljust(30)
        for n in ORDERS:
            model = NGram(NGramConfig(tokenizer.vocab_size, n, **how)).fit(counts)
            row += f"{model.bits_per_character(validation):.3f} ({model.perplexity(validation):.2f})".rjust(16)
        print(row, flush=True)


if __name__ == "__main__":
    main()
