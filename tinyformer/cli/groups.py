"""Commands with commands of their own, such as ``tinyformer learn check``."""

from __future__ import annotations

import typer


def group(help: str) -> typer.Typer:
    """A group of commands.

    Without a command it prints its help with exit code 0: asking for an overview is no error.
    """
    app = typer.Typer(add_completion=False, rich_markup_mode=None, help=help)

    @app.callback(invoke_without_command=True)
    def overview(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            print(context.get_help())

    return app
