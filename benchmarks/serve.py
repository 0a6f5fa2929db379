"""Latency and throughput of ``tinyformer serve`` against the number of clients, beside transformers behind a lock.

    python benchmarks/serve.py [--rounds 5] [--seconds 2] [--threads 1] [--clients 1 2 4 …] [--plot FILE.png]
    python benchmarks/serve.py --endurance 1000         # requests, of which 5 % leave after the first event

Both servers hold the same small Llama with the same weights in float32, speak the same streams of server-sent events
through uvicorn, and run in a process of their own with the same number of threads. transformers' ``generate`` answers
one request at a time, as a lock around it makes it. Each client is a thread that asks again as soon as it has its
answer. The prompts differ, the tokens are the most likely ones, and both servers must give the same text.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
from measure import ratio

CONFIG = dict(vocab_size=300, block_size=512, n_layer=4, n_head=4, n_kv_head=2, n_embd=128, n_inner=344)
HERE = Path(__file__).resolve()
WORDS = "the model reads a prompt and writes tokens until it reaches the limit of the request".split()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("rounds", 5), ("seconds", 2.0), ("threads", 1), ("tokens", 48), ("endurance", 0)):
        parser.add_argument(f"--{name}", type=type(default), default=default)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--peer", type=Path, help=argparse.SUPPRESS)        # be transformers' server of this folder
    asked = parser.parse_args()
    if asked.peer:
        return peer(asked.peer, asked.threads)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder) / "llama"
        make_model(folder)
        ours = [sys.executable, "-m", "tinyformer", "serve", "--model", str(folder), "--port", "0", "--queue", "64"]
        if asked.endurance:
            return endurance(ours, asked)
        theirs = [sys.executable, str(HERE), "--peer", str(folder), "--threads", str(asked.threads)]
        with serving(ours, asked.threads) as (one, _), serving(theirs, asked.threads) as (other, _):
            compare({"tinyformer": one, "transformers, one at a time": other}, asked)


def compare(ports, asked):
    """Both servers in turn at each number of clients."""
    texts = {name: complete(port, "the model", asked.tokens)[2] for name, port in ports.items()}
    if len(set(texts.values())) != 1:
        raise SystemExit(f"the servers give different texts: {texts}")
    print(f"{asked.tokens} tokens a request, {asked.threads} thread(s) a server, {asked.rounds} rounds of "
          f"{asked.seconds:g} s at each number of clients\n\n{'clients':>7}  {'server':<28}{'tokens/s':>9}{'median':>9}"
          f"{'95 %':>9}{'first token':>13}")
    rows = {name: [] for name in ports}
    for clients in asked.clients:
        rounds = [{name: load(port, clients, asked.seconds, asked.tokens) for name, port in ports.items()}
                  for _ in range(asked.rounds)]
        for name in ports:
            row = summary([one[name] for one in rounds])
            rows[name].append(row)
            print(f"{clients:7}  {name:<28}{statistics.median(row['throughput']):9,.0f}"
                  + "".join(f"{row[key]:{width}.3f} s" for key, width in (("median", 7), ("p95", 7), ("first", 11))))
    one, other = rows.values()
    print("\ntokens, tinyformer over transformers (median of the rounds' ratios, quartiles): " + "; ".join(
        f"{n} clients {ratio(a['throughput'], b['throughput'])}" for n, a, b in zip(asked.clients, one, other)))
    print("95th percentile of the latency: " + "; ".join(
        f"{n} clients {a['p95'] / b['p95']:.2f}" for n, a, b in zip(asked.clients, one, other)))
    print(f"{asked.clients[-1]} clients together get {ratio(one[-1]['throughput'], one[0]['throughput'])} × the "
          f"tokens/s of {asked.clients[0]}")
    if asked.plot:
        plot(asked.plot, asked.clients, rows)


def load(port, clients, seconds, tokens):
    """(answers, tokens a second) of ``clients`` clients that ask for ``seconds`` seconds."""
    found, until = [], time.perf_counter() + seconds
    began = time.perf_counter()

    def client(number):
        rng = np.random.default_rng(number)
        while time.perf_counter() < until:
            found.append(complete(port, " ".join(rng.choice(WORDS, size=8)), tokens)[:2])

    threads = [threading.Thread(target=client, args=(n,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found, len(found) * tokens / (time.perf_counter() - began)


def summary(rounds):
    """The tokens a second of each round, and quantiles over the answers of all rounds, in seconds."""
    first, whole = zip(*(answer for found, _ in rounds for answer in found))
    return {"throughput": [speed for _, speed in rounds], "median": statistics.median(whole),
            "p95": float(np.quantile(whole, 0.95)), "first": statistics.median(first)}


def complete(port, prompt, tokens, leave=False):
    """(seconds to the first text, seconds in all, text, finish_reason) of one streamed request."""
    connection = HTTPConnection("127.0.0.1", port, timeout=300)
    began, first, text, reason = time.perf_counter(), None, "", None
    body = {"model": "llama", "prompt": prompt, "max_tokens": tokens, "temperature": 0, "stream": True}
    connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
    response = connection.getresponse()
    if response.status != 200:
        raise SystemExit(f"{response.status}: {response.read().decode()}")
    for line in response:
        if line.startswith(b"data: {"):
            choice = json.loads(line[6:])["choices"][0]
            first = first or time.perf_counter() - began
            text, reason = text + choice["text"], choice["finish_reason"] or reason
            if leave:
                break
    connection.close()
    return first, time.perf_counter() - began, text, reason


def endurance(command, asked):
    """Many requests, of which one in twenty leaves after its first event: what came back, and the server's memory."""
    n, memory, lost, left = asked.endurance, [], [], [0]
    with serving(command, asked.threads) as (port, process):
        numbers, lock = iter(range(n)), threading.Lock()

        def client():
            while (i := next_of(numbers, lock)) is not None:
                leaves = i % 20 == 7
                _, _, text, reason = complete(port, f"request {i}", asked.tokens, leave=leaves)
                left[0] += leaves
                if not leaves and (reason != "length" or not text):
                    lost.append(i)
                if i % (n // 10) == n // 10 - 1:
                    memory.append(resident(process.pid))

        threads = [threading.Thread(target=client) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        time.sleep(1)
        connection = HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/metrics")
        figures = connection.getresponse().read().decode()
    running = [float(value) for value in re.findall(r"(?m)^\w*running\w* (\S+)$", figures)]
    print(f"{n} requests by 16 clients, {left[0]} left after the first event; lost: {len(lost)}; "
          f"running afterward: {sum(running):g}")
    print("resident memory after each tenth: " + ", ".join(f"{m:.0f}" for m in memory) + " MB; "
          f"growth from the second to the last: {memory[-1] / memory[1] - 1:+.1%}")
    if lost or sum(running) or not running:
        raise SystemExit("requests were lost, or still run")


def next_of(numbers, lock):
    """The next number, or None."""
    with lock:
        return next(numbers, None)


def resident(pid):
    """The resident memory of a process in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


@contextmanager
def serving(command, threads):
    """(port, process) of a server that prints its address once it answers."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TINYFORMER_NUM_THREADS": str(threads),
                   **{f"{name}_NUM_THREADS": str(threads) for name in ("OMP", "OPENBLAS", "MKL")}}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        for line in process.stdout:
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                break
        else:
            raise SystemExit(f"{command} ended before it served")
        yield int(found[1]), process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        finally:
            process.kill()


def make_model(folder):
    """A Llama with random weights, large enough that tokens differ, and a tokenizer of bytes and some pairs."""
    import tinyformer as tfm
    from tinyformer.models import Llama, LlamaConfig
    from tinyformer.text import BytePairTokenizer
    tokenizer = BytePairTokenizer.train(" ".join(WORDS * 20), CONFIG["vocab_size"])
    tfm.seed(0)
    model = Llama(LlamaConfig(**{**CONFIG, "vocab_size": tokenizer.vocab_size})).eval()
    for parameter in model.parameters():
        parameter.data *= 4
    model.save_pretrained(folder)
    tokenizer.save(folder / "tokenizer.json")


def peer(folder, threads):
    """transformers' ``generate`` behind a lock, with the same events, served by uvicorn."""
    import socket

    import torch
    import uvicorn
    from starlette.applications import Starlette
    from starlette.responses import StreamingResponse
    from starlette.routing import Route
    from transformers import AutoModelForCausalLM
    from transformers.generation.streamers import BaseStreamer

    from tinyformer.generate.pieces import Pieces
    from tinyformer.text import load_tokenizer
    torch.set_num_threads(threads)
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer, lock = load_tokenizer(folder / "tokenizer.json"), threading.Lock()

    def events(asked):
        from queue import SimpleQueue
        queue, pieces = SimpleQueue(), Pieces(tokenizer)

        class Streamer(BaseStreamer):
            prompt = True

            def put(self, ids):
                if self.prompt:
                    self.prompt = False
                else:
                    queue.put(pieces.add(int(ids.ravel()[0])))

            def end(self):
                queue.put(pieces.rest())
                queue.put(None)

        def work():
            ids = torch.tensor([[int(i) for i in tokenizer.encode(asked["prompt"])]])
            with lock, torch.no_grad():
                model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=asked["max_tokens"],
                               min_new_tokens=asked["max_tokens"], do_sample=False, streamer=Streamer())

        threading.Thread(target=work).start()
        while (text := queue.get()) is not None:
            yield f"data: {json.dumps({'choices': [{'text': text, 'finish_reason': None}]})}\n\n"
        yield "data: [DONE]\n\n"

    async def completions(request):
        return StreamingResponse(events(await request.json()), media_type="text/event-stream")

    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    app = Starlette(routes=[Route("/v1/completions", completions, methods=["POST"])])
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listening])


def plot(path, clients, rows):
    """Latency, and throughput, against the number of clients."""
    import matplotlib
    matplotlib.use("agg")
    import matplotlib.pyplot as plt
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    for (name, values), color, marker in zip(rows.items(), ("#0072B2", "#D55E00"), "os"):
        for axis, key in zip(axes, ("median", "throughput")):
            axis.plot(clients, [np.median(row[key]) for row in values], color=color, marker=marker, label=name)
        axes[0].plot(clients, [row["p95"] for row in values], color=color, marker=marker, ls=":", ms=3)
    axes[0].set(ylabel="seconds a request", yscale="log", title="latency: median, and 95th percentile (dotted)")
    axes[1].set(ylabel="tokens a second, all clients", ylim=0, title="throughput")
    for axis in axes:
        axis.set(xlabel="clients", xscale="log", xticks=clients)
        axis.set_xticks([], minor=True)
        axis.set_xticklabels(clients)
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    figure.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
