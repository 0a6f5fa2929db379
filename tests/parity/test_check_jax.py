"""The doctor on functions in JAX's form: the right ones pass, and the mistakes are named."""

from __future__ import annotations

import functools
import runpy
from pathlib import Path

import pytest

from tinyformer.gradcheck import check

cases = runpy.run_path(str(Path(__file__).parent / "cases.py"))
jax = cases["library"]("jax")
CASES = cases["read"]("jax_functions.py")
SCOPE = {"jax": jax, "jnp": jax.numpy, "functools": functools}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_right_functions_pass(case):
    report = check(case.build(SCOPE), *case.inputs())
    assert report.ok, str(report)
    assert not case.mistakes or cases["is_recorded"](case, SCOPE)


def test_mistakes_are_named():
    found = list(cases["diagnose"](CASES, SCOPE))
    astray = [one for one in found if one[2] not in one[1]]
    assert len(found) >= 20 and all(code is not None for _, _, code in found), astray
    assert len(astray) <= 0.08 * len(found), astray
    assert sum(code != "unexplained" for _, _, code in astray) <= 0.01 * len(found), astray
