"""Swapping words: borders, case, both directions, the rule for "her", Chinese, lists, and refusals."""

from __future__ import annotations

import json
import re

import pytest

from tinyformer.data import fetch, load
from tinyformer.fairness import GENDER_WORDS, PRONOUNS, Swaps, load_swaps, name_pairs

FULL = Swaps(GENDER_WORDS)


@pytest.mark.parametrize("text, swapped", [
    ("He's here.", "She's here."), ("he’ll", "she’ll"), ("HE SAID", "SHE SAID"), ("the hero heals", "the hero heals"),
    ("(he)", "(she)"), ("he-man", "she-woman"), ("he/she", "she/he"), ("he_man he2", "he_man he2"),
    ("An actress's son, his wife", "An actor's daughter, her husband"), ("", ""), ("Ladies!", "Gentlemen!"),
    ("himself", "herself"), ("he\nHe\tHE", "she\nShe\tSHE"),
])
def test_borders_case_and_both_directions(text, swapped):
    assert FULL(text) == swapped and FULL(swapped) == text


@pytest.mark.parametrize("his_or_him, her", [
    ("his film", "her film"), ("saw him.", "saw her."), ("saw him", "saw her"), ("gave him a part", "gave her a part"),
    ("with him, always", "with her, always"), ("His 20 films", "Her 20 films"),
    ("his \"big\" role", "her \"big\" role"),
    ("the part is his.", "the part is hers."), ("his is better", "hers is better"), ("his own way", "her own way"),
    ("met HIM in", "met HER in"), ("told him that", "told her that"), ("him's", "her's"),
])
def test_her_is_his_or_him_by_the_next_word(his_or_him, her):
    swaps = Swaps(PRONOUNS)
    assert swaps(his_or_him) == her and swaps(her) == his_or_him


def test_one_candidate_needs_no_rule():
    assert Swaps({"his": "her"})("saw her. Her film") == "saw his. His film"
    assert Swaps({"him": "her"})("her film") == "him film"
    assert Swaps({"his": "her"})("it is his.") == "it is her."
    assert Swaps({"boss": ["lady", "chief"]})("the chief, a lady, a boss") == "the boss, a boss, a lady"


@pytest.mark.parametrize("text, swapped", [
    ("他们喜欢她", "她们喜欢他"), ("其他人和吉他，他人", "其他人和吉他，他人"), ("他是he", "她是she"),
    ("他妈妈", "她妈妈"), ("维他命给他", "维他命给她"),
])
def test_chinese_has_no_borders(text, swapped):
    assert Swaps(PRONOUNS)(text) == swapped and Swaps(PRONOUNS)(swapped) == text


def test_words_of_several_characters():
    assert FULL("他爸爸和女儿") == "她妈妈和儿子"


def test_a_capital_in_the_list_asks_for_one_in_the_text():
    swaps = Swaps({"Mark": "Mary", "he": "she"})
    assert swaps("Mark, MARK's mark, He") == "Mary, MARY's mark, She"
    assert swaps.first_side("mark Mary") == "second" and swaps.first_side("mark") is None
    assert swaps.first_side("other he's Mary") == "first"
    assert Swaps({"I": "she"})("I and I") == "She and She"


def test_the_longest_word_matches():
    assert Swaps({"king": "queen", "king of kings": "queen of queens"})("the king of kings") == "the queen of queens"


def test_the_share_of_the_rule_for_her():
    """Every his and him of the training texts is replaced by her: how often does the rule find it again?"""
    texts, _ = load_or_skip("movie-snippets").train
    swaps, right = Swaps({"him": "her", "his": "her"}), []
    for text in texts:
        for match in re.finditer(r"\b(?:his|him)\b", text):
            rest = text[match.end():]
            right.append(swaps("her" + rest).startswith(match[0]))
    assert len(right) > 400 and sum(right) / len(right) > 0.95


def load_or_skip(name):
    from tinyformer.data import cached
    if not cached(name):
        pytest.skip(f"{name} has not been fetched")
    return load(name)


def test_names():
    load_or_skip("names")
    fetch("names")
    pairs = name_pairs(50)
    assert len(pairs) == 50 and list(pairs.items())[:2] == [("James", "Mary"), ("John", "Patricia")]
    assert not set(pairs) & set(pairs.values())
    assert Swaps(pairs)("John's film with Mary") == "Patricia's film with James"
    assert load_swaps("names").keys() >= pairs.keys()
    with pytest.raises(ValueError, match="count is 0, expected 1…"):
        name_pairs(0)


def test_a_text_that_is_none():
    swaps = Swaps({"he": "she"})
    for call in (swaps, swaps.first_side):
        with pytest.raises(TypeError, match="swaps: text is a int, expected a str"):
            call(3)


def test_lists_by_name_and_from_a_file(tmp_path):
    assert load_swaps("pronouns") == PRONOUNS and load_swaps("gender") == GENDER_WORDS
    path = tmp_path / "swaps.json"
    path.write_text(json.dumps({"他": "她", "his": ["her", "hers"]}), encoding="utf-8")
    assert Swaps(load_swaps(path))("他 his film") == "她 her film"
    for content, message in (('["he"]', "expected an object; expected a mapping such as"), ('{"he":', "expected a map"),
                             ('{"he": 3}', "expected text|is 3")):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(ValueError, match=message):
            load_swaps(path)
    with pytest.raises(FileNotFoundError, match="there is no file nothing, expected pronouns, gender, names or"):
        load_swaps("nothing")


@pytest.mark.parametrize("pairs, kind, message", [
    ([("he", "she")], TypeError, "got a list, expected a mapping such as {'he': 'she'}"),
    ("he=she", TypeError, "got a str, expected a mapping"), ({}, ValueError, "the mapping is empty"),
    ({"he": "he"}, ValueError, "'he' is its own partner"), ({"he": "He"}, ValueError, "is its own partner"),
    ({"he": ""}, ValueError, "got the word '', expected a word without spaces"),
    ({" he": "she"}, ValueError, "got the word ' he'"), ({"he": 3}, TypeError, "the partner of 'he' is 3"),
    ({"he": []}, TypeError, r"the partner of 'he' is \[\]"), ({3: "she"}, TypeError, "3 is a int, expected a word"),
    ({"he": "she", "she": "he"}, ValueError, "is the first word of a pair and the second of another"),
])
def test_refusals(pairs, kind, message):
    with pytest.raises(kind, match=message):
        Swaps(pairs)
