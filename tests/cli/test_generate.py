"""tinyformer generate and where it finds a model."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tinyformer.generate import beams
from tinyformer.interop.weights import read_weights, write_weights
from tinyformer.models import Llama, LlamaConfig, load_model
from tinyformer.text import load_tokenizer
from tinyformer.text.published import BYTES
from tinyformer.train import open_run
from tinyformer.train.attention import attention_on


def test_the_prompt_and_as_many_tokens_as_asked_for(cli, trained):
    result = cli("generate", "the with", "--max-new-tokens", 40, "--seed", 3)
    assert result.code == 0 and result.errors == []
    assert result.out.startswith("the with") and len(result.out) == len("the with") + 40 + 1


def test_it_is_the_models_own_text(cli, trained):
    model, tokenizer = load_model(trained), load_tokenizer(f"{trained}/tokenizer.json")
    ids = model.generate(tokenizer.encode("with"), 30, temperature=0.7, top_k=5, top_p=0.9, rng=11)
    result = cli("generate", "with", "--max-new-tokens", 30, "--temperature", 0.7, "--top-k", 5, "--top-p", 0.9,
                 "--seed", 11)
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


# ------------------------------------------------------------------------------------------------ beams

def test_beams_find_what_the_library_finds_and_fill_the_context(cli, trained):
    model, tokenizer = load_model(trained), load_tokenizer(f"{trained}/tokenizer.json")
    found = tokenizer.decode(beams(model, tokenizer.encode("the"), 14, 3))
    assert cli("generate", "the", "--beams", 3).out == found + "\n" and len(found) == 17
    assert cli("generate", "the", "--beams", 3, "--max-new-tokens", 5, "--seed", 4).out[:-1] == tokenizer.decode(
        beams(model, tokenizer.encode("the"), 5, 3))


def test_beams_end_before_a_stop_text(cli, trained):
    whole = cli("generate", "the", "--beams", 2).out[:-1]
    later, sooner = whole[9:11], whole[6:8]
    cut = min(whole.find(text, 3) for text in (later, sooner))
    assert cli("generate", "the", "--beams", 2, "--stop", later, "--stop", sooner).out == whole[:cut] + "\n"


def test_beams_read_a_line_alone_and_end_with_it(cli, tmp_path, rng):
    names = "\n".join("".join(rng.choice(list("abcde"), rng.integers(1, 9))) + "xyz"[i % 3] for i in range(120))
    (tmp_path / "names.txt").write_text(names + "\n")
    settings = f"data.corpus={tmp_path / 'names.txt'}", "model.n_layer=1", "train.max_steps=12", "train.eval_every=12"
    assert cli("train", "gpt-names", "--set", *settings).code == 0
    model, tokenizer = load_model("runs/gpt-names"), load_tokenizer("runs/gpt-names/tokenizer.json")
    mark, = tokenizer.encode("\n")
    for prompt in ("ab", ""):
        found = beams(model, tokenizer.encode("\n" + prompt), 14, 3, end=mark)
        assert cli("generate", prompt, "--beams", 3, "--max-new-tokens", 14).out == tokenizer.decode(found[1:]) + "\n"
        assert mark not in found[1:]


def test_words_of_beams_stand_apart_from_the_prompt(cli, tiny):
    assert cli("train", "--set", *tiny, "data.tokenizer=word", "data.vocab_size=20").code == 0
    model, tokenizer = load_model("runs/pydocs-char"), load_tokenizer("runs/pydocs-char/tokenizer.json")
    found = tokenizer.decode(beams(model, tokenizer.encode("the with"), 4, 2))
    assert cli("generate", "the with", "--beams", 2, "--max-new-tokens", 4).out == found + "\n"


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
    (("the", "--stop", "a", "--stop", ""), 1, "--stop: got an empty text, expected at least one character"),
    (("the", "--beams", "2", "--stop", ""), 1, "--stop: got an empty text"),
    (("the", "--beams", "0"), 2, "--beams"),
    (("the", "--beams", "2", "--top-k", "1"), 1,
     "--top-k 1: beam search (--beams) does not sample; give one of the two"),
    (("the", "--beams", "2", "--min-p", "0"), 1, "--min-p 0.0: beam search"),
    (("the", "--beams", "2", "--repetition-penalty", "1.5"), 1, "--repetition-penalty 1.5: beam search"),
    (("the code is used to", "--beams", "2"), 1,
     "pydocs-char: beams: 19 tokens and 1 more do not fit into the model's context"),
))
def test_refused(refused, trained, arguments, code, message):
    assert refused(code, message, "generate", *arguments).out == ""


def test_no_run_yet(refused):
    for command, model in (("generate", "language model"), ("evaluate", "model")):
        refused(1, f"no trained {model} under runs/; "
                   "run `tinyformer train pydocs-char` first, or name one with --model DIR", command)


def other_weights(path):
    arrays, _ = read_weights(path / "model.safetensors")
    write_weights(path / "model.safetensors", {name: array for name, array in arrays.items() if "mlp" not in name})


def broken_weights(path):
    arrays = {name: array.copy() for name, array in read_weights(path / "model.safetensors")[0].items()}
    arrays["transformer.wpe.weight"][3, 1] = np.nan
    write_weights(path / "model.safetensors", arrays)


def other_tokenizer(path):
    fields = json.loads((path / "tokenizer.json").read_text())
    (path / "tokenizer.json").write_text(json.dumps({**fields, "characters": fields["characters"] + "z"}))


DAMAGE = (
    (lambda path: (path / "model.safetensors").write_bytes((path / "model.safetensors").read_bytes()[:3000]),
     "model.safetensors: damaged or not a safetensors file"),
    (lambda path: (path / "model.safetensors").unlink(), "model.safetensors: no such file"),
    (other_weights, "model.safetensors: does not fit config.json"),
    (lambda path: (path / "config.json").unlink(), "config.json: no such file"),
    (lambda path: (path / "config.json").write_text("{}"),
     "config.json: unknown architecture None, expected one of attention-lstm"),
    (lambda path: (path / "config.json").write_text("no"), "config.json is not JSON"),
    (lambda path: (path / "tokenizer.json").unlink(), "tokenizer.json"),
    (lambda path: (path / "tokenizer.json").write_text('{"type": "char"}'),
     "tokenizer.json is damaged: it has no field 'characters'"),
    (lambda path: (path / "tokenizer.json").write_text("no"), "tokenizer.json is not JSON"),
    (broken_weights, "model.safetensors: wpe.weight is not finite; the file is damaged or the training diverged"),
    (other_tokenizer, "its tokenizer has 24 tokens, expected 23, those of the model"),
)


@pytest.mark.parametrize("damage, message", DAMAGE)
def test_a_damaged_run(refused, trained, damage, message):
    damage(Path(trained))
    for command in ("generate", "evaluate"):
        error = refused(1, message, command, "--model", trained).errors[0]
        assert str(Path(trained)) in error


# ------------------------------------------------------------------------------------------------ a published folder

@pytest.fixture
def published():
    """A Llama as others publish it: the byte-level tokenizer.json has a start token, the model has rows to spare, and
    config.json names the token that ends a text. It says b after a, c after b, and then ends."""
    model = Llama(LlamaConfig(vocab_size=264, block_size=16, n_layer=1, n_head=1, n_kv_head=1, n_embd=264, n_inner=2))
    a, b, c, end = *b"abc", 256
    model.model.embed_tokens.weight.data[:] = np.eye(264)
    model.lm_head.weight.data[:] = 0
    model.lm_head.weight.data[[b, c, end, a], [a, b, c, 257]] = 9
    for name, parameter in model.named_parameters():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            parameter.data[:] = 0
    folder = Path("llama")
    model.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "eos_token_id": end, "bos_token_id": 257}))
    (folder / "tokenizer.json").write_text(json.dumps({
        "added_tokens": [{"content": "<|end|>", "id": 256}, {"content": "<|begin|>", "id": 257}], "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
        "post_processor": {"type": "TemplateProcessing",
                           "single": [{"SpecialToken": {"id": "B"}}, {"Sequence": {"id": "A"}}],
                           "special_tokens": {"B": {"ids": [257]}}},
        "model": {"type": "BPE", "vocab": dict(BYTES), "merges": []}}))
    return folder


@pytest.mark.parametrize("how", (("--temperature", 0), ("--beams", 2)))
def test_a_published_folder(cli, published, how):
    result = cli("generate", "xa", "--model", published, *how)
    assert result.code == 0 and result.errors == [] and result.out == "xabc\n"
    tokens, _, weights = attention_on(open_run(published), "ab")
    assert tokens == ["<|begin|>", "a", "b"] and weights.shape == (1, 1, 3, 3)


@pytest.mark.parametrize("how", (("--temperature", 0), ("--beams", 2)))
def test_any_of_several_ends(cli, published, how):
    config = json.loads((published / "config.json").read_text())
    (published / "config.json").write_text(json.dumps({**config, "eos_token_id": [122, 256]}))
    assert cli("generate", "xa", "--model", published, *how).out == "xabc\n"


@pytest.mark.parametrize("end", ("<|end|>", 258, -1, [256, None], True))
def test_an_end_that_is_no_token(refused, published, end):
    config = json.loads((published / "config.json").read_text())
    (published / "config.json").write_text(json.dumps({**config, "eos_token_id": end}))
    refused(1, f"config.json: eos_token_id is {end!r}, expected 0…257", "generate", "a", "--model", published)


def test_a_vocabulary_smaller_than_the_ids(refused, published):
    config = json.loads((published / "tokenizer.json").read_text())
    config["added_tokens"].append({"content": "<|more|>", "id": 264})
    (published / "tokenizer.json").write_text(json.dumps(config))
    refused(1, "llama: its tokenizer has 265 tokens, expected 264, those of the model in llama",
            "generate", "a", "--model", published)


def test_logits_that_are_not_finite(cli, refused, trained):
    """The weights are, but what they make is too large."""
    arrays, _ = read_weights(Path(trained, "model.safetensors"))
    write_weights(Path(trained, "model.safetensors"), {
        name: array * np.float32(1e38 if "ln_f" in name else 1e5 if "wte" in name else 1)
        for name, array in arrays.items()})
    result = cli("generate", "the")
    assert result.code == 1 and result.errors == [
        f"tinyformer: {Path(trained)}: generate: the model's logits are not all finite; "
        "its weights are damaged or its training diverged"]
    refused(1, "the validation loss is nan: the first operation whose output is not finite is", "evaluate")
