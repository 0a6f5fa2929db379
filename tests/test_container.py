"""The container: what its files promise, and a build and a run without a daemon where buildah and a base image are."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tinyformer.models import GPT, GPTConfig
from tinyformer.text import BytePairTokenizer

ROOT = Path(__file__).parents[1]
TAG = "localhost/tinyformer-test"
if not (ROOT / "Dockerfile").exists():
    pytest.skip("the Dockerfile belongs to the repository, not to the package", allow_module_level=True)


def instructions(text):
    """[(word, rest)] of a Dockerfile, with continued lines joined."""
    lines = re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", text)).splitlines()
    return [tuple(line.split(None, 1)) for line in lines if line.strip()]


def test_the_dockerfile():
    several = instructions((ROOT / "Dockerfile").read_text())
    stages = [i for i, (word, _) in enumerate(several) if word == "FROM"]
    assert len(stages) == 2
    images = [rest.partition("=")[2] for word, rest in several if word == "ARG"]
    assert all(re.fullmatch(r"docker\.io/library/python:3\.\d+\.\d+-(slim-)?bookworm", image) for image in images)
    assert "-slim" not in images[0] and images[0] == images[1].replace("-slim", "")
    last = dict(several[stages[1]:])
    assert int(last["USER"]) > 0 and last["VOLUME"] == "/models" and last["EXPOSE"] == "8000"
    assert "/health" in last["HEALTHCHECK"]
    assert json.loads(last["ENTRYPOINT"]) == ["tinyformer", "serve", "--host", "0.0.0.0", "--port", "8000",
                                              "--model", "/models"]


def test_the_context_has_what_the_wheel_is_made_of():
    patterns = (ROOT / ".dockerignore").read_text().splitlines()
    kept = {line[1:] for line in patterns if line.startswith("!")}
    assert "*" in patterns and {"csrc", "tinyformer", "setup.py", "pyproject.toml"} <= kept
    assert all((ROOT / name).exists() for name in kept - {"wheels"})
    assert not kept & {"runs", ".git", "tests"}


def test_compose():
    yaml = pytest.importorskip("yaml", reason="PyYAML reads compose.yaml and is not installed")
    service = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["tinyformer"]
    assert service["ports"] == ["127.0.0.1:8000:8000"]
    assert service["read_only"] is True and service["volumes"][0]["read_only"] is True
    assert service["cap_drop"] == ["ALL"] and "/health" in " ".join(service["healthcheck"]["test"])


# ------------------------------------------------------------------------------------------------ build and run

def buildah(*arguments, **options):
    """What buildah prints. The test fails with its last lines where it fails."""
    done = subprocess.run(["buildah", *map(str, arguments)], capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout.strip()


@pytest.fixture(scope="module")
def base():
    """The image that stands for both images of Python."""
    image = os.environ.get("TINYFORMER_CONTAINER_IMAGE")
    if shutil.which("buildah") is None:
        pytest.skip("buildah is not installed")
    if not image:
        pytest.skip("TINYFORMER_CONTAINER_IMAGE names no image with Python and a compiler; .ci/container makes one")
    if subprocess.run(["buildah", "inspect", "--type", "image", image], capture_output=True).returncode:
        pytest.skip(f"buildah has no image {image}; .ci/container makes one")
    return image


@pytest.fixture(scope="module")
def image(base, tmp_path_factory):
    """The image built from a copy of the repository, from a wheelhouse, without an index."""
    context = tmp_path_factory.mktemp("context")
    for name in ("Dockerfile", ".dockerignore", "LICENSE", "MANIFEST.in", "README.md", "pyproject.toml", "setup.py"):
        shutil.copy(ROOT / name, context)
    for name in ("csrc", "tinyformer"):
        shutil.copytree(ROOT / name, context / name, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    environment = {**os.environ, "TINYFORMER_NO_NATIVE": "1", "TINYFORMER_REQUIRE_NATIVE": "0"}
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--wheel-dir", "wheels", ".[serve]", "setuptools>=77",
                    "pybind11>=2.13"], cwd=context, env=environment, check=True)
    shutil.rmtree(context / "build", ignore_errors=True)
    buildah("build", "--format", "docker", "--pull-never", "--build-arg", f"BUILD_IMAGE={base}",
            "--build-arg", f"RUN_IMAGE={base}", "-t", TAG, context, timeout=1200)
    yield TAG
    subprocess.run(["buildah", "rmi", TAG], capture_output=True)


@pytest.fixture
def model(tmp_path):
    """The folder of a GPT that user 10001 can read."""
    text = "The cat sat on the mat; the dog did not. " * 20
    tokenizer = BytePairTokenizer.train(text, 280)
    folder = tmp_path / "model"
    GPT(GPTConfig(vocab_size=tokenizer.vocab_size, block_size=64, n_layer=1, n_head=2, n_embd=32)
        ).save_pretrained(folder)
    tokenizer.save(folder / "tokenizer.json")
    folder.chmod(0o755)
    for file in folder.iterdir():
        file.chmod(0o644)
    return folder


def answer(port, method, path, body=None):
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body and json.dumps(body))
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def until_healthy(port, server, seconds=60):
    """Wait until the server answers."""
    for _ in range(5 * seconds):
        assert server.poll() is None, server.stdout.read()
        try:
            if answer(port, "GET", "/health")[0] == 200:
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"the server did not answer within {seconds} s")


def process_with(*words):
    """The id of the process whose arguments end in ``words``: chroot isolation has no process ids of its own."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (folder / "cmdline").read_text().split("\0")[:-1]
        except OSError:
            continue
        if arguments[-len(words):] == list(words) and "python" in arguments[0]:
            return int(folder.name)
    raise AssertionError(f"no process of Python ends in {words}")


@pytest.mark.slow
def test_the_image_serves_a_model(image, model):
    config = json.loads(buildah("inspect", "--type", "image", image))["Docker"]["config"]
    assert config["User"] == "10001" and "/health" in config["Healthcheck"]["Test"][-1]
    container = buildah("from", "--pull-never", image)
    buildah("config", "--volume", "/models-", container)        # buildah run would hide our folder behind the image's

    def inside(*command):
        return buildah("run", "--volume", f"{model}:/models:ro", container, "--", *command)

    try:
        assert inside("id", "-u") == "10001"
        assert inside("python", "-c", "import tinyformer as t; print(t.backend.info()['live'])") == "native"
        assert "config.json" in inside("ls", "/models")
        assert inside("sh", "-c", "touch /models/x 2> /dev/null || echo refused") == "refused"
        assert inside("sh", "-c", "ls /source 2> /dev/null || echo absent") == "absent"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = subprocess.Popen(
            ["buildah", "run", "--volume", f"{model}:/models:ro", container, "--", *config["Entrypoint"],
             "--port", str(port)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            until_healthy(port, server)
            status, body = answer(port, "POST", "/v1/completions",
                                  {"model": "models", "prompt": "The cat", "max_tokens": 8, "temperature": 0})
            found = json.loads(body)
            page = answer(port, "GET", "/")
            assert page[0] == 200 and b"<textarea" in page[1]
            assert status == 200 and found["usage"]["completion_tokens"] == 8, found
            health = config["Healthcheck"]["Test"][1:]
            inside(*[word.replace(":8000/", f":{port}/") for word in health])
            os.kill(process_with("--port", str(port)), signal.SIGTERM)
            assert server.wait(30) == 0, server.stdout.read()
        finally:
            server.kill()
            server.wait()
            server.stdout.close()
    finally:
        buildah("rm", container)
