"""What the worker says, in order and not too often: lines gather, progress and figures keep their latest, twice a
second it all goes.

Whoever works never waits for the server, unless it is thousands of lines ahead: then it waits, instead of memory
growing.
"""

import threading
import time
from collections.abc import Callable

from lodestream_server.runs.bodies import Body
from lodestream_server.runs.codec import encode
from lodestream_server.worker.v1 import worker_pb2 as wire

#: Seconds between two reports.
PERIOD_S = 0.5
#: Lines that may wait.
MOST_WAITING = 2000

Send = Callable[[wire.FromWorker], None]
Latest = Callable[[], list[Body]]


class Reporter:
    """Used by the thread that works and by the one that reports; `send` must be safe for both."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._lock = threading.Lock()
        self._waiting: list[tuple[float, Body]] = []
        self._latest: Latest = list
        self._stop = threading.Event()

    def pull_from(self, latest: Latest) -> None:
        """Where the newest progress and figures are to be had; it returns what changed since it was asked last."""
        with self._lock:
            self._latest = latest

    def say(self, *bodies: Body) -> None:
        """Adds what happened now."""
        with self._lock:
            now = time.monotonic()
            self._waiting += [(now, body) for body in bodies]
            crowded = len(self._waiting) >= MOST_WAITING
        if crowded:
            self.flush()

    def flush(self, *last: Body) -> None:
        """Sends all that waits, then the latest progress, then `last`, as one report that becomes durable together."""
        with self._lock:
            now = time.monotonic()
            due = [*self._waiting, *((now, body) for body in [*self._latest(), *last])]
            self._waiting = []
            if due:
                # Inside the lock, or a later report could overtake this one.
                self._send(wire.FromWorker(facts=wire.Facts(facts=[_fact(now - then, body) for then, body in due])))

    def run(self) -> None:
        """The reporting thread, until `close`."""
        while not self._stop.wait(PERIOD_S):
            self.flush()

    def close(self) -> None:
        """Ends the reporting thread."""
        self._stop.set()


def _fact(age_s: float, body: Body) -> wire.Fact:
    kind, data = encode(body)
    return wire.Fact(age_us=int(age_s * 1e6), kind=kind, body=data)
