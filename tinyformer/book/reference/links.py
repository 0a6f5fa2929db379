"""Links between the chapters and the reference, made by Sphinx while it reads and writes pages.

    from chapters       the first time that a page names ``ops.softmax`` in code font, the name leads to its entry
    from docstrings     each public name in code font leads to its entry; "book (9.2)" leads to the formula
    in lists            below an entry the chapters that use the name; at the end of a chapter the names that it uses
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any
from collections.abc import Iterable, Iterator

from docutils import nodes
from sphinx import addnodes

from ..chapters import GUIDES
from .commands import anchor, commands
from .docstrings import as_rst, short_signature
from .names import every_name
from .pages import expand
from .types import aliases

TAG = re.compile(r"\\tag\{(\d+\.\d+)\}")
CODE = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
IMPORT = re.compile(r"^from (tinyformer[\w.]*) import (?:\(([^)]*)\)|(.*))$", re.MULTILINE)
CALL = re.compile(r"([A-Za-z_][\w.]*)(?:\(.*\))?", re.DOTALL)
MOST = 5                                                # chapters that an entry names


@cache
def spellings() -> dict[str, str]:
    """{how a text may write a public name: its path}. Names that fit two paths lead nowhere."""
    found: dict[str, set[str]] = {}
    for path, name in every_name().items():
        short = path.removeprefix("tinyformer.")
        last = short.rpartition(".")[2]
        ways = {path, short} | ({f"tfm.{short}"} if "." not in short else set())
        if "." in short and (not last.islower() or "_" in last):
            ways.add(last)                              # a word such as `check` is too common to be a name alone
        if short.count(".") == 2:
            ways.add(short.partition(".")[2])           # synthetic.digits, functional.gelu
        home = getattr(name.value, "__module__", None)
        if home and hasattr(name.value, "__qualname__"):
            ways.add(f"{home}.{name.value.__qualname__}")
        for way in ways:
            found.setdefault(way, set()).add(path)
    chosen = {}
    for way, paths in found.items():
        if len(paths) == 1 or way in paths:
            chosen[way] = way if way in paths else next(iter(paths))
    return chosen


def resolve(text: str, package: str = "") -> str | None:
    """The path of the public name that ``text`` is, or a call of it; names of ``package`` come first."""
    match = CALL.fullmatch(text)
    known, parts = spellings(), match[1].split(".") if match else []
    ways = (".".join(parts[:n]) for n in range(len(parts), 0, -1))              # ops.linear.raw is about ops.linear
    return next((known[way] for short in ways for way in (f"{package}.{short}", short) if way in known), None)


def command_in(text: str, commands: Iterable[str]) -> str | None:
    """The command that ``text`` begins with, such as "tinyformer learn check" in "tinyformer learn check softmax"."""
    return max((name for name in commands if " " in name and f"{text} ".startswith(f"{name} ")), key=len, default=None)


# ------------------------------------------------------------------------------------------------ while pages are read

def link_names(app: Any, tree: nodes.document, known_commands: Iterable[str]) -> None:
    """Turn names in code font into links, and note which names a page uses and where its numbered formulas are."""
    page = app.env.docname
    in_reference = page.startswith("reference/")
    used = app.env.tinyformer_used.setdefault(page, [])
    imported = {name.rpartition(".")[2]: name for block in tree.findall(nodes.literal_block)
                for name in _imports_in(block.astext()) if not in_reference}
    for literal in list(tree.findall(nodes.literal)):
        text = literal.astext()
        command = command_in(text, known_commands)
        path = command or resolve(imported.get(text, text), _package(literal))
        if (path is None or text in _arguments(literal) or path in used and not in_reference
                or _is_link_or_heading(literal, path)):
            continue
        used.append(path)
        domain, kind, target = ("", "command", anchor(command)) if command else ("py", "obj", path)
        reference = addnodes.pending_xref("", refdomain=domain, reftype=kind, reftarget=target, refexplicit=True,
                                          refwarn=True)
        literal.replace_self(reference)
        reference += literal
    for block in tree.findall(nodes.literal_block):
        used += [path for text in _names_in(block.astext()) if (path := resolve(text)) and path not in used]
    labels = app.env.get_domain("std").anonlabels
    for formula in tree.findall(nodes.math_block):
        for number in TAG.findall(formula.astext()):
            place = f"equation-{number.replace('.', '-')}"
            formula["ids"].append(place)
            labels[f"equation-{number}"] = page, place


def _names_in(code: str) -> Iterator[str]:
    """What may be public names in ``code``: all with a dot, and what it imports."""
    yield from CODE.findall(code)
    yield from _imports_in(code)


def _imports_in(code: str) -> Iterator[str]:
    """The full names that ``code`` imports from the package."""
    for package, in_brackets, on_line in IMPORT.findall(code):
        yield from (f"{package}.{name.split()[0]}" for name in (in_brackets or on_line).split(",") if name.strip())


def _entry(node: nodes.Node) -> addnodes.desc | None:
    """The entry of the reference in which a node stands."""
    while node is not None and not isinstance(node, addnodes.desc):
        node = node.parent
    return node


def _package(node: nodes.Node) -> str:
    """The package of the entry in which a node stands, "" outside of the reference."""
    entry = _entry(node)
    return entry[0].get("module") or "" if entry is not None else ""


def _arguments(node: nodes.Node) -> set[str]:
    """The names of the arguments of the entry in which a node stands: such a name is not the function of this name."""
    entry = _entry(node)
    parameters = entry[0].findall(addnodes.desc_parameter) if entry is not None else ()
    return {parameter.astext().lstrip("*").partition("=")[0].partition(":")[0] for parameter in parameters}


def _is_link_or_heading(literal: nodes.literal, path: str) -> bool:
    node = literal.parent
    while node is not None:
        if isinstance(node, (nodes.title, nodes.reference, addnodes.pending_xref)):
            return True
        if isinstance(node, addnodes.desc) and path in node[0].get("ids", ()):
            return True                                 # the entry itself
        node = node.parent
    return False


# ------------------------------------------------------------------------------------------------ when all are read

def add_lists(app: Any, tree: nodes.document, page: str) -> None:
    """Below each entry of the reference the chapters that use the name; at the end of a chapter its names."""
    if page.startswith("reference/"):
        for entry in tree.findall(addnodes.desc):
            chapters = _chapters_with(app.env, entry[0].get("ids", ()))
            if chapters and not isinstance(entry.parent, addnodes.desc_content):        # methods are within their class
                links = [(nodes.Text(app.env.titles[chapter].astext()), app.builder.get_relative_uri(page, chapter))
                         for chapter in chapters]
                entry[-1] += _list("In the book: ", links)
    elif _runs(page):
        entries = app.env.get_domain("py").objects
        names = [(nodes.literal("", path.removeprefix("tinyformer.")),
                  f"{app.builder.get_relative_uri(page, entries[path].docname)}#{entries[path].node_id}")
                 for path in sorted(app.env.tinyformer_used.get(page, ())) if path in entries]
        if names:
            next(iter(tree.findall(nodes.section))).append(_list("In the reference: ", names))


def _runs(page: str) -> bool:
    """Whether the page is a chapter or a guide."""
    return page[:2].isdigit() or page in GUIDES


def _list(heading: str, links: list[tuple[nodes.Node, str]]) -> nodes.paragraph:
    line = nodes.paragraph("", heading, classes=["other-places"])
    for i, (text, uri) in enumerate(links):
        line += [nodes.Text(", " if i else ""), nodes.reference("", "", text, internal=True, refuri=uri)]
    return line


def _chapters_with(env: Any, paths: list[str]) -> list[str]:
    """The first chapters that use one of ``paths``."""
    used = env.tinyformer_used
    return [page for page in sorted(used) if _runs(page) and any(path in used[page] for path in paths)][:MOST]


# ------------------------------------------------------------------------------------------------ wiring

def setup(app: Any, chapters: dict[str, str], command_line: Any) -> None:
    """Connect all this to Sphinx.

    chapters        {"09": "09-attention"}
    command_line    the typer.Typer of ``tinyformer``
    """
    known_commands = list(commands(command_line))

    def prepare(app: Any) -> None:
        if not hasattr(app.env, "tinyformer_used"):
            app.env.tinyformer_used = {}

    def convert(app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
        lines[:] = as_rst("\n".join(lines), chapters).split("\n")

    def shorten(app: Any, what: str, name: str, value: Any, options: Any, arguments: str | None,
                returns: str | None) -> tuple[str | None, str | None]:
        return short_signature(arguments, returns, is_operation=hasattr(value, "raw"))

    def public_bases(app: Any, name: str, value: Any, options: Any, bases: list[Any]) -> None:
        bases[:] = [f":py:class:`{spellings()[path].removeprefix('tinyformer.')} <{spellings()[path]}>`"
                    if isinstance(base, type)
                    and (path := f"{base.__module__}.{base.__qualname__}") in spellings() else base
                    for base in bases if base is not object]

    def missing(app: Any, env: Any, node: Any, content: nodes.Element) -> nodes.Element | None:
        target, domain = node.get("reftarget", ""), env.get_domain("py")
        if node.get("reftype") == "command":                # Sphinx's own labels would drop the code font
            page, place = env.get_domain("std").anonlabels[target]
            return nodes.reference("", "", content, internal=True,
                                   refuri=f"{app.builder.get_relative_uri(node['refdoc'], page)}#{place}")
        path = f"tinyformer.typing.{target}" if target in aliases() else resolve(target, node.get("py:module") or "")
        if node.get("refdomain") != "py" or path not in domain.objects:
            return None
        entry = domain.objects[path]
        uri = app.builder.get_relative_uri(node["refdoc"], entry.docname)
        return nodes.reference("", "", content, internal=True, refuri=f"{uri}#{entry.node_id}", reftitle=path)

    app.connect("builder-inited", prepare)
    app.connect("source-read", lambda app, page, source: source.__setitem__(0, expand(source[0], command_line)))
    app.connect("env-get-outdated", lambda app, env, *_: [page for page in env.found_docs
                                                          if page.startswith("reference/")])
    app.connect("env-purge-doc", lambda app, env, page: getattr(env, "tinyformer_used", {}).pop(page, None))
    app.connect("env-merge-info", lambda app, env, pages, other: env.tinyformer_used.update(
        {page: other.tinyformer_used[page] for page in pages if page in other.tinyformer_used}))
    app.connect("autodoc-process-docstring", convert)
    app.connect("autodoc-process-signature", shorten)
    app.connect("autodoc-process-bases", public_bases)
    app.connect("doctree-read", lambda app, tree: link_names(app, tree, known_commands))
    app.connect("doctree-resolved", add_lists)
    app.connect("missing-reference", missing)
