"""The JSON body of a request: its size, its fields and their types."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from ..text.base import check_text
from .errors import ApiError

LARGEST = 1 << 20                       # bytes of a body
DRAINED = 16 << 20                      # bytes of a body that are read before it is refused
PATIENCE = 30.0                         # seconds that a body may take


@dataclass(frozen=True)
class Field:
    """A field of a body: ``check`` returns its value or raises ValueError, which says what was expected."""

    check: Callable[[Any], Any]
    default: Any = None
    required: bool = False


def integer(low: int, high: int, default: int | None = None) -> Field:
    """An integer from ``low`` to ``high``."""
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"an integer from {low} to {high}")
        return value

    return Field(check, default)


def number(low: float, high: float, default: float | None = None, *, above: bool = False) -> Field:
    """A number from ``low`` (or, with ``above``, from just above it) to ``high``."""
    def check(value: Any) -> float:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high
        if not fits or above and value == low:
            raise ValueError(f"a number {'above' if above else 'from'} {low:g} {'and at most' if above else 'to'} "
                             f"{high:g}")
        return float(value)

    return Field(check, default)


def flag(default: bool = False) -> Field:
    """true or false."""
    def check(value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError("true or false")
        return value

    return Field(check, default)


def one_of(*names: str) -> Field:
    """One of ``names``; the first one is the default."""
    def check(value: Any) -> str:
        if value not in names:
            raise ValueError(f"one of {', '.join(names)}")
        return value

    return Field(check, names[0])


def neutral(*values: Any) -> Field:
    """A field of OpenAI's API that this server does not have: only ``values``, which change nothing, are taken."""
    def check(value: Any) -> Any:
        if not any(type(value) in (type(one), int) and value == one for one in values):
            raise ValueError(f"{' or '.join(json.dumps(one) for one in values)}, as this server has nothing else")
        return value

    return Field(check, values[0])


def text(value: Any) -> str:
    """A string that UTF-8 can write."""
    if not isinstance(value, str):
        raise ValueError("a string")
    try:
        check_text("text", value)
    except ValueError:
        raise ValueError("a string without half characters (lone surrogates)") from None
    return value


def texts(most: int, *, empty: bool = True) -> Callable[[Any], list[str]]:
    """A string, or a list of 1 to ``most`` strings; without ``empty``, each has a character."""
    def check(value: Any) -> list[str]:
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or not 1 <= len(listed) <= most \
                or not all(isinstance(one, str) for one in listed):
            raise ValueError(f"a string, or a list of 1 to {most} strings")
        found = [text(one) for one in listed]
        if not empty and not all(found):
            raise ValueError("strings with at least one character")
        return found

    return check


async def read_body(request: Request, fields: Mapping[str, Field]) -> dict[str, Any]:
    """The fields of the body, checked, with defaults for those that are missing or null. ApiError 400, 408 or 413."""
    try:
        body = await asyncio.wait_for(_received(request), PATIENCE)
    except asyncio.TimeoutError:                            # else the end of the server would wait for this client
        raise ApiError(408, f"the body did not come within {PATIENCE:g} seconds", code="body_too_slow",
                       headers={"Connection": "close"}) from None
    values = _parsed(body)
    for name in values:
        if name not in fields:
            shown = _writable(name[:60])
            raise ApiError(400, f"unknown field {shown!r}; expected one of {', '.join(fields)}", param=shown,
                           code="unknown_field")
    found = {}
    for name, field in fields.items():
        value = values.get(name)
        if value is None:
            if field.required:
                raise ApiError(400, f"the field {name} is missing", param=name, code="missing_field")
            found[name] = field.default
            continue
        try:
            found[name] = field.check(value)
        except ValueError as error:
            raise ApiError(400, f"{name} is {_short(value)}, expected {error}", param=name,
                           code="invalid_field") from None
    return found


async def _received(request: Request) -> bytes:
    """The body. A longer one is read to its end and thrown away, up to a limit: a client that still sends when the
    server closes the connection would never see the answer."""
    said = request.headers.get("content-length", "")
    body, length = bytearray(), int(said) if said.isdecimal() else 0
    if length <= DRAINED:
        length = 0
        async for part in request.stream():
            length += len(part)
            if length > DRAINED:
                break
            if length <= LARGEST:
                body += part
    if length > LARGEST:
        raise ApiError(413, f"the body is longer than {LARGEST} bytes", code="body_too_long",
                       headers={"Connection": "close"} if length > DRAINED else {})
    return bytes(body)


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        values = json.loads(body.decode("utf-8"), parse_constant=_not_json)
    except (ValueError, RecursionError):                    # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise ApiError(400, "the body is not JSON in UTF-8", code="invalid_json") from None
    if not isinstance(values, dict):
        raise ApiError(400, f"the body is {_short(values)}, expected a JSON object", code="invalid_json")
    return values


def _not_json(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _writable(name: str) -> str:
    """``name`` with half characters (lone surrogates) as escapes, so that UTF-8 can write it."""
    return name.encode(errors="backslashreplace").decode()


def _short(value: Any) -> str:
    """A wrong value in an error: numbers and words as they are, longer things by their kind."""
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else f"a list of {len(value)}"
    written = json.dumps(value)
    return written if len(written) <= 40 else f"{written[:37]}..."
