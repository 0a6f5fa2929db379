"""Runs that are killed, interrupted or run out of disk: what they had saved is whole, and resuming ends with the same
bits.

Dropout and accumulation are on, so that the random state and the place in the data must be right too.
"""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from tinyformer.train import Interrupted
from tinyformer.train import losses
from tinyformer.train import run as running
from tinyformer.train.metrics import read_metrics
from tinyformer.train.tasks import language

DROPOUT = ("model.dropout=0.2", "train.accumulate=2")


@pytest.fixture
def whole(tmp_path, train, outcome):
    """What a run leaves that was never stopped."""
    train(tmp_path / "whole", *DROPOUT)
    return outcome(tmp_path / "whole")


def litter(folder):
    return [path.name for path in folder.rglob("*.part")]


# ------------------------------------------------------------------------------------------------ killed

# A run in a process that is gone the moment it renames its n-th file (before or after the renaming): nothing is tidied
# up. One process forks the others, one for each n, until one of them is left alone.
KILLED = """
import os, sys
import tinyformer.train.run as run
from tinyformer.train import load_recipe, train

folder, *settings = sys.argv[1:]
run.draw_losses = lambda *_, **__: None
replace, count = os.replace, 0

def die(n, before):
    def replace_or_die(*names):
        global count
        count += 1
        if count == n and before:
            os._exit(9)
        replace(*names)
        if count == n:
            os._exit(9)
    return replace_or_die

n, alive = 0, False
while not alive:
    n += 1
    for before in (True, False):
        child = os.fork()
        if not child:
            os.replace = die(n, before)
            train(load_recipe("pydocs-char", settings), f"{folder}/{n}-{'before' if before else 'after'}")
            os._exit(0)
        alive = os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_any_file(tmp_path, tiny, train, outcome, whole):
    settings = ["train.max_steps=12", *DROPOUT]
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "killed"), *tiny, *settings], check=True,
                   env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL)
    folders = sorted((tmp_path / "killed").iterdir())
    # recipe, tokenizer and metrics, then three files at each of three checkpoints; n = 13 was never reached
    assert len(folders) == 2 * 13 and sum(bool(litter(folder)) for folder in folders) == 12
    for folder in folders:
        train(folder, *DROPOUT, resume=True)
        ended = outcome(folder)
        ended.checkpoints = ended.checkpoints[-2:]          # killed as the last one stood, the first is not yet deleted
        assert ended == whole, folder.name
        assert not litter(folder), folder.name


@pytest.mark.parametrize("lines, optimizer", ((1, "adamw"), (7, "muon"), (30, "adamw")))
def test_killed_at_any_time(tmp_path, tiny, train, outcome, lines, optimizer):
    """The system kills the run at a random place, soon after this many lines of metrics.

    A checkpoint at each step keeps the run busy with writing.
    """
    settings = (*DROPOUT, "train.max_steps=100", "train.checkpoint_every=1", "train.eval_every=7",
                f"train.optimizer={optimizer}")
    train(tmp_path / "whole", *settings)
    folder = tmp_path / "killed"
    process = start(folder, *tiny, *settings)
    wait_for(process, folder, lines)
    process.kill()
    assert process.wait() != 0
    done = len(read_metrics(folder / "metrics.jsonl"))
    assert lines <= done < 100
    train(folder, *settings, resume=True)
    assert outcome(folder) == outcome(tmp_path / "whole") and not litter(folder)


@pytest.mark.slow
def test_killed_again_and_again(tmp_path, tiny, train, outcome):
    """Thirty times in a row, each time after a random while: the run that is left ends as one never stopped."""
    settings = (*DROPOUT, "train.max_steps=3000", "train.checkpoint_every=20", "train.eval_every=500")
    train(tmp_path / "whole", *settings)
    folder, kills, rng = tmp_path / "killed", 0, random.Random(0)
    while kills < 30:
        process = start(folder, *tiny, *settings, resume=True)
        try:
            process.wait(rng.uniform(0.2, 3))
            break                                           # it came to its end before it could be killed
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            kills += 1
    assert kills > 3
    train(folder, *settings, resume=True)
    assert outcome(folder) == outcome(tmp_path / "whole") and not litter(folder)


def start(folder, *settings, resume=False, before=None):
    command = [sys.executable, "-m", "tinyformer", "train", "--out", str(folder), *["--resume"] * resume, "--set",
               *settings]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=before)


def wait_for(process, folder, lines):
    """Wait until metrics.jsonl has this many lines."""
    until = time.monotonic() + 60
    while not ((folder / "metrics.jsonl").exists() and (folder / "metrics.jsonl").read_bytes().count(b"\n") >= lines):
        if process.poll() is not None or time.monotonic() > until:
            process.kill()
            pytest.fail(process.communicate()[1])
        time.sleep(0.001)


# ------------------------------------------------------------------------------------------------ interrupted

@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
@pytest.mark.parametrize("name", ("SIGINT", "SIGTERM", "SIGHUP"))
def test_interrupted_from_outside(tmp_path, tiny, train, outcome, name):
    settings = (*DROPOUT, "train.max_steps=300", "train.eval_every=7", "train.checkpoint_every=1000")
    folder = tmp_path / "run"
    process = start(folder, *tiny, *settings)
    wait_for(process, folder, 5)
    process.send_signal(getattr(signal, name))
    out, error = process.communicate()
    step = len(read_metrics(folder / "metrics.jsonl"))
    assert process.returncode == 130 and 5 <= step < 300
    assert error == f"tinyformer: stopped at step {step}, saved in {folder}; the same command with --resume continues\n"
    assert outcome(folder).checkpoints == [f"step-{step:08d}.safetensors"]
    train(folder, *settings, resume=True)
    train(tmp_path / "whole", *settings)
    assert outcome(folder).model == outcome(tmp_path / "whole").model
    assert outcome(folder).records == outcome(tmp_path / "whole").records


@pytest.mark.skipif(os.name == "nt", reason="Windows has no terminals of this kind")
def test_a_terminal_that_is_closed(tmp_path, tiny, train, outcome):
    """The system hangs up, several times, and every later write to the terminal fails: the run is saved all the
    same."""
    import pty
    settings = (*DROPOUT, "train.max_steps=100000", "train.eval_every=7000", "train.checkpoint_every=100000")
    folder, (ours, theirs) = tmp_path / "run", pty.openpty()
    process = subprocess.Popen([sys.executable, "-m", "tinyformer", "train", "--out", str(folder), "--set", *tiny,
                                *settings],
                               stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    try:
        until = time.monotonic() + 60
        while not ((folder / "metrics.jsonl").exists() and (folder / "metrics.jsonl").read_bytes().count(b"\n") >= 5):
            assert process.poll() is None and time.monotonic() < until
            os.read(ours, 1000)
        os.close(ours)
        for _ in range(3):
            process.send_signal(signal.SIGHUP)
        assert process.wait(60) == 130
    finally:
        process.kill()                                      # a failure must not leave it at work
    step = len(read_metrics(folder / "metrics.jsonl"))
    assert outcome(folder).checkpoints == [f"step-{step:08d}.safetensors"]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
def test_under_nohup_a_run_goes_on(tmp_path, tiny):
    folder = tmp_path / "run"
    process = start(folder, *tiny, "train.max_steps=300", before=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    wait_for(process, folder, 5)
    process.send_signal(signal.SIGHUP)
    process.communicate()
    assert process.returncode == 0 and len(read_metrics(folder / "metrics.jsonl")) == 300


def interrupt_at(monkeypatch, module, name, call, times=1):
    """Ctrl-C is pressed as the function is called for that time."""
    function, calls = getattr(module, name), []

    def interrupted(*args, **options):
        calls.append(args)
        if len(calls) == call:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)
        return function(*args, **options)

    monkeypatch.setattr(module, name, interrupted)


@pytest.mark.parametrize("module, name, call, step", (
    (language, "random_windows", 1, 1),                      # in the first step
    (language, "random_windows", 9, 5),                      # two batches a step; this one is measured too
    (losses, "windows", 1, 5),                          # while the model is measured
    (running, "save_checkpoint", 1, 5),                     # while it is saved: the next step is still done
    (language, "random_windows", 22, 11),
))
def test_interrupted_between_two_steps(tmp_path, train, outcome, whole, monkeypatch, module, name, call, step):
    folder, handler = tmp_path / "run", signal.getsignal(signal.SIGINT)
    interrupt_at(monkeypatch, module, name, call)
    with pytest.raises(Interrupted,
                       match=f"stopped at step {step}, saved in .*run; the same command with --resume continues"):
        train(folder, *DROPOUT)
    assert signal.getsignal(signal.SIGINT) is handler
    assert outcome(folder).checkpoints[-1] == f"step-{step:08d}.safetensors"
    assert len(read_metrics(folder / "metrics.jsonl")) == step
    train(folder, *DROPOUT, resume=True)
    assert (outcome(folder).model, outcome(folder).records) == (whole.model, whole.records)


def test_interrupted_in_the_last_step_it_ends_as_usual(tmp_path, train, outcome, whole, monkeypatch):
    interrupt_at(monkeypatch, language, "random_windows", 24)
    assert train(tmp_path / "run", *DROPOUT).step == 12
    assert outcome(tmp_path / "run") == whole


def test_a_second_ctrl_c_stops_at_once_and_the_last_checkpoint_stands(tmp_path, train, outcome, whole, monkeypatch):
    interrupt_at(monkeypatch, losses, "windows", 2, times=2)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "run", *DROPOUT)
    assert outcome(tmp_path / "run").checkpoints == ["step-00000004.safetensors", "step-00000008.safetensors"]
    train(tmp_path / "run", *DROPOUT, resume=True)
    assert outcome(tmp_path / "run") == whole


def test_interrupted_again_and_again(tmp_path, train, outcome, whole, monkeypatch):
    folder, resume = tmp_path / "run", False
    interrupt_at(monkeypatch, language, "random_windows", 1)
    while True:
        try:
            train(folder, *DROPOUT, resume=resume)
            break
        except Interrupted:
            resume = True
            monkeypatch.undo()
            monkeypatch.setattr(running, "draw_losses", lambda *_, **__: None)
            interrupt_at(monkeypatch, language, "random_windows", 3)     # the second step of each part
    assert (outcome(folder).model, outcome(folder).records) == (whole.model, whole.records)


# ------------------------------------------------------------------------------------------------ a full disk

@pytest.mark.parametrize("full_at", range(1, 13))
def test_a_disk_that_is_full_for_one_file(tmp_path, train, outcome, whole, monkeypatch, full_at):
    """The file is named, nothing half-written stays, what was saved before is whole, and resuming ends with the same
    bits."""
    folder, fsync, calls = tmp_path / "run", os.fsync, []

    def full(handle):
        calls.append(handle)
        if len(calls) == full_at:
            raise OSError(28, "No space left on device")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr("tinyformer.files._sync_folder", lambda _: None)
    with pytest.raises(OSError) as caught:
        train(folder, *DROPOUT)
    monkeypatch.setattr(os, "fsync", fsync)
    names = ["recipe.toml", "tokenizer.json", "metrics.jsonl"] + 3 * ["step-", "model.safetensors", "config.json"]
    assert names[full_at - 1] in caught.value.filename and not litter(folder)
    train(folder, *DROPOUT, resume=True)
    assert outcome(folder) == whole


LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
from tinyformer.cli import main
main()
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
def test_files_that_the_system_does_not_let_grow(tmp_path, tiny, train, outcome):
    """A true failure of write(2): models fit under the limit, checkpoints do not."""
    folder = tmp_path / "run"
    train(folder)
    before = outcome(folder)
    process = subprocess.run([sys.executable, "-c", LIMITED, "train", "--out", str(folder), "--resume",
                              "--set", "train.max_steps=20"], capture_output=True, text=True)
    assert process.returncode == 1
    assert process.stderr == f"tinyformer: {folder / 'checkpoints' / 'step-00000016.safetensors'}: File too large\n"
    assert outcome(folder).checkpoints == before.checkpoints and outcome(folder).model == before.model \
        and not litter(folder)
    train(folder, resume=True)
    assert outcome(folder).model == before.model
