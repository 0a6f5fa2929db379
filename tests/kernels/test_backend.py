"""Which code the kernels run on, and what is said when it cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer import kernels
from tinyformer.kernels import backend


@pytest.fixture(autouse=True)
def as_it_was():
    live, threads = backend.info()["live"], backend.get_num_threads()
    yield
    backend.use(live)
    backend.set_num_threads(threads)


def test_numpy_is_always_there():
    tfm.backend.use("numpy")
    info = tfm.backend.info()
    assert info["live"] == "numpy" and info["backends"]["numpy"].endswith("live")


def test_info_says_of_every_backend_what_it_is():
    assert set(tfm.backend.info()["backends"]) == {"native", "cffi", "cuda", "numpy"}
    assert all(": " in state for state in tfm.backend.info()["backends"].values())


def test_an_unknown_backend_is_named_with_those_known():
    with pytest.raises(ValueError, match="unknown backend 'gpu'; expected one of native, cffi, cuda, numpy"):
        tfm.backend.use("gpu")


def test_a_missing_backend_says_why_and_the_live_one_stays(monkeypatch):
    monkeypatch.setitem(backend.BACKENDS, "native", ("tinyformer.kernels.no_such_module", "C++"))
    tfm.backend.use("numpy")
    with pytest.raises(RuntimeError, match="native is not available: not in this build"):
        tfm.backend.use("native")
    assert tfm.backend.info()["live"] == "numpy"


def test_a_backend_that_fails_to_load_says_its_own_reason(monkeypatch, tmp_path):
    (tmp_path / "broken_backend.py").write_text("raise ImportError('libfast.so: cannot open')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(backend.BACKENDS, "native", ("broken_backend", "C++"))
    with pytest.raises(RuntimeError, match="native is not available: libfast.so: cannot open"):
        backend.use("native")


def test_threads_are_set_and_told():
    tfm.backend.set_num_threads(1)
    assert tfm.backend.info()["threads"] == 1


@pytest.mark.parametrize("n, error", [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError),
                                      ("2", TypeError)])
def test_a_number_of_threads_that_is_none_is_refused(n, error):
    with pytest.raises(error, match="set_num_threads: n is .*, expected an integer of at least 1"):
        tfm.backend.set_num_threads(n)


WITHOUT_KERNELS = """
import sys
for name in ("native", "cffi", "cuda"):
    sys.modules[f"tinyformer.kernels.{name}"] = None            # importing them fails, as in a build without a compiler
"""


def test_missing_kernels_are_said_once_with_how_to_get_them():
    code = WITHOUT_KERNELS + "import tinyformer as tfm\nx = tfm.tensor([[1.0]])\nx @ x\nx @ x"
    environment = {name: value for name, value in os.environ.items() if name != "TINYFORMER_BACKEND"}
    said = subprocess.run([sys.executable, "-c", code], env=environment, text=True, capture_output=True,
                          check=True).stderr
    assert said.count("tinyformer computes with NumPy") == 1 and "install a compiler" in said
    environment["TINYFORMER_BACKEND"] = "numpy"
    assert not subprocess.run([sys.executable, "-c", code], env=environment, text=True, capture_output=True,
                              check=True).stderr


@pytest.mark.parametrize("command, lines", [("train", 1), ("recipes", 0)])
def test_a_training_says_in_one_line_that_kernels_are_missing(command, lines, tiny, tmp_path):
    settings = [part for setting in tiny for part in ("--set", setting)] if command == "train" else []
    code = WITHOUT_KERNELS + f"sys.argv = ['tinyformer', *{[command, *settings]!r}]\n" \
           "from tinyformer.cli import main; main()"
    environment = {name: value for name, value in os.environ.items() if name != "TINYFORMER_BACKEND"}
    run = subprocess.run([sys.executable, "-c", code],
                         env={**environment, "PYTHONPATH": str(Path(tfm.__file__).parents[1])},
                         text=True, capture_output=True, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert [line.startswith("tinyformer: tinyformer computes with NumPy") for line in run.stderr.splitlines()
            if "kernels" in line] == [True] * lines


def test_the_environment_chooses_the_backend():
    code = "import tinyformer as tfm; print(tfm.backend.info()['live'])"
    out = subprocess.run([sys.executable, "-c", code], env={**os.environ, "TINYFORMER_BACKEND": "numpy"}, text=True,
                         capture_output=True, check=True).stdout
    assert out.strip() == "numpy"


def test_matmul_is_public_and_names_what_is_wrong(rng):
    a, b = rng.normal(size=(2, 3, 4)), rng.normal(size=(4, 5))
    assert np.allclose(kernels.matmul(a, b), a @ b)
    with pytest.raises(ValueError, match=r"matmul: a has shape \(2, 3, 4\) and b has shape \(3, 5\)"):
        kernels.matmul(a, b[:3])
    with pytest.raises(TypeError, match="matmul: a is float64 and b is float32; expected one type"):
        kernels.matmul(a, b.astype(np.float32))
    with pytest.raises(ValueError, match="matmul"):
        kernels.matmul(np.float64(2.0), b)


def test_attention_is_public(rng):
    q, k, v = rng.normal(size=(3, 1, 2, 5, 4))
    out, vjp = kernels.attention(q, k, v, is_causal=True)
    # the first query sees the first key alone
    assert np.allclose(out[..., 0, :], v[..., 0, :])
    assert all(d.shape == x.shape for d, x in zip(vjp(np.ones_like(out)), (q, k, v)))
