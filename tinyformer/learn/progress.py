"""Read the progress file, which may be damaged."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

NEW: dict[str, Any] = {"passed": False, "state": "", "code": "", "tries": 0, "hints": 0, "hint": "", "seen": None}
LARGEST = 1 << 22                       # bytes


def load(path: Path) -> tuple[dict[str, dict[str, Any]], str]:
    """(progress, damage): {name of the exercise: its recorded progress}, and what is wrong with the file.

    ``damage`` is "" if the file is sound.

    Every value of the right type is read from a damaged file. Unknown exercises are kept too.
    """
    data = bytes_of(path, LARGEST)
    if data is None:
        if not os.path.lexists(path):
            return {}, ""
        return {}, "it is not a regular file, or it cannot be read"
    try:
        found = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return {}, "it is not JSON"
    if not isinstance(found, dict):
        return {}, "it is not a JSON object"
    progress: dict[str, dict[str, Any]] = {}
    wrong: list[str] = []
    for name, entry in found.items():
        if not isinstance(entry, dict):
            wrong.append(name)
            continue
        progress[name] = {key: value for key, value in entry.items() if _fits(key, value)}
        wrong += [f"{key} of {name}" for key in entry if key not in progress[name]]
    more = f", and so do {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return progress, f"{wrong[0]!r} has the wrong type{more}" if wrong else ""


def _fits(key: str, value: Any) -> bool:
    if key == "seen":
        return value is None or isinstance(value, str)
    if key not in NEW:                                      # from a later version
        return True
    return type(value) is type(NEW[key]) and (type(value) is not int or 0 <= value < 1 << 53)


def bytes_of(path: Path, largest: int) -> bytes | None:
    """The bytes of a regular file of at most ``largest`` bytes; None if ``path`` is none or cannot be read."""
    try:
        found = os.stat(path)
        return Path(path).read_bytes() if stat.S_ISREG(found.st_mode) and found.st_size <= largest else None
    except OSError:
        return None
