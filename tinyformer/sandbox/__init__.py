"""Run a learner's file without trusting it: one loader, one time limit, one set of words for every command that checks code.

    source      read a Python file and run it: its names, or a ``Refused`` that says what is wrong with the file
    calling     call a function; whatever it raises becomes a ``Refused`` with the learner's own line
    limits      the time limit
    capture     what the code prints, cut at a size
    traces      what the code changed outside its own file
    words       errors and output as text that a terminal can show
    parent      start a process for the checks, and read the answers from a pipe of their own
    child       the other end of that pipe
    processes   a process and everything that it starts, ended together

In a notebook the function exists already, so only ``calling``, ``limits``, ``capture`` and ``words`` take part.
"""

from .calling import Refused, call
from .capture import captured
from .limits import within
from .source import find_function, read_source, run_file

__all__ = ["Refused", "call", "captured", "find_function", "read_source", "run_file", "within"]
