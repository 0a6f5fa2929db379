"""The reference: every public name has one entry, and a docstring reads as it was meant."""

from __future__ import annotations

import dataclasses
import re

import pytest

import tinyformer
from tinyformer import nn
from tinyformer.book import Book
from tinyformer.book.reference import commands, settings, types, variables
from tinyformer.book.reference.docstrings import as_rst, short_signature
from tinyformer.book.reference.names import PACKAGES, every_name, find, public_names
from tinyformer.book.reference.pages import asked_for, comment, expand, members
from tinyformer.cli import app


BOOK = Book()
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted((BOOK.chapters / "reference").glob("*.md"))}


def test_every_public_name_has_one_entry():
    found = [name.path for text in PAGES.values() for name in asked_for(text)]
    modules = {path for path, name in every_name().items() if hasattr(name.value, "__spec__")}
    described = {line.split()[1] for text in PAGES.values() for line in text.splitlines() if line.startswith("```{api}")
                 and len(line.split()) == 2}
    assert {path for path in found if found.count(path) > 1} == set()
    assert set(every_name()) - modules - set(found) == set(), "add the name's file to a page of chapters/reference"
    assert {*PACKAGES, *modules} - described == set(), "add a page with {api} and the module's path"


def test_every_page_is_in_a_table_of_contents():
    listed = [line for text in [(BOOK.chapters / "index.md").read_text(encoding="utf-8"), *PAGES.values()]
              for block in text.split("```{toctree}")[1:] for line in block.split("```")[0].split()]
    assert sorted(line.removeprefix("reference/") for line in listed
                  if line.removeprefix("reference/") in PAGES) == sorted(PAGES)


def test_a_name_is_where_its_path_says():
    for path, name in every_name().items():
        assert find(path) is name.value or callable(name.value)
    assert "tinyformer.ops.linear" in every_name() and "tinyformer.nn.functional.gelu" in every_name()
    assert {name.file for name in public_names("tinyformer.ops")
            if name.path.endswith((".linear", ".matmul"))} == {"products"}


def test_a_page_asks_for_a_file_or_for_all():
    assert ".. autofunction:: tinyformer.ops.linear" in expand("# A\n\n```{api} tinyformer.ops products\n```\n")
    assert "autofunction" not in expand("```{api} tinyformer.ops\n:overview:\n```\n")
    assert expand("```{note}\n```\n") == "```{note}\n```\n"
    with pytest.raises(ValueError, match="nothing public comes from nowhere"):
        asked_for("```{api} tinyformer.ops nowhere\n```\n")


def test_a_constant_is_described_by_its_comment():
    constants = [name for name in every_name().values() if name.is_constant]
    assert constants and all(len(comment(name)) > 20 for name in constants), constants


def test_the_members_of_a_class_are_its_own_methods_and_properties():
    class Example:
        asdict, size = dataclasses.asdict, 3

        def run(self): ...

        def _helper(self): ...

        @property
        def width(self): ...

        @classmethod
        def read(cls): ...

    for function in (Example.run, Example._helper, Example.width.fget, Example.read.__func__):
        function.__module__ = "tinyformer.example"
    assert members(Example) == ["run", "width", "read"]


@pytest.mark.parametrize("docstring, rst", [
    ("y = |x| of x_ and *args.   x (N,)", "y = \\|x\\| of x\\_ and \\*args.\u2003x (N,)\n"),
    ("It may **not** be `a_b` or ``c``s.", "It may **not** be ``a_b`` or ``c``\\ s.\n"),
    ("One.\n\n    y = x²\n    z = ``y``\n\n    w\n\nTwo.",
     "One.\n\n.. code-block:: none\n   :class: formula\n\n   y = x²\n   z = y\n\n   w\n\nTwo.\n"),
    ("a, b    first\n        goes on\nscale   1/√D",
     ".. container:: arguments\n\n   ``a``, ``b``\n      first goes on\n   ``scale``\n"
                                               "      1/√D\n"),
    ("x (N, C)    y (N,)", "x (N, C)\u2003y (N,)\n"),
    ("As in book (9.2) to (9.4); see chapter 09 and chapter 77.",
     "As in book :ref:`(9.2) <equation-9.2>` to :ref:`(9.4) <equation-9.4>`; see :doc:`chapter 09 </09-attention>` and "
     "chapter 77.\n"),
    ("a    1\nb    x    2\n     y    3\n          on",
     ".. container:: arguments\n\n   ``a``\n      1\n   ``b``\n      .. container:: arguments\n\n         ``x``\n      "
     "      2\n"
     "         ``y``\n            3 on\n"),
    ("How long\n    a    1\n    long_name  2\nWhere\n    b    3",
     "How long\n\n.. container:: arguments\n\n   ``a``\n      1\n   ``long_name``\n      2\n\nWhere\n\n"
     ".. container:: arguments\n\n   ``b``\n      3\n"),
    (">>> f(1)\n2\n\nDone.", ">>> f(1)\n2\n\nDone.\n"),
])
def test_a_docstring_as_restructuredtext(docstring, rst):
    assert as_rst(docstring, {"09": "09-attention"}) == rst


def test_a_signature_is_short():
    array = "~numpy.ndarray[tuple[~typing.Any, ...], ~numpy.dtype[~typing.Any]]"
    assert short_signature(f"(x: {array} | None = <factory>)", array) == ("(x: NDArray | None = ...)", "NDArray")
    assert short_signature("(x)", "ValueAndVjp", is_operation=True) == ("(x)", "Tensor")
    assert short_signature("(x)", "ValuesAndVjp", is_operation=True) == ("(x)", "tuple[Tensor, ...]")
    assert short_signature(None, None) == (None, None)


def test_methods_of_tensors_show_types_without_quotation_marks():
    text = expand("```{api} tinyformer autograd\n```\n")
    assert ".. py:method:: softmax(*, axis: int = -1)" in text and ".. py:method:: maximum(y: TensorLike)" in text


def test_names_become_links():
    pytest.importorskip("sphinx", reason="the site is made with the extra [book]")
    from tinyformer.book.reference.links import _imports_in, command_in, resolve
    assert resolve("ops.softmax") == resolve("ops.softmax(x, axis=0)") == resolve("tinyformer.ops.softmax") \
        == "tinyformer.ops.softmax"
    assert resolve("tfm.tensor") == "tinyformer.tensor" \
        and resolve("MultiheadAttention") == "tinyformer.nn.MultiheadAttention"
    assert resolve("synthetic.digits") == "tinyformer.data.synthetic.digits" and resolve("x.digits") is None
    assert list(_imports_in("from tinyformer.train import (fit,\n    train)\nfrom numpy import x\nfrom tinyformer "
                            "import nn")) == [
        "tinyformer.train.fit", "tinyformer.train.train", "tinyformer.nn"]
    assert resolve("check") is None and resolve("x.y") is None and resolve("softmax") is None
    assert resolve("check", "tinyformer.gradcheck") == "tinyformer.gradcheck.check"
    assert resolve(f"{nn.Linear.__module__}.Linear") == "tinyformer.nn.Linear"
    known = commands.commands(app)
    assert command_in("tinyformer learn check softmax", known) == "tinyformer learn check"
    assert command_in("tinyformer", known) is None and command_in("tinyformer trainer", known) is None


def test_every_command_has_a_section_with_its_options():
    text = commands.as_markdown(app)
    assert {"tinyformer train", "tinyformer learn check", "tinyformer book build"} <= set(commands.commands(app))
    for path, (command, context) in commands.commands(app).items():
        section = text.split(f"({commands.anchor(path)})=")[1].split("\n(command-")[0]
        for parameter in command.params:
            if getattr(parameter, "hidden", False):
                continue
            name = parameter.opts[0] if parameter.opts[0].startswith("-") else parameter.get_help_record(context)[0]
            assert f"`{name.split()[0]}" in section, (path, name)
    assert "`--max-new-tokens INTEGER`" in text and " <" not in text.replace("\\<", "")


def test_a_setting_is_described_by_its_metadata_a_comment_or_the_docstring():
    @dataclasses.dataclass
    class Base:
        """One.

        width, height    how wide and high
        """

        width: int
        height: int = 2

    @dataclasses.dataclass
    class Settings(Base):
        """Two."""

        a: float = 1e-3             # behind
        # above, on
        # two lines
        b: str = "x"
        c: bool = dataclasses.field(default=True, metadata={"help": "given"})
        n_layer: int = 3

    assert settings.settings(Settings) == [
        ("width", "int", None, "how wide and high"), ("height", "int", 2, "how wide and high"),
        ("a", "float", 1e-3, "Behind"),
        ("b", "str", "x", "Above, on two lines"), ("c", "bool", True, "given"),
        ("n_layer", "int", 3, "L, the number of layers")]
    table = settings.table("model.", settings.settings(Settings))
    assert "| `model.b` | str | `\"x\"` | Above, on two lines |" in table \
        and "| `model.c` | bool | `true` | given |" in table


def test_every_setting_of_every_task_and_model_is_listed():
    text = settings.as_markdown()
    for name in ("train.lr", "data.corpus", "data.shift", "model.n_layer", "model.rope_theta"):
        assert f"| `{name}` |" in text
    assert not [line for line in text.splitlines() if line.endswith("|  |")], "settings without a meaning"
    for cls in ("GPT", "Llama", "NGram", "Seq2Seq", "BertClassifier"):
        assert f"`models.{cls}`" in text


def test_every_type_for_annotations_is_listed():
    text = types.as_markdown()
    assert ".. py:type:: TensorLike\n   :canonical: Union[Tensor," in text and "tinyformer.typing.Operation" in text
    assert "DTypeLike" not in types.aliases() and "None means all axes" in types.aliases()["Axis"][1]


def test_every_environment_variable_is_listed():
    from tinyformer.environment import VARIABLES
    text = variables.as_markdown()
    assert all(f"`{variable.name}`\n: " in text for variable in VARIABLES)


@pytest.mark.slow
def test_the_site_has_every_name_and_links_both_ways(site):
    from sphinx.util.inventory import InventoryFile
    with (site / "objects.inv").open("rb") as stream:
        inventory = InventoryFile.load(stream, "", lambda base, path: path)
    entries = {name for kind, names in inventory.items() if kind.startswith("py:") for name in names}
    assert set(every_name()) - entries == set()
    chapter = (site / "01-linear-model.html").read_text(encoding="utf-8")
    assert 'href="reference/ops-products.html#tinyformer.ops.linear"' in chapter and "In the reference:" in chapter
    start = (site / "reference" / "environment.html").read_text(encoding="utf-8")
    assert re.search(r'href="command-line.html#command-tinyformer-doctor"[^>]*><code', start)
    entry = (site / "reference" / "ops-attention.html").read_text(encoding="utf-8")
    assert 'href="../09-attention.html#equation-9-2"' in entry
    assert "In the book:" in entry and 'href="../13-llama-and-qwen.html"' in entry


def test_what_a_class_has_from_a_base_without_a_page_is_described_with_it():
    shown = members(tinyformer.Tensor)
    assert {"item", "tolist", "numpy", "backward",
            "view"} <= set(shown) and "parameters" not in members(tinyformer.nn.Linear)
