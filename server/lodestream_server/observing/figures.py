"""Figures for Prometheus: calls as they are seen, and what the engine holds at the moment of asking.

prometheus-client comes with the extra `observability`, and is imported when somebody wants figures.
"""

from pathlib import Path
from typing import Any

from lodestream_server.engine.engine import Engine
from lodestream_server.grpc_door.call import Trail
from lodestream_server.observing.calls import code_of
from lodestream_server.services.machine import measure

#: Seconds. From a read of what is in memory to an upload of gigabytes.
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0)


class Figures:
    """An observer of calls with a page to read. Labels come from the contract and from our own tables, never from
    callers: their number is bounded."""

    def __init__(self, engine: Engine, data_dir: Path) -> None:
        """Raises ImportError without prometheus-client."""
        import prometheus_client as prometheus

        self._engine = engine
        self._data_dir = data_dir
        self._page = prometheus.generate_latest
        self.content_type = prometheus.CONTENT_TYPE_LATEST
        self._registry = registry = prometheus.CollectorRegistry()
        prometheus.ProcessCollector(registry=registry)
        counter, gauge, histogram = prometheus.Counter, prometheus.Gauge, prometheus.Histogram
        self._calls: Any = counter(
            "lodestream_calls", "Calls that have ended.", ("method", "code", "reason"), registry=registry
        )
        self._seconds: Any = histogram(
            "lodestream_call_seconds", "Calls other than streams.", ("method",), registry=registry, buckets=_BUCKETS
        )
        self._streams: Any = gauge("lodestream_open_streams", "Streams under way.", ("method",), registry=registry)
        self._runs: Any = gauge("lodestream_runs", "Runs in each state.", ("kind", "state"), registry=registry)
        self._events = gauge("lodestream_newest_event", "Position of the newest committed event.", registry=registry)
        self._seats = gauge("lodestream_seats", "Runs that can be at work at once.", registry=registry)
        self._busy = gauge("lodestream_seats_busy", "Runs at work.", registry=registry)
        self._draining = gauge("lodestream_draining", "1 when nothing new is taken.", registry=registry)
        self._disk = gauge("lodestream_disk_free_bytes", "Free below the data directory.", registry=registry)

    def begins(self, trail: Trail, metadata: Any) -> None:
        """See `Observer`."""
        if trail.streams:
            self._streams.labels(_short(trail.method)).inc()

    def ends(self, trail: Trail, seconds: float) -> None:
        """See `Observer`."""
        method = _short(trail.method)
        if trail.streams:
            self._streams.labels(method).dec()
        else:
            self._seconds.labels(method).observe(seconds)
        self._calls.labels(method, code_of(trail), trail.reason).inc()

    async def page(self) -> bytes:
        """All figures as Prometheus reads them. Raises StoreUnavailable."""
        for (kind, state), runs in (await self._engine.totals()).items():
            self._runs.labels(kind, state).set(runs)
        self._events.set(self._engine.position)
        self._seats.set(self._engine.seats)
        self._busy.set(len(self._engine.at_work()))
        self._draining.set(self._engine.draining)
        self._disk.set(measure(self._data_dir).disk_free_bytes)
        return self._page(self._registry)


def _short(method: str) -> str:
    return method.rpartition(".")[2]
