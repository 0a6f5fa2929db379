"""What a person reads is in the field's words and in American spelling: no private or old-fashioned turn comes back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tinyformer

HOUSE = Path(tinyformer.__file__).parent
ROOT = HOUSE.parent
PROSE = {".py", ".md", ".toml", ".html", ".js", ".css", ".h", ".cpp", ".c", ".cu"}

# (a regular expression, what to write instead). A space matches the end of a line, of a comment or of a string literal
# too.
TURNS = [
    ("ways? back", "backward pass"),
    ("way forward", "forward pass"),
    ("incoming gradients?", "upstream gradient"),
    ("anew", "again, or a verb: re-initialize, re-read"),
    ("stands? beside", "is next to, accompanies"),
    ("so many", "this many, or the number's name"),
    ("(?:commonest|commoner)", "most frequent"),
    ("(?:likeliest|likelier)", "most likely"),
    ("whole numbers?", "integer"),
    ("(?:is|are|be|was|were) told", "is given, is reported, sees"),
    ("(?:is|are|be|was|were) had", "is available"),
    ("(?:hold|holds|held|holding)(?: [a-z]+){0,4} against", "compare with"),
    ("by (?:itself|themselves)", "separately, alone, on its own, automatically"),
    ("slips? of the pen", "misspelled name"),
    ("for ever", "forever"),
    ("and (?:its|their) kin", "and similar"),
    ("(?:between|two|these|those|such|more|further) looks", "evaluation"),
    ("(?:some|any|no|every)body", "name the thing or the person: a process, a reader, you"),
    ("whoever", "name the person: a reader, a caller"),
    ("thr(?:ice|ough and through)", "three times"),
    ("∘", "⊙ for the entrywise product"),
]
SPELLINGS = [
    ("[a-z]*(?:optim|normal|initial|regular|penal|linear|local|orthogonal|token|general|summar|visual|quant|serial|recogn"
     "|organ|minim|maxim|standard|vector|parallel|real|final|material|random|memor|categor|factor|polar|binar)"
     "is(?:e[drs]?|ers|ing|able|ations?|ational)", "-ize, -ization"),
    ("analys(?:e[dr]?|ing)", "analyze"),
    ("(?:behavi|fav|neighb|col|hon|lab|flav|harb|endeav|vig)our[a-z]*", "-or: behavior, favor, neighbor, color"),
    ("(?:centre[ds]?|centring|metres?|fibres?)", "center, centered, meter"),
    ("(?:licences?|defence|offence|pretence)", "license, defense"),
    ("grey(?:s|scale)?", "gray"),
    ("(?:labell|modell|cancell|travell|signall|channell|totall)(?:ed|ing|ers?)", "one l: labeled, modeling"),
    ("(?:artefacts?|programmes?|judgements?|fulfil|whilst|amongst|learnt|spelt|catalogues?)",
     "artifact, program, judgment, fulfill, while, among, learned, spelled, catalog"),
]
BREAK = r"""(?:[\s#*]|["']\s*[fr]*["'])+"""
PATTERNS = [(re.compile(f"(?<![a-z]){words.replace(' ', BREAK)}(?![a-z])", re.IGNORECASE), instead)
            for words, instead in TURNS + SPELLINGS]


def found(text):
    """Yield (line, words, what to write instead) for every turn in ``text`` that should not be there."""
    for pattern, instead in PATTERNS:
        for match in pattern.finditer(text):
            yield text.count("\n", 0, match.start()) + 1, " ".join(match[0].split()), instead


def rooms():
    """{room: its files}: the top-level parts of the package, the C++ sources, the book, the benchmarks, the tests and
    the pages that GitHub shows first."""
    grouped = {}
    for path in sorted(HOUSE.rglob("*")):
        if path.suffix in PROSE:
            grouped.setdefault(path.relative_to(HOUSE).parts[0], []).append(path)
    if (ROOT / "csrc").is_dir():                            # an installed package comes without them
        for folder in ("csrc", "chapters", "benchmarks", "tests"):
            grouped[folder] = sorted(path for path in (ROOT / folder).rglob("*")
                                     if path.suffix in PROSE and path.name != "test_words.py")
        grouped.update({page: [ROOT / page] for page in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")})
    return grouped


@pytest.mark.parametrize("room", rooms())
def test_the_words_are_the_fields(room):
    report = [f"{path.relative_to(ROOT)}:{line}: {words!r}; write {instead}"
              for path in rooms()[room] for line, words, instead in sorted(found(path.read_text(encoding="utf-8")))]
    assert not report, "\n".join(report)


@pytest.mark.parametrize("text, line", [
    ("dx on the way\n    # back", 1), ('"a whole "\nf"number"', 1), ("a\nself._normalise(x)", 2), ("p ∘ dp", 1),
    ("it is held in one place against it", 1), ("class Neighbours:", 1), ("THE COMMONEST WORD", 1),
    ("a grey picture", 1),
])
def test_a_bad_word_is_found(text, line):
    assert [number for number, _, _ in found(text)] == [line]


@pytest.mark.parametrize("text", ["three ways to go back", "four hours of our own", "a promise, otherwise noise",
                                  "the greyhound", "looks at the values", "elementwise", "anewsletter",
                                  "this is so. Many follow"])
def test_a_good_word_passes(text):
    assert not [*found(text)]
