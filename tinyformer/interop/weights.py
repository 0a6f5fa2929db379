"""Named arrays in a safetensors file. Nothing is ever unpickled.

    8 bytes         N, the length of the header, least significant byte first
    N bytes         JSON: {name: {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, "__metadata__": {text: text}}
    all the rest    the bytes of the arrays, one after the other without gaps; begin and end count from its first byte

Writing is the library's. Reading is ours: it maps the file instead of copying it, and its errors name the tensor at fault.
"""

from __future__ import annotations

import json
import math
import mmap
from pathlib import Path

import numpy as np

from ..files import replace_file

# Names of every tensor of the largest published models fit in a tenth of this. Parsed JSON takes about twenty times its text.
HEADER_LIMIT = 25_000_000
TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "bfloat16", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "<i1",
         "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "<u1", "BOOL": "?"}


def write_weights(path, arrays, metadata=None):
    """Write {name: array} and {name: text} to ``path``, whole or not at all."""
    from safetensors.numpy import save
    replace_file(path, save({name: np.asarray(array, order="C") for name, array in arrays.items()}, metadata))


def read_weights(path):
    """({name: array}, {name: text}) from ``path``. A damaged file is a ValueError that names it and the tensor.

    The arrays are read-only windows on the file: their bytes come into memory when they are looked at, and go when it is short.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; expected weights in the safetensors format")
    with open(path, "rb") as file:
        size = path.stat().st_size
        length = int.from_bytes(file.read(8), "little")
        try:
            if size < 8 or length > size - 8:
                raise ValueError(f"it has {size:,} bytes, too few for its header" + f" of {length:,}" * (size >= 8))
            if length > HEADER_LIMIT:
                raise ValueError(f"its header has {length:,} bytes, expected at most {HEADER_LIMIT:,}")
            header = json.loads(file.read(length), object_pairs_hook=_object)
            metadata, tensors = _layout(header, size - 8 - length)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}: damaged or not a safetensors file ({error})") from None
        except TypeError as error:                          # it may be whole, but we cannot read it
            raise ValueError(f"{path}: {error}") from None
        window = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return {name: np.ndarray(shape, dtype, window, 8 + length + begin) for name, dtype, shape, begin in tensors}, metadata


def _object(pairs):
    """A JSON object, in which no name may stand twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in its header")
    return found


def _layout(header, size):
    """(metadata, [(name, dtype, shape, begin)]) of a header whose tensors fill the ``size`` bytes after it."""
    if not isinstance(header, dict):
        raise ValueError(f"its header is a JSON {type(header).__name__}, expected an object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise ValueError("its __metadata__ is not an object of texts")
    for name, entry in header.items():
        if not (isinstance(entry, dict) and isinstance(entry.get("dtype"), str) and _counts(entry.get("shape"))
                and _counts(entry.get("data_offsets")) and len(entry["data_offsets"]) == 2 and len(entry["shape"]) <= 32):
            raise ValueError(f"tensor {name!r}: expected a dtype, a shape of at most 32 axes and two data_offsets")
    tensors, end = [], 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        (begin, stop), shape, dtype = entry["data_offsets"], tuple(entry["shape"]), _dtype(name, entry["dtype"])
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


def _dtype(name, code):
    if code not in TYPES:
        raise TypeError(f"tensor {name!r} is of type {code}, which is not read; expected one of {', '.join(TYPES)}")
    if code == "BF16":
        import ml_dtypes
        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(TYPES[code])
