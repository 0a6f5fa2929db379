"""The command line: one file a command. ``main`` is what the shell calls ``tinyformer``."""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import suppress
from typing import Annotated, NoReturn

import numpy as np
import typer

from ..sandbox.messages import visible
from . import (attention, book, check, compare, curves, data, doctor, evaluate, explain, export, fairness, federated,
               fill_mask, generate, ladder, learn, predict, recipes, sample, serve, similar, train, translate)
from .console import Output, OutputClosed, open_standard_streams, say, settle

app = typer.Typer(add_completion=False, rich_markup_mode=None,
                  help="tinyformer: a textbook that runs. Train small models of text and pictures, and look inside.\n\n"
                       "Begin with `tinyformer train` and then `tinyformer generate`; `tinyformer recipes` shows what "
                       "else can be trained. To learn how it works: `tinyformer learn start`.")


def show_version(asked: bool) -> None:
    """The callback of --version."""
    if asked:
        from .. import __version__
        print(f"tinyformer {__version__}")
        raise typer.Exit


@app.callback()
def options(version: Annotated[bool, typer.Option(
        "--version", callback=show_version, is_eager=True, help="Show the version and exit.")] = False) -> None:
    """The options in front of every command."""


app.command("train", context_settings={"allow_extra_args": True})(train.command)        # --set a=1 b=2 has one too many
app.command("recipes")(recipes.command)
app.command("generate")(generate.command)
app.command("sample")(sample.command)
app.command("translate")(translate.command)
app.command("predict")(predict.command)
app.command("fill-mask")(fill_mask.command)
app.command("similar")(similar.command)
app.command("evaluate")(evaluate.command)
app.command("serve")(serve.command)
app.command("attention")(attention.command)
app.command("explain")(explain.command)
app.command("federated", context_settings={"allow_extra_args": True})(federated.command)
app.command("fairness", context_settings={"allow_extra_args": True})(fairness.command)
app.command("export")(export.command)
app.command("curves")(curves.command)
app.command("ladder")(ladder.command)
app.command("compare")(compare.command)
app.command("doctor")(doctor.command)
app.command("check")(check.command)
app.add_typer(data.app, name="data")
app.add_typer(learn.app, name="learn")
app.add_typer(book.app, name="book")

UsageError = typer.BadParameter.__base__        # of whichever click typer stands on: its own, or the package


def main() -> None:
    """Run the command. An error is one line on standard error; TINYFORMER_TRACEBACK=1 shows its traceback.

    Exit codes: 0 success, 1 failure, 2 wrong usage or recipe, 130 stopped by Ctrl-C or another signal, 141 the reader
    of the output is gone (as for other programs in a pipe; a training continues to its end).
    """
    open_standard_streams()
    for stream in (sys.stdout, sys.stderr):                 # Windows consoles may not know every character
        settle(stream)
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Output(sys.stdout), Output(sys.stderr, needless=True)
    try:
        run()
    except OutputClosed:
        sys.exit(141)
    finally:
        with suppress(OSError, OutputClosed):               # what an error has left in the buffer
            sys.stdout.flush()
        sys.stdout, sys.stderr = streams


def run() -> None:
    """Run the command in ``sys.argv``."""
    if sys.argv[1:2] != ["train"]:                          # only a training warns, once
        warnings.filterwarnings("ignore", message="tinyformer computes with NumPy")
    warnings.showwarning = lambda message, *_, **__: say(f"tinyformer: {one_line(message)}", sys.stderr)
    try:
        with np.errstate(all="ignore"):                     # a loss that is not finite is reported where it matters
            code = app(sys.argv[1:] or ["--help"], prog_name="tinyformer", standalone_mode=False)
        sys.stdout.flush()                                  # a full disk is an error like others
    except UsageError as error:
        where = error.ctx.command_path if error.ctx else "tinyformer"
        message = one_line(error.format_message())
        asked = message.endswith("?")
        fail(f"{message} See {where} --help" if asked else f"{message.rstrip('.')}; see {where} --help", 2)
    except OutputClosed:
        raise
    except Exception as error:
        if os.environ.get("TINYFORMER_TRACEBACK"):
            raise
        from ..train import Interrupted, RecipeError        # not before: it takes a third of a second
        if isinstance(error, Interrupted):
            fail(str(error), 130)
        known = isinstance(error, (ValueError, TypeError, OSError, RuntimeError, ArithmeticError)) \
            or isinstance(error, ImportError) and error.name is None        # ours, which says what to install
        kind = "" if known else f"{type(error).__name__}: "
        fail(f"{kind}{describe(error)}", 2 if isinstance(error, RecipeError) else 1)
    if code == 130:                                         # typer turns Ctrl-C into this
        fail("stopped", code)


def describe(error: BaseException) -> str:
    """The message of ``error`` on one line; for an OSError the file, then the reason."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return one_line(error) or type(error).__name__


def one_line(text: object) -> str:
    """``text`` without line breaks, its control characters written as escapes: a terminal would obey them."""
    return visible(" ".join(str(text).split()))


def fail(message: str, code: int) -> NoReturn:
    """Say it on standard error and leave."""
    say(f"tinyformer: {message}", sys.stderr)
    sys.exit(code)
