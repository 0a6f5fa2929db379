"""Run a learner's file without trusting it.

Every command that checks code uses this loader, this time limit and these messages.

    source      read a Python file and run it; raises ``Refused`` with the reason if that is impossible
    calling     call a function; an exception becomes a ``Refused`` with the learner's own line
    limits      the time limit
    capture     keep what the code prints, up to a size
    unwritten   fill the arrays of ``np.empty``, so that an unwritten entry shows
    traces      find what the code changed outside its own file
    messages    errors and output as text that a terminal can show
    parent      start a process for the checks, and read the answers from a separate pipe
    child       the program of that process
    processes   a process and everything that it starts, ended together

In a notebook the function exists already, so only ``calling``, ``limits``, ``capture``, ``unwritten`` and ``messages``
are used.
"""

from .calling import Refused, call
from .capture import captured
from .limits import within
from .source import find_function, read_source, run_file
from .unwritten import unwritten_is_nan

__all__ = ["Refused", "call", "captured", "find_function", "read_source", "run_file", "unwritten_is_nan", "within"]
