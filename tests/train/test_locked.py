"""Two trainings in one folder: the second is refused at once, and a killed one leaves no lock."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tinyformer.models import load_model
from tinyformer.train import locked
from tinyformer.train.locked import LOCK, FolderLock

LONG = ("train.max_steps=1000000", "train.checkpoint_every=20")


def command(*arguments):
    return [sys.executable, "-m", "tinyformer", *map(str, arguments)]


def call(*arguments):
    return subprocess.run(command(*arguments), capture_output=True, text=True)


@pytest.fixture
def running(tmp_path, tiny):
    """``running("train", "--out", folder, …)``: a process that trains, after its first checkpoint.

    It is killed at the end.
    """
    started = []

    def start(*arguments, checkpoints):
        process = subprocess.Popen(command(*arguments, "--set", *tiny, *LONG), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        started.append(process)
        until = time.monotonic() + 60
        while not any(checkpoints.glob("step-*")):
            assert process.poll() is None and time.monotonic() < until, process.communicate()[1]
            time.sleep(0.01)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_the_second_training_is_refused_and_the_first_goes_on(tmp_path, tiny, running):
    folder = tmp_path / "run"
    first = running("train", "--out", folder, checkpoints=folder / "checkpoints")
    for more in ([], ["--resume"], ["--seeds", 2], ["bigram-names"]):
        second = call("train", *more, "--out", folder, *(["--set", *tiny] if "bigram-names" not in more else []))
        assert second.returncode == 1 and second.stdout == ""
        assert second.stderr == (f"tinyformer: {folder} is in use by another training: {folder / LOCK} is locked by "
                                 f"process "
                                 f"{first.pid}; wait until it has ended, or give another --out\n")
    assert first.poll() is None and [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["run"]


@pytest.mark.slow
def test_readers_need_no_lock(tmp_path, running):
    folder = tmp_path / "run"
    first = running("train", "--out", folder, checkpoints=folder / "checkpoints")
    for arguments in (["evaluate", folder], ["generate", "the", "--model", folder, "--max-new-tokens", 3],
                      ["curves", folder, "--out", tmp_path / "curves.png"]):
        done = call(*arguments)
        assert done.returncode == 0, done.stderr
    load_model(folder)
    assert first.poll() is None


@pytest.mark.parametrize("name", ("SIGKILL", "SIGTERM"))
def test_a_process_that_ended_leaves_no_lock(tmp_path, tiny, running, name):
    folder = tmp_path / "run"
    first = running("train", "--out", folder, checkpoints=folder / "checkpoints")
    first.send_signal(getattr(signal, name, signal.SIGTERM))
    first.communicate()
    done = call("train", "--resume", "--out", folder, "--set", *tiny, "train.max_steps=1")
    assert done.returncode == 0, done.stderr
    assert "resuming" in done.stdout


@pytest.mark.slow
def test_seeds_keep_other_seeds_out(tmp_path, tiny, running):
    folder = tmp_path / "run"
    running("train", "--seeds", 2, "--out", folder, checkpoints=folder / "seed-1" / "checkpoints")
    for more, place in ((["--seeds", 2], folder), ([], folder)):
        done = call("train", *more, "--out", folder, "--set", *tiny)
        assert done.returncode == 1 and f"{place} is in use by another training" in done.stderr
    done = call("train", "--out", folder / "seed-1", "--set", *tiny)
    assert done.returncode == 1 and f"{folder / 'seed-1'} is in use" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("arguments, out",
                         ((["ladder", "names"], "x"), (["compare", "--train", "llama3", "qwen3"], "x")))
def test_ladders_and_comparisons_lock_their_folders(tmp_path, arguments, out):
    with FolderLock(tmp_path / out):
        done = call(*arguments, "--out", tmp_path / out)
    assert done.returncode == 1 and f"{tmp_path / out} is in use by another training" in done.stderr


def test_a_run_that_is_moved_aside_takes_the_lock_along(tmp_path, train):
    train(tmp_path / "run")
    with FolderLock(tmp_path / "run") as held:
        held.move_to(tmp_path / "run-1")
        with pytest.raises(BlockingIOError,
                           match=f"run is in use by another training: .* is locked by process {os.getpid()}"):
            FolderLock(tmp_path / "run").__enter__()
    with FolderLock(tmp_path / "run"), FolderLock(tmp_path / "run-1"):
        pass


def test_a_training_that_wrote_nothing_leaves_no_folder(tmp_path, train):
    with pytest.raises(ValueError):
        train(tmp_path / "runs" / "new", "model.block_size=1000000")
    assert not (tmp_path / "runs").exists()
    (tmp_path / "mine").mkdir()
    with pytest.raises(ValueError):
        train(tmp_path / "mine", "model.block_size=1000000")
    assert (tmp_path / "mine").is_dir()


def test_a_file_system_without_locks_is_said_and_trained_on(tmp_path, train, monkeypatch, capsys):
    def none(*_):
        raise OSError(locked.errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locked, "lock", none)
    assert train(tmp_path / "run").step == 12
    assert "run is on a file system without locks: make sure that no other training writes to it" \
        in capsys.readouterr().out


def test_a_folder_that_cannot_be_made(tmp_path):
    """The message names the folder, not the file of the lock, and what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError) as caught:
        locked.FolderLock(tmp_path / "file" / "run").__enter__()
    assert caught.value.filename == str(tmp_path / "file" / "run")
    assert caught.value.strerror.endswith("; give another --out, a folder that can be written")
