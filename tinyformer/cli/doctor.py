"""tinyformer doctor [CODE …]"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from .console import say


def command(codes: Annotated[Optional[list[str]], typer.Argument(
        metavar="CODE", help="A code of the gradient doctor.")] = None) -> None:
    """Show this installation, or explain a code of the doctor.

    The codes are those that `tinyformer check` and `tinyformer learn check` find, such as softmax-diagonal.
    """
    if codes:
        from ..gradcheck.codes import page
        try:
            say("\n\n".join(f"{code}\n\n{page(code)}" for code in codes))
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
    else:
        _installation()


def _installation() -> None:
    """Python, NumPy and its BLAS, threads, backends, folders, environment variables."""
    import numpy as np

    from .. import __version__, backend
    from ..environment import HEADINGS, VARIABLES
    from ..text import CORPORA, data_folder
    info = backend.info()
    say(f"tinyformer   {__version__} in {Path(__file__).parent.parent}")
    say(f"Python       {platform.python_version()} in {sys.executable}")
    say(f"system       {platform.platform()}, {os.cpu_count()} processors")
    blas = ", ".join(f"{pool['internal_api']} {pool['version']} ({pool.get('architecture') or 'unknown architecture'})"
                     for pool in backend.blas()) or "unknown"
    say(f"NumPy        {np.__version__} with BLAS: {blas}")
    say(f"threads      {info['threads']}")
    say(f"backend      {info['live']} is live")
    for name, state in info["backends"].items():
        say(f"  {name:<10} {state}")
    say(f"data         {data_folder()}")
    say(f"corpora      {', '.join(CORPORA)}, or the path of a text file")
    say(f"checkpoints  {Path('runs').resolve()}")
    for read, heading in HEADINGS.items():
        say(f"environment  {heading.lower()}")
        for variable in VARIABLES:
            if variable.read == read:
                value = os.environ.get(variable.name)
                say(f"  {variable.name:<23} {'not set: ' + variable.default if value is None else value}")
