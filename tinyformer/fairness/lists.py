"""Lists of words: pairs to swap, Chinese words to leave alone, and the English words that cannot follow "his"."""

from __future__ import annotations

import json
from pathlib import Path

from ..data.download import fetch, read
from ..files import check_shape, read_text

__all__ = ["GENDER_WORDS", "PRONOUNS", "load_swaps", "name_pairs"]

# Pairs of English and Chinese pronouns, {male: female}; a word with two partners has a list.
PRONOUNS: dict[str, str | list[str]] = {
    "he": "she", "him": "her", "his": ["her", "hers"], "himself": "herself", "他": "她"}

# Pairs of English and Chinese words that name a gender, {male: female}, with ``PRONOUNS``.
GENDER_WORDS: dict[str, str | list[str]] = {
    **PRONOUNS, "man": "woman", "men": "women", "boy": "girl", "boys": "girls", "guy": "gal", "guys": "gals",
    "father": "mother", "fathers": "mothers", "son": "daughter", "sons": "daughters", "brother": "sister",
    "brothers": "sisters", "husband": "wife", "husbands": "wives", "actor": "actress", "actors": "actresses",
    "king": "queen", "male": "female", "gentleman": "lady", "gentlemen": "ladies",
    "男人": "女人", "男孩": "女孩", "男生": "女生", "男性": "女性", "爸爸": "妈妈", "父亲": "母亲", "儿子": "女儿",
    "哥哥": "姐姐", "弟弟": "妹妹", "丈夫": "妻子", "老公": "老婆", "先生": "女士"}

# Regular expressions of Chinese words that contain 他 but speak of no man: others, a guitar, altruism, a curse, …
UNCHANGED = ("其他", "他人", "吉他", "他乡", "他山之石", "利他", "排他", "维他命", "他妈(?!妈)")

MARGIN = 20                                                 # how much more frequent a name is among its own gender

# Before these words "her" is no possessive: "saw her in …", "told her the …". Verbs and adjectives are missing, as
# in "made her laugh": of 537 his and him in movie-snippets, the rule finds 96 % again after a swap to her.
FUNCTION_WORDS = frozenset("""
a an the this that these those some any no each every all both another my your his her its our their him it them me us
you i he she we they who whom whose which what when where why how if because although though while since until unless
before after as than and or but nor so yet to of in on at by for with without from into onto over under about against
between among through during toward towards upon off out up down away back around along across behind beyond near is
are was were be been being am has have had do does did will would can could shall should may might must not never ever
again too also there here then now today yesterday tomorrow once twice alone forever anyway instead either neither
even just only still always""".split())


def name_pairs(count: int = 20) -> dict[str, str]:
    """{male name: female name}: the ``count`` most frequent first names of each gender, paired by their rank.

    They come from the data set ``names`` (US census of 1990), which is fetched if it is not there yet, and begin with a
    capital. A name that both genders have counts for one of them if it is 20 times as frequent there. ValueError for
    fewer than one pair, or more than there are.

    >>> name_pairs(2)                                                                           # doctest: +SKIP
    {'James': 'Mary', 'John': 'Patricia'}
    """
    fetch("names")
    male, female = ({name.capitalize(): float(share) for name, share, *_ in map(str.split, lines)}
                    for lines in (read("names", file).decode().splitlines() for file in ("male.txt", "female.txt")))
    pairs = list(zip(*([name for name in mine if mine[name] >= MARGIN * other.get(name, 0)]
                       for mine, other in ((male, female), (female, male)))))
    if not 1 <= count <= len(pairs):
        raise ValueError(f"name_pairs: count is {count}, expected 1…{len(pairs)}")
    return dict(pairs[:count])


def load_swaps(source: str | Path) -> dict[str, str | list[str]]:
    """The pairs with that name, "pronouns", "gender" or "names", or those in a JSON file: {"he": "she", …}.

    ValueError for a file that is not such a mapping, OSError for one that cannot be read.
    """
    if source in ("pronouns", "gender"):
        return {"pronouns": PRONOUNS, "gender": GENDER_WORDS}[str(source)]
    if source == "names":
        return {**name_pairs(100)}
    if not Path(source).exists():
        raise FileNotFoundError(f"swaps: there is no file {source}, expected pronouns, gender, names or a JSON file "
                                f'such as {{"he": "she"}}')
    try:
        found = json.loads(read_text(source))
        check_shape(found, {str: (str, [str])})
    except ValueError as error:
        raise ValueError(f'{source}: {error}; expected a mapping such as {{"he": "she"}}') from None
    return found
