"""A step of the recipe minilm-movie, here and in PyTorch with transformers, on the same batches, with equal threads.

    python benchmarks/finetune.py [--rounds 10] [--threads 2]

A step is forward, backward, clipping and AdamW on 32 texts. The texts of a batch are about as long as each other, as the
recipe draws them; the last line is PyTorch on batches as they come, padded to their longest, which is the usual way. CPU
seconds stand beside wall-clock ones: on a machine that has other things to do they say more. Needs `tinyformer data fetch` of
minilm and movie-snippets.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
from measure import PAUSE, median_ratio, pytorch

import tinyformer as tfm
from tinyformer.train import load_recipe
from tinyformer.train.loop import fit
from tinyformer.train.run import Run
from tinyformer.train.tasks.classification import padded


def ours(run, batches):
    """A function that makes one step, its batch given by ``batches``."""
    run.model.train()
    steps = fit(run.model, run.optimizer, run.schedule, lambda: next(batches), max_steps=10 ** 6, clip=run.recipe.train.clip)
    return lambda: next(steps)


def theirs(torch, run, batches):
    from transformers import BertConfig, BertForSequenceClassification
    c = run.model.config
    model = BertForSequenceClassification(BertConfig(
        vocab_size=c.vocab_size, hidden_size=c.n_embd, num_hidden_layers=c.n_layer, num_attention_heads=c.n_head,
        intermediate_size=c.n_inner)).train()
    model.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in run.model.state_dict().items()})
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def step():
        ids, labels = next(batches)
        ids = torch.from_numpy(ids)
        model(ids, attention_mask=(ids != 0).long(), labels=torch.from_numpy(labels)).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), run.recipe.train.clip)
        optimizer.step()
        optimizer.zero_grad()

    return step


def sorted_batches(run, size, rng):
    while True:
        yield run.task.batch(run.model, size, rng)


def plain_batches(run, size, rng):
    texts, labels = run.task.encoded(run.model, "train"), run.task.train.y
    while True:
        chosen = rng.integers(0, len(labels), size)
        yield padded([texts[i] for i in chosen]), labels[chosen]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    tfm.backend.set_num_threads(arguments.threads)
    torch = pytorch(arguments.threads)
    recipe = load_recipe("minilm-movie")
    run = Run(recipe, recipe.task(recipe.data))
    size = recipe.train.batch_size
    rivals = {"tinyformer": ours(run, sorted_batches(run, size, np.random.default_rng(0)))}
    if torch:
        rivals["PyTorch"] = theirs(torch, run, sorted_batches(run, size, np.random.default_rng(0)))
        rivals["PyTorch, batches as they come"] = theirs(torch, run, plain_batches(run, size, np.random.default_rng(0)))
    wall, cpu = {name: [] for name in rivals}, {name: [] for name in rivals}
    for step in rivals.values():
        step()
    for _ in range(arguments.rounds):
        for name, step in rivals.items():
            time.sleep(PAUSE)
            began, spent = time.perf_counter(), time.process_time()
            step()
            wall[name].append(time.perf_counter() - began)
            cpu[name].append(time.process_time() - spent)
    print(f"{arguments.rounds} steps each, {arguments.threads} threads, medians")
    for name in rivals:
        print(f"{name:<32}{statistics.median(wall[name]):8.3f} s    {statistics.median(cpu[name]):8.3f} CPU s"
              f"    ours is {median_ratio(wall['tinyformer'], wall[name]):.2f} × its time,"
              f" {median_ratio(cpu['tinyformer'], cpu[name]):.2f} × its CPU time")


if __name__ == "__main__":
    main()
