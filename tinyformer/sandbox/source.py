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
from pathlib import Path

from .limits import Stopped
from .refusal import Refused
from .messages import explain

LARGEST = 1 << 20                       # bytes that a file of exercises may have


def read_source(path):
    """The text of the Python file ``path``, which must be an ordinary file of moderate size."""
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
        raise Refused("missing file", f"{path} is not there") from None
    except OSError as error:
        raise Refused("file", f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise Refused("file", f"{str(path)!r} is no name of a file") from None
    if b"\0" in data:
        line = data[:data.index(b"\0")].count(b"\n") + 1
        raise Refused("file", f"{path} is no text: line {line} has a zero byte")
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


def run_file(path):
    """The names that the Python file ``path`` defines. Its folder comes first on ``sys.path``, as for a script."""
    path = Path(path)
    source = read_source(path)
    module = types.ModuleType(path.stem)
    module.__file__ = str(path)
    sys.modules.setdefault(path.stem, module)               # dataclasses look there for the names in annotations
    sys.path.insert(0, str(path.parent.absolute()))
    linecache.checkcache(str(path))
    try:
        exec(compile(source, str(path), "exec"), vars(module))
    except Stopped:
        raise
    except BaseException as error:
        raise Refused("import", f"{path.name} does not run: {explain(error, str(path))}") from error
    return vars(module)


def find_function(names, path, name=None, needed=""):
    """The function ``name`` among ``names``, those of the file ``path``; without a name, the only one that the file defines.

    needed      what to say to someone whose file lacks the function
    """
    path = Path(path)
    own = [key for key, value in names.items() if inspect.isfunction(value) and value.__module__ == path.stem
           and key != "inputs" and not key.startswith("_")]
    listed = f"it has {', '.join(own)}" if own else "it defines no function"
    if name is None:
        if len(own) != 1:
            raise Refused("name", f"{path.name}: say which function, as {path.name}:NAME; {listed}")
        name = own[0]
    if name not in names:
        raise Refused("name", f"{path.name} has no function {name}; {listed}{needed and f'. {needed}'}")
    if not callable(names[name]):
        raise Refused("name", f"{name} is a value of type {type(names[name]).__name__}, expected a function"
                              f"{needed and f'. {needed}'}")
    return names[name]

