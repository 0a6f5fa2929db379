"""What several commands ask about the folders of runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def newest_run(*tasks: str) -> Path:
    """The folder under runs/ (or in one of its folders) with the newest model, or the newest for one of ``tasks``.

    FileNotFoundError, which says how to train one, if there is none.
    """
    models = sorted(Path("runs").glob("**/model.safetensors"), key=lambda path: path.stat().st_mtime, reverse=True)
    for model in models:
        if not tasks or _task(model.parent) in (*tasks, None):
            return model.parent
    from ..train.tasks import TASKS, Task
    wanted = TASKS[tasks[0]] if tasks else Task
    raise FileNotFoundError(f"no trained {wanted.noun} under runs/; "
                            f"run `tinyformer train {wanted.example}` first, or name one with --model DIR")


def _task(folder: Path) -> str | None:
    """The task of the model in ``folder``; None if that cannot be read (opening the model will say why)."""
    from ..models import model_class
    try:
        return model_class(folder).task
    except (OSError, ValueError):
        return None


@contextmanager
def naming(folder: Path) -> Iterator[None]:
    """``with naming(folder):`` the message of a ValueError begins with the folder of the model that raised it."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from error
