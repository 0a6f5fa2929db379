"""Vowels and consonants, found by a hidden Markov model that was told of neither: Markov's own experiment, 1913, with the states
hidden.

    python benchmarks/letters.py [--corpus shakespeare] [--states 2]

Reads 20,000 letters and spaces and learns by Baum-Welch which of them behave alike; most random starts end on lesser
hills, so ten are tried and the likeliest goes on. Markov himself counted 20,000 letters of Pushkin by hand.
"""

from __future__ import annotations

import argparse
import re
import time

import numpy as np

from tinyformer.models import HMM, HMMConfig
from tinyformer.text import load_corpus

ALPHABET = "abcdefghijklmnopqrstuvwxyz_"                    # the last for a space
LENGTH = 100                                                # the text in pieces, which are learned from side by side


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", default="shakespeare")
    parser.add_argument("--states", type=int, default=2)
    arguments = parser.parse_args()
    letters = re.sub("[^a-z]+", "_", load_corpus(arguments.corpus).lower())
    letters = letters[len(letters) // 3:][:20_000]                              # from the middle: beginnings are lists of names
    ids = np.array([ALPHABET.index(letter) for letter in letters])
    pieces = np.array_split(ids, -(-len(ids) // LENGTH))
    began, tried = time.perf_counter(), []
    for seed in range(10):
        model = HMM(HMMConfig(arguments.states, len(ALPHABET)), seed)
        tried.append((model.fit(pieces, iterations=60), model))
    history, model = max(tried, key=lambda pair: pair[0][-1])
    history += model.fit(pieces)
    print(f"{len(ids):,} letters of {arguments.corpus}, {len(history)} iterations in {time.perf_counter() - began:.1f} s: "
          f"{-history[0] / len(ids) / np.log(2):.3f} -> {-history[-1] / len(ids) / np.log(2):.3f} bits a letter\n")
    share = np.concatenate(model.posteriors(pieces))                            # (T, K)
    by_letter = np.stack([share[ids == v].sum(axis=0) for v in range(len(ALPHABET))])
    belongs = by_letter / np.maximum(by_letter.sum(axis=1, keepdims=True), 1e-300)
    for k in range(arguments.states):
        row = " ".join(f"{ALPHABET[v]} {belongs[v, k]:.0%}" for v in np.argsort(-belongs[:, k]) if belongs[v].argmax() == k)
        stays = ", ".join(f"{p:.0%} to {j}" for j, p in enumerate(np.exp(model.log_transition[k])))
        print(f"state {k}   {row}\n          then {stays}")


if __name__ == "__main__":
    main()
