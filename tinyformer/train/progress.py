"""What is shown while a training runs: a bar in a terminal or a notebook, a plain line every few seconds elsewhere."""

from __future__ import annotations

import html
import sys
import time
from typing import Any


def progress(total: int, start: int = 0, unit: str = "tokens") -> Progress:
    """The display that suits where the output goes; use it as a context manager.

    total       the number of the last step
    start       the number of steps done already
    unit        what the speed counts: "tokens", "pixels" or "examples"
    """
    kind = NotebookProgress if in_notebook() else TerminalProgress if sys.stdout.isatty() else PlainProgress
    return kind(total, start, unit)


def in_notebook() -> bool:
    """Whether the program runs in a Jupyter notebook, where a bar can be displayed."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")


class Progress:
    """Base of all displays, which shows nothing.

    The speed is a moving average: a step's weight halves every 14 steps.
    """

    def __init__(self, total: int, start: int = 0, unit: str = "tokens"):
        self.total, self.start, self.unit = total, start, unit
        self._speed: float | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def update(self, step: int, train_loss: float, val_loss: float | None, per_s: float) -> None:
        """Show the figures of ``step``.

        val_loss is None before the first evaluation; per_s is the speed in units per second.
        """

    def facts(self, train_loss: float, val_loss: float | None, per_s: float) -> str:
        """Both losses and the average speed, in words."""
        self._speed = per_s if self._speed is None else 0.95 * self._speed + 0.05 * per_s
        val = "" if val_loss is None else f"  val {val_loss:.4f}"
        return f"train {train_loss:.4f}{val}  {self._speed:,.0f} {self.unit}/s"


class TerminalProgress(Progress):
    """A rich bar: steps, losses, speed and time left, on one line.

    A narrow terminal cuts the bar first, then the losses.
    """

    def __init__(self, total: int, start: int = 0, unit: str = "tokens"):
        super().__init__(total, start, unit)
        from rich.progress import Progress as Bar
        self._bar = Bar(_line_column(), expand=True)
        self._task = self._bar.add_task("starting", total=total, completed=start)

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._bar.stop()

    def update(self, step: int, train_loss: float, val_loss: float | None, per_s: float) -> None:
        """Show the figures of ``step``."""
        self._bar.update(self._task, completed=step, description=self.facts(train_loss, val_loss, per_s))


def _line_column() -> Any:
    """The whole line as one column of rich's, which knows how wide the terminal is now."""
    from rich.progress import ProgressColumn, TimeRemainingColumn
    from rich.progress_bar import ProgressBar
    from rich.table import Column, Table
    from rich.text import Text

    class Line(ProgressColumn):
        left = TimeRemainingColumn(compact=True)

        def render(self, task):
            return Fitted(task, Text.assemble(self.left.render(task), " left"))

    class Fitted:
        """Steps and time left stay whole. The losses are cut before them, and the bar takes the rest of the line."""

        def __init__(self, task, left):
            self.task, self.left = task, left

        def __rich_console__(self, console, options):
            task, steps = self.task, f"step {self.task.completed:.0f}/{self.task.total:.0f}"
            room = options.max_width - len(steps) - len(self.left) - 2
            facts = task.description if len(task.description) <= room else task.description[:max(0, room - 1)] + "…"
            bar = max(0, room - len(facts) - 1)
            line = Table.grid(padding=(0, 1, 0, 0))
            cells = [steps, ProgressBar(task.total, task.completed, bar) if bar > 2 else None,
                     facts if room > 0 else None, self.left]
            line.add_row(*(cell for cell in cells if cell is not None))
            for column in line.columns:
                column.no_wrap = True
            yield line

    return Line(Column(ratio=1))


class Timed(Progress):
    """A display that is renewed only when ``every`` seconds have passed, and says how many seconds are left."""

    every = 5.0

    def __init__(self, total: int, start: int = 0, unit: str = "tokens"):
        super().__init__(total, start, unit)
        self._began = self._last = time.monotonic()

    def update(self, step: int, train_loss: float, val_loss: float | None, per_s: float) -> None:
        """Show the figures of ``step``, and say whether ``every`` seconds have passed since the last time they did."""
        facts, now = self.facts(train_loss, val_loss, per_s), time.monotonic()
        left = (now - self._began) / (step - self.start) * (self.total - step)
        self.show(step, f"{facts}  {left:.0f} s left", now - self._last >= self.every)
        if now - self._last >= self.every:
            self._last = now

    def show(self, step: int, facts: str, is_time: bool) -> None:
        """Display ``facts`` about ``step``, if it is time to."""
        raise NotImplementedError


class PlainProgress(Timed):
    """A line when ``every`` seconds have passed since the last one."""

    def show(self, step: int, facts: str, is_time: bool) -> None:
        """Print the line, if it is time to."""
        if is_time:
            print(f"step {step}/{self.total}  {facts}", flush=True)


class NotebookProgress(Timed):
    """A bar in the output of a notebook's cell, with the same facts as text.

    It needs no widgets, and the last state stays.
    """

    every = 0.2

    def __enter__(self) -> Progress:
        from IPython.display import display
        self._line = f"step {self.start}/{self.total}"
        self._step = self.start
        self._handle = display(self, display_id=True)
        return self

    def __exit__(self, *_: Any) -> None:
        self._handle.update(self)

    def show(self, step: int, facts: str, is_time: bool) -> None:
        """Store the state for the end, and redraw the bar if it is time to."""
        self._step, self._line = step, f"step {step}/{self.total}  {facts}"
        if is_time:
            self._handle.update(self)

    def __repr__(self) -> str:
        return self._line

    def _repr_html_(self) -> str:
        return (f'<progress value="{self._step}" max="{self.total}" style="width: 16em; vertical-align: '
                f'middle"></progress> '
                f'<span style="white-space: pre">{html.escape(self._line)}</span>')
