"""How a check ends early."""

from __future__ import annotations


class Refused(Exception):
    """The check ends here. ``codes`` are the doctor's; without any, the code could not be examined."""

    def __init__(self, code, message, state="broken", codes=()):
        super().__init__(message)
        self.code, self.state, self.codes = code, "wrong" if codes else state, codes
