"""What the fetched sets hold. Each test skips where its set is not in the folder that TINYFORMER_DATA names."""

import numpy as np
import pytest

from tinyformer.data import Dataset, by_content, cached, load
from tinyformer.data.dataset import tenth
from tinyformer.text import load_corpus


def need(name):
    if not cached(name):
        pytest.skip(f"{name} is not fetched; `tinyformer data fetch {name}` brings it")
    return load(name)


def parts(data):
    return data.train, data.validation, data.test


def whole(data):
    return [text for part in parts(data) for text in part.x]


def test_the_split_hangs_on_the_text():
    # SHA-1 of "abc" is a9993e36 4706816a ba3e2571 7850c26c 9cd0d89d, RFC 3174
    assert tenth("abc") == 0xa9993e364706816aba3e25717850c26c9cd0d89d % 10
    texts = [f"text {i} 第" for i in range(3000)]
    data = by_content("made up", texts, [i % 2 for i in range(3000)], ("even", "odd"))
    for part, tenths in ((data.test, {0}), (data.validation, {1}), (data.train, set(range(2, 10)))):
        assert {tenth(text) for text in part.x} == tenths
        assert [int(text.split()[1]) % 2 for text in part.x] == part.y.tolist()
        assert part.y.dtype == np.int64
    assert 240 < len(data.test.x) < 360 and sorted(whole(data)) == sorted(texts)
    n = [len(part.x) for part in parts(data)]
    assert str(data) == f"made up: {n[0]:,} train, {n[1]} validation, {n[2]} test; even, odd"


@pytest.mark.parametrize("name, sizes, counts, classes", [
    ("movie-snippets", (8021, 1016, 1004), (5060, 4981), ("negative", "positive")),
    ("chinese-reviews", (13936, 1697, 1730), (9031, 8332), ("negative", "positive")),
    ("sms-spam", (3550, 449, 444), (3941, 502), ("ham", "spam")),
    ("names", (4145, 525, 493), (3944, 888, 331), ("female", "male", "both")),
])
def test_labeled_texts(name, sizes, counts, classes):
    data = need(name)
    assert tuple(len(part.x) for part in parts(data)) == sizes
    assert np.bincount(np.concatenate([part.y for part in parts(data)])).tolist() == list(counts)
    assert data.classes == classes
    texts = whole(data)
    assert len(set(texts)) == len(texts) and all(text.strip() for text in texts)


def test_labels_stand_with_their_texts():
    data = need("movie-snippets")
    texts, labels = data.test
    assert labels[next(i for i, text in enumerate(texts) if text.startswith("The Rock is destined"))] == 1
    names = need("names")
    kinds = {name: names.classes[label] for part in parts(names) for name, label in zip(*part)}
    assert tuple(map(kinds.get, ("abigail", "zachary", "leslie"))) == ("female", "male", "both")


def test_surnames():
    names = need("surnames").splitlines()
    assert names[:2] == ["smith", "johnson"] and len(names) == len(set(names)) == 88_799
    first = set(whole(need("names")))
    assert len(first & set(names)) == 2_052
    assert load_corpus("names").splitlines() == sorted(first | set(names))


def test_pairs():
    data = need("cmudict")
    assert len(whole(data)) == 135_166 and len(set(whole(data))) == 126_052
    assert not set(data.train.x) & set(data.test.x)
    said = [phones for part in parts(data) for word, phones in zip(*part) if word == "read"]
    assert said == ["R EH1 D", "R IY1 D"]
    phrases = need("opencc-phrases")
    pairs = [pair for part in parts(phrases) for pair in zip(*part)]
    assert all(len(x) == len(y) for x, y in pairs) and not set(phrases.train.x) & set(phrases.test.x)
    characters = {x: y for x, y in pairs if len(x) == 1}
    assert len(characters) == 4_012 == sum(len(x) == 1 for x in phrases.train.x) and characters["书"] == "書"
    pairs = [(x, y) for x, y in pairs if len(x) > 1]
    assert len(pairs) == 49_238 and sum(x == y for x, y in pairs) == 10_689


def test_digits():
    data = need("mnist-5k")
    assert data.train.x.shape == (3500,
                                  784) and data.validation.x.shape == (500, 784) and data.test.x.shape == (1000, 784)
    for part in parts(data):
        assert part.x.dtype == np.float32 and part.x.min() == 0 and part.x.max() == 1
        assert len(set(np.bincount(part.y))) == 1                               # as many of each digit
    zero, one = (data.train.x[data.train.y == digit].mean(axis=0).reshape(28, 28)[14, 14] for digit in (0, 1))
    assert zero < 0.1 < 0.5 < one                                               # a nought is empty in the middle


@pytest.mark.parametrize("name, length, characters, start", [
    ("shakespeare-plays", 4_956_342, 80, "A Midsummer Night's Dream\n\nACT I\n\nSCENE I. Athens."),
    ("sanguo", 599_947, 3960, "第一回 宴桃园豪杰三结义"),
])
def test_running_text(name, length, characters, start):
    text = need(name)
    assert (len(text), len(set(text))) == (length, characters)
    assert text.startswith(start)
    assert load_corpus(name) == text


def test_files_of_a_model_are_no_data_set():
    with pytest.raises(ValueError, match=r"minilm is not a data set but the files of a model; fetch\('minilm'\)"):
        load("minilm")


def test_a_data_set_shows_its_name_alone():
    assert repr(by_content("x", ["a"], ["b"])) == repr(Dataset("x", None, None,
                                                               None)) == "Dataset(name='x', classes=())"
