"""What a run asks of the thing that it learns. The loop, the checkpoints and the command line are the same for all."""

from __future__ import annotations


class Task:
    """The data of a recipe, in the form that its models are trained on.

    name        what a model's class calls it by, as its ``task``
    unit        of the loss
    input_unit  what a batch is counted in, for the speed: "tokens" or "pixels"
    headline    the figure of ``evaluate`` that several runs are summed up by
    Data        dataclass of a recipe's section [data]; its ``check()`` raises ValueError for what cannot be used
    Sizes       names of the fields of a model's config that the data decide
    """

    name = unit = ""
    input_unit, headline = "tokens", "val_loss"
    Data = None
    Sizes = ()

    def __init__(self, data, folder=None):
        """Load what ``data``, a ``Data``, names; what was learned from it before (a tokenizer) comes from ``folder``."""

    def sizes(self):
        """{name: value} of ``Sizes``."""
        raise NotImplementedError

    def check(self, config):
        """ValueError unless models of that config can be trained and measured on the data."""

    def prepare(self, model):
        """Make a new model ready for its first step: give it what it counts on the training part, or the weights that it begins
        with. ValueError where the data do not fit into it."""

    def batch(self, model, size, rng):
        """The arguments (x, y) of ``model.loss``: ``size`` examples, chosen by ``rng``; x.size counts what is read."""
        raise NotImplementedError

    def measure(self, model, at_most=None):
        """{"val_loss": …, more figures by name} on the validation part, or on an estimate from ``at_most`` windows of it.

        FloatingPointError for a loss that is not finite.
        """
        raise NotImplementedError

    def cost(self, figures):
        """What of ``measure`` says which of a run's models is the best: the lower, the better."""
        return figures["val_loss"]

    def evaluate(self, model):
        """{name: figure} of all that is to be said about a trained model."""
        raise NotImplementedError

    def footprint(self, model):
        """How large a model is: its parameters, and all numbers that it keeps, in megabytes."""
        return {"parameters": model.num_parameters(),
                "megabytes": round(sum(array.nbytes for array in model.state_dict().values()) / 1e6, 3)}

    def baselines(self):
        """{name: loss} on the validation part of those that have learned little."""
        raise NotImplementedError

    def describe(self):
        """What is learned from, in words."""
        raise NotImplementedError

    def remark(self, model):
        """What of the data ``model`` will not see, in words; "" for nothing."""
        return ""

    def save(self, folder):
        """Write beside the model what is needed to use it."""

    def sha256(self):
        """A number that is another one when the data or their split are."""
        raise NotImplementedError
