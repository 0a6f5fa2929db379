"""From MyST to a notebook."""

from __future__ import annotations

import json

import pytest

from tinyformer.book import solved, stub

pytest.importorskip("jupytext", reason="notebooks are made with jupytext")
from tinyformer.book.notebooks import markdown, notebook, stale, write

CELL = """def f(x):
    def vjp(dy):
        ### BEGIN SOLUTION
        dx = 2 * dy
        return dx
        ### END SOLUTION
    return 2 * x, vjp
"""


def test_a_solution_becomes_a_stub():
    assert stub(CELL) == "def f(x):\n    def vjp(dy):\n        raise NotImplementedError\n    return 2 * x, vjp\n"


def test_solved_leaves_the_solution_without_its_marks():
    assert solved(CELL) == \
        "def f(x):\n    def vjp(dy):\n        dx = 2 * dy\n        return dx\n    return 2 * x, vjp\n"


@pytest.mark.parametrize("wrong",
                         [CELL.replace("        ### END SOLUTION\n", ""), CELL.replace("### BEGIN SOLUTION", "pass"),
                          CELL.replace("        ### END", "    ### END")])
def test_half_a_solution_is_an_error(wrong):
    with pytest.raises(ValueError, match="BEGIN SOLUTION"):
        stub(wrong)


@pytest.mark.parametrize("myst, plain", [
    ("```{note}\nA.\n\nB.\n```", "> **Note**\n>\n> A.\n>\n> B."),
    (":::{admonition} Mind\n:class: warning\nA.\n:::", "> **Mind**\n>\n> A."),
    ("```{admonition} Answer\n:class: dropdown\nA.\n```", "<details><summary>Answer</summary>\n\nA.\n\n</details>"),
    ("```{math}\n:label: one\ny = x\n```", "$$\ny = x\n$$"),
    ("```{figure} images/a.png\n:width: 80%\nWhat it\nshows.\n```", "![What it shows.](../chapters/images/a.png)"),
    ("(here)=\n## Here", "## Here"),
    ("## A\n\n```{index} a, b\n```\n```{index} single: c, d\n```\n\nB.", "## A\n\nB."),
    ("{math}`x^2` and {ref}`there <here>`, {term}`softmax`", "$x^2$ and there, softmax"),
    ("[next](01-linear-model.md) [codes](doctor.md#sign)",
     "[next](01-linear-model.ipynb) [codes](../chapters/doctor.md#sign)"),
    ("{doc}`01-linear-model`", "[01-linear-model](01-linear-model.ipynb)"),
])
def test_myst_becomes_plain_markdown(myst, plain):
    assert markdown(myst) == plain


@pytest.mark.parametrize("myst", ["```{tabularx} A\nB\n```", "{nosuch}`x`"])
def test_what_has_no_form_is_refused(myst):
    with pytest.raises(ValueError, match="no form in a notebook"):
        markdown(myst)


CHAPTER = f"""---
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# A

```{{code-cell}}
:tags: [hide-input]

{CELL}```

Again:

```{{code-cell}}
x = 1
```

Again:

```{{code-cell}}
x = 1
```
"""


@pytest.fixture
def book(tmp_path):
    from tinyformer.book import Book
    (tmp_path / "chapters").mkdir()
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "chapters" / "conf.py").write_text("")
    (tmp_path / "chapters" / "01-a.md").write_text(CHAPTER, encoding="utf-8")
    return Book(tmp_path)


def test_the_same_chapter_gives_the_same_bytes_and_each_cell_an_id(book):
    first, second = (notebook(book.sources()[0]) for _ in range(2))
    assert first == second
    cells = json.loads(first)["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells) == 6
    assert cells[1]["metadata"] == {"tags": ["hide-input"]} \
        and "raise NotImplementedError" in "".join(cells[1]["source"])


def test_stale_and_write(book):
    orphan = book.notebooks / "09-gone.ipynb"
    orphan.write_text("{}")
    made = book.notebooks / "01-a.ipynb"
    assert set(stale(book)) == {made, orphan}
    assert set(write(book)) == {made, orphan}
    assert made.is_file() and not orphan.exists() and not stale(book)
    made.write_text(made.read_text(encoding="utf-8").replace("x = 1", "x = 2"), encoding="utf-8")
    assert list(stale(book)) == [made]


def test_an_error_names_the_chapter(book):
    source = book.sources()[0]
    source.write_text(CHAPTER.replace("### END SOLUTION", "### END"), encoding="utf-8")
    with pytest.raises(ValueError, match="01-a.md"):
        notebook(source)


def test_a_folder_without_chapters(tmp_path):
    from tinyformer.book import Book
    with pytest.raises(FileNotFoundError, match="checkout"):
        Book(tmp_path)
