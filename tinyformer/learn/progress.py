"""The file of progress: what is noted of each exercise, read without trusting it."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

NEW = {"passed": False, "state": "", "code": "", "tries": 0, "hints": 0, "hint": "", "seen": None}
LARGEST = 1 << 22                       # bytes


def load(path):
    """(progress, damage): {name: what is noted of it}, and what is wrong with the file, "" if nothing is.

    Of a damaged file every value that is of the right kind is kept, and so are exercises that we do not know.
    """
    data = bytes_of(path, LARGEST)
    if data is None:
        if not os.path.lexists(path):
            return {}, ""
        return {}, "it is no ordinary file, or it cannot be read"
    try:
        found = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return {}, "it is not JSON"
    if not isinstance(found, dict):
        return {}, "it is not a JSON object"
    progress, wrong = {}, []
    for name, entry in found.items():
        if not isinstance(entry, dict):
            wrong.append(name)
            continue
        progress[name] = {key: value for key, value in entry.items() if _fits(key, value)}
        wrong += [f"{key} of {name}" for key in entry if key not in progress[name]]
    return progress, wrong and f"{wrong[0]!r} is not what was written there{f', and {len(wrong) - 1} more' * (len(wrong) > 1)}" or ""


def _fits(key, value):
    if key == "seen":
        return value is None or isinstance(value, str)
    if key not in NEW:                                      # of a later version
        return True
    return type(value) is type(NEW[key]) and (type(value) is not int or 0 <= value < 1 << 53)


def bytes_of(path, largest):
    """The bytes of an ordinary file of at most ``largest`` bytes; None if ``path`` is not such a file, or cannot be read."""
    try:
        found = os.stat(path)
        return Path(path).read_bytes() if stat.S_ISREG(found.st_mode) and found.st_size <= largest else None
    except OSError:
        return None
