"""The metrics of a run: a JSON object per line, in ``metrics.jsonl``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..files import replace_file

LARGEST = 2 ** 53                           # larger integers are not exact in the float64 arrays of a plot


def read_metrics(path: str | Path) -> list[dict[str, Any]]:
    """The records in ``path``, up to the first damaged line, such as the half line that a killed run leaves."""
    path = Path(path)
    records = []
    for line in path.read_bytes().splitlines() if path.is_file() else ():
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            break
        if not _is_record(record):
            break
        records.append(record)
    return records


def _is_record(record: Any) -> bool:
    """Whether ``record`` has what all readers use: a step, a training loss, and a validation loss that may be null."""
    return (isinstance(record, dict) and type(record.get("step")) is int and 0 <= record["step"] < LARGEST
            and _is_number(record.get("train_loss")) and "val_loss" in record
            and all(record.get(name) is None or _is_number(record[name]) for name in ("val_loss", "tokens_per_s")))


def _is_number(value: Any) -> bool:
    return type(value) is float or type(value) is int and abs(value) < LARGEST


class Metrics:
    """The file of a run, opened for appending.

    The records of steps after ``start``, which a resumed run repeats, are removed.
    """

    def __init__(self, path: str | Path, start: int = 0):
        self.records = [record for record in read_metrics(path) if record["step"] <= start]
        replace_file(path, "".join(json.dumps(record) + "\n" for record in self.records))
        self._file = open(path, "ab", buffering=0)              # each line goes to the system at once, whole

    def add(self, **record: Any) -> None:
        """Write one line: step, train_loss, val_loss, lr, grad_norm, tokens_per_s (pixels, of pictures).

        val_loss is null where it was not measured.
        """
        self.records.append(record)
        try:
            self._file.write(json.dumps(record).encode() + b"\n")
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._file.name) from None

    def close(self) -> None:
        """Close the file."""
        self._file.close()
