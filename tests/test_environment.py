"""Every environment variable stands in one table."""

from __future__ import annotations

import re
from pathlib import Path

import tinyformer
from tinyformer.environment import VARIABLES

ROOT = Path(tinyformer.__file__).parents[1]
NAME = \
    re.compile(r"(?<![\w])(?:TINYFORMER_[A-Z][A-Z_]*[A-Z]|(?:OMP|OPENBLAS)_NUM_THREADS|MALLOC_TRIM_THRESHOLD_)(?!\w)")
GUARDS = re.compile(r"^#\s*(?:ifndef|define|endif)\b.*$", re.MULTILINE)     # of C headers


def names_in(text):
    return set(NAME.findall(GUARDS.sub("", text)))


def sources():
    files = [ROOT / "setup.py", ROOT / "pyproject.toml", ROOT / "chapters" / "conf.py", ROOT / ".ci" / "run"]
    for folder, suffixes in (("tinyformer", (".py",)), ("csrc", (".cpp", ".cu", ".h", ".md")), ("tests", (".py",))):
        files += [path for path in (ROOT / folder).rglob("*") if path.suffix in suffixes and path != Path(__file__)]
    return [path for path in files if path.is_file()]


def test_each_variable_of_the_source_is_in_the_table():
    known = {variable.name for variable in VARIABLES}
    used = {name: path.relative_to(ROOT) for path in sources() if path.name != "environment.py"
            for name in names_in(path.read_text(encoding="utf-8", errors="replace"))}
    assert len(used) > 5
    assert not {name: where for name, where in used.items() if name not in known}, "add it to tinyformer/environment.py"
    if (ROOT / "setup.py").is_file():                                       # a wheel has neither it nor csrc
        assert known - set(used) == set(), "nothing reads it any more"


def test_a_name_is_found_where_it_is_read():
    assert names_in('#ifndef TINYFORMER_H\n#define TINYFORMER_H\ngetenv("TINYFORMER_NEW");') == {"TINYFORMER_NEW"}


def test_the_table_has_each_name_once_and_says_something():
    names = [variable.name for variable in VARIABLES]
    assert len(set(names)) == len(names)
    for variable in VARIABLES:
        assert all((variable.values, variable.default, variable.meaning.endswith("."))), variable
        assert variable.read in ("run", "install", "develop")
