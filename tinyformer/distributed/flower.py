"""A client of Flower, the federated learning framework, over any recipe: for federations beyond one machine."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import no_grad
from ..nn import evaluating
from ..rng import generator
from ..writes import write
from .federated import averaged, local_training, minibatches

__all__ = ["flower_client"]


def flower_client(recipe: Any, shard: Any) -> Any:
    """A ``flwr.client.NumPyClient`` that trains the model of ``recipe`` on the examples ``shard``.

    shard       the indices of the client's examples in the training split, such as one of ``split_clients``; or the
                examples themselves, a pair (x, y) as ``model.loss`` takes them
    config      ``fit`` reads "local_steps" (5), "local_batch" (32; 0: all), "lr" (train.lr) and "mu" (0)

    Weights are lists of arrays in the order of the state dict. ModuleNotFoundError without Flower
    (``pip install "tinyformer[federated]"``); ValueError for a shard without examples.
    """
    try:
        from flwr.client import NumPyClient                     # type: ignore
    except ImportError:
        raise ModuleNotFoundError('flower_client: Flower is not installed; `pip install "tinyformer[federated]"` '
                                  'installs it') from None
    task = recipe.task(recipe.data)
    model, rng = recipe.model_class(recipe.model_config(**task.sizes())), generator()
    own = isinstance(shard, tuple)
    n = len(shard[0]) if own else len(shard)
    if not n:
        raise ValueError("flower_client: shard has no examples, expected at least one")

    def examples(chosen: Any) -> tuple[Any, Any]:
        return (shard[0][chosen], shard[1][chosen]) if own else task.select(model, chosen, rng)

    class Client(NumPyClient):
        def get_parameters(self, config: dict[str, Any]) -> list[Any]:
            return [array.copy() for array in averaged(model)]

        def fit(self, parameters: list[Any], config: dict[str, Any]) -> tuple[list[Any], int, dict[str, Any]]:
            for array, value in zip(averaged(model), parameters):
                write(array, value)
            chosen = minibatches(np.arange(n) if own else np.asarray(shard), int(config.get("local_batch", 32)), rng)
            loss = local_training(model, map(examples, chosen), int(config.get("local_steps", 5)),
                                  float(config.get("lr", recipe.train.lr)), float(config.get("mu", 0.0)))
            return self.get_parameters({}), n, {"train_loss": loss}

        def evaluate(self, parameters: list[Any], config: dict[str, Any]) -> tuple[float, int, dict[str, Any]]:
            for array, value in zip(averaged(model), parameters):
                write(array, value)
            with evaluating(model), no_grad():
                loss = model.loss(*examples(np.arange(n) if own else np.asarray(shard)))
            return loss.item(), n, {}

    return Client()
