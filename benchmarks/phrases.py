"""What decides between the partners of a Chinese character, and how much of it the training phrases tell
(opencc-phrases).

    python benchmarks/phrases.py [DIR]

On the test split, wholly right: each character's first partner in OpenCC's table; its most frequent in the training
phrases; and the partner it has in the widest context of neighbors that it shares with a training phrase, from an
eighth of these phrases to all of them. Then by how well the hardest character of a phrase is covered, and with DIR, a
trained run, beside it the model.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from tinyformer.data import load
from tinyformer.train import open_run

WIDTH, EDGE = 4, "^"


def contexts(phrase, i):
    """Of character i: each run of up to WIDTH neighbors on both sides, widest first, with where in it the character
    stands."""
    padded, j = EDGE * WIDTH + phrase + EDGE * WIDTH, i + WIDTH
    for total in range(2 * WIDTH, -1, -1):
        for left in range(max(0, total - WIDTH), min(WIDTH, total) + 1):
            yield total, (padded[j - left:j + total - left + 1], left)


def learn(pairs):
    """{context: how often the character in it had which partner}"""
    counts = defaultdict(Counter)
    for x, y in pairs:
        for i, partner in enumerate(y):
            for _, context in contexts(x, i):
                counts[context][partner] += 1
    return counts


def partner(counts, phrase, i):
    """The most frequent partner in the widest contexts that are known; the character itself where none is."""
    votes, widest = Counter(), 0
    for total, context in contexts(phrase, i):
        if votes and total < widest:
            break
        votes.update(counts.get(context, ()))
        widest = total
    return votes.most_common(1)[0][0] if votes else phrase[i]


def convert(counts, phrase):
    return "".join(partner(counts, phrase, i) for i in range(len(phrase)))


def covered(known, torn, phrase):
    """Of the torn characters, those of several partners, on how many sides the worst is next to an inner neighbor
    that it had in training: 0, 1 or 2; 2 where there is none."""
    padded = EDGE + phrase + EDGE
    return min((sum(padded[i + k:i + k + 2] in known for k in (0, 1)) for i, c in enumerate(phrase) if c in torn),
               default=2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", nargs="?", type=Path, metavar="DIR")
    folder = parser.parse_args().run
    data = load("opencc-phrases")
    phrases = [(x, y) for x, y in zip(*data.train) if len(x) > 1]
    table = {x: y for x, y in zip(*data.train) if len(x) == 1}
    test = dict(zip(*data.test))

    def right(convert, of=test):
        return np.mean([convert(x) == test[x] for x in of])

    seen = set("".join(x for x, _ in phrases))
    strange = [x for x in test if not set(x) <= seen]
    print(f"{len(test):,} phrases, of which {len(strange)} have a character that no training phrase has; "
          f"{sum(any(c not in seen and c != d for c, d in zip(x, test[x])) for x in strange)} of these need the table")
    print(f"first partner in the table    {right(lambda x: ''.join(table.get(c, c) for c in x)):.1%}")
    order = np.random.default_rng(0).permutation(len(phrases))
    for share in (1 / 8, 1 / 4, 1 / 2, 1):
        some = [phrases[i] for i in order[:round(share * len(order))]] + list(table.items())
        counts = learn(some)
        frequent = {c: counts[c, 0].most_common(1)[0][0] for c in seen | set(table) if (c, 0) in counts}
        print(f"{len(some) - len(table):6,} phrases to learn from: most frequent partner "
              f"{right(lambda x: ''.join(frequent.get(c, c) for c in x)):.1%}, widest context "
              f"{right(lambda x: convert(counts, x)):.1%}")
    torn = {c for c in seen if len(counts[c, 0]) > 1 and max(counts[c, 0].values()) < 0.97 * sum(counts[c, 0].values())}
    known = {x[i:i + 2] for x, _ in phrases for i in range(len(x) - 1)}
    groups = defaultdict(list)
    for x in test:
        groups[covered(known, torn, x)].append(x)
    model = answers(folder, list(test)) if folder else None
    for sides, some in sorted(groups.items()):
        print(f"worst character known beside {sides} of its neighbors: {len(some) / len(test):.0%} of the phrases, "
              f"widest "
              f"context {right(lambda x: convert(counts, x), some):.1%}"
              + (f", model {right(model.get, some):.1%}" if model else ""))
    if model:
        print(f"model {right(model.get):.1%}")


def answers(folder, phrases):
    """{phrase: what the model of the run in ``folder`` makes of it}"""
    run = open_run(folder)
    return dict(zip(phrases, run.task.answers(run.model, phrases, run.task.data.beams)))


if __name__ == "__main__":
    main()
