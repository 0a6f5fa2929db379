"""tinyformer serve"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer


def command(
    model: Annotated[Optional[Path], typer.Option(
        metavar="DIR", help="The folder of a run or of a published model. Default: the newest run in runs/.")] = None,
    host: Annotated[str, typer.Option(help="The address to listen on. 0.0.0.0 is every network of this machine.")]
    = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on. 0: a free one.")] = 8000,
    max_batch: Annotated[int, typer.Option(min=1, help="The largest number of texts to continue at a time.")] = 16,
    queue: Annotated[int, typer.Option(
        min=0, help="How many more texts may wait. A request beyond is answered with 429.")] = 64,
    max_tokens: Annotated[int, typer.Option(min=1, help="The largest max_tokens that a request may ask for.")] = 4096,
    seconds: Annotated[float, typer.Option(min=0.1, max=1e6, help="The time limit of one text.")] = 300.0,
    api_key: Annotated[Optional[str], typer.Option(
        envvar="TINYFORMER_API_KEY", metavar="KEY", show_envvar=False,
        help="Ask for this key on /v1/…. Better: the variable TINYFORMER_API_KEY, which other users cannot read.")]
    = None,
) -> None:
    """Answer HTTP requests with a trained model.

    The routes are those of OpenAI's API."""
    from ..train import open_run
    from .runs import newest_run
    try:
        from ..serve.server import Server, log_requests
        from ..serve.service import Service
    except ImportError as error:
        raise RuntimeError(f"serve: {error.name} is not installed; `pip install \"tinyformer[serve]\"` "
                           "brings it") from None
    if api_key is not None and not (api_key := api_key.strip()):     # a key from a file may end in a line break
        raise ValueError("--api-key is empty, expected a key of at least one character")
    run = open_run(model or newest_run())
    service = Service(run, max_batch=max_batch, queue=queue, api_key=api_key, max_tokens=max_tokens, seconds=seconds)
    server = Server(service, host, port, lambda url: print(f"{service.name} is served at {url}", flush=True))
    log_requests()
    server.serve_forever()
