"""The doctor on functions in JAX's form: the right ones pass, and the mistakes are named."""

from __future__ import annotations

import functools
import runpy
from pathlib import Path

import pytest

cases = runpy.run_path(str(Path(__file__).parent / "cases.py"))
jax = cases["library"]("jax")
CASES = cases["read"]("jax_functions.py")
SCOPE = {"jax": jax, "jnp": jax.numpy, "functools": functools}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_right_functions_pass(case):
    cases["passes"](case, SCOPE)


def test_mistakes_are_named():
    cases["named"](CASES, SCOPE, least=20)
