"""What a person sees while a run goes on: a bar on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time


def progress(total, start=0, unit="tokens"):
    """The one that suits where the output goes; use it as a context manager."""
    return (TerminalProgress if sys.stdout.isatty() else PlainProgress)(total, start, unit)


class Progress:
    """What both know: how to say where a run stands. The speed is a mean in which a step's weight halves every 14 steps."""

    def __init__(self, total, start, unit="tokens"):
        self.total, self.start, self.unit = total, start, unit
        self._speed = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def facts(self, train_loss, val_loss, per_s):
        """Both losses (the validation loss is None until it is first measured) and the speed, in words."""
        self._speed = per_s if self._speed is None else 0.95 * self._speed + 0.05 * per_s
        val = "" if val_loss is None else f"  val {val_loss:.4f}"
        return f"train {train_loss:.4f}{val}  {self._speed:,.0f} {self.unit}/s"


class TerminalProgress(Progress):
    """A rich bar: steps, losses, speed and time left, on one line. Where the terminal is narrow, bar and losses give way."""

    def __init__(self, total, start, unit="tokens"):
        super().__init__(total, start, unit)
        from rich.progress import Progress as Bar
        self._bar = Bar(_line_column(), expand=True)
        self._task = self._bar.add_task("starting", total=total, completed=start)

    def __enter__(self):
        self._bar.start()
        return self

    def __exit__(self, *_):
        self._bar.stop()

    def update(self, step, train_loss, val_loss, per_s):
        """Show where ``step`` led."""
        self._bar.update(self._task, completed=step, description=self.facts(train_loss, val_loss, per_s))


def _line_column():
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
        """Steps and time left stay whole. The losses are cut before them, and the bar takes what is left over."""

        def __init__(self, task, left):
            self.task, self.left = task, left

        def __rich_console__(self, console, options):
            task, steps = self.task, f"step {self.task.completed:.0f}/{self.task.total:.0f}"
            room = options.max_width - len(steps) - len(self.left) - 2
            facts = task.description if len(task.description) <= room else task.description[:max(0, room - 1)] + "…"
            bar = max(0, room - len(facts) - 1)
            line = Table.grid(padding=(0, 1, 0, 0))
            cells = [steps, ProgressBar(task.total, task.completed, bar) if bar > 2 else None, facts if room > 0 else None, self.left]
            line.add_row(*(cell for cell in cells if cell is not None))
            for column in line.columns:
                column.no_wrap = True
            yield line

    return Line(Column(ratio=1))


class PlainProgress(Progress):
    """A line when ``every`` seconds have passed since the last one."""

    def __init__(self, total, start, unit="tokens", every=5.0):
        super().__init__(total, start, unit)
        self.every = every
        self._began = self._last = time.monotonic()

    def update(self, step, train_loss, val_loss, per_s):
        """Show where ``step`` led, if it is time to."""
        facts, now = self.facts(train_loss, val_loss, per_s), time.monotonic()
        if now - self._last >= self.every:
            self._last = now
            left = (now - self._began) / (step - self.start) * (self.total - step)
            print(f"step {step}/{self.total}  {facts}  {left:.0f} s left", flush=True)
