"""Named arrays in a safetensors file. Nothing is ever unpickled.

    8 bytes         N, the length of the header, least significant byte first
    N bytes         JSON: {name: {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, "__metadata__": {text:
                    text}}
    all the rest    the bytes of the arrays, one after the other without gaps; begin and end count from its first byte

The library writes the arrays and their part of the header. Reading is ours: it maps the file instead of copying it, and
its errors name the tensor at fault.

Our files also carry a checksum, the first entry of ``__metadata__``: the CRC-32 of the whole file, with eight zeros in
place of the checksum itself. A CRC detects every change of up to four neighboring bytes with certainty, and any other
damage except for one case in 2³². It costs 0.3 s per gigabyte, sha256 more than twice as much. Files without a
checksum, such as published ones, are not read through.
"""

from __future__ import annotations

import json
import math
import mmap
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..files import decoded, parse_json, replace_file

if TYPE_CHECKING:
    from os import PathLike

    from ..typing import Array

# The header of the largest published models takes a tenth of this. Parsed JSON takes about twenty times its text.
HEADER_LIMIT = 25_000_000
TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "bfloat16", "I64": "<i8", "I32": "<i4", "I16": "<i2",
         "I8": "<i1",
         "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "<u1", "BOOL": "?"}


# the first word of the file's metadata, and how its value begins
CHECKSUM, MARK = "tinyformer_checksum", "crc32:"
BEGIN = b'{"__metadata__":{"%s":"%s' % (CHECKSUM.encode(), MARK.encode())
ZEROS = b"0" * 8


def write_weights(path: str | PathLike[str], arrays: Mapping[str, Any],
                  metadata: Mapping[str, str] | None = None) -> None:
    """Write {name: array} and {name: text} to ``path`` with a checksum. A crash never leaves a partial file.

    Raises ValueError for a name that cannot be written, TypeError for an array or a text of a type that the format
    lacks.
    """
    from safetensors.numpy import save
    arrays = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    metadata = dict(metadata or {})
    for name, array in arrays.items():
        _check_name("a tensor", name, "__metadata__")
        if array.dtype.newbyteorder("<") not in map(_dtype, TYPES):
            raise TypeError(f"write_weights: {name} is {array.dtype}, "
                            f"expected a type that safetensors has: {', '.join(TYPES)}")
    for name, text in metadata.items():
        _check_name("an entry of the metadata", name, CHECKSUM)
        if not isinstance(text, str):
            raise TypeError(f"write_weights: the metadata {name!r} is {type(text).__name__}, expected str")
    content = save(arrays)
    body = 8 + int.from_bytes(content[:8], "little")
    entries = content[9:body].strip().removesuffix(b"}")                    # of the header's object, without its braces
    texts = json.dumps(dict(sorted(metadata.items())), ensure_ascii=False).encode()[1:-1]
    rest = b'"' + b", " * bool(texts) + texts + b"}" + b"," * bool(entries) + entries + b"}"
    rest += b" " * (-(len(BEGIN) + len(ZEROS) + len(rest)) % 8)             # the arrays begin at a multiple of eight
    before = (len(BEGIN) + len(ZEROS) + len(rest)).to_bytes(8, "little") + BEGIN
    data = memoryview(content)[body:]
    checksum = zlib.crc32(data, zlib.crc32(before + ZEROS + rest))
    replace_file(path, (before, b"%08x" % checksum, rest, data))


def _check_name(what, name, reserved):
    """An error for a ``name`` that a header cannot hold."""
    if not isinstance(name, str):
        raise TypeError(f"write_weights: {what} is named {name!r}, expected a str")
    if name == reserved:
        raise ValueError(f"write_weights: {what} is named {name!r}, "
                         "which the file needs for itself; choose another name")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ValueError(f"write_weights: {what} is named {name!r}, "
                         "which is not valid Unicode; choose another name") from None


def read_weights(path: str | PathLike[str]) -> tuple[dict[str, Array], dict[str, str]]:
    """({name: array}, {name: text}) from ``path``.

    Raises FileNotFoundError for a missing file, ValueError for a damaged one; the message names the file and the
    tensor.

    The arrays are read-only windows on the file. Their bytes are read when you first use them, and dropped when memory
    is short. A checksum, if the file has one, is verified first.

    Keep the file as it is while you use the arrays: if another program shortens it in place, the operating system ends
    your process with SIGBUS. Replacing the file by renaming, as ``write_weights`` does, is safe. ``np.array(a)`` makes
    a copy that does not depend on the file; models and optimizers that load a state copy all of it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: {'it is a folder' if path.is_dir() else 'no such file'}; "
                                f"expected weights in the safetensors format")
    with open(path, "rb") as file:
        size = path.stat().st_size
        length = int.from_bytes(file.read(8), "little")
        try:
            if size < 8 or length > size - 8:
                raise ValueError(f"it has {size:,} bytes, too few for its header" + f" of {length:,}" * (size >= 8))
            if length > HEADER_LIMIT:
                raise ValueError(f"its header has {length:,} bytes, expected at most {HEADER_LIMIT:,}")
            text = file.read(length)
            metadata, tensors = _layout(parse_json(decoded(text, "its header"), "its header", unique=True),
                                        size - 8 - length)
        except ValueError as error:
            raise ValueError(f"{path}: damaged or not a safetensors file ({error})") from None
        except TypeError as error:                          # it may be whole, but we cannot read it
            raise ValueError(f"{path}: {error}") from None
        window = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if CHECKSUM in metadata or any(value.startswith(MARK) for value in metadata.values()):
        _verify(path, window, text)
        metadata.pop(CHECKSUM)
    return {name: np.ndarray(shape, dtype, window, 8 + length + begin)
            for name, dtype, shape, begin in tensors}, metadata


def _verify(path, window, header):
    """ValueError unless ``window``, the bytes of a file with that header, have the checksum that the header says."""
    place = 8 + len(BEGIN)
    with memoryview(window) as content:
        found = zlib.crc32(content[place + 8:], zlib.crc32(bytes(content[:place]) + ZEROS))
    if not header.startswith(BEGIN) or header[len(BEGIN):len(BEGIN) + 8] != b"%08x" % found:
        raise ValueError(f"{path}: the checksum does not match: the file is damaged, or another program changed it and "
                         "kept "
                         f"{CHECKSUM} in its metadata; use a copy of the file, or write it again")


def _layout(header, size):
    """(metadata, [(name, dtype, shape, begin)]) of a header whose tensors fill the ``size`` bytes after it."""
    if not isinstance(header, dict):
        raise ValueError(f"its header is a JSON {type(header).__name__}, expected an object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise ValueError("its __metadata__ is not an object of texts")
    for name, entry in header.items():
        if not (isinstance(entry, dict) and isinstance(entry.get("dtype"), str) and _counts(entry.get("shape"))
                and _counts(entry.get("data_offsets")) and len(entry["data_offsets"]) == 2
                and len(entry["shape"]) <= 32):
            raise ValueError(f"tensor {name!r}: expected a dtype, a shape of at most 32 axes and two data_offsets")
    tensors, end = [], 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        (begin, stop), shape = entry["data_offsets"], tuple(entry["shape"])
        if entry["dtype"] not in TYPES:
            raise TypeError(f"tensor {name!r} is of type {entry['dtype']}, "
                            f"which is not read; expected one of {', '.join(TYPES)}")
        dtype = _dtype(entry["dtype"])
        if not begin <= stop <= size:
            raise ValueError(f"tensor {name!r}: its bytes {begin}…{stop} lie outside the {size:,} that the file has")
        if begin != end:
            raise ValueError(f"tensor {name!r}: its bytes start at {begin}, but those before it end at {end}")
        if stop - begin != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"tensor {name!r}: it has {stop - begin:,} bytes, but {shape} of {entry['dtype']} takes "
                             f"{math.prod(shape) * dtype.itemsize:,}")
        tensors.append((name, dtype, shape, begin))
        end = stop
    if end != size:
        raise ValueError(f"{size - end:,} bytes at its end belong to no tensor")
    return metadata, tensors


def _counts(value):
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 2 ** 63 for n in value)


def _dtype(code):
    if code == "BF16":
        import ml_dtypes
        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(TYPES[code])
