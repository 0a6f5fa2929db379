"""The server's figures for Prometheus."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from .engine import Engine
    from .generation import Generation

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
SIZES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counters, gauges and histograms of one server. ``text`` is what GET /metrics answers."""

    def __init__(self, engine: Engine) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter("tinyformer_requests", "Requests that were answered", ["route", "status"],
                                registry=registry)
        self.tokens = Counter("tinyformer_tokens", "Tokens read (prompt) and written (completion)", ["kind"],
                              registry=registry)
        self.batch = Histogram("tinyformer_batch_size", "Texts that a step continued together", buckets=SIZES,
                               registry=registry)
        self.first = Histogram("tinyformer_time_to_first_token_seconds", "From the request to its first token",
                               buckets=SECONDS, registry=registry)
        self.each = Histogram("tinyformer_seconds_per_token", "Mean time between two tokens of a text",
                              buckets=SECONDS, registry=registry)
        for name, says, function in (
                ("tinyformer_requests_running", "Texts that are generated now", lambda: engine.running),
                ("tinyformer_requests_waiting", "Texts in the queue", lambda: len(engine.waiting))):
            Gauge(name, says, registry=registry).set_function(function)
        for kind in ("prompt", "completion"):               # a counter is there before the first request
            self.tokens.labels(kind)

    def step(self, changed: Sequence[Generation]) -> None:
        """Count a step of the engine that had news for these generations."""
        self.batch.observe(len(changed))
        for one in changed:
            if one.finish_reason is not None:
                self._finished(one)

    def _finished(self, one):
        self.tokens.labels("prompt").inc(len(one.prompt))
        self.tokens.labels("completion").inc(len(one.tokens))
        if one.first:
            self.first.observe(one.first - one.submitted)
        if len(one.tokens) > 1:
            self.each.observe((monotonic() - one.first) / (len(one.tokens) - 1))

    def text(self) -> bytes:
        """All figures in Prometheus's text format."""
        return generate_latest(self.registry)
