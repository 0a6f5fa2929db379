"""What surrounds every request: errors, limits, the key, headers, figures, and bodies that make no sense."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import threading
import time

import pytest

KNOWN = {400, 401, 404, 405, 413, 422}


def error_of(answer, status):
    """The error of an answer with this status."""
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.body) == {"error"} and set(answer.body["error"]) == {"message", "type", "param", "code"}
    return answer.body["error"]


@pytest.mark.parametrize("asked, param, says", (
    ({}, "prompt", "the field prompt is missing"),
    ({"prompt": "a", "max_token": 3}, "max_token", "unknown field 'max_token'"),
    ({"prompt": "a", "max_tokens": "3"}, "max_tokens", 'max_tokens is "3", expected an integer'),
    ({"prompt": "a", "max_tokens": True}, "max_tokens", "max_tokens is true"),
    ({"prompt": "a", "max_tokens": 5000}, "max_tokens", "expected at most 4096"),
    ({"prompt": "a", "temperature": -1}, "temperature", "a number from 0 to 2"),
    ({"prompt": "a", "temperature": 3}, "temperature", "a number from 0 to 2"),
    ({"prompt": "a", "logprobs": 6}, "logprobs", "an integer from 0 to 5"),
    ({"prompt": "a", "stop": [""]}, "stop", "strings with at least one character"),
    ({"prompt": "a", "best_of": 2}, "best_of", "expected 1, as this server has nothing else"),
    ({"prompt": "a", "stream": "yes"}, "stream", "true or false"),
    ({"prompt": "a", "n": 129}, "n", "an integer from 1 to 128"),
    ({"prompt": ["a", "b"], "n": 60}, "n", "asks for 120 texts, expected at most 80"),
    ({"prompt": [[1], []]}, "prompt", "or a list of token ids"),
    ({"prompt": [1, 280]}, "prompt", "the prompt has the token 280, expected 0…279"),
    ({"prompt": "\ud800"}, "prompt", "lone surrogates"),
    ({"prompt": "a", "\ud800": 1}, "\\ud800", "unknown field"),
    ({"prompt": [1.5]}, "prompt", "is a list of 1, expected a string, or a list of 1 to 128 strings"),
    ({"prompt": "ab" * 300}, "prompt", "but the model's context is 64"),
    ({"prompt": "ab" * 300_000}, "prompt", "the prompt has 600000 characters, more than fit"),
))
def test_a_wrong_field_is_named(client, asked, param, says):
    error = error_of(client.post("/v1/completions", asked), 400)
    assert error["param"] == param and says in error["message"] and error["type"] == "invalid_request_error"


def test_fields_of_openai_that_change_nothing_are_taken(client):
    client.complete("The", max_tokens=1, best_of=1, frequency_penalty=0, presence_penalty=0.0, logit_bias={}, user="me",
                    suffix=None, stop=[], model="tinyformer")


@pytest.mark.parametrize("body", (b"", b"{", b"[1]", b"null", b'{"prompt": NaN}', b"\xff\xfe", b"[" * 100_000,
                                  b'{"prompt": ' + b"9" * 5000 + b"}"))
def test_what_is_not_json_is_refused(client, body):
    error_of(client.post("/v1/completions", body), 400)


@pytest.mark.parametrize("sent", (b"hello\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n",
                                  b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * (1 << 17)))
def test_bytes_that_are_no_request_get_an_error_and_the_headers(client, sent):
    with socket.create_connection(client.address) as connection:
        connection.sendall(sent)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        error = json.loads(answer.read())["error"]
    assert (answer.status, error["code"], answer.getheader("connection")) == (400, "bad_request", "close")
    assert answer.getheader("x-content-type-options") == "nosniff" and answer.getheader("x-frame-options") == "DENY"


def test_a_body_that_does_not_come_is_not_waited_for(client, monkeypatch):
    monkeypatch.setattr("tinyformer.serve.fields.PATIENCE", 0.1)
    with socket.create_connection(client.address) as connection:
        connection.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        error = json.loads(answer.read())["error"]
        assert (answer.status, error["code"], connection.recv(1)) == (408, "body_too_slow", b"")


def test_a_client_that_leaves_early_is_no_failure(client, caplog):
    body = b'{"prompt": "The", "max_tokens": 4000}'
    with caplog.at_level(logging.INFO, logger="tinyformer.serve"):
        for n, sent in enumerate((body[:5], body)):         # within its body, and while its text is generated
            with socket.create_connection(client.address) as connection:
                connection.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 37\r\n\r\n" + sent)
                wait_until(lambda: client.service.engine.running or sent != body)
            wait_until(lambda: sum("POST /v1/completions 499 " in line for line in caplog.messages) > n)


def test_unknown_paths_methods_and_models(client):
    assert error_of(client.get("/v1/nothing"), 404)["message"] == "there is no /v1/nothing"
    answer = client.get("/v1/completions")
    assert error_of(answer, 405)["code"] == "method_not_allowed" and "POST" in answer.headers["allow"]
    assert error_of(client.post("/v1/completions", {"prompt": "a", "model": "gpt-9"}), 404)["code"] == "model_not_found"
    assert error_of(client.get("/v1/models/gpt-9"), 404)["param"] == "model"
    models, = client.get("/v1/models").body["data"]
    assert models == client.get(f"/v1/models/{models['id']}").body and models["context"] == 64


@pytest.mark.parametrize("more", (1, 5 << 20))
def test_a_body_that_is_too_long_is_refused(client, more):
    assert error_of(client.post("/v1/completions", b" " * ((1 << 20) + more)), 413)["code"] == "body_too_long"
    body = json.dumps({"prompt": "The", "max_tokens": 1}).encode().ljust(1 << 20)
    assert client.post("/v1/completions", body).status == 200


def test_a_body_in_chunks_is_refused_too_and_an_endless_one_before_its_end(client):
    head = b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    part = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    with socket.create_connection(client.address, 20) as connection, connection.makefile("rb") as answer:
        connection.sendall(head + 40 * part + b"0\r\n\r\n")
        assert b" 413 " in answer.readline()
    with socket.create_connection(client.address, 20) as connection:
        connection.sendall(head)
        with pytest.raises(OSError):                        # the server closes the connection
            for _ in range(2000):
                connection.sendall(part)
    head = b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n"
    with socket.create_connection(client.address, 20) as connection, connection.makefile("rb") as answer:
        connection.sendall(head)
        assert b" 413 " in answer.readline()


def test_the_key_is_asked_for_on_all_of_v1(serving, folder):
    client = serving(folder, api_key="sécret")
    for path in ("/v1/models", "/v1/nothing", "/v1/completions"):
        answer = client.get(path)
        assert error_of(answer, 401)["code"] == "invalid_api_key" and answer.headers["www-authenticate"] == "Bearer"
    for given in ("Bearer secret", "Bearer", "Basic sécret", "sécret", "Bearer sécret2"):
        assert client.get("/v1/models", Authorization=given.encode()).status == 401
    assert client.get("/v1/models", Authorization="Bearer sécret".encode()).status == 200
    assert client.get("/health").status == 200 and client.get("/metrics").status == 200


@pytest.mark.parametrize("path", ("/health", "/v1/models", "/nothing", "/v1/completions", "/metrics"))
def test_every_answer_has_the_headers(client, path):
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert not [name for name in headers if name.lower().startswith("access-control")]


def test_the_log_has_a_line_for_each_request_without_its_text(client, caplog):
    with caplog.at_level(logging.INFO, logger="tinyformer.serve"):
        client.complete("The secret cat", max_tokens=1)
        client.get("/v1/%1b[31m%0ax")
        wait_until(lambda: any("[31m" in line for line in caplog.messages))     # it is written behind the answer
    odd, = (line for line in caplog.messages if "[31m" in line)
    assert odd.startswith(r"GET /v1/\x1b[31m\nx 404 ") and "\n" not in odd and "\x1b" not in odd
    assert any(line.startswith("POST /v1/completions 200 ") for line in caplog.messages) and "secret" not in caplog.text


def metrics_of(client):
    """{name with labels: value} of GET /metrics."""
    lines = client.get("/metrics").body.decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines) if name[0] != "#"}


def test_the_figures_count(client):
    before = metrics_of(client)
    client.complete("The cat", max_tokens=7)
    after = metrics_of(client)
    grew = {name: after[name] - before.get(name, 0) for name in after}
    assert grew['tinyformer_tokens_total{kind="completion"}'] == 7
    assert grew['tinyformer_tokens_total{kind="prompt"}'] > 0
    assert grew['tinyformer_requests_total{route="/v1/completions",status="200"}'] == 1
    assert grew["tinyformer_time_to_first_token_seconds_count"] == grew["tinyformer_seconds_per_token_count"] == 1
    assert grew["tinyformer_batch_size_count"] == 7 and after["tinyformer_requests_running"] == 0


def test_a_full_queue_is_429_and_a_client_that_leaves_frees_its_row(serving, folder):
    client = serving(folder, max_batch=1, queue=1)
    leaving = [socket.create_connection(client.address) for _ in range(2)]
    body = json.dumps({"prompt": "The", "max_tokens": 4000}).encode()
    for stream, connection in enumerate(leaving):
        asked = body[:-1] + b', "stream": true}' if stream else body
        head = "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(asked)
        connection.sendall(head.encode() + asked)
    engine = client.service.engine
    wait_until(lambda: engine.running == 1 and len(engine.waiting) == 1)
    answer = client.post("/v1/completions", {"prompt": "The"})
    assert error_of(answer, 429)["code"] == "queue_full" and int(answer.headers["retry-after"]) >= 1
    for connection in leaving:
        connection.close()
    wait_until(lambda: engine.running == len(engine.waiting) == 0)
    assert client.complete("The", max_tokens=2)["usage"]["completion_tokens"] == 2


def wait_until(true, seconds=20):
    """Wait until ``true()``."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def test_the_time_limit_ends_a_text(serving, folder):
    client = serving(folder, seconds=0.2)
    answer = client.complete("The", max_tokens=4096)
    assert answer["choices"][0]["finish_reason"] == "length" and 0 < answer["usage"]["completion_tokens"] < 4096


def test_a_failure_of_the_server_shows_nothing_of_itself(serving, folder, monkeypatch):
    client = serving(folder)

    def fail(*_):
        raise RuntimeError("secret: /home/x")

    monkeypatch.setattr(client.service, "submit", fail)
    error = error_of(client.post("/v1/completions", {"prompt": "The"}), 500)
    assert error["type"] == "server_error" and "secret" not in json.dumps(error)
    monkeypatch.undo()
    monkeypatch.setattr(client.service.engine._readings, "model", fail)         # the model itself fails
    fail.config = client.service.run.model.config
    error_of(client.post("/v1/completions", {"prompt": "The"}), 500)
    assert client.post("/v1/completions", {"prompt": "The", "stream": True}).body.count(b'"server_error"') == 1
    monkeypatch.undo()
    assert client.complete("The", max_tokens=1)


ROUTES = ("/v1/completions", "/v1/embeddings", "/v1/classify", "/v1/attention")
VALUES = (None, "x", "", [], [1], {}, {"a": 1}, -1, 2.5, 1e300, True, 10 ** 30, "\x00", ["a", 1], [[]], [None],
          "人" * 99)
NAMES = ("prompt", "input", "max_tokens", "temperature", "top_p", "top_k", "n", "seed", "stop", "echo", "logprobs",
         "stream", "stream_options", "model", "encoding_format", "explain", "layer", "head", "wrong", "", "user")


def test_200_fuzzed_bodies_are_4xx_each(client, rng):
    """Bodies with a wrong field, on each route that takes one, from several clients at a time."""
    bodies = []
    while len(bodies) < 200:
        body = {str(name): VALUES[rng.integers(len(VALUES))] for name in rng.choice(NAMES, rng.integers(0, 5))}
        body[f"no_{len(bodies)}"] = 1                       # whatever else it holds, this field is wrong
        text = json.dumps(body).encode()
        cut = rng.random()
        bodies.append(text if cut < 0.7 else text[:rng.integers(len(text))] if cut < 0.9 else rng.bytes(50))
    answers = [None] * len(bodies)

    def send(part):
        for i in range(part, len(bodies), 4):
            answers[i] = client.post(ROUTES[i % len(ROUTES)], bodies[i])

    threads = [threading.Thread(target=send, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for answer in answers:
        assert answer.status in KNOWN
        error_of(answer, answer.status)
    assert client.complete("The cat", max_tokens=3, temperature=0)["usage"]["completion_tokens"] == 3


def test_any_values_of_the_fields_are_answered_or_refused(client, rng):
    for _ in range(200):
        body = {str(name): VALUES[rng.integers(len(VALUES))] for name in rng.choice(NAMES[2:11], rng.integers(0, 3))}
        answer = client.post("/v1/completions", {"prompt": "The", "max_tokens": 1, **body})
        assert answer.status == 200 or error_of(answer, answer.status) and answer.status in KNOWN, (body, answer)
