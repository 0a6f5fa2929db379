"""A docstring in this project's form as reStructuredText, and a signature in short.

The form: sentences; formulas and code indented by four spaces; and tables of arguments, a line for each,

    scale       1/√D unless given
    mask        boolean, True where a query may look;
                its second line is indented
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

LITERAL = re.compile(r"``(.+?)``|`([^`]+)`", re.DOTALL)
STRONG = re.compile(r"\*\*(?=\w)([^*]+)(?<=\w)\*\*")
ROW = re.compile(r"""(?P<name>["\w.…+<?*=-]+(?:,[ ]["\w.…+*-]+)*)[ ]{2,}(?P<text>\S.*)""")
EQUATIONS = re.compile(r"[Bb]ook(?:(?:,| to| and)? \(\d+\.\d+\))+")
CHAPTER = re.compile(r"\b([Cc]hapter) (\d\d)\b")


ARRAY = re.compile(r"~?numpy\.ndarray\[tuple\[~?(?:typing\.)?Any, \.\.\.\], ~?numpy\.dtype\[[^\]]*\]\]")


def short_signature(arguments: str | None, returns: str | None,
                    is_operation: bool = False) -> tuple[str | None, str | None]:
    """Arguments and result as a reader wants them.

    NDArray stands for its long form, … for a factory. An operation shows the tensors that its callers get instead
    of ``(value, vjp)``.
    """
    if arguments:
        arguments = ARRAY.sub("NDArray", arguments.replace("<factory>", "..."))
    if returns:
        returns = ARRAY.sub("NDArray", returns)
    if is_operation and returns:
        returns = "tuple[Tensor, ...]" if "Values" in returns else "Tensor"
    return arguments, returns


def as_rst(docstring: str, chapters: dict[str, str]) -> str:
    """``docstring`` as reStructuredText.

    chapters    {"09": "09-attention"}: where "book (9.2)" and "chapter 09" lead to
    """
    return "\n\n".join(_block(lines, chapters) for lines in paragraphs(docstring)) + "\n"


def paragraphs(text: str) -> Iterator[list[str]]:
    """Yield the lines of each paragraph. Indented ones in a row stay together: one formula of several parts."""
    block: list[str] = []
    for paragraph in re.split(r"\n(?:[ ]*\n)+", text.strip("\n")):
        if paragraph.startswith("    ") and block and block[0].startswith("    "):
            block += ["", *paragraph.split("\n")]
            continue
        if block:
            yield block
        block = paragraph.split("\n")
    if block:
        yield block


def _block(lines: list[str], chapters: dict[str, str]) -> str:
    if lines[0].startswith(">>>"):
        return "\n".join(lines)
    indentation = min(len(line) - len(line.lstrip()) for line in lines if line)
    lines = [line[indentation:] for line in lines]
    if table := rows(lines):
        return _table(table, chapters)
    if sections := _sections(lines):
        return "\n\n".join(f"{_text(heading, chapters)}\n\n{_table(rows, chapters)}" for heading, rows in sections)
    if indentation:
        formula = (f"   {line}".rstrip().replace("``", "") for line in lines)
        return "\n".join([".. code-block:: none", "   :class: formula", "", *formula])
    return _text(" ".join(line.strip() for line in lines), chapters)


def _sections(lines: list[str]) -> list[tuple[str, list[tuple[str, str]]]]:
    """[(heading, table)] where ``lines`` are headings that each have an indented table below; else nothing."""
    found: list[tuple[str, list[str]]] = []
    for line in lines:
        if not line.startswith(" "):
            found.append((line, []))
        elif found:
            found[-1][1].append(line[4:])
    tables = [(heading, rows(below)) for heading, below in found]
    return tables if all(table for _, table in tables) else []


def rows(lines: list[str]) -> list[tuple[str, str]]:
    """[(name, text)] where ``lines`` are a table; else nothing.

    The texts begin in one column, but for names that reach into it.
    """
    found: list[tuple[str, str]] = []
    column = None
    for line in lines:
        match = ROW.fullmatch(line)
        if match and (column in (None, match.start("text")) or match.start("text") == match.end("name") + 2 > column):
            column = column or match.start("text")
            found.append((match["name"], match["text"]))
        elif found and line.startswith("    "):
            found[-1] = found[-1][0], f"{found[-1][1]}\n{line[column:] if not line[:column].strip() else line.strip()}"
        else:
            return []
    return found


def _table(table: list[tuple[str, str]], chapters: dict[str, str]) -> str:
    entries = []
    for name, text in table:
        inner = rows(text.split("\n"))                      # a table of the values that an argument may have
        shown = _table(inner, chapters) if len(inner) > 1 else _text(" ".join(text.split("\n")), chapters)
        entries.append(f"{', '.join(f'``{one}``' for one in name.split(', '))}\n" + textwrap.indent(shown, "   "))
    return ".. container:: arguments\n\n" + textwrap.indent("\n".join(entries), "   ")


def _text(text: str, chapters: dict[str, str]) -> str:
    """A paragraph on one line: code and links as roles, all else as it stands. Wide gaps stay wide."""
    parts, end = [], 0
    for match in LITERAL.finditer(text):
        parts += [_prose(text[end:match.start()], chapters), f"``{' '.join((match[1] or match[2]).split())}``"]
        end = match.end()
    parts.append(_prose(text[end:], chapters))
    return _joined(parts)


def _joined(parts: list[str]) -> str:
    """Code stands apart from letters on either side by a backslash and a space, which show nothing."""
    text = parts[0]
    for before, after in zip(parts, parts[1:]):
        code, other = (before, after) if before.startswith("``") else (after, before)
        touches = other[:1] if code is before else other[-1:]
        text += ("\\ " if touches and not touches.isspace() else "") + after
    return text


def _prose(text: str, chapters: dict[str, str]) -> str:
    links: list[str] = []

    def keep(role: str) -> str:
        links.append(role)
        return f"\0{len(links) - 1}\0"

    def equation(match: re.Match[str]) -> str:
        return re.sub(r"\((\d+\.\d+)\)", lambda one: keep(f":ref:`({one[1]}) <equation-{one[1]}>`"), match[0])

    def chapter(match: re.Match[str]) -> str:
        return keep(f":doc:`{match[0]} </{chapters[match[2]]}>`") if match[2] in chapters else match[0]

    text = CHAPTER.sub(chapter, EQUATIONS.sub(equation, text))
    text = STRONG.sub(lambda match: keep(f"**{match[1]}**"), text)
    text = re.sub(r"([\\*`|_])", r"\\\1", text)
    text = re.sub(r"[ ]{2,}(?=\S)", "\u2003", text)
    return re.sub(r"\0(\d+)\0", lambda match: links[int(match[1])], text)
