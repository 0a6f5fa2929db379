"""The memory of the machine, in numbers and words."""

from __future__ import annotations

import pytest

from tinyformer import memory


def test_this_machine_has_memory():
    assert memory.physical_memory() > 2 ** 28


@pytest.mark.parametrize("number, text", (
    (0, "0 bytes"), (1, "1 bytes"), (949, "949 bytes"), (1000, "1.0 kB"), (47_460_000, "47.5 MB"),
    (999_990_000, "1.0 GB"),
    (3.2e9, "3.2 GB"), (8e15, "8,000.0 TB"),
))
def test_sizes_have_the_unit_that_shows_them(number, text):
    assert memory.size_text(number) == text


def test_parts_that_do_not_fit_are_listed(monkeypatch):
    monkeypatch.setattr(memory, "physical_memory", lambda: 1_000_000)
    memory.check_fits("it", {"a": 400_000, "b": 600_000}, "use less")
    with pytest.raises(ValueError,
                       match=r"^it needs at least 1\.0 MB of memory "
                              r"\(1 bytes for a, 1\.0 MB for b\), but this machine has "
                                         r"1\.0 MB; use less$"):
        memory.check_fits("it", {"a": 1, "b": 1_000_000}, "use less")
    monkeypatch.setattr(memory, "physical_memory", lambda: None)
    memory.check_fits("it", {"a": 10 ** 20}, "use less")
