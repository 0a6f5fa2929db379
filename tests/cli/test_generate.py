"""tinyformer generate and where it finds a model."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tinyformer.interop.weights import read_weights, write_weights
from tinyformer.models import load_model
from tinyformer.text import load_tokenizer


def test_the_prompt_and_as_many_tokens_as_asked_for(cli, trained):
    result = cli("generate", "the with", "--max-new-tokens", 40, "--seed", 3)
    assert result.code == 0 and result.errors == []
    assert result.out.startswith("the with") and len(result.out) == len("the with") + 40 + 1


def test_it_is_the_models_own_text(cli, trained):
    model, tokenizer = load_model(trained), load_tokenizer(f"{trained}/tokenizer.json")
    ids = model.generate(tokenizer.encode("with"), 30, temperature=0.7, top_k=5, top_p=0.9, rng=11)
    result = cli("generate", "with", "--max-new-tokens", 30, "--temperature", 0.7, "--top-k", 5, "--top-p", 0.9, "--seed", 11)
    assert result.out == tokenizer.decode(ids) + "\n"


def test_seeds(cli, trained):
    one, two, other = (cli("generate", "a", "--seed", seed).out for seed in (1, 1, 2))
    assert one == two != other
    greedy = {cli("generate", "a", "--temperature", 0, "--seed", seed).out for seed in (1, 2)}
    assert len(greedy) == 1
    assert cli("generate", "a").out != cli("generate", "a").out


@pytest.mark.parametrize("prompt", ((), ("",)))
def test_without_a_prompt_it_starts_a_new_line(cli, trained, prompt):
    model, tokenizer = load_model(trained), load_tokenizer(f"{trained}/tokenizer.json")
    ids = model.generate(tokenizer.encode("\n"), 20, temperature=0.8, rng=1)[1:]
    assert cli("generate", *prompt, "--max-new-tokens", 20, "--seed", 1).out == tokenizer.decode(ids) + "\n"


def test_nothing_to_add(cli, trained):
    assert cli("generate", "the", "--max-new-tokens", 0).out == "the\n"


def test_a_prompt_longer_than_the_context(refused, trained):
    refused(1, "the prompt has 123 tokens, but the model's context is 16; give it the last 16", "generate",
            "the code is used to wrap a block of code " * 3)


def test_the_newest_run_unless_one_is_named(cli, tiny, trained):
    assert cli("train", "shakespeare-char-cpu", "--set", *tiny, "train.seed=8").code == 0
    texts = {folder: cli("generate", "the", "--seed", 1, "--model", f"runs/{folder}").out
             for folder in ("pydocs-char", "shakespeare-char-cpu")}
    assert texts["pydocs-char"] != texts["shakespeare-char-cpu"] == cli("generate", "the", "--seed", 1).out
    os.utime("runs/pydocs-char/model.safetensors", (2e9, 2e9))
    assert cli("generate", "the", "--seed", 1).out == texts["pydocs-char"]


def test_byte_pairs_come_out_whole(cli, tiny, tmp_path):
    """Characters of several bytes and tokens are shown once they are complete, and an incomplete end as U+FFFD."""
    text = "žluťoučký kůň úpěl ďábelské ódy " * 60
    (tmp_path / "czech.txt").write_text(text, encoding="utf-8")
    settings = (*tiny, f"data.corpus={tmp_path / 'czech.txt'}", "data.tokenizer=bpe", "data.vocab_size=258",
                "train.max_steps=30", "train.lr=0.01")
    assert cli("train", "--set", *settings).code == 0
    model, tokenizer = load_model("runs/pydocs-char"), load_tokenizer("runs/pydocs-char/tokenizer.json")
    for seed in range(3):
        ids = model.generate(tokenizer.encode("kůň"), 41, temperature=0.8, rng=seed)
        assert cli("generate", "kůň", "--max-new-tokens", 41, "--seed", seed).out == tokenizer.decode(ids) + "\n"


# ------------------------------------------------------------------------------------------------ bad input

@pytest.mark.parametrize("arguments, code, message", (
    (("thé",), 1, "unknown character 'é' (U+00E9) at position 2, expected one of the 23 in the training text"),
    (("the", "--temperature", "-1"), 2, "--temperature"),
    (("the", "--temperature", "hot"), 2, "--temperature"),
    (("the", "--temperature", "inf"), 1, "temperature is inf, expected a finite number"),
    (("the", "--top-k", "0"), 2, "--top-k"),
    (("the", "--top-p", "1.5"), 2, "--top-p"),
    (("the", "--top-p", "0"), 1, "top_p is 0.0, expected 0 < top_p ≤ 1"),
    (("the", "--max-new-tokens", "-1"), 2, "--max-new-tokens"),
    (("the", "--seed", "-1"), 2, "--seed"),
    (("the", "--model", "nosuch"), 1, "config.json: no such file; expected the folder of a trained model"),
))
def test_refused(refused, trained, arguments, code, message):
    assert refused(code, message, "generate", *arguments).out == ""


def test_no_run_yet(refused):
    for command in ("generate", "evaluate"):
        refused(1, "no trained model under runs/; run `tinyformer train` first, or name one with --model DIR", command)


def other_weights(path):
    arrays, _ = read_weights(path / "model.safetensors")
    write_weights(path / "model.safetensors", {name: array for name, array in arrays.items() if "mlp" not in name})


def broken_weights(path):
    arrays, _ = read_weights(path / "model.safetensors")
    write_weights(path / "model.safetensors", {name: array * (np.nan if "wte" in name else 1) for name, array in arrays.items()})


def other_tokenizer(path):
    fields = json.loads((path / "tokenizer.json").read_text())
    (path / "tokenizer.json").write_text(json.dumps({**fields, "characters": fields["characters"] + "z"}))


DAMAGE = (
    (lambda path: (path / "model.safetensors").write_bytes((path / "model.safetensors").read_bytes()[:3000]),
     "model.safetensors: damaged or not a safetensors file"),
    (lambda path: (path / "model.safetensors").unlink(), "model.safetensors: no such file"),
    (other_weights, "model.safetensors: does not fit config.json"),
    (lambda path: (path / "config.json").unlink(), "config.json: no such file"),
    (lambda path: (path / "config.json").write_text("{}"), "config.json: unknown architecture None, expected one of gpt"),
    (lambda path: (path / "config.json").write_text("no"), "config.json: not a JSON object"),
    (lambda path: (path / "tokenizer.json").unlink(), "tokenizer.json"),
    (lambda path: (path / "tokenizer.json").write_text('{"type": "char"}'), "tokenizer.json has no field 'characters'"),
    (lambda path: (path / "tokenizer.json").write_text("no"), "tokenizer.json is not JSON"),
    (other_tokenizer, "tokenizer.json: it has 24 tokens, expected 23, those of the model"),
)


@pytest.mark.parametrize("damage, message", DAMAGE)
def test_a_damaged_run(refused, trained, damage, message):
    damage(Path(trained))
    for command in ("generate", "evaluate"):
        error = refused(1, message, command, "--model", trained).errors[0]
        assert str(Path(trained)) in error


def test_weights_that_are_not_finite(cli, refused, trained):
    broken_weights(Path(trained))
    result = cli("generate", "the")
    assert result.code == 1 and result.errors == [
        "tinyformer: generate: the model's logits are not all finite; its weights are damaged or its training diverged"]
    refused(1, "the validation loss is nan: the parameter wte.weight is not finite", "evaluate")
