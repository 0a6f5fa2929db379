"""How much of each held-out part occurs in the training part.

A set that is not fetched is skipped, as in test_sets.py.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyformer.data import Dataset, Examples, cached, data_folder, load, share_seen, split, split_lines
from tinyformer.data.overlap import without_overlap
from tinyformer.data.sets import READERS
from tinyformer.text import CORPORA, load_corpus
from tinyformer.text.corpora import SHAKESPEARE_FILE
from tinyformer.train.tasks.translation import RULES, PairSettings, load_pairs

# The largest share of the held-out windows of 50 characters that may occur in training. What a bound above 0.001 allows
# is said on the card of the set or in CORPORA.
RUNNING = {"pydocs": 0.05, "pysource": 0.06, "shakespeare": 0.001, "shakespeare-plays": 0.001, "chinese": 0.01,
           "sanguo": 0.001}
# The same for texts with labels or answers, and the largest share of them that equal a training text but for case and
# punctuation.
TEXTS = {"movie-snippets": (0.001, 0.001), "chinese-reviews": (0.015, 0.004), "sms-spam": (0, 0.02), "names": (0, 0),
         "cmudict": (0, 0), "opencc-phrases": (0, 0)}
LINES = {"names": ("names", "surnames")}                    # the corpus of that name, and the sets that it is made of
PICTURES = {"mnist-5k"}
PARTS_OF_CORPORA = {"surnames"}
MADE_OF = {"chinese": ("chinese-reviews", "sanguo")}


def need(*names):
    for name in names:
        if not cached(name):
            pytest.skip(f"{name} is not fetched; `tinyformer data fetch {name}` brings it")


def test_every_corpus_and_every_set_has_a_bound():
    assert {*RUNNING, *LINES} == set(CORPORA)
    assert {*RUNNING, *TEXTS, *PICTURES, *PARTS_OF_CORPORA} >= set(READERS)


@pytest.mark.parametrize("name", RUNNING)
def test_running_text(name):
    if name == "shakespeare" and not (data_folder() / SHAKESPEARE_FILE).exists():
        pytest.skip(f"{SHAKESPEARE_FILE} is not in the folder that TINYFORMER_DATA names")
    need(*MADE_OF.get(name, (name,) if name in READERS else ()))
    train, held_out = split(load_corpus(name), 0.9)
    assert share_seen(train, held_out) <= RUNNING[name]


def letters(text):
    return "".join(filter(str.isalnum, text.lower())) or text


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("part", ("validation", "test"))
def test_texts(name, part):
    need(name)
    data = load(name)
    held_out, (windows, equal) = getattr(data, part).x, TEXTS[name]
    assert not set(held_out) & set(data.train.x)
    assert not set(data.test.x) & set(data.validation.x)
    assert share_seen(data.train.x, held_out) <= windows
    known = set(map(letters, data.train.x))
    assert np.mean([letters(text) in known for text in held_out]) <= equal


def test_lines():
    need(*LINES["names"])
    train, validation, test = map(set, split_lines(load_corpus("names")))
    assert not (train & validation or train & test or validation & test)


def test_pictures():
    need(*PICTURES)
    data = load("mnist-5k")
    train = data.train.x.astype(np.float64)
    for held_out in (data.validation.x, data.test.x):
        squares = (train ** 2).sum(axis=1) + (held_out ** 2).sum(axis=1)[:,
                                                                         None] - 2 * held_out.astype(np.float64) \
                                                                             @ train.T
        # two pictures of a digit are about 9 apart, the nearest ones 1.2
        assert squares.min() > 1


@pytest.mark.parametrize("name", RULES)
def test_made_up_pairs(name):
    data = load_pairs(PairSettings(set=name, length=3 if name == "add" else 10))
    known = set(data.train.x)
    assert not known & set(data.test.x) and not known & set(data.validation.x)
    swapped = [source[4:] + "+" + source[:3] if name == "add" else source[::-1] for source in data.test.x]
    assert np.mean([source in known for source in swapped]) < 0.02


# ------------------------------------------------------------------------------------------------ the measure

texts = st.one_of(st.text("ab第", max_size=30), st.lists(st.text("ab第", max_size=12), max_size=6))


@given(texts, texts, st.integers(1, 6))
def test_share_seen_by_hand(train, held_out, width):
    def windows(part):
        return [text[i:i + width] for text in ([part] if isinstance(part, str) else part)
                for i in range(len(text) - width + 1)]

    known, asked = set(windows(train)), windows(held_out)
    assert share_seen(train, held_out, width) == pytest.approx(np.mean([one in known for one in asked]) if asked
                                                               else 0.0)


def test_share_seen_knows_new_text_from_a_copy(rng):
    text = "".join(map(chr, rng.integers(97, 123, 3000)))
    assert share_seen(text, text[1000:2000]) == 1 and share_seen(text[:2000], text[2000:]) == 0
    assert share_seen(text, text[1000:1050] + "?" * 50) == pytest.approx(1 / 51)
    with pytest.raises(ValueError, match="share_seen: width: got 0, expected at least 1"):
        share_seen("a", "b", 0)


def test_without_overlap_thins_training_and_validation_alone():
    def examples(*texts):
        return Examples(list(texts), np.arange(len(texts)))

    found = without_overlap(Dataset("x", examples("a call now", "for three", "call", "new"),
                                    examples("I call", "threefold"),
                                    examples("a call", "ten"), ("a", "b", "c", "d")), width=5)
    # " call" and "three" are held out
    assert found.train.x == ["call", "new"] and found.train.y.tolist() == [2, 3]
    assert found.validation.x == ["threefold"] and found.validation.y.tolist() == [1]
    assert found.test.x == ["a call", "ten"] and found.classes == ("a", "b", "c", "d")
