"""What a person sees while a run goes on: a bar on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time


def progress(total, start=0):
    """The one that suits where the output goes; use it as a context manager."""
    return TerminalProgress(total, start) if sys.stdout.isatty() else PlainProgress(total, start)


def _facts(train_loss, val_loss, tokens_per_s):
    val = "" if val_loss is None else f"  val {val_loss:.4f}"
    return f"train {train_loss:.4f}{val}  {tokens_per_s:,.0f} tokens/s"


class TerminalProgress:
    """A rich bar: steps, losses, tokens/s, time gone and time left."""

    def __init__(self, total, start):
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        self._bar = Progress(TextColumn("step"), MofNCompleteColumn(), BarColumn(bar_width=24), TextColumn("{task.description}"),
                             TimeElapsedColumn(), TextColumn("gone,"), TimeRemainingColumn(), TextColumn("left"))
        self._task = self._bar.add_task("starting", total=total, completed=start)

    def __enter__(self):
        self._bar.start()
        return self

    def __exit__(self, *_):
        self._bar.stop()

    def update(self, step, train_loss, val_loss, tokens_per_s):
        self._bar.update(self._task, completed=step, description=_facts(train_loss, val_loss, tokens_per_s))


class PlainProgress:
    """A line when ``every`` seconds have passed since the last one."""

    def __init__(self, total, start, every=5.0):
        self.total, self.start, self.every = total, start, every
        self._began = self._last = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def update(self, step, train_loss, val_loss, tokens_per_s):
        now = time.monotonic()
        if now - self._last >= self.every:
            self._last = now
            left = (now - self._began) / (step - self.start) * (self.total - step)
            print(f"step {step}/{self.total}  {_facts(train_loss, val_loss, tokens_per_s)}  {left:.0f} s left", flush=True)
