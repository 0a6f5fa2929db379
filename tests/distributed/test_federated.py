"""Federated averaging: one full step is central gradient descent, and what each option changes."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer.distributed import Federation, federated_averaging, federated, rank, size
from tinyformer.interop.weights import read_weights
from tinyformer.models import load_model
from tinyformer.optim import SGD
from tinyformer.privacy import epsilon


def run(recipe, rounds=3, **options):
    return federated_averaging(recipe, Federation(**{"clients": 4, **options}), rounds, report=lambda line: None)


def central(recipe, steps):
    """The model after full-batch gradient descent on all examples."""
    task = recipe.task(recipe.data)
    tfm.seed(recipe.train.seed)
    model = recipe.model_class(recipe.model_config(**task.sizes()))
    optimizer = SGD(model.parameters(), lr=recipe.train.lr)
    for _ in range(steps):
        model.loss(*task.train).backward()
        optimizer.step()
        optimizer.zero_grad()
    return federated.flat(model)


def test_one_full_local_step_is_central_gradient_descent(recipe):
    expected = central(recipe, 10)
    for split in ("iid", "by-class", "dirichlet:0.5"):
        found = federated.flat(run(recipe, 10, split=split, local_steps=1, local_batch=0).model)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    five = federated.flat(run(recipe, 2, split="by-class", local_steps=5, local_batch=0).model)
    assert np.abs(five - expected).max() > 1e-3


def test_it_learns(recipe, tmp_path):
    outcome = federated_averaging(recipe, Federation(clients=4, local_steps=20, local_batch=10), 8, tmp_path,
                                  report=lambda line: None)
    assert outcome.records[-1]["val_accuracy"] > 0.9 > outcome.records[0]["val_accuracy"] - 0.2
    assert [record["step"] for record in outcome.records] == list(range(1, 9))
    saved = load_model(tmp_path)
    assert np.array_equal(federated.flat(saved), federated.flat(outcome.model))
    assert (tmp_path / "rounds.png").read_bytes().startswith(b"\x89PNG")


def test_options(recipe):
    plain = federated.flat(run(recipe, split="by-class").model)
    assert np.array_equal(plain, federated.flat(run(recipe, split="by-class").model))
    np.testing.assert_allclose(federated.flat(run(recipe, split="by-class", secure=True).model), plain, atol=1e-5)
    start = federated.flat(run(recipe, 0).model)
    near = federated.flat(run(recipe, split="by-class", mu=5.0).model)
    assert np.linalg.norm(near - start) < 0.9 * np.linalg.norm(plain - start)


def test_private_clients(recipe):
    start = federated.flat(run(recipe, 0).model)
    lines = []
    federated_averaging(recipe, Federation(clients=4, noise_multiplier=2.0), 2, report=lines.append)
    assert lines[-1].endswith(f"epsilon {epsilon(2.0, 1.0, 2, 1e-5):.2f} at delta 1e-05 for each client")
    quiet = federated.flat(run(recipe, 1, noise_multiplier=1e-9, max_update_norm=0.01).model)
    assert np.linalg.norm(quiet - start) <= 0.0101
    loud = federated.flat(run(recipe, 1, noise_multiplier=3.0, max_update_norm=0.5).model)
    assert (loud - start).std() == pytest.approx(3.0 * 0.5 / 4, rel=0.3)


def test_outside_of_mpiexec():
    assert (rank(), size()) == (0, 1)


@pytest.mark.parametrize("options, words", [
    ({"clients": 0}, "clients is 0"), ({"local_steps": 0}, "local_steps is 0"), ({"local_batch": -1}, "local_batch"),
    ({"mu": -1.0}, "mu is -1.0"), ({"noise_multiplier": -1.0}, "noise_multiplier"), ({"max_update_norm": 0.0}, "norm"),
    ({"delta": 1.0}, "delta is 1.0")])
def test_numbers_out_of_range(options, words):
    with pytest.raises(ValueError, match=words):
        Federation(**options)


def test_a_text_in_one_piece(tmp_path):
    from tinyformer.train import load_recipe
    corpus = tmp_path / "text.txt"
    corpus.write_text("some words and more words " * 100)
    recipe = load_recipe("pydocs-char", [f"data.corpus={corpus}", "model.block_size=8"])
    with pytest.raises(ValueError, match="the task 'language' cannot be trained privately or by a federation"):
        federated_averaging(recipe, Federation(), 1)


@pytest.mark.slow
def test_ranks_give_the_same_bits(tmp_path):
    """On the real digits, as two processes and as one."""
    pytest.importorskip("mpi4py", reason="mpi4py is not installed")
    mpiexec = shutil.which("mpiexec", path=os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]]))
    if mpiexec is None:
        pytest.skip("mpiexec is not installed")
    command = [sys.executable, "-m", "tinyformer", "federated", "mlp-mnist-federated", "--clients", "5", "--rounds",
               "2", "--split", "by-class", "--set", "model.dropout=0.1", "model.n_hidden=16"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    for name, launch in (("one", []), ("two", [mpiexec, "-n", "2"])):
        done = subprocess.run([*launch, *command, "--out", str(tmp_path / name)], env=environment, timeout=300,
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("round 2:") == 1
    first, second = (read_weights(tmp_path / name / "model.safetensors")[0] for name in ("one", "two"))
    assert all(np.array_equal(first[key], second[key]) for key in first)
    assert json.loads((tmp_path / "two" / "metrics.jsonl").read_text().splitlines()[1])["step"] == 2
