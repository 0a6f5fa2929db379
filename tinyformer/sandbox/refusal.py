"""The exception that ends a check early."""

from __future__ import annotations


class Refused(Exception):
    """The check ends here.

    code        what happened: "error", "time", "import", … or a code of the doctor
    message     the explanation for the learner
    state       "broken": the code could not be checked; "not attempted"; "wrong" if there are ``codes``
    codes       the doctor's codes
    """

    def __init__(self, code: str, message: str, state: str = "broken", codes: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.code, self.state, self.codes = code, "wrong" if codes else state, codes
