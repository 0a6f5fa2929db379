"""The HTTP server: uvicorn, which says when it answers and finishes what runs when a signal stops it."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn

from .app import create_app
from .protocol import Protocol
from .service import Service


class Server(uvicorn.Server):
    """uvicorn's server of ``service`` on a socket. ``ready`` is called with its URL once it answers.

    SIGTERM and Ctrl-C stop it: no connection is accepted any more, running requests are finished, ``run`` returns.
    """

    def __init__(self, service: Service, host: str, port: int, ready: Callable[[str], None]) -> None:
        super().__init__(uvicorn.Config(create_app(service), http=Protocol, ws="none", lifespan="on", log_config=None,
                                        access_log=False, server_header=False, timeout_keep_alive=30,
                                        timeout_graceful_shutdown=int(service.seconds) + 1))
        self.socket, self.ready = listening(host, port), ready

    @property
    def url(self) -> str:
        """http://HOST:PORT."""
        host, port = self.socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def serve_forever(self) -> None:
        """Answer until a signal, or until ``should_exit`` is set."""
        self.run(sockets=[self.socket])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        if self.started:
            self.ready(self.url)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals end the server; uvicorn's own version would raise them again afterward."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        names = [signal.SIGINT, signal.SIGTERM]
        before = {name: signal.signal(name, self.handle_exit) for name in names}
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal ends the server in peace; a second Ctrl-C at once."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True


def listening(host: str, port: int) -> socket.socket:
    """A socket that is bound to ``host`` and ``port``. OSError, which names them, if that cannot be."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), f"{host}:{port}") from None


def log_requests() -> None:
    """Write one line for each request to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger = logging.getLogger("tinyformer.serve")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
