"""Output without a reader, and Python without docstrings: no traceback, and a command still writes its files."""

import os
import subprocess
import sys

import pytest

from tinyformer.cli.console import Output, OutputClosed

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the redirections are a shell's")
QUICK = "recipes", "generate the --model {run} --max-new-tokens 20"
OTHERS = ("", "compare", "doctor", "check {code}", "data list", "learn start {work}", "train --help",
          "curves {run} --out {out}",
          "evaluate {run}")
COMMANDS = (*QUICK, *(pytest.param(each, marks=pytest.mark.slow) for each in OTHERS))
CODE = "import numpy as np\ndef double(x: \"BC\"):\n    return 2 * x, lambda dy: (2 * dy,)\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a tiny run, with a text of its own."""
    folder = tmp_path_factory.mktemp("closed")
    (folder / "corpus.txt").write_text("the with statement wraps a block of code\n" * 80, encoding="utf-8")
    (folder / "double.py").write_text(CODE, encoding="utf-8")
    done = shell(f"train {settings(folder)} --out {folder / 'run'}")
    assert done.returncode == 0, done.stderr
    return folder / "run"


def settings(folder, steps=12):
    return (f"--set data.corpus={folder / 'corpus.txt'} model.n_layer=1 model.n_head=2 model.n_embd=16 "
            f"model.block_size=16 "
            f"train.batch_size=4 train.max_steps={steps} train.eval_every=5 train.eval_windows=3")


def shell(arguments, redirected="", python=""):
    return subprocess.run(f"set -o pipefail; {sys.executable} {python} -m tinyformer {arguments} {redirected}",
                          shell=True, executable="/bin/bash", capture_output=True, text=True,
                          env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"})


def filled(command, run):
    return command.format(run=run, out=run.parent / "curves.png", code=run.parent / "double.py",
                          work=run.parent / "work")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("redirected, codes", ((">&-", (0,)), ("2>&- >&- <&-", (0,)), ("| true", (0, 141)),
                                               (">/dev/full", (0, 1))))
def test_no_command_minds(run, command, redirected, codes):
    done = shell(filled(command, run), redirected)
    assert done.returncode in codes, done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    assert done.stderr == ("" if done.returncode != 1 else "tinyformer: No space left on device\n")


@pytest.mark.parametrize("redirected", ("| head -1", "| true", ">&-"))
def test_a_training_ends_as_usual(run, tmp_path, redirected):
    done = shell(f"train {settings(run.parent)} --out {tmp_path / 'run'}", redirected)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()
    assert (tmp_path / "run" / "loss.png").is_file()


def test_a_command_whose_output_is_all_it_leaves_ends_when_its_reader_is_gone(run):
    """It would take hours."""
    assert shell(f"generate the --model {run} --max-new-tokens 100000000", "| head -c 50").returncode == 141


def test_other_errors_are_not_taken_for_a_closed_output(tmp_path):
    read, write = os.pipe()

    class Full:
        def write(self, text):
            raise OSError(28, "No space left on device")

        def fileno(self):
            return write

    with pytest.raises(OSError, match="No space left"):
        Output(Full(), needless=True).write("x")
    os.close(read), os.close(write)
    read, write = os.pipe()
    os.close(read)
    stream = Output(os.fdopen(write, "w"))
    stream.write("x")
    with pytest.raises(OutputClosed):
        stream.flush()
    stream.write("more")                                    # it goes nowhere, without an error
    stream.flush()
    stream.close()


@pytest.mark.parametrize("command", COMMANDS)
def test_python_without_docstrings(run, command):
    """-OO drops docstrings and assertions."""
    bare = shell(filled(command, run), python="-OO")
    assert bare.returncode == 0, bare.stderr
    assert "Traceback" not in bare.stderr


def test_training_without_docstrings(run, tmp_path):
    done = shell(f"train {settings(run.parent)} --out {tmp_path / 'run'}", python="-OO")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()
