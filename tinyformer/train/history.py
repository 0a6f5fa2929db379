"""What ``fit`` returns: the figures of every step."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(repr=False)
class History:
    """The figures of a training, one record per step, and how it ended.

    In a notebook it is displayed as its loss curve.

    records         [{"step": 1, "train_loss": …, "val_loss": None or …, "lr": …, "grad_norm": …, "examples_per_s": …}]
    best            with early stopping: (step, validation loss) of the weights that the model has now; else None
    stopped_early   whether early stopping ended the training
    seconds         of training

    >>> steps, losses = history["val_loss"]
    >>> history.draw("loss.png")
    """

    records: list[dict[str, Any]] = field(default_factory=list)
    best: tuple[int, float] | None = None
    stopped_early: bool = False
    seconds: float = 0.0

    def __getitem__(self, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """(steps, values) of the figure ``name``, (n,) each, at the n steps where it was measured.

        KeyError if it never was.
        """
        found = [(record["step"], record[name]) for record in self.records if record.get(name) is not None]
        if not found:
            names = dict.fromkeys(key for record in self.records for key in record if record[key] is not None)
            raise KeyError(f"{name!r} was never measured; expected one of "
                           f"{', '.join(names) or 'none, as no step was made'}")
        steps, values = zip(*found)
        return np.array(steps), np.array(values)

    def draw(self, path: str | Path, title: str = "Training", ylabel: str = "loss") -> None:
        """Draw the training loss and the validation loss over the steps into the PNG file ``path``."""
        from ..viz.losses import draw_losses
        draw_losses(self.records, path, title, final=self.best, ylabel=ylabel)

    def __repr__(self) -> str:
        if not self.records:
            return "History(no steps)"
        said = f"{self.records[-1]['step']} steps, training loss {self.records[-1]['train_loss']:.4f}"
        if self.best:
            said += f", best validation loss {self.best[1]:.4f} at step {self.best[0]}"
        elif any(record.get("val_loss") is not None for record in self.records):
            said += f", validation loss {self['val_loss'][1][-1]:.4f}"
        return f"History({said}{', stopped early' * self.stopped_early}, {self.seconds:.1f} s)"

    def _repr_png_(self) -> bytes | None:
        from ..viz.figure import png
        from ..viz.losses import losses_figure
        return png(losses_figure(self.records, textwrap.fill(repr(self), 60), final=self.best,
                                 ylabel="loss")) if self.records else None

    def arrays(self) -> dict[str, NDArray[Any]]:
        """{name: (n,) float64} of the records, NaN where a figure was not measured, for a checkpoint."""
        names = dict.fromkeys(name for record in self.records for name in record)
        return {name: np.array([np.nan if record.get(name) is None else record[name] for record in self.records])
                for name in names}

    @staticmethod
    def records_of(arrays: dict[str, NDArray[Any]]) -> list[dict[str, Any]]:
        """The records that ``arrays()`` was made from."""
        def value(name: str, number: float) -> Any:
            return None if np.isnan(number) else int(number) if name == "step" else float(number)

        return [{name: value(name, number) for name, number in zip(arrays, row)} for row in zip(*arrays.values())]
