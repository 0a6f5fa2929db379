"""The book's tools: notebooks and a site out of ``chapters/NN-name.md``, which people edit. Needs the extra ``book``.

    chapters    where the chapters are, their cells, and which lines are a solution
    notebooks   NN-name.md → NN-name.ipynb, the same bytes each time
    site        the pages, with Sphinx; and a server for them
"""

from .chapters import Book, cells, solved, stub

__all__ = ["Book", "cells", "solved", "stub"]
