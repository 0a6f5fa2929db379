"""Chapters become notebooks: plain Markdown instead of directives, stubs instead of solutions, no outputs.

The same chapter gives the same bytes: a cell's id is a hash of what it says, where jupytext would draw one at random.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter

from ..files import replace_file
from .chapters import GUIDES, stub

METADATA = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"}}
FENCE = re.compile(r"^(?P<fence>`{3,}|:{3,})\{(?P<name>[\w-]+)\}[ ]*(?P<title>[^\n]*)\n"
                   r"(?P<options>(?::[\w-]+:[^\n]*\n)*)(?P<body>.*?)^(?P=fence)[ ]*$", re.MULTILINE | re.DOTALL)
BOXES = ("note", "tip", "important", "warning", "admonition", "seealso")
LABEL = re.compile(r"^\([\w.:-]+\)=\n", re.MULTILINE)
INDEX = re.compile(r"^```\{index\}[^\n]*\n```$\n*", re.MULTILINE)                # a notebook has none
ROLE = re.compile(r"\{(?P<name>[\w-]+)\}`(?P<text>[^`<]*?)(?:\s*<(?P<target>[^>]*)>)?`")
WITH_NOTEBOOK = re.compile(rf"(?:[0-9][0-9]-[\w-]+|{'|'.join(GUIDES)})\.md")
LINK = re.compile(r"\]\((?P<file>[\w./-]+?)(?P<anchor>#[\w-]+)?\)")


def notebook(path):
    """The text of the notebook of the chapter at ``path``."""
    import jupytext
    import nbformat
    made = jupytext.reads(path.read_text(encoding="utf-8"), fmt="md:myst")
    made.metadata, seen = METADATA, Counter()
    made.nbformat, made.nbformat_minor = 4, 5                  # from 4.5 on cells have ids
    try:
        for cell in made.cells:
            code = cell.cell_type == "code"
            cell.source = (stub(cell.source + "\n") if code else markdown(cell.source)).strip("\n")
            cell.metadata = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
            said = f"{cell.cell_type}\n{cell.source}"
            cell.id = hashlib.sha256(f"{said}\n{seen[said]}".encode()).hexdigest()[:12]
            seen[said] += 1
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    nbformat.validate(made)
    return nbformat.writes(made) + "\n"


def write(book):
    """Write the notebooks of all chapters and guides, remove the others, and return what has changed."""
    changed = stale(book)
    for path, text in changed.items():
        if text is None:
            path.unlink()
        else:
            replace_file(path, text)
    return list(changed)


def stale(book):
    """{path of a stale notebook: what it should hold, or None where there should be none}."""
    wanted = {book.notebooks / f"{source.stem}.ipynb": notebook(source) for source in book.with_notebooks()}
    present = {path: path.read_text(encoding="utf-8") for path in book.notebooks.glob("*.ipynb")}
    return {path: wanted.get(path) for path in sorted({*wanted, *present}) if wanted.get(path) != present.get(path)}


def markdown(text):
    """MyST as the plain Markdown that Jupyter shows.

    Boxes become quotations or foldable details, roles and labels their text.
    """
    text = FENCE.sub(_block, INDEX.sub("", LABEL.sub("", text)))
    text = ROLE.sub(_role, text)
    return LINK.sub(_link, text)


def _block(match):
    name, title, body = match["name"], match["title"].strip(), match["body"].strip("\n")
    if name in BOXES:
        title = title or name.capitalize()
        if "dropdown" in match["options"]:
            return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"
        return "\n".join(f"> {line}".rstrip() for line in (f"**{title}**", "", *body.split("\n")))
    if name == "math":
        return f"$$\n{body}\n$$"
    if name in ("figure", "image"):
        return f"![{' '.join(body.split())}]({title})"
    raise ValueError(f"the directive {{{name}}} has no form in a notebook; "
                     f"chapters may use {', '.join(BOXES)}, math, figure, image and index")


def _role(match):
    name, text, target = match["name"], match["text"], match["target"]
    if name == "math":
        return f"${text}$"
    if name == "doc":
        return f"[{text or target}]({target or text}.md)"
    if name in ("ref", "term", "index", "numref", "abbr"):
        return text or target
    raise ValueError(f"the role {{{name}}} has no form in a notebook; chapters may use math, doc, ref, term, index")


def _link(match):
    """Links between chapters and guides lead to the other notebook, all other files lie in chapters/."""
    file, anchor = match["file"], match["anchor"] or ""
    if WITH_NOTEBOOK.fullmatch(file):
        return f"]({file[:-3]}.ipynb)"
    if "://" in file or file.startswith(("/", "#", "..")):
        return match[0]
    return f"](../chapters/{file}{anchor})"
