"""A step of the recipe minilm-movie, here and in PyTorch with transformers, on the same batches, with equal threads.

    python benchmarks/finetune.py [--rounds 10] [--threads 2]

A step is forward, backward, clipping and AdamW (PyTorch's fused one) on 32 texts in float32. Both start from the same
weights, and must give the same logits before. The texts of a batch are about as long as each other, as the recipe draws
them; one line is PyTorch on batches as they come, padded to their longest, which is the usual way: there, batching
differs as well as the library. CPU seconds follow the wall-clock ones: on a machine that has other things to do they
say more. Needs `tinyformer data fetch` of minilm
and movie-snippets.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
from measure import PAUSE, expect_steady, machine, pytorch, ratio

import tinyformer as tfm
from tinyformer.train import load_recipe
from tinyformer.train.loop import training_steps
from tinyformer.train.run import Run
from tinyformer.train.tasks.classification import padded


def ours(run, batches):
    """A function that makes one step, its batch given by ``batches``."""
    run.model.train()
    steps = training_steps(run.model, run.optimizer, run.schedule, lambda: next(batches), max_steps=10 ** 6,
                           clip=run.recipe.train.clip)
    return lambda: next(steps)


def theirs(torch, run):
    """transformers' model with the weights of ours, which must then say the same."""
    try:
        from transformers import BertConfig, BertForSequenceClassification
    except ModuleNotFoundError:
        raise SystemExit("transformers is needed here") from None
    c = run.model.config
    model = BertForSequenceClassification(BertConfig(
        vocab_size=c.vocab_size, hidden_size=c.n_embd, num_hidden_layers=c.n_layer, num_attention_heads=c.n_head,
        intermediate_size=c.n_inner, num_labels=c.n_classes, hidden_dropout_prob=c.dropout,
        attention_probs_dropout_prob=c.dropout)).eval()
    model.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in run.model.state_dict().items()})
    ids, _ = next(sorted_batches(run, 8, np.random.default_rng(1)))
    with tfm.no_grad(), torch.no_grad():
        said = model(torch.from_numpy(ids), attention_mask=torch.from_numpy(ids != 0).long()).logits.numpy()
        difference = abs(run.model.eval()(ids).data - said).max()
    if difference > 1e-4:
        raise SystemExit("the two do not say the same of a text: this compares different work")
    return model.train()


def their_step(torch, run, batches):
    """A function that makes one step in PyTorch, its batch given by ``batches``."""
    model = theirs(torch, run)
    optimizer = torch.optim.AdamW(model.parameters(), lr=run.recipe.train.lr, fused=True)

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

    def alike():
        return sorted_batches(run, size, np.random.default_rng(0))

    rivals = {}
    if torch:
        rivals = {"PyTorch": their_step(torch, run, alike()),
                  "PyTorch, batches as they come": their_step(torch, run,
                                                              plain_batches(run, size, np.random.default_rng(0)))}
    rivals = {"tinyformer": ours(run, alike()), **rivals}
    wall, cpu = {name: [] for name in rivals}, {name: [] for name in rivals}
    for _ in range(2):                                      # the first steps make what the others use again
        for step in rivals.values():
            step()
    limits = machine(arguments.threads)
    for _ in range(arguments.rounds):
        for name, step in rivals.items():
            time.sleep(PAUSE)
            began, spent = time.perf_counter(), time.process_time()
            step()
            wall[name].append(time.perf_counter() - began)
            cpu[name].append(time.process_time() - spent)
    print(f"{arguments.rounds} steps each, {arguments.threads} threads; medians, × ours: the median of the rounds' "
          f"ratios (quartiles)\n")
    print(f"{'':<32}{'s':>8}{'least':>8}{'CPU s':>8}{'× ours':>20}{'× our CPU s':>20}")
    for name in rivals:
        print(f"{name:<32}{statistics.median(wall[name]):8.3f}{min(wall[name]):8.3f}{statistics.median(cpu[name]):8.3f}"
              f"{ratio(wall[name], wall['tinyformer']):>20}{ratio(cpu[name], cpu['tinyformer']):>20}")
    if torch:
        print(f"\na step takes {ratio(wall['tinyformer'], wall['PyTorch'])} × PyTorch's time on the same "
              f"batches")
    expect_steady(limits, arguments.threads)


if __name__ == "__main__":
    main()
