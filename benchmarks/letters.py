"""What a hidden Markov model finds without labels: vowels and consonants among letters, parts of speech among
words.

    python benchmarks/letters.py [--corpus shakespeare] [--states 2]        Markov's own experiment, 1913, with the
    states hidden
    python benchmarks/letters.py --words [--states 8]                       a few minutes

Reads 20,000 letters and spaces, or 40,000 words and marks of which all but the 300 most frequent are "…", and learns by
Baum-Welch which of them behave alike. Most random starts end on lesser hills, so several are tried and the most likely
goes on. Markov himself counted 20,000 letters of Pushkin by hand.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter

import numpy as np

from tinyformer.models import HMM, HMMConfig
from tinyformer.text import load_corpus

LENGTH = 100                                                # the text in pieces, which are learned from side by side
COMMON = 300


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", default="shakespeare")
    parser.add_argument("--words", action="store_true")
    parser.add_argument("--states", type=int)
    arguments = parser.parse_args()
    n, kind, states, starts, iterations = (40_000, "words", 8, 3,
                                           40) if arguments.words else (20_000, "letters", 2, 10, 60)
    states = arguments.states or states
    text = load_corpus(arguments.corpus).lower()
    tokens = re.findall(r"[a-z']+|[.,;:!?]", text) if arguments.words else re.sub("[^a-z]+", "_", text)
    # from the middle: beginnings are lists of names
    tokens = tokens[len(tokens) // 3:][:n]
    vocabulary = [token for token, _ in Counter(tokens).most_common(COMMON)] + ["…"] * arguments.words
    number = {token: i for i, token in enumerate(vocabulary)}
    ids = np.array([number.get(token, len(vocabulary) - 1) for token in tokens])
    pieces = np.array_split(ids, -(-len(ids) // LENGTH))

    began, tried = time.perf_counter(), []
    for seed in range(starts):
        model = HMM(HMMConfig(states, len(vocabulary)), seed)
        tried.append((model.fit(pieces, iterations=iterations), model))
    history, model = max(tried, key=lambda pair: pair[0][-1])
    history += model.fit(pieces, iterations=100)
    print(f"{len(ids):,} {kind} of {arguments.corpus}, {len(history)} iterations in {time.perf_counter() - began:.1f} "
          f"s: "
          f"{-history[0] / len(ids) / np.log(2):.3f} -> {-history[-1] / len(ids) / np.log(2):.3f} bits each\n")
    share = np.concatenate(model.posteriors(pieces))                            # (T, K)
    times = np.stack([share[ids == v].sum(axis=0) for v in range(len(vocabulary))])
    belongs = times / np.maximum(times.sum(axis=1, keepdims=True), 1e-300)
    for k in range(states):
        own = [v for v in np.argsort(-times[:, k]) if belongs[v].argmax() == k][:26]
        print(f"state {k}   {times[:, k].sum() / len(ids):.0%} of all   "
              + " ".join(vocabulary[v] if arguments.words else f"{vocabulary[v]} {belongs[v, k]:.0%}" for v in own))
        print("          then " + ", ".join(f"{p:.0%} to {j}" for j, p in enumerate(np.exp(model.log_transition[k]))
                                            if p >= 0.05))


if __name__ == "__main__":
    main()
