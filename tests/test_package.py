"""What the source distribution and the wheel hold."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import tinyformer

ROOT = Path(tinyformer.__file__).parents[1]
FOLDERS = ("benchmarks", "chapters", "csrc", "notebooks", "tests", "tinyformer")


pytestmark = [pytest.mark.slow, pytest.mark.skipif(not (ROOT / "pyproject.toml").is_file(),
                                                   reason="needs the source tree, not an installed package")]


def test_the_source_distribution_holds_the_whole_project(tmp_path):
    code = f"from setuptools import build_meta; print(build_meta.build_sdist({str(tmp_path)!r}))"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
    archive, = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        held = {name.split("/", 1)[1] for name in file.getnames() if "/" in name}
    made = (".pyc", ".pyo", ".so", ".pyd", ".dll")
    expected = {str(path.relative_to(ROOT).as_posix()) for folder in FOLDERS for path in (ROOT / folder).rglob("*")
                if path.is_file() and path.suffix not in made and "_build" not in path.parts
                and not any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(ROOT).parts)}
    expected |= {"README.md", "CONTRIBUTING.md", "LICENSE", "pyproject.toml", "setup.py"}
    assert not sorted(expected - held)
    assert not [name for name in held if name.endswith(made)]


def test_the_wheel_holds_all_that_the_package_reads(tmp_path):
    """Python files, recipes, the doctor's codes, the server's page."""
    subprocess.run([sys.executable, "setup.py", "-q", "build", "--build-base", tmp_path / "build", "bdist_wheel",
                    "--bdist-dir", tmp_path / "wheel", "--dist-dir", tmp_path], cwd=ROOT, check=True,
                   capture_output=True, env={**os.environ, "TINYFORMER_NO_NATIVE": "1"})
    wheel, = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        held = set(file.namelist())
    package = ROOT / "tinyformer"
    made = (".pyc", ".so", ".pyd", ".dll")
    expected = {str(path.relative_to(ROOT).as_posix()) for path in package.rglob("*")
                if path.is_file() and path.suffix not in made}
    assert "tinyformer/serve/page/index.html" in expected and not sorted(expected - held)
