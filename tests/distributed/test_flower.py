"""The client of Flower, and its aggregation, where Flower is installed."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinyformer.distributed import federated, flower_client, split_clients, weighted_mean


def test_without_flower(recipe, monkeypatch):
    monkeypatch.setitem(sys.modules, "flwr.client", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "tinyformer\[federated\]"'):
        flower_client(recipe, np.arange(3))


def test_clients_and_flowers_aggregation(recipe, strokes):
    pytest.importorskip("flwr", reason="Flower is the oracle here, and is not installed: it pins an older protobuf")
    from flwr.server.strategy.aggregate import aggregate
    shards = split_clients(strokes.train.y, 3, "dirichlet:0.5", rng=0)
    clients = [flower_client(recipe, shard) for shard in shards[:2]]
    clients.append(flower_client(recipe, (strokes.train.x[shards[2]], strokes.train.y[shards[2]])))
    weights = clients[0].get_parameters({})
    losses = []
    for _ in range(6):
        results = [client.fit(weights, {"local_steps": 10, "local_batch": 16, "lr": 0.2}) for client in clients]
        assert [n for _, n, _ in results] == [len(shard) for shard in shards]
        weights = aggregate([(arrays, n) for arrays, n, _ in results])
        ours = weighted_mean([np.concatenate([array.ravel() for array in arrays]) for arrays, _, _ in results],
                             [n for _, n, _ in results])
        assert np.array_equal(ours, np.concatenate([array.ravel() for array in weights]))
        losses.append(np.mean([client.evaluate(weights, {})[0] for client in clients]))
    assert losses[-1] < 0.7 * losses[0]
    with pytest.raises(ValueError, match="shard has no examples"):
        flower_client(recipe, np.arange(0))


def test_flat_and_unflatten(recipe):
    model = recipe.model_class(recipe.model_config(n_features=16, n_classes=4))
    vector = federated.flat(model)
    federated.unflatten(model, 2 * vector)
    np.testing.assert_array_equal(federated.flat(model), 2 * vector)


@pytest.mark.slow
def test_a_server_and_two_clients_on_this_machine(tmp_path):
    """Three processes: Flower's server averages what two of our clients send through its network."""
    pytest.importorskip("flwr", reason="Flower is not installed: it pins an older protobuf")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    environment = {**os.environ, "FLWR_TELEMETRY_ENABLED": "0", "FLWR_HOME": str(tmp_path)}
    script = str(Path(__file__).with_name("flower_node.py"))
    nodes = [subprocess.Popen([sys.executable, script, role, address], env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) for role in ("server", "0", "1")]
    try:
        said = [node.communicate(timeout=300) for node in nodes]
    finally:
        for node in nodes:
            node.kill()
    assert [node.returncode for node in nodes] == [0, 0, 0], said
    losses = [float(word) for line in said[0][0].splitlines() if line.startswith("losses") for word in line.split()[1:]]
    assert len(losses) == 4 and losses[-1] < 0.7 * losses[0]
