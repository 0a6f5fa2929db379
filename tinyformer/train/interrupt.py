"""Ctrl-C, heard between steps: a run stops where it can be saved, not in the middle of an update."""

from __future__ import annotations

import signal
import threading


class Interruptible:
    """``with Interruptible() as stop:`` — ``stop.asked`` is True after Ctrl-C (or a polite kill); a second one stops at once."""

    def __init__(self):
        self.asked = False

    def __enter__(self):
        self._earlier = {}
        if threading.current_thread() is threading.main_thread():               # only there may handlers be set
            for name in (signal.SIGINT, signal.SIGTERM):
                self._earlier[name] = signal.signal(name, self._ask)
        return self

    def __exit__(self, *_):
        for name, handler in self._earlier.items():
            signal.signal(name, handler)

    def _ask(self, *_):
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
