"""The command line: one file a command. ``main`` is what the shell calls ``tinyformer``."""

from __future__ import annotations

import os
import sys

import typer

from . import doctor, evaluate, generate, train

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
                  help="tinyformer: a textbook that runs. Train, sample and take apart small language models.")
for command in (train, generate, evaluate, doctor):
    app.command(name=command.__name__.rpartition(".")[2])(command.command)


def main():
    """Run the command; whatever goes wrong is one line on standard error. TINYFORMER_TRACEBACK=1 shows where it came from.

    Exit codes: 0 done, 1 it could not be done, 2 it was asked for wrongly, 130 stopped by Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):                 # Windows consoles may not know every character
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    from ..train import Interrupted, RecipeError
    try:
        app()
    except Exception as error:
        if os.environ.get("TINYFORMER_TRACEBACK"):
            raise
        if isinstance(error, Interrupted):
            fail(str(error), 130)
        known = isinstance(error, (ValueError, TypeError, OSError, RuntimeError, ArithmeticError))
        fail(one_line(error) if known else f"{type(error).__name__}: {one_line(error)}", 2 if isinstance(error, RecipeError) else 1)


def one_line(error):
    """What ``error`` says, without line breaks; an OSError's file first, its number not."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def fail(message, code):
    """Say it on standard error and leave."""
    print(f"tinyformer: {message}", file=sys.stderr)
    sys.exit(code)
