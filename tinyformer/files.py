"""Files: text and JSON that is read, files that are replaced whole or not at all, and locks between processes."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


UNFINISHED = ".tinyformer.part"             # how the name of a file ends that is being written


class DamagedFile(ValueError):
    """A file does not hold what it should. The message names the file, what was expected and what was found."""


def read_text(path: str | os.PathLike[str]) -> str:
    """The text in the file ``path``, which must be UTF-8.

    Line ends are kept; a byte order mark at the start is removed.

    Raises DamagedFile (a ValueError) for a folder and for bytes that are not UTF-8, OSError for a file that cannot be
    read.
    """
    path = Path(path)
    if path.is_dir():                       # Windows would say "Permission denied"
        raise DamagedFile(f"{path} is a folder, expected a file")
    return decoded(path.read_bytes(), path)


def decoded(data: bytes, what: object) -> str:
    """The text that the bytes ``data`` of ``what``, such as a path, encode in UTF-8, without a byte order mark.

    Raises DamagedFile for bytes that are not UTF-8.
    """
    try:
        return data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        found = f"byte 0x{data[error.start]:02x} at offset {error.start}"
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            found += ", the byte order mark of UTF-16; save the file as UTF-8"
        raise DamagedFile(f"{what} is not UTF-8: {found}") from None


def read_json(path: str | os.PathLike[str], shape: Any = None) -> Any:
    """The value in the JSON file ``path``, which must have the ``shape`` that ``check_shape`` explains.

    Raises DamagedFile for a folder, bytes that are not UTF-8, text that is not JSON, and a value of another shape;
    OSError for a file that cannot be read.
    """
    value = parse_json(read_text(path), path)
    try:
        check_shape(value, shape)
    except ValueError as error:
        raise DamagedFile(f"{path}: {error}") from None
    return value


def parse_json(text: str, what: object, unique: bool = False) -> Any:
    """The value of the JSON ``text`` of ``what``, such as a path. ``unique`` refuses an object that has a name twice.

    Raises DamagedFile, which says at which line and column the text stops being JSON.
    """
    def once(pairs):
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            raise DamagedFile(f"{what} has the name {next(name for name in names if names.count(name) > 1)!r} twice")
        return found

    if not text.strip():
        raise DamagedFile(f"{what} is not JSON: it is empty")
    try:
        return json.loads(text, object_pairs_hook=once if unique else None)
    except DamagedFile:
        raise
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        if error.pos >= len(text.rstrip()):
            reason = f"it ends at {place}, before its value is complete"
        elif error.msg.startswith("Unterminated"):
            reason = f"the string that starts at {place} has no closing quotation mark"
        else:
            reason = f"unexpected {text[error.pos]!r} at {place}"
    except RecursionError:
        reason = "its brackets are nested too deeply"
    except ValueError:                      # Python limits the digits of an integer
        reason = "it has an integer of thousands of digits"
    raise DamagedFile(f"{what} is not JSON: {reason}")


JSON_TYPES = {dict: "an object", list: "a list", str: "a string", bool: "true or false", int: "an integer",
              float: "a number", None: "null"}


def check_shape(value: Any, shape: Any, name: str = "") -> None:
    """Raise ValueError, which names the place, unless ``value``, as it came from JSON, has the ``shape``.

    A shape is one of

        None                        any value
        dict, list, str, bool       a value of that type
        int, float                  an integer, not a boolean; any number, not a boolean
        [shape]                     a list of any length, each entry of that shape
        {str: shape}                an object with any names, each value of that shape
        {"a": shape, "b?": shape}   an object that has a field ``a``, and may have ``b``; other fields are left aside
        (shape, …)                  any of these; here None stands for null

    >>> check_shape({"ids": [3, "x"]}, {"ids": [int]})
    Traceback (most recent call last):
    ValueError: ids[1] is 'x', expected an integer
    """
    alternatives = shape if isinstance(shape, tuple) else () if shape is None else (shape,)
    found = next((one for one in alternatives if _fits(value, one)), None)
    if isinstance(found, list):
        _check_entries(enumerate(value), set(map(type, value)), found[0], name)
    elif isinstance(found, dict) and str in found:
        _check_entries(value.items(), set(map(type, value.values())), found[str], name)
    elif isinstance(found, dict):
        for key, inner in found.items():
            field = key.removesuffix("?")
            if field in value:
                check_shape(value[field], inner, f"{name}.{field}" if name else field)
            elif field == key:
                raise ValueError(f"{name or 'it'} has no field {key!r}")
    elif alternatives and not any(_fits(value, one) for one in alternatives):
        expected = " or ".join(JSON_TYPES[_type_of(one)] for one in alternatives)
        raise ValueError(f"{name or 'it'} is {shown(value)}, expected {expected}")


def shown(value: Any) -> str:
    """``value``, as it came from JSON, for a message.

    It is shown as JSON, a string in single quotation marks, a long value as its type.
    """
    text = repr(value) if isinstance(value, str) else json.dumps(value)
    return text if len(text) < 60 else JSON_TYPES[None if value is None else type(value)]


def _check_entries(entries, types, shape, name):
    """``check_shape`` of each (key, entry). ``types`` of a vocabulary of 10⁵ entries are compared in C."""
    if not (isinstance(shape, type) and types <= {shape}):
        for key, entry in entries:
            check_shape(entry, shape, f"{name}[{key!r}]")


def _type_of(shape):
    """The type of the values that a shape, other than a tuple, describes."""
    return type(shape) if isinstance(shape, (list, dict)) else shape


def _fits(value, shape):
    kind = _type_of(shape)
    if kind in (int, float):
        return isinstance(value, (int, float) if kind is float else int) and not isinstance(value, bool)
    return value is None if kind is None else isinstance(value, kind)


def replace_file(path: str | os.PathLike[str], data: bytes | str | tuple[bytes | memoryview, ...]) -> None:
    """Make ``path`` hold ``data``: bytes, text as UTF-8, or a tuple of pieces of bytes.

    A temporary file next to ``path`` is written, flushed to the disk and renamed to ``path``. So a crash or a full disk
    leaves the earlier file as it was. Raises OSError, with ``path`` as its file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=UNFINISHED)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(data if isinstance(data, tuple) else (data.encode() if isinstance(data, str) else data,))
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())              # mkstemp makes files that only their owner can read
        os.replace(temporary, path)
    except BaseException as error:
        os.unlink(temporary)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise
    _sync_folder(path.parent)


def remove_unfinished(folder: str | os.PathLike[str]) -> None:
    """Delete what ``replace_file`` left in ``folder`` when its process was killed."""
    for path in Path(folder).glob(f".*{UNFINISHED}"):
        path.unlink()


@contextlib.contextmanager
def lock(path: str | os.PathLike[str], seconds: float = 0.0) -> Iterator[None]:
    """Hold an exclusive lock on the file ``path`` in a ``with`` block.

    The file is created if needed, and stays afterwards.

    The operating system holds the lock, so the lock ends with its process, even if that process is killed. Raises
    BlockingIOError, which names the process, if another process keeps the lock for ``seconds``; OSError if ``path``
    cannot be opened for writing.
    """
    handle, deadline = os.open(path, os.O_RDWR | os.O_CREAT, 0o666), time.monotonic() + seconds
    try:
        while not _try_lock(handle):
            if time.monotonic() >= deadline:
                holder = os.read(handle, 20).decode(errors="replace") or "?"
                raise BlockingIOError(f"{path} is locked by process {holder}")
            time.sleep(0.02)
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        yield
    finally:
        os.close(handle)                                    # which also releases the lock


if os.name == "nt":
    import msvcrt

    def _try_lock(handle):
        """Lock one byte far behind the text, because Windows lets no other process read a locked byte."""
        os.lseek(handle, 1 << 30, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(handle, 0, os.SEEK_SET)
        return True
else:
    import fcntl

    def _try_lock(handle):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder):
    """Flush the folder's list of names, so that the renaming survives a power cut. Windows has no such call."""
    if os.name != "nt":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
