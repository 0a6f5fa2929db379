"""What all commands share: help, exit codes, errors on one line."""

import os
import signal
import subprocess
import sys

import pytest

import tinyformer
from tinyformer.train.recipe import names

COMMANDS = ("train", "recipes", "generate", "sample", "translate", "predict", "fill-mask", "similar", "evaluate",
            "serve", "attention", "explain", "federated", "fairness", "export", "curves", "ladder", "compare", "doctor",
            "check", "data", "learn", "book")


@pytest.mark.parametrize("arguments", ((), ("--help",)))
def test_help_lists_the_commands_each_with_a_whole_sentence(cli, arguments):
    result = cli(*arguments)
    assert result.code == 0 and result.errors == []
    assert result.lines[0] == "Usage: tinyformer [OPTIONS] COMMAND [ARGS]..."
    table = result.lines[result.lines.index("Commands:") + 1:]
    assert [line.split()[0] for line in table] == list(COMMANDS)
    assert all(line.endswith(".") and "..." not in line for line in table)


@pytest.mark.parametrize("command, says", (
    ("train", ("RECIPE", "--out DIR", "--resume", "--set section.key=value …", "runs/RECIPE")),
    ("generate", ("PROMPT", "--model DIR", "--max-new-tokens", "--temperature", "--top-k", "--top-p", "--min-p",
                  "--repetition-penalty", "--stop", "--beams", "--seed")),
    ("sample", ("--model DIR", "--n", "--class NAME", "--out FILE", "--seed", "--interpolate", "--plane")),
    ("translate", ("TEXT …", "--model DIR", "--beams")),
    ("predict", ("TEXT", "--model DIR", "--top", "--json")),
    ("evaluate", ("--model DIR", "--json", "--explanations", "--plot")),
    ("attention", ("TEXT", "--model DIR", "--layer", "--head", "--rollout", "--out FILE")),
    ("explain", ("TEXT", "--model DIR", "--method NAME", "--target CLASS", "--json", "--plot FILE")),
    ("fairness", ("--model DIR", "--swap he=she …", "--swaps FILE", "--texts FILE", "--group COLUMN", "--json",
                  "--plot")),
    ("export", ("--to FILE.onnx", "--model DIR", "--with-cache")),
    ("curves", ("DIR …", "--out FILE")),
    ("doctor", ()),
))
def test_help_of_each_command(cli, command, says):
    result = cli(command, "--help")
    assert result.code == 0 and result.lines[0].startswith(f"Usage: tinyformer {command} [OPTIONS]")
    assert all(word in result.out for word in says)


def test_the_version(cli):
    assert cli("--version").out == f"tinyformer {tinyformer.__version__}\n"


def test_every_recipe_is_shown_once_with_its_task(cli):
    result = cli("recipes")
    assert result.code == 0 and result.errors == []
    shown = [line.split()[2] for line in result.lines if line[:9].endswith(" min")]
    assert sorted(shown) == names() and len(shown) > 40
    assert result.lines.index("language") < next(i for i, line in enumerate(result.lines) if " pydocs-char " in line)


@pytest.mark.parametrize("arguments, message", (
    (("bogus",), "No such command 'bogus'; see tinyformer --help"),
    (("trian",), "Did you mean 'train'? See tinyformer --help"),
    (("--bogus",), "No such option: --bogus"),
    (("train", "--bogus"), "No such option: --bogus"),
    (("train", "--out"), "'--out' requires an argument"),
    (("train", "one", "two"), "got 2 recipes, one and two; expected one"),
    (("generate", "one", "two"), "unexpected extra argument"),
    (("predict", "one", "two"), "unexpected extra argument"),
    (("doctor", "sofmax-diagonal"), "no code 'sofmax-diagonal'; did you mean softmax-diagonal?"),
))
def test_asked_wrongly(refused, arguments, message):
    refused(2, message, *arguments)


def test_a_mistake_of_ours_is_one_line_too_and_its_trace_can_be_had(cli, refused, monkeypatch):
    def mistake():
        raise KeyError("lost\nkey")

    monkeypatch.setattr("tinyformer.backend.info", mistake)
    refused(1, "KeyError: 'lost\\nkey'", "doctor")
    monkeypatch.setenv("TINYFORMER_TRACEBACK", "1")
    monkeypatch.setattr(sys, "argv", ["tinyformer", "doctor"])
    from tinyformer.cli import main
    with pytest.raises(KeyError):
        main()


def test_ctrl_c_at_an_unguarded_moment(refused, monkeypatch):
    monkeypatch.setattr("tinyformer.backend.info", lambda: signal.raise_signal(signal.SIGINT))
    refused(130, "tinyformer: stopped", "doctor")


def test_python_m_and_the_installed_command_are_one(tmp_path):
    outputs = []
    for start in ([sys.executable, "-m", "tinyformer"], [os.path.join(os.path.dirname(sys.executable), "tinyformer")]):
        result = subprocess.run([*start, "train", "nosuch"], capture_output=True, text=True, cwd=tmp_path)
        assert result.returncode == 2 and result.stdout == ""
        outputs.append(result.stderr)
    assert outputs[0] == outputs[1] and outputs[0].count("\n") == 1
    assert outputs[0].startswith("tinyformer: unknown recipe 'nosuch'")


def test_output_that_knows_few_characters(tmp_path, tiny):
    """On an ASCII terminal characters are spelled out, and there is no UnicodeEncodeError."""
    result = subprocess.run([sys.executable, "-m", "tinyformer", "train", "--set", *tiny, "train.max_steps=1"],
                            cwd=tmp_path, capture_output=True,
                            env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert result.returncode == 0 and result.stderr == b""
    assert result.stdout.splitlines()[-1].startswith(b"val loss ") \
        and b" * 1 steps * " in result.stdout.splitlines()[-1]
