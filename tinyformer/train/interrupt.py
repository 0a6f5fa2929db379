"""Signals that ask a run to stop. They are heard between steps, where the run can be saved, not in the middle of an update."""

from __future__ import annotations

import signal
import threading

# Ctrl-C, a polite kill, a closed terminal, and Ctrl-Break on Windows. Each platform has some of them.
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]


class Interruptible:
    """``with Interruptible() as stop:`` — ``stop.asked`` is True after one of ``SIGNALS``. A second Ctrl-C stops at once.

    A hang-up that was ignored before, as under nohup, stays ignored.
    """

    def __init__(self):
        self.asked = False

    def __enter__(self):
        self._earlier = {}
        if threading.current_thread() is threading.main_thread():               # only there may handlers be set
            for number in SIGNALS:
                if number == getattr(signal, "SIGHUP", None) and signal.getsignal(number) is signal.SIG_IGN:
                    continue
                self._earlier[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_):
        for number, handler in self._earlier.items():
            signal.signal(number, handler)

    def _ask(self, number, _):
        if self.asked and number == signal.SIGINT:          # a closing terminal sends several signals: those must not stop a save
            raise KeyboardInterrupt
        self.asked = True
