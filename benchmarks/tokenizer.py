"""How long the byte-level BPE takes to learn 2,000 merges from tiny Shakespeare (1.1 MB) and to encode it.

    python benchmarks/tokenizer.py
"""

from __future__ import annotations

import time

from tinyformer.text import BytePairTokenizer, load_corpus


def seconds(call):
    began = time.perf_counter()
    result = call()
    return result, time.perf_counter() - began


def main():
    text = load_corpus("shakespeare")
    tokenizer, training = seconds(lambda: BytePairTokenizer.train(text, 256 + 2000))
    ids, encoding = seconds(lambda: tokenizer.encode(text))
    assert tokenizer.decode(ids) == text
    print(f"2,000 merges on {len(text):,} characters: {training:.1f} s; encoding them into {len(ids):,} tokens: "
          f"{encoding:.1f} s")


if __name__ == "__main__":
    main()
