"""Everything is declared in pyproject.toml; the C++ extension will be built from here."""

from setuptools import setup

setup()
