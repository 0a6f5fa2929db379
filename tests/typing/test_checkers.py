"""Type checkers accept a user's program and README's code, and report every mistake of ``mistakes.py`` at its line."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

import tinyformer

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def run(module, *arguments, folder=ROOT):
    """What ``python -m module`` prints on standard output, in a folder: by default the root of the repository."""
    done = subprocess.run([sys.executable, "-m", module, *map(str, arguments)], cwd=folder, capture_output=True,
                          text=True, encoding="utf-8", check=False)
    return done.stdout or done.stderr


@pytest.fixture(scope="module", autouse=True)
def sources():
    if not (ROOT / "pyproject.toml").exists():
        pytest.skip("the settings of the type checkers are in the repository's pyproject.toml")


@pytest.fixture(scope="module")
def pyright():
    """A function from files to {(file's name, line)} of the errors that pyright reports."""
    if importlib.util.find_spec("pyright") is None:
        pytest.skip("pyright is not installed: pip install pyright")
    if not re.match(r"pyright \d", run("pyright", "--version")):
        pytest.skip("pyright does not start: it fetches its own package, "
                    "and node where there is none, at its first run")

    def errors(*files, folder=ROOT):
        found = json.loads(run("pyright", "--outputjson", *files, folder=folder))["generalDiagnostics"]
        return {(Path(error["file"]).name, error["range"]["start"]["line"] + 1): error["message"]
                for error in found if error["severity"] == "error"}

    return errors


@pytest.fixture(scope="module")
def mypy(tmp_path_factory):
    """The same of mypy."""
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("mypy is not installed: pip install mypy")
    cache = tmp_path_factory.mktemp("mypy")

    def errors(*files):
        printed = run("mypy", "--follow-imports=silent", "--no-error-summary", "--cache-dir", cache, *files)
        found = re.findall(r"^(.+?):(\d+): error: (.*)$", printed, re.MULTILINE)
        assert found or not printed.strip(), printed
        return {(Path(file).name, int(line)): message for file, line, message in found}

    return errors


@pytest.fixture(scope="module", params=["pyright", "mypy"])
def errors(request):
    """{(file's name, line): message} of good.py and mistakes.py, by one of the two."""
    return request.getfixturevalue(request.param)(HERE / "good.py", HERE / "mistakes.py")


EXPECTED = {number for number, line in enumerate((HERE / "mistakes.py").read_text(encoding="utf-8").splitlines(), 1)
            if "# expected: " in line}


def test_a_users_program_is_accepted(errors):
    assert {place: message for place, message in errors.items() if place[0] == "good.py"} == {}


def test_each_mistake_is_reported_at_its_line(errors):
    assert len(EXPECTED) >= 10
    assert {line for file, line in errors if file == "mistakes.py"} == EXPECTED


def test_readme_is_accepted(pyright, tmp_path):
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"),
                        re.MULTILINE | re.DOTALL)
    assert blocks
    (tmp_path / "readme.py").write_text("\n".join(blocks), encoding="utf-8")
    assert pyright(tmp_path / "readme.py") == {}


def test_the_quick_start_is_accepted_with_the_package_as_a_library(pyright, tmp_path):
    """Outside of the repository, where a name counts only if the package exports it."""
    from tinyformer.book import cells
    code = "\n\n".join(cells((ROOT / "chapters" / "quick-start.md").read_text(encoding="utf-8")))
    (tmp_path / "quick_start.py").write_text(code, encoding="utf-8")
    # The package lies where `pip install .` puts it: type checkers do not follow editable installs.
    venv.create(tmp_path / "env")
    python = tmp_path / "env" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    site = Path(subprocess.run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], check=True,
                               stdout=subprocess.PIPE, text=True).stdout.strip())
    shutil.copytree(Path(tinyformer.__file__).parent, site / "tinyformer")
    (site / "others.pth").write_text("\n".join(sysconfig.get_path(name) for name in ("purelib", "platlib")))
    found = pyright("--pythonpath", str(python), "quick_start.py", folder=tmp_path)
    assert set(found.values()) <= {'Import "torch" could not be resolved'}, found       # where PyTorch is not installed


@pytest.mark.slow
def test_the_package_is_accepted(pyright):
    assert pyright() == {}
