"""The environment variables as Markdown, from ``tinyformer.environment``."""

from __future__ import annotations

from ...environment import HEADINGS, VARIABLES
from .commands import prose


def as_markdown() -> str:
    """A section for each time at which variables are read."""
    parts = []
    for read, heading in HEADINGS.items():
        entries = (f"`{variable.name}`\n: {prose(variable.meaning)}\n\n  Values: {prose(variable.values)}. Not set: "
                   f"{prose(variable.default)}." for variable in VARIABLES if variable.read == read)
        parts += [f"## {heading}", ":::{container} arguments\n" + "\n\n".join(entries) + "\n:::"]
    return "\n\n".join(parts) + "\n"
