"""Text from a small Llama with a cache of keys and values: tokens a second, here and with transformers' ``generate``.

    python benchmarks/generation_hf.py [--rounds 7] [--threads 2] [--tokens 64] [--batch 1] [--prompt 16]

Both get the same weights, in float32, and choose the most likely token, again and again; the tokens must be the same.
transformers is as it comes: its own cache, its own attention.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile

import numpy as np
from measure import expect_steady, interleave, machine, pytorch, ratio

import tinyformer as tfm
from tinyformer.models import Llama, LlamaConfig

CONFIG = LlamaConfig(vocab_size=512, block_size=2048, n_layer=4, n_head=4, n_kv_head=2, n_embd=128, n_inner=344)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("rounds", 7), ("threads", 2), ("tokens", 64), ("batch", 1), ("prompt", 16)):
        parser.add_argument(f"--{name}", type=int, default=default)
    arguments = parser.parse_args()
    tfm.backend.set_num_threads(arguments.threads)
    tfm.seed(0)
    model = Llama(CONFIG).eval()
    for parameter in model.parameters():                    # far enough from the start that tokens differ
        parameter.data *= 4
    ids, n = np.random.default_rng(0).integers(0, CONFIG.vocab_size,
                                               (arguments.batch, arguments.prompt)), arguments.tokens
    torch = pytorch(arguments.threads)
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        from transformers import AutoModelForCausalLM, utils
    except ModuleNotFoundError:
        torch = None
    if not torch:
        raise SystemExit("PyTorch and transformers are needed here")
    utils.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        theirs = AutoModelForCausalLM.from_pretrained(folder).eval()
    prompt = torch.from_numpy(ids)
    rivals = {"tinyformer": lambda: model.generate(ids, n, temperature=0),
              "transformers": lambda: theirs.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=n,
                                                      do_sample=False)}
    if not (rivals["tinyformer"]() == rivals["transformers"]().numpy()).all():
        raise SystemExit("the two do not choose the same tokens: this compares different work")
    limits = machine(arguments.threads)
    times = interleave(rivals, arguments.rounds)
    print(f"{arguments.batch} × {n} tokens after {arguments.prompt}, {arguments.threads} threads, {arguments.rounds} "
          f"rounds\n")
    for name, seconds in times.items():
        print(f"{name:<16}{arguments.batch * n / statistics.median(seconds):8,.0f} tokens/s")
    print(f"\ntinyformer makes {ratio(times['transformers'], times['tinyformer'])} × the tokens of "
          f"transformers (median of the rounds' ratios, quartiles)")
    expect_steady(limits, arguments.threads)


if __name__ == "__main__":
    main()
