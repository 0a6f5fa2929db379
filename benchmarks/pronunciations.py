"""How far counting gets with English spelling (cmudict without stress): the baseline of `seq2seq-cmudict`.

    python benchmarks/pronunciations.py [DIR]               about two minutes

Expectation maximization aligns each letter of the training words with 0, 1 or 2 phonemes. A test word is then read
letter by letter: each letter gets the phonemes that it had most often in the widest context, up to four letters on
each side, that occurs in training. Shorter contexts of the same width vote together. Prints the share of the test words
that are wholly right, by the widest context allowed, and with DIR, a trained run, the model's share beside it. The
alignment is that of Black, Lenzo and Pagel (1998), "Issues in building general letter to sound rules".
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from math import log
from pathlib import Path

from tinyformer.train import open_run, scores
from tinyformer.train.tasks.translation import PairSettings, load_pairs

EDGE = "^"
Phonemes = tuple[str, ...]


def best_alignment(word: str, phonemes: Phonemes, cost) -> list[Phonemes] | None:
    """For each letter its 0, 1 or 2 phonemes, with the least total ``cost(letter, phonemes)``; None if impossible."""
    best: dict[int, tuple[float, list[Phonemes]]] = {0: (0.0, [])}          # phonemes used so far -> (cost, pieces)
    for letter in word:
        following: dict[int, tuple[float, list[Phonemes]]] = {}
        for used, (total, pieces) in best.items():
            for n in range(min(3, len(phonemes) - used + 1)):
                piece = phonemes[used:used + n]
                found = total + cost(letter, piece)
                if used + n not in following or found < following[used + n][0]:
                    following[used + n] = found, [*pieces, piece]
        best = following
    return best[len(phonemes)][1] if len(phonemes) in best else None


def align(pairs: list[tuple[str, Phonemes]], rounds: int = 4) -> list[tuple[str, list[Phonemes]]]:
    """Each word with the phonemes of each letter, by Viterbi training: align, count, align again."""
    def first_guess(letter, piece):
        return float(len(piece) != 1)                                       # one phoneme a letter

    aligned, cost = [], first_guess
    for _ in range(rounds):
        aligned = [(word, pieces) for word, said in pairs if (pieces := best_alignment(word, said, cost))]
        counts: dict[str, Counter[Phonemes]] = defaultdict(Counter)
        for word, pieces in aligned:
            for letter, piece in zip(word, pieces):
                counts[letter][piece] += 1
        cost = surprise(counts)
    return aligned


def surprise(counts: dict[str, Counter[Phonemes]]):
    """The cost −ln p(phonemes | letter), estimated from ``counts``; what did not occur counts as 0.01."""
    totals = {letter: sum(seen.values()) + 1 for letter, seen in counts.items()}

    @cache
    def cost(letter, piece):
        return -log((counts[letter][piece] + 0.01) / totals.get(letter, 1))

    return cost


def contexts(word: str, i: int, width: int) -> Iterator[tuple[int, tuple[int, str]]]:
    """Each run of letters around letter i, at most ``width`` on a side, widest first: (neighbors, (place, letters))."""
    padded, j = EDGE * width + word + EDGE * width, i + width
    for total in range(2 * width, -1, -1):
        for left in range(max(0, total - width), min(width, total) + 1):
            yield total, (left, padded[j - left:j + total - left + 1])


def learn(aligned: list[tuple[str, list[Phonemes]]], width: int) -> dict[tuple[int, str], Counter[Phonemes]]:
    """{context: how often the letter in it had which phonemes}."""
    counts: dict[tuple[int, str], Counter[Phonemes]] = defaultdict(Counter)
    for word, pieces in aligned:
        for i, piece in enumerate(pieces):
            for _, context in contexts(word, i, width):
                counts[context][piece] += 1
    return counts


def say(counts: dict[tuple[int, str], Counter[Phonemes]], word: str, width: int) -> str:
    """The phonemes of ``word``, letter by letter, each from the widest contexts that are known."""
    said: list[str] = []
    for i in range(len(word)):
        votes: Counter[Phonemes] = Counter()
        widest = 0
        for total, context in contexts(word, i, width):
            if votes and total < widest:
                break
            votes.update(counts.get(context, ()))
            widest = total
        if votes:
            said.extend(votes.most_common(1)[0][0])
    return " ".join(said)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", nargs="?", type=Path, metavar="DIR")
    folder = parser.parse_args().run
    data = load_pairs(PairSettings(set="cmudict", target="words", stress=False))
    test: dict[str, set[str]] = defaultdict(set)
    for word, said in zip(*data.test):
        test[word].add(said)
    pairs = [(word, tuple(said.split())) for word, said in zip(*data.train)]
    aligned = align(pairs)
    print(f"{len(pairs):,} training pronunciations, {len(aligned):,} of them aligned; {len(test):,} test words")

    def row(name, answers):
        share = sum(answer in test[word] for word, answer in zip(test, answers)) / len(test)
        print(f"{name:<34}{share:.1%} ± {scores.standard_error(share, len(test)):.1%}", flush=True)

    for width in (0, 1, 2, 3, 4):
        counts = learn(aligned, width)
        row(f"counting, {width} letters on each side", [say(counts, word, width) for word in test])
    if folder:
        run = open_run(folder)
        row(str(folder), run.task.answers(run.model, list(test), run.task.data.beams))


if __name__ == "__main__":
    main()
