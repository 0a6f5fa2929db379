"""Settings: each has a sentence, a default within its range, and a check that names it."""

import dataclasses

import pytest

from tinyformer.train.private import PrivacySettings
from tinyformer.train.recipe import Recipe, TrainSettings
from tinyformer.train.settings import check_settings, setting, type_name
from tinyformer.train.tasks import TASKS


@pytest.mark.parametrize("cls", (Recipe, TrainSettings, PrivacySettings, *(task.Data for task in TASKS.values())),
                         ids=lambda cls: cls.__name__)
def test_every_setting_says_what_it_means(cls):
    for field in dataclasses.fields(cls):
        if field.name in ("model", "data", "train", "privacy"):
            continue
        assert field.metadata["help"].endswith("."), field.name
        check_settings("x", cls())


@dataclasses.dataclass
class Example:
    n: int = setting(2, "A number.", at_least=1, at_most=9)
    lr: float = setting(0.5, "A rate.", at_least=0)
    share: float = setting(0.5, "A share.", above=0, below=1)
    unit: str = setting("words", "A unit.", one_of=("words", "letters"))
    free: str = setting("x", "Any text.")


def test_the_range_is_part_of_the_sentence():
    assert {field.name: field.metadata["help"] for field in dataclasses.fields(Example)} == {
        "n": "A number. From 1 to 9.", "lr": "A rate. At least 0.", "share": "A share. Above 0 and below 1.",
        "unit": "A unit. One of letters, words.", "free": "Any text."}


@pytest.mark.parametrize("values, message", (
    ({"n": 0}, "data.n: got 0, expected an integer from 1 to 9"), ({"n": 10}, "data.n: got 10"),
    ({"lr": -1.0}, "data.lr: got -1.0, expected a finite number of at least 0"),
    ({"lr": float("nan")}, "data.lr: got nan"),
    ({"lr": float("inf")}, "data.lr: got inf"),
    ({"share": 0.0}, "data.share: got 0.0, expected a finite number above 0 and below 1"),
    ({"share": 1.0}, "data.share: got 1.0"),
    ({"unit": "bytes"}, "data.unit: got 'bytes', expected one of letters, words")))
def test_values_out_of_range(values, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        check_settings("data", Example(**values))
    check_settings("data", Example(n=1, lr=0.0, share=0.01, unit="letters", free=""))


def test_a_setting_that_may_be_unset_has_its_range_once_it_is_set():
    @dataclasses.dataclass
    class Optional:
        noise: float | None = setting(None, "Some noise.", at_least=0)

    check_settings("x", Optional())
    check_settings("x", Optional(0.0))
    with pytest.raises(ValueError, match="x.noise: got -1.0, expected a finite number of at least 0"):
        check_settings("x", Optional(-1.0))
    assert [type_name(field) for field in dataclasses.fields(Optional)] == ["float"]


def test_names_that_are_registered_later_count():
    names = {"one": 1}

    @dataclasses.dataclass
    class Growing:
        name: str = setting("one", "A name.", one_of=names)

    with pytest.raises(ValueError, match="got 'two', expected one of one"):
        check_settings("x", Growing("two"))
    names["two"] = 2
    check_settings("x", Growing("two"))
