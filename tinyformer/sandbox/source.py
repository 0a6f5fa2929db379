"""Read a learner's file, run it, and find a function in it."""

from __future__ import annotations

import inspect
import io
import linecache
import os
import stat
import sys
import tokenize
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .limits import Stopped
from .messages import explain
from .refusal import Refused

LARGEST = 1 << 20                       # bytes of the largest file that is read


def read_source(path: str | os.PathLike[str]) -> str:
    """The text of the Python file ``path``.

    Raises ``Refused`` unless it is a regular file of at most ``LARGEST`` bytes.
    """
    path = Path(path)
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe or a device"
            raise Refused("file", f"{path} is {kind}, expected a Python file")
        if found.st_size > LARGEST:
            raise Refused("file", f"{path} has {found.st_size:,} bytes, expected a Python file of at most {LARGEST:,}")
        data = path.read_bytes()
    except FileNotFoundError:
        raise Refused("missing file", f"{path} does not exist") from None
    except OSError as error:
        raise Refused("file", f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise Refused("file", f"{str(path)!r} is not a valid file name") from None
    if b"\0" in data:
        line = data[:data.index(b"\0")].count(b"\n") + 1
        raise Refused("file", f"{path} is not a text file: line {line} has a zero byte")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[:error.start].count(b"\n") + 1
        raise Refused("file", f"{path.name} is not {error.encoding.upper()} text: line {line} has the byte "
                              f"0x{data[error.start]:02x}. Save the file as UTF-8") from None
    except (SyntaxError, LookupError) as error:
        raise Refused("file", f"{path.name} cannot be decoded: {explain(error)}. Save the file as UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def run_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    """{name: value} that the Python file ``path`` defines. Its folder comes first on ``sys.path``, as for a script.

    Raises ``Refused`` if the file cannot be read or raises an exception.
    """
    path = Path(path)
    source = read_source(path)
    module = types.ModuleType(path.stem)
    module.__file__ = str(path)
    sys.modules.setdefault(path.stem, module)               # dataclasses resolve annotations there
    sys.path.insert(0, str(path.parent.absolute()))
    linecache.checkcache(str(path))
    try:
        exec(compile(source, str(path), "exec"), vars(module))
    except Stopped:
        raise
    except BaseException as error:
        raise Refused("import", f"{path.name} cannot be run: {explain(error, str(path))}") from error
    return vars(module)


def find_function(names: Mapping[str, Any], path: str | os.PathLike[str], name: str | None = None, needed: str = ""
                  ) -> Callable[..., Any]:
    """The function ``name`` of the file ``path``; without a name, the only function that the file defines.

    names       {name: value} of the file, from ``run_file``
    needed      a sentence that is added to the error if the function is missing

    Raises ``Refused`` if there is no such function.
    """
    path = Path(path)
    own = [key for key, value in names.items() if inspect.isfunction(value) and value.__module__ == path.stem
           and key != "inputs" and not key.startswith("_")]
    listed = f"it has {', '.join(own)}" if own else "it defines no function"
    if name is None:
        if len(own) != 1:
            raise Refused("name", f"{path.name}: name one function, as {path.name}:NAME; {listed}")
        name = own[0]
    if name not in names:
        raise Refused("name", f"{path.name} has no function {name}; {listed}{needed and f'. {needed}'}")
    if not callable(names[name]):
        raise Refused("name", f"{name} is a value of type {type(names[name]).__name__}, "
                              f"expected a function{needed and f'. {needed}'}")
    return names[name]

