"""A small GPT with a byte tokenizer, served on a free port."""

from __future__ import annotations

import http.client
import json
import threading
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

import tinyformer as tfm
from tinyformer.models import GPT, GPTConfig
from tinyformer.text import BytePairTokenizer, CharTokenizer

from ..browser import Chromium
from .browsing import opened

TEXT = "人工智能改变了世界。 The cat sat on the mat; the dog did not. " * 20


def sharpened(model):
    """``model`` with larger random weights, so that its most likely tokens stand out."""
    with tfm.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter *= 6
    return model.eval()


@pytest.fixture(scope="session")
def tokenizer():
    return BytePairTokenizer.train(TEXT, 280)


@pytest.fixture(scope="session")
def folder(tokenizer, tmp_path_factory):
    """The folder of a GPT with a context of 64."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tfm.seed(0)
    model = GPT(GPTConfig(vocab_size=tokenizer.vocab_size, block_size=64, n_layer=2, n_head=2, n_embd=32))
    sharpened(model).save_pretrained(folder)
    tokenizer.save(folder / "tokenizer.json")
    return folder


class Client:
    """Requests to a server; ``get`` and ``post`` return (status, headers, body)."""

    def __init__(self, url):
        self.url, parts = url, urlsplit(url)
        self.address = parts.hostname, parts.port

    def send(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection(*self.address, timeout=60)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            found = answer.read()
            if answer.getheader("content-type", "").startswith("application/json"):
                found = json.loads(found)
            return SimpleNamespace(status=answer.status, headers=answer.headers, body=found)
        finally:
            connection.close()

    def get(self, path, **headers):
        return self.send("GET", path, **headers)

    def post(self, path, body, **headers):
        return self.send("POST", path, body if isinstance(body, bytes) else json.dumps(body).encode(), **headers)

    def complete(self, prompt, **asked):
        answer = self.post("/v1/completions", {"prompt": prompt, **asked})
        assert answer.status == 200, answer.body
        return answer.body

    def stream(self, prompt, **asked):
        """The JSON of each event of a streamed completion."""
        answer = self.post("/v1/completions", {"prompt": prompt, "stream": True, **asked})
        assert answer.status == 200 and answer.headers["content-type"].startswith("text/event-stream"), answer
        *events, done, end = answer.body.decode().split("\n\n")
        assert done == "data: [DONE]" and end == "", answer.body[-200:]
        assert all(one.startswith("data: ") and "\n" not in one for one in events)
        return [json.loads(one.removeprefix("data: ")) for one in events]


@pytest.fixture(scope="session")
def serving():
    """``serving(folder, **options)`` starts a server in a thread and returns its client."""
    pytest.importorskip("starlette", reason="the server needs the extra [serve]")
    pytest.importorskip("uvicorn", reason="the server needs the extra [serve]")
    pytest.importorskip("prometheus_client", reason="the server needs the extra [serve]")
    from tinyformer.serve.server import Server
    from tinyformer.serve.service import Service
    from tinyformer.train import open_run
    started = []

    def start(folder, **options):
        ready = threading.Event()
        service = Service(open_run(folder), **options)
        server = Server(service, "127.0.0.1", 0, lambda url: ready.set())
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        started.append((server, thread))
        assert ready.wait(30), "the server did not start"
        client = Client(server.url)
        client.service = service
        return client

    yield start
    for server, thread in started:
        server.should_exit = True
        thread.join(30)


@pytest.fixture(scope="session")
def client(serving, folder):
    return serving(folder)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    browser = Chromium(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def letters(serving, tmp_path_factory):
    """A server of a GPT of characters, whose random text has line ends in it."""
    folder = tmp_path_factory.mktemp("models") / "letters"
    tokenizer = CharTokenizer.train("abcdefgh \n")
    model = GPT(GPTConfig(vocab_size=tokenizer.vocab_size, block_size=32, n_layer=2, n_head=2, n_embd=32))
    sharpened(model).save_pretrained(folder)
    tokenizer.save(folder / "tokenizer.json")
    return serving(folder)


@pytest.fixture
def page(browser, letters):
    """The page of ``letters``. At the end: all that it asked for was the server's."""
    yield opened(browser, letters)
    assert browser.asked and all(url.startswith(letters.url) for url in browser.asked), browser.asked
