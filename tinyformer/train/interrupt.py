"""Signals that ask a training to stop.

They take effect between steps, where the training can be saved, not during an update.
"""

from __future__ import annotations

import signal
import threading
from typing import Any

# Ctrl-C, kill, a closed terminal, and Ctrl-Break on Windows. Each platform has some of them.
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]


class Interruptible:
    """``with Interruptible() as stop:`` — ``stop.asked`` is True after one of ``SIGNALS``.

    A second Ctrl-C stops at once.

    SIGHUP stays ignored if it was ignored before, as under nohup.
    """

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> Interruptible:
        self._earlier = {}
        if threading.current_thread() is threading.main_thread():               # only there may handlers be set
            for number in SIGNALS:
                if number == getattr(signal, "SIGHUP", None) and signal.getsignal(number) is signal.SIG_IGN:
                    continue
                self._earlier[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: Any) -> None:
        for number, handler in self._earlier.items():
            signal.signal(number, handler)

    def _ask(self, number: int, _: Any) -> None:
        if self.asked and number == signal.SIGINT:          # not others: a closing terminal sends several during a save
            raise KeyboardInterrupt
        self.asked = True
