"""Sphinx's settings for the book. `tinyformer book build` runs it."""

import os
import shutil
import sys
from importlib.metadata import distribution
from pathlib import Path

from jupyter_cache import get_cache

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from tinyformer import __version__ as release  # noqa: E402
from tinyformer.book import Book  # noqa: E402
from tinyformer.book.reference import links  # noqa: E402
from tinyformer.cli import app as command_line  # noqa: E402
from tinyformer.book.site import in_chinese, index_in_chinese, report_progress, show_stubs  # noqa: E402

project, author, copyright = "tinyformer", "The tinyformer authors", "the tinyformer authors"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_togglebutton", "sphinx_copybutton"]
exclude_patterns = ["README.md"]
root_doc = "index"

myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist"]
myst_heading_anchors = 3

# The reference: short types, defaults as the source writes them, a long signature on several lines.
add_module_names = False
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 120
python_display_short_literal_types = True
copybutton_selector = "div:not(.formula) > div.highlight > pre"         # a formula is nothing to paste
toc_object_entries_show_parents = "hide"

# Outputs are kept: a page whose cells have not changed is not run again. One that fails stops the build.
nb_execution_mode = "cache"
nb_execution_cache_path = os.environ["TINYFORMER_BOOK_CACHE"]
# makes its tables, which the two processes that read pages would both do
get_cache(nb_execution_cache_path).list_cache_records()
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_timeout = 300
nb_merge_streams = True
nb_ipywidgets_js = {}                                   # it would be fetched from the network
nb_code_prompt_show = "Show our solution"
nb_code_prompt_hide = "Hide our solution"
os.environ["TINYFORMER_STATIC"] = "1"                   # pictures in a row instead of sliders, which need a live kernel

html_theme = "sphinx_book_theme"
html_title = "tinyformer: a textbook that runs"
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_theme_options = {"show_navbar_depth": 1, "use_download_button": False, "home_page_in_toc": True,
                      "extra_footer": f"tinyformer {release}", "navigation_with_keys": False}
html_copy_source = False

# MathJax as one file without fonts to load, out of the package sphinx-mathjax-offline.
mathjax_path = "tex-svg.js"
MATHJAX = "sphinx-mathjax-offline/static/mathjax/tex-svg.js"


def copy_mathjax(app, error):
    if error is None and app.builder.format == "html":
        shutil.copyfile(distribution("sphinx-mathjax-offline").locate_file(MATHJAX),
                        Path(app.outdir) / "_static" / mathjax_path)


def complete_index(app, env):
    chinese, pages = in_chinese((HERE / "glossary.md").read_text(encoding="utf-8")), env.get_domain("index").entries
    for page, entries in pages.items():
        pages[page] = index_in_chinese(entries, chinese)


def setup(app):
    report_progress(app)
    links.setup(app, {path.stem[:2]: path.stem for path in Book(HERE.parent).sources()}, command_line)
    app.connect("source-read", lambda app, name, source: source.__setitem__(0, show_stubs(source[0])))
    app.connect("env-updated", complete_index)
    app.connect("build-finished", copy_mathjax)
