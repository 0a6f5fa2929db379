"""The command line as Markdown, from typer itself. ``app`` is passed in, since ``cli`` uses the book."""

from __future__ import annotations

import inspect
import re
from typing import Any
from collections.abc import Iterator

import typer

# Without a word of our own for a value, typer shows its type: "--seed <int range>", "TEXT … <list[str]>".
TYPE = re.compile(r" <(?:list\[)?(\w+)[^>]*>")
WORDS = {"int": " INTEGER", "float": " NUMBER"}


def commands(app: typer.Typer) -> dict[str, tuple[Any, Any]]:
    """{"tinyformer learn check": (the command, its context)}, with groups before what they hold."""
    return dict(_walk(typer.main.get_command(app), None, "tinyformer"))


def _walk(command: Any, parent: Any, name: str) -> Iterator[tuple[str, tuple[Any, Any]]]:
    context = typer.Context(command, parent=parent, info_name=name)
    yield context.command_path, (command, context)
    for inner, below in getattr(command, "commands", {}).items():
        if not below.hidden:
            yield from _walk(below, context, inner)


def as_markdown(app: typer.Typer) -> str:
    """A section for each command: what it does, how it is called, its arguments and its options."""
    return "\n\n".join(_section(path, command, context) for path, (command, context) in commands(app).items()) + "\n"


def anchor(path: str) -> str:
    """The label of a command's section."""
    return f"command-{path.replace(' ', '-')}"


def _section(path: str, command: Any, context: Any) -> str:
    usage = " ".join(command.get_usage(context).split()).removeprefix("Usage: ")
    parts = [f"({anchor(path)})=", f"## {path}", f"```text\n{usage}\n```", prose(inspect.cleandoc(command.help or ""))]
    rows = [record for parameter in command.params if not getattr(parameter, "hidden", False)
            and (record := parameter.get_help_record(context))]
    if rows:
        parts.append(table(rows))
    return "\n\n".join(part for part in parts if part)


def table(rows: list[tuple[str, str]]) -> str:
    """(code, text) rows as a list of definitions."""
    entries = (f"`{_plain(code)}`\n: {prose(' '.join(text.split())) or '–'}" for code, text in rows)
    return ":::{container} arguments\n" + "\n\n".join(entries) + "\n:::"


def _plain(code: str) -> str:
    return TYPE.sub(lambda match: WORDS.get(match[1], "" if not code.startswith("-") else " TEXT"), code)


def prose(text: str) -> str:
    """Text of a help page: what would be Markdown's signs stays as it stands, but for code in backticks."""
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([\\*_<>\[\]$#])", r"\\\1", part) for part in parts)
