"""One process of a federation on this machine: python flower_node.py server|0|1 ADDRESS. The server prints its losses.

A client trains ``flower_client`` on its half of the strokes of ``conftest``; the server is Flower's own.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import conftest

from tinyformer.data import Dataset
from tinyformer.distributed import flower_client, split_clients
from tinyformer.train import load_recipe
from tinyformer.train.tasks import pictures

ROUNDS = 4


def client(k, address):
    """Flower's client number k of 2."""
    from flwr.client import start_client
    rng = np.random.default_rng(0)
    dataset = Dataset("mnist-5k", *(conftest.draw(n, rng) for n in (400, 50, 100)), tuple("0123"))
    pictures.load = lambda name: dataset
    recipe = load_recipe("mlp-mnist-federated", ["model.n_hidden=8", "data.shift=0"])
    shard = split_clients(dataset.train.y, 2, "dirichlet:0.5", rng=0)[k]
    start_client(server_address=address, client=flower_client(recipe, shard).to_client(), insecure=True,
                 max_wait_time=120)


def server(address):
    """Flower's server of FedAvg, for two clients."""
    from flwr.server import ServerConfig, start_server
    from flwr.server.strategy import FedAvg
    how = FedAvg(min_fit_clients=2, min_evaluate_clients=2, min_available_clients=2,
                 on_fit_config_fn=lambda _: {"local_steps": 20, "local_batch": 16, "lr": 0.2})
    history = start_server(server_address=address, config=ServerConfig(num_rounds=ROUNDS), strategy=how)
    print("losses", *(loss for _, loss in history.losses_distributed))


if __name__ == "__main__":
    role, address = sys.argv[1:]
    server(address) if role == "server" else client(int(role), address)
