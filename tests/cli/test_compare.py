"""tinyformer compare: the table, and small ones trained."""

import json
from pathlib import Path

from tinyformer.train.metrics import read_metrics


def test_the_table(cli):
    result = cli("compare")
    assert result.code == 0 and result.errors == []
    rows = {line[:27].strip(): line for line in result.lines}
    assert rows["parameters"].split()[1:] == ["≠", "8,030,261,248", "7,615,616,512", "8,190,735,360"]
    assert "≠" not in rows["output"] and "≠" in rows["biases"]
    assert "128 KiB" in rows["KV cache per token (16 bit)"]


def test_other_models_and_one_that_is_not_known(cli):
    assert "stretched 32 × beyond 8,192" in cli("compare", "llama3.2-1b").out
    result = cli("compare", "llama3", "gpt-5")
    assert result.code == 1 and result.errors == ["tinyformer: unknown model 'gpt-5'; expected some of llama3, "
                                                  "llama3.1, "
                                                  "llama3.2-1b, qwen2.5, qwen2.5-0.5b, qwen3, qwen3-0.6b"]


def test_training(cli, tiny):
    settings = [word for setting in (*tiny, "model.n_kv_head=1", "model.n_inner=24") for word in ("--set", setting)]
    result = cli("compare", "llama3", "qwen3", "--train", "--seeds", "2", *settings)
    assert result.code == 0, result.errors
    folder = Path("runs/compare")
    assert sorted(path.name for path in folder.iterdir()) == ["curves.png", "llama3-1", "llama3-2", "qwen3-1",
                                                              "qwen3-2"]
    configs = {name: json.loads((folder / name / "config.json").read_text()) for name in ("llama3-1", "qwen3-1")}
    assert configs["llama3-1"]["model_type"] == "llama" and configs["llama3-1"]["rope_theta"] == 5e5
    assert configs["qwen3-1"]["model_type"] == "qwen3" and configs["qwen3-1"]["rms_norm_eps"] == 1e-6
    losses = [read_metrics(folder / f"llama3-{seed}" / "metrics.jsonl")[-1]["val_loss"] for seed in (1, 2)]
    assert losses[0] != losses[1]
    row = next(line for line in result.lines if line.startswith("validation loss"))
    assert f"{sum(losses) / 2:.4f}" in row
    spread = next(line for line in result.lines if line.startswith("  standard deviation"))
    assert f"{abs(losses[0] - losses[1]) / 2 ** 0.5:.4f}" in spread
