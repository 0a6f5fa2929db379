"""Commands with commands of their own, such as ``tinyformer learn check``."""

from __future__ import annotations

import typer


def group(help):
    """A group of commands. By itself it prints its help and is done: asked for so, that is no mistake (exit code 0, not 2)."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None, help=help)

    @app.callback(invoke_without_command=True)
    def overview(context: typer.Context):
        if context.invoked_subcommand is None:
            print(context.get_help())

    return app
