"""What is shown while a run goes on."""

import io
import sys
import types

import pytest

from tinyformer.train import progress
from tinyformer.train.progress import NotebookProgress, PlainProgress, TerminalProgress


class Clock:
    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr("tinyformer.train.progress.time.monotonic", lambda: self.now)


def test_plain_lines_come_every_few_seconds(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    with PlainProgress(total=100, start=0) as bar:
        for step in range(1, 21):                           # a step a second
            clock.now += 1
            bar.update(step, 2.5, None if step < 10 else 2.25, 1000.0)
    assert capsys.readouterr().out.splitlines() == [
        "step 5/100  train 2.5000  1,000 tokens/s  95 s left",
        "step 10/100  train 2.5000  val 2.2500  1,000 tokens/s  90 s left",
        "step 15/100  train 2.5000  val 2.2500  1,000 tokens/s  85 s left",
        "step 20/100  train 2.5000  val 2.2500  1,000 tokens/s  80 s left",
    ]


def test_time_left_counts_the_steps_of_this_run(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    bar = PlainProgress(total=100, start=90)
    clock.now += 10
    bar.update(95, 2.5, None, 1000.0)
    assert capsys.readouterr().out.endswith("10 s left\n")


def test_the_speed_shown_is_a_mean(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    bar = PlainProgress(total=1000, start=0)
    for step in range(1, 400):
        bar.update(step, 2.5, None, 500.0 if step % 2 else 1500.0)
    clock.now += 5
    bar.update(400, 2.5, None, 1500.0)
    speed = int(capsys.readouterr().out.split("  ")[2].removesuffix(" tokens/s").replace(",", ""))
    assert 950 < speed < 1050


def test_which_one_depends_on_where_the_output_goes(monkeypatch):
    assert isinstance(progress.progress(10), PlainProgress)
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stdout", terminal)
    assert isinstance(progress.progress(10), TerminalProgress)


@pytest.mark.parametrize("val_loss, says", ((None, "train 2.5000  12,345 tokens/s"),
                                            (2.25, "train 2.5000  val 2.2500  12,345 tokens/s")))
def test_the_bar_fits_eighty_columns(monkeypatch, val_loss, says):
    from rich.console import Console
    bar = TerminalProgress(total=20000, start=0)
    bar.update(10000, 2.5, val_loss, 12345.0)
    console = Console(file=io.StringIO(), width=80)
    console.print(bar._bar.get_renderable())
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 1 and len(lines[0]) <= 80
    assert lines[0].startswith("step 10000/20000") and says in lines[0] and lines[0].rstrip().endswith("left")


@pytest.mark.parametrize("width", (79, 60, 50, 40, 34))
def test_a_narrow_terminal_keeps_step_and_time(width):
    """Whatever the width when the run began: a terminal may shrink."""
    from rich.console import Console
    bar = TerminalProgress(total=20000, start=0)
    bar.update(10000, 2.5, 2.25, 12345.0)
    console = Console(file=io.StringIO(), width=width)
    console.print(bar._bar.get_renderable())
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 1 and len(lines[0]) <= width
    assert lines[0].startswith("step 10000/20000 ") and lines[0].rstrip().endswith("-:-- left"), lines


@pytest.fixture
def notebook(monkeypatch):
    """A list of what a notebook's cell displays: each state of the bar as (text, HTML)."""
    shown, clock = [], Clock(monkeypatch)

    class Handle:
        def update(self, bar):
            shown.append((repr(bar), bar._repr_html_()))

    def display(bar, display_id):
        Handle().update(bar)
        return Handle()

    ipython, module = types.ModuleType("IPython"), types.ModuleType("IPython.display")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    module.display = display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return types.SimpleNamespace(shown=shown, clock=clock)


def test_a_bar_in_a_notebook(notebook, capsys):
    with progress.progress(100, 0, "examples") as bar:
        for step in range(1, 11):
            notebook.clock.now += 0.1
            bar.update(step, 2.5, 2.25, 1000.0)
    texts = [text for text, _ in notebook.shown]
    assert isinstance(bar, NotebookProgress) and texts[0] == "step 0/100"
    assert texts[-1] == "step 10/100  train 2.5000  val 2.2500  1,000 examples/s  9 s left"
    assert 5 <= len(texts) <= 8                             # five times a second, and at the start and the end
    assert '<progress value="10" max="100"' in notebook.shown[-1][1] and texts[-1] in notebook.shown[-1][1]
    assert capsys.readouterr().out == ""


def test_ipython_in_a_terminal_is_no_notebook(monkeypatch):
    shell = types.ModuleType("IPython")
    shell.get_ipython = lambda: types.SimpleNamespace()
    monkeypatch.setitem(sys.modules, "IPython", shell)
    assert not progress.in_notebook()
