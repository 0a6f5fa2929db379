"""tinyformer serve, as a process of its own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

import tinyformer as tfm
from tinyformer.models import GPT, GPTConfig
from tinyformer.text import CharTokenizer

for library in ("starlette", "uvicorn", "prometheus_client"):
    pytest.importorskip(library, reason="the server needs the extra [serve]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "chars"
    tokenizer = CharTokenizer.train("abcdefghij \n")
    tfm.seed(0)
    GPT(GPTConfig(vocab_size=tokenizer.vocab_size, block_size=2048, n_layer=2, n_head=2,
                  n_embd=32)).save_pretrained(folder)
    tokenizer.save(folder / "tokenizer.json")
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_it_says_where_it_answers_and_finishes_what_runs_after_sigterm(folder):
    process = subprocess.Popen([sys.executable, "-m", "tinyformer", "serve", "--model", str(folder), "--port", "0"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env={**os.environ, "TINYFORMER_API_KEY": "key"})
    try:
        line = process.stdout.readline()
        assert line.startswith("chars is served at http://127.0.0.1:"), process.stderr.read()
        port = int(line.rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        asked = json.dumps({"prompt": "abc", "max_tokens": 1500, "stream": True, "temperature": 0})
        connection.request("POST", "/v1/completions", asked, {"Authorization": "Bearer key"})
        answer = connection.getresponse()
        assert answer.status == 200 and answer.readline().startswith(b"data: {")
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        with pytest.raises(OSError):                        # no new connection …
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        rest = answer.read()                                # … and the text that ran is complete
        assert rest.endswith(b"data: [DONE]\n\n") and b'"finish_reason":"length"' in rest
        out, err = process.communicate(timeout=30)
        assert process.returncode == 0 and out == ""
        assert err.count("\n") == 1 and "POST /v1/completions 200" in err and "abc" not in err
    finally:
        process.kill()
        process.wait()


def test_a_port_in_use_a_wrong_folder_and_an_empty_key_are_one_line(refused, folder, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused(1, f"127.0.0.1:{port}: ", "serve", "--model", folder, "--port", port)
    refused(1, "nowhere", "serve", "--model", tmp_path / "nowhere")
    refused(1, "--api-key is empty", "serve", "--model", folder, "--api-key", " ")
    refused(1, "no trained model under runs/", "serve")
    refused(2, "--max-batch", "serve", "--model", folder, "--max-batch", 0)


def test_without_the_extra_it_says_what_to_install(refused, folder, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("tinyformer.serve.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "starlette", None)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    refused(1, 'pip install "tinyformer[serve]"', "serve", "--model", folder)
