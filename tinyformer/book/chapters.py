"""The chapters: MyST Markdown with cells that run. Where a cell is an exercise, its solution is marked.

A solution stands in the chapter between two lines of comment. The reader's notebook has ``raise NotImplementedError``
there:

    def vjp(dy):
        ### BEGIN SOLUTION
        return 2 * x * dy
        ### END SOLUTION
"""

from __future__ import annotations

import re
from pathlib import Path

GUIDES = ("quick-start", "from-pytorch")
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OPTIONS = re.compile(r"\A(?::[\w-]+:[^\n]*\n)+\n*")
SOLUTION = re.compile(r"^([ \t]*)### BEGIN SOLUTION\n(.*?)^\1### END SOLUTION\n?", re.MULTILINE | re.DOTALL)


class Book:
    """A checkout's ``chapters/`` and ``notebooks/``.

    Raises FileNotFoundError where there is none: a wheel holds no book.
    """

    def __init__(self, root=None):
        beside = Path(__file__).resolve().parents[2]
        self.root = Path(root) if root is not None else next(
            (folder for folder in (Path.cwd(), beside) if (folder / "chapters" / "conf.py").is_file()), beside)
        self.chapters, self.notebooks = self.root / "chapters", self.root / "notebooks"
        if not (self.chapters / "conf.py").is_file():
            raise FileNotFoundError(f"no chapters in {Path.cwd() if root is None else self.root}; run this in a "
                                    "checkout of tinyformer's repository")

    def sources(self):
        """The chapters' files in the order of their numbers."""
        return sorted(self.chapters.glob("[0-9][0-9]-*.md"))

    def with_notebooks(self):
        """The chapters, and the other pages whose cells run and that have a notebook."""
        return [*self.sources(),
                *(self.chapters / f"{name}.md" for name in GUIDES if (self.chapters / f"{name}.md").is_file())]


def cells(text):
    """The source of each code cell of a chapter, without its options."""
    return [OPTIONS.sub("", cell) for cell in CELL.findall(text)]


def stub(source):
    """A cell as the reader gets it: each solution left to write."""
    _balanced(source)
    return SOLUTION.sub(lambda match: f"{match[1]}raise NotImplementedError\n", source)


def solved(source):
    """A cell with its solutions, without the comments around them."""
    _balanced(source)
    return SOLUTION.sub(lambda match: match[2], source)


def _balanced(source):
    rest = SOLUTION.sub("", source)
    if "### BEGIN SOLUTION" in rest or "### END SOLUTION" in rest:
        raise ValueError("a cell has ### BEGIN SOLUTION without ### "
                         "END SOLUTION at the same indentation, or the other way round")
