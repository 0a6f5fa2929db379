"""Each example of the page "Check your own gradient" gives what the page shows."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from tinyformer.gradcheck.check_file import _checked

PAGE = Path(__file__).parents[2] / "chapters" / "check-your-gradient.md"
EXAMPLES = re.findall(r"```python\n(.*?)```\n\n```console\n\$ tinyformer check my\.py:(\w+)\n(.*?)```",
                      PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_all_examples_are_found():
    assert len(EXAMPLES) == PAGE.read_text(encoding="utf-8").count("```python") > 10


@pytest.mark.parametrize("source, name, shown", EXAMPLES, ids=[name for _, name, _ in EXAMPLES])
def test_an_example(tmp_path, source, name, shown):
    for library in ("torch", "jax"):
        if f"import {library}" in source and importlib.util.find_spec(library) is None:
            pytest.skip(f"{library} is not installed")
    (tmp_path / "my.py").write_text(source, encoding="utf-8")
    _, report = _checked(tmp_path / "my.py", name, 0, {})
    for line in shown.splitlines():
        assert line in str(report), str(report)
