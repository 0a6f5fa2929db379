"""Each file of a run, damaged in each way, before each command that reads it: it works, or ends with one clear line.

The line names the file and is in our own words. A command that is refused leaves every file of the run as it was.
"""

import random
import re
import shutil

import pytest

from tinyformer.train import load_recipe, train

STEPS = [
    "train.max_steps=4",
    "train.eval_every=2",
    "train.checkpoint_every=2",
    "train.warmup_steps=1",
    "train.batch_size=4",
]
SMALL = ["model.n_layer=1", "model.n_head=2", "model.n_embd=8", *STEPS]

# The run: its recipe, its settings, and the commands that read it; RUN stands for its folder.
RUNS = {
    "language": (
        "pydocs-char",
        [*SMALL, "model.block_size=16", "train.eval_windows=3"],
        (
            "generate the --max-new-tokens 3 --model RUN",
            "evaluate RUN",
            "attention the --model RUN",
            "curves RUN",
            "train --resume --out RUN --set train.max_steps=5",
        ),
    ),
    "classifier": (
        "transformer-movie",
        [*SMALL, "model.n_inner=8", "data.text=text", "data.label=label"],
        (
            "predict good --model RUN",
            "evaluate RUN --plot",
            "evaluate RUN RUN",
            "attention good --model RUN",
            "curves RUN",
            "train --resume --out RUN --set train.max_steps=5",
        ),
    ),
    "translator": (
        "seq2seq-reverse",
        [*SMALL, "data.examples=200", "data.length=3"],
        (
            "translate 123 --model RUN",
            "evaluate RUN",
            "attention 123 --model RUN",
            "train --resume --out RUN --set train.max_steps=5",
        ),
    ),
    "bert": (
        "bert-tiny",
        [*SMALL, "model.n_inner=8", "data.train_fraction=0.7", "data.vocab_size=60", "model.block_size=32"],
        (
            "fill-mask [MASK] --model RUN",
            "similar the code the --model RUN",
            "evaluate RUN",
            "attention the --model RUN",
            "train --resume --out RUN --set train.max_steps=5",
        ),
    ),
}
FILES = (
    "config.json",
    "tokenizer.json",
    "recipe.toml",
    "model.safetensors",
    "metrics.jsonl",
    "checkpoints/step-00000004.safetensors",
)

DAMAGE = {
    "empty": lambda data: b"",
    "a folder": None,
    "cut": lambda data: data[:len(data) // 2],
    "not UTF-8": lambda data: data[:9] + b"\xe9\xff" + data[9:],
    "UTF-16": lambda data: data.decode("latin-1").encode("utf-16"),
    "a list": lambda data: b"[]",
    "a number": lambda data: b"3",
    "an empty object": lambda data: b"{}",
    "zeros": lambda data: bytes(len(data)),
    "no format": lambda data: b"<html>404 Not Found</html>\n",
}
PYTHON = re.compile(
    r"codec|Expecting|Errno|Traceback|NoneType|subscriptable|attribute|unexpected keyword|unhashable|indices|Error\b|"
    r"object is not|must be (str|int|real)|concatenate|unpack|invalid literal"
)


@pytest.fixture(scope="module")
def trained_runs(tmp_path_factory):
    """A tiny run of each kind, trained once."""
    folder, draw = tmp_path_factory.mktemp("runs"), random.Random(0)
    words = "the with statement is used to wrap a block of code so that it is left".split()
    lines = [" ".join(draw.choices(words, k=6)) for _ in range(120)]
    (folder / "corpus.txt").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")
    (folder / "plays.txt").write_text(
        "".join(f"ACT I\n{line}\n{line[::-1]}\n" for line in lines[:30]), encoding="utf-8", newline=""
    )
    (folder / "reviews.csv").write_text(
        "text,label\n" + "".join(f"{line} {kind},{kind}\n" for line, kind in zip(lines, ["good", "bad"] * 60)),
        encoding="utf-8",
        newline="",
    )
    data = {"language": f"data.corpus={folder / 'corpus.txt'}", "bert": f"data.corpus={folder / 'plays.txt'}",
            "classifier": f"data.set={folder / 'reviews.csv'}"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tinyformer.train.run.draw_losses", lambda *_, **__: None)
        for name, (recipe, settings, _) in RUNS.items():
            train(load_recipe(recipe, [*settings, *([data[name]] if name in data else [])]), folder / name, False)
    return folder


@pytest.fixture
def quick(monkeypatch):
    """Without pictures, which take longer than all else."""
    monkeypatch.setattr("tinyformer.train.run.draw_losses", lambda *_, **__: None)
    for name in ("draw_attention", "draw_runs"):
        monkeypatch.setattr(f"tinyformer.viz.{name}", lambda *_, **__: None)
    monkeypatch.setattr("tinyformer.viz.evaluation.draw_evaluation", lambda *_, **__: None)


def content(folder):
    return {
        path.relative_to(folder): path.is_file() and path.read_bytes()
        for path in folder.rglob("*")
        if not path.name.startswith(".tinyformer")
    }


def cases():
    for run, (*_, commands) in RUNS.items():
        for file in (*FILES, *(["classes.json"] if run == "classifier" else [])):
            for command in commands:
                yield pytest.param(run, file, command, id=f"{run}-{file}-{command.partition(' --model')[0]}",
                                   marks=[pytest.mark.slow] if run in ("translator", "bert") else [])


@pytest.mark.parametrize("run, file, command", [*cases()])
def test_a_damaged_file_of_a_run(trained_runs, tmp_path, cli, quick, run, file, command):
    folder = tmp_path / run
    shutil.copytree(trained_runs / run, folder)
    path, sound, harmless = folder / file, (trained_runs / run / file).read_bytes(), 0
    for name, damage in DAMAGE.items():
        path.unlink()
        path.mkdir() if damage is None else path.write_bytes(damage(sound))
        before = content(folder)
        result = cli(*command.replace("RUN", str(folder)).split())
        errors = [
            line for line in result.errors if "has no such head" not in line
        ]  # a warning that a sound BERT gives too
        if result.code:
            assert result.code in (1, 2) and len(errors) == 1, (name, result)
            line = errors[0]
            assert line.startswith("tinyformer: ") and len(line) < 600, (name, line)
            assert path.name in line or file == "recipe.toml" and "continue with the recipe that made it" in line, (
                name,
                line,
            )
            assert not PYTHON.search(line.replace(str(folder), "")), (name, line)
            assert content(folder) == before, name
        else:
            assert not errors, (name, errors)
            harmless += 1
            if harmless == 3:                               # the command does not read this file
                return
            shutil.rmtree(folder)
            shutil.copytree(trained_runs / run, folder)
            continue
        shutil.rmtree(path) if damage is None else path.unlink()
        path.write_bytes(sound)


@pytest.mark.parametrize("run", RUNS)
def test_a_byte_order_mark_does_no_harm(trained_runs, tmp_path, cli, quick, run):
    """Editors on Windows write one."""
    shutil.copytree(trained_runs / run, tmp_path / run)
    for path in (tmp_path / run).glob("*"):
        if path.suffix in (".json", ".toml", ".jsonl"):
            path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    for command in RUNS[run][2]:
        result = cli(*command.replace("RUN", str(tmp_path / run)).split())
        assert result.code == 0 and "has no such head" in "".join(result.errors or ["has no such head"]), (
            command,
            result,
        )
