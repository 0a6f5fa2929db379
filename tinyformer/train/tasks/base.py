"""What a training asks of its task. The loop, the checkpoints and the command line are the same for all tasks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...models.pretrained import Pretrained


class Task:
    """The data of a recipe, in the form that its models are trained on. A subclass is decorated with ``@register``.

    name        what the class of a model calls it, as its ``task``
    quantity    what the loss is, in words
    unit        of the loss: "nats per token"
    input_unit  what the speed counts: "tokens" or "pixels"
    headline    the figure of ``evaluate`` that sums up several runs
    noun        what messages call one of its models: "classifier"
    example     a recipe to begin with
    command     the command that uses a trained model
    Data        dataclass of the section [data] of its recipes; its ``check()`` raises ValueError for unusable settings
    Sizes       names of the fields of a model's config that the data decide
    """

    name: ClassVar[str] = ""
    quantity: ClassVar[str] = "cross-entropy"
    unit: ClassVar[str] = ""
    input_unit: ClassVar[str] = "tokens"
    headline: ClassVar[str] = "val_loss"
    noun: ClassVar[str] = "model"
    example: ClassVar[str] = "pydocs-char"
    command: ClassVar[str] = "evaluate"
    Data: ClassVar[Any] = None
    Sizes: ClassVar[tuple[str, ...]] = ()

    def __init__(self, data: Any, folder: Path | None = None):
        """Load the data that ``data``, a ``Data``, names.

        What an earlier training learned from them (a tokenizer) comes from ``folder``.
        """

    def sizes(self) -> dict[str, int]:
        """{name: value} of ``Sizes``."""
        raise NotImplementedError

    def check(self, config: Any) -> None:
        """ValueError unless models of that config can be trained and measured on the data."""

    def prepare(self, model: Pretrained) -> None:
        """Make a new model ready for its first step.

        Give it what it counts on the training split, or pretrained weights. ValueError if the data do not fit
        the model.
        """

    def batch(self, model: Pretrained, size: int, rng: np.random.Generator) -> tuple[Any, Any]:
        """The arguments (x, y) of ``model.loss``: ``size`` examples, chosen by ``rng``.

        x.size is the number of inputs.
        """
        raise NotImplementedError

    def number_of_examples(self) -> int:
        """N, the number of training examples, for private and federated training, which choose among them.

        ValueError for a task whose batches are not made of such examples.
        """
        raise ValueError(f"the task {self.name!r} cannot be trained privately or by a federation: its training "
                         f"split is not a list of examples; expected a classifier, or a language model with "
                         f"data.lines=true")

    def select(self, model: Pretrained, chosen: NDArray[np.int64], rng: np.random.Generator) -> tuple[Any, Any]:
        """The arguments (x, y) of ``model.loss``: the training examples with the indices ``chosen``."""
        raise NotImplementedError

    def measure(self, model: Pretrained, at_most: int | None = None) -> dict[str, float]:
        """{"val_loss": …, more figures by name} on the validation split, or an estimate from ``at_most`` windows of it.

        FloatingPointError for a loss that is not finite.
        """
        raise NotImplementedError

    def cost(self, figures: dict[str, float]) -> float:
        """The number, made from ``measure``, by which the best model of a run is chosen: the lower, the better."""
        return figures["val_loss"]

    def evaluate(self, model: Pretrained) -> dict[str, Any]:
        """{name: figure}, everything there is to say about a trained model."""
        raise NotImplementedError

    def footprint(self, model: Pretrained) -> dict[str, Any]:
        """The size of a model: the number of its parameters, and all arrays that it keeps, in megabytes (10⁶ bytes)."""
        return {"parameters": model.num_parameters(),
                "megabytes": round(sum(array.nbytes for array in model.state_dict().values()) / 1e6, 3)}

    def baselines(self) -> dict[str, float]:
        """{name: loss} on the validation split of models that have learned little."""
        raise NotImplementedError

    def describe(self) -> str:
        """The data in words."""
        raise NotImplementedError

    def remark(self, model: Pretrained) -> str:
        """What part of the data ``model`` does not see, in words; "" for nothing."""
        return ""

    def show(self, model: Pretrained, folder: Path, step: int) -> None:
        """Write pictures of what ``model`` can do after ``step`` steps into the run's folder; most tasks have none."""

    def save(self, folder: Path) -> None:
        """Write what is needed to use the model, such as a tokenizer, into the folder of the model."""

    def sha256(self) -> str:
        """A hash of the data and of their split."""
        raise NotImplementedError
