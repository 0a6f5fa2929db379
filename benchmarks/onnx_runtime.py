"""A GPT here and as an ONNX file in ONNX Runtime: a whole forward pass, and tokens a second with a cache.

    python benchmarks/onnx_runtime.py [--rounds 7] [--threads 1] [--tokens 200] [--batch 1]

The model has the sizes of the recipe pydocs-char but room for 256 tokens. Both choose the most likely token, again and
again; the tokens must be the same. Needs onnx and onnxruntime.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import numpy as np
from measure import interleave, ratio

import tinyformer as tfm
from tinyformer.autograd import no_grad
from tinyformer.models import GPT, GPTConfig

CONFIG = GPTConfig(vocab_size=96, block_size=256, n_layer=4, n_head=4, n_embd=128, bias=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("rounds", 7), ("threads", 1), ("tokens", 200), ("batch", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    arguments = parser.parse_args()
    tfm.backend.set_num_threads(arguments.threads)
    tfm.seed(0)
    model = GPT(CONFIG).eval()
    for parameter in model.parameters():                    # far enough from the start that tokens differ
        parameter.data *= 4
    with tempfile.TemporaryDirectory() as folder:
        plain, cached = (session(model, Path(folder) / f"{cache}.onnx", cache, arguments.threads)
                         for cache in (False, True))
    ids = np.random.default_rng(0).integers(0, CONFIG.vocab_size, (8, 64))
    with no_grad():
        difference = np.abs(plain.run(None, {"input_ids": ids})[0] - model(ids).data).max()
    print(f"largest difference of the logits {difference:.1e}, largest logit {np.abs(model(ids).data).max():.1f}")
    report("forward pass of 8 × 64 tokens", ids.size, {
        "tinyformer": lambda: forward(model, ids), "ONNX Runtime": lambda: plain.run(None, {"input_ids": ids})},
        arguments.rounds)
    prompt = ids[:arguments.batch, :16]
    ours, theirs = model.generate(prompt, arguments.tokens, temperature=0), greedy(cached, prompt, arguments.tokens)
    assert np.array_equal(ours, theirs), "the two chose different tokens"
    report(f"{arguments.tokens} tokens after 16, {arguments.batch} in parallel", arguments.tokens * arguments.batch, {
        "tinyformer": lambda: model.generate(prompt, arguments.tokens, temperature=0),
        "ONNX Runtime": lambda: greedy(cached, prompt, arguments.tokens)}, arguments.rounds)


def session(model, path, cache, threads):
    """The model in ONNX Runtime with this number of threads."""
    import onnxruntime
    tfm.interop.onnx.export(model, path, cache=cache)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(path, options)


def forward(model, ids):
    with no_grad():
        model(ids)


def greedy(session, prompt, tokens):
    """``prompt`` (B, T) with the most likely tokens appended, by a file with a cache."""
    outputs = [entry.name for entry in session.get_outputs()]
    past = {entry.name: np.zeros((len(prompt), entry.shape[1], 0, entry.shape[3]), np.float32)
            for entry in session.get_inputs() if entry.name.startswith("past_key_values.")}
    ids = [prompt]
    for _ in range(tokens):
        found = dict(zip(outputs, session.run(None, {"input_ids": ids[-1], **past})))
        ids.append(found.pop("logits")[:, -1:].argmax(axis=-1))
        past = {name.replace("present", "past_key_values"): array for name, array in found.items()}
    return np.concatenate(ids, axis=1)


def report(what, tokens, rivals, rounds):
    """Tokens a second of both, and the ratio of the times."""
    times = interleave(rivals, rounds)
    print(what)
    for name, seconds in times.items():
        print(f"  {name:13} {tokens / statistics.median(seconds):10,.0f} tokens/s")
    print(f"  time here / there {ratio(*times.values())}")


if __name__ == "__main__":
    main()
