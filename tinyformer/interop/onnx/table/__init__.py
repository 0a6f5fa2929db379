"""The table: for each operation of ``ops`` the function that writes it as ONNX nodes, a file a theme as in ``ops``.

A converter takes the graph, then what the operation takes, by the same names: arrays as ``Value``, other arguments as
they are, or as ``Varying`` where they change with the inputs' sizes. It returns the value of the result, or a list of
several. ``@converts(ops.linear)`` puts it into the table; the operation of a package of your own goes in the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....packages import import_files

CONVERTERS: dict[Any, Callable[..., Any]] = {}              # by operation


def converts(*operations: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: the function is the converter of ``operations``."""
    def register(converter: Callable[..., Any]) -> Callable[..., Any]:
        CONVERTERS.update(dict.fromkeys(operations, converter))
        return converter
    return register


import_files(__name__)                                      # a new theme is a new file
