"""The reference: pages that Sphinx makes from docstrings, commands, settings of recipes and environment variables.

    names           every public name of the package, and the path under which people import it
    pages           what a page asks for, such as ``{api} tinyformer.ops products``, as text for Sphinx
    docstrings      a docstring in this project's form as reStructuredText
    links           from code in the chapters to the reference, and from the reference back to the chapters
    commands        the command line as Markdown, from typer itself
    settings        the settings of recipes and models as Markdown, from their dataclasses
    types           the types of annotations, from ``tinyformer.typing``
    variables       the environment variables as Markdown, from ``tinyformer.environment``
"""

from .names import PACKAGES, PublicName, public_names
from .pages import asked_for, expand

__all__ = ["PACKAGES", "PublicName", "asked_for", "expand", "public_names"]
