"""The worker process: one thread reads orders, one reports, one says that it lives; the main thread works."""

import importlib
import logging
import queue
import socket
import threading
from collections.abc import Sequence
from pathlib import Path

import psutil

from lodestream_server.worker import frames, limits
from lodestream_server.worker.pulse import Pulse, Sampler
from lodestream_server.worker.reporter import Reporter
from lodestream_server.worker.v1 import worker_pb2 as wire
from lodestream_server.worker.working import Work

log = logging.getLogger(__name__)


class Worker:
    """Serves one pipe until its end."""

    def __init__(self, pipe: socket.socket) -> None:
        self._pipe = pipe
        self._sending = threading.Lock()
        self._orders: queue.SimpleQueue[wire.Assignment] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._run_id = ""

    def serve(self, preload: Sequence[str]) -> None:
        """Takes runs until the pipe ends; then the process and its children are gone."""
        threading.Thread(target=self._listen, name="orders", daemon=True).start()
        self._send(wire.FromWorker(ready=wire.Ready(pid=psutil.Process().pid)))
        for module in preload:
            _load(module)
        while True:
            order = self._orders.get()
            ended = self._work(order)
            ended.rss_bytes = psutil.Process().memory_info().rss
            self._send(wire.FromWorker(ended=ended))

    def _work(self, order: wire.Assignment) -> wire.Ended:
        limits.bound_memory(order.memory_bytes)
        reporter, sampler = Reporter(self._send), Sampler(Path(order.folder))
        work = Work(order, reporter, sampler, self._stop)
        threading.Thread(target=reporter.run, name="reports", daemon=True).start()
        alive = wire.FromWorker(alive=wire.Alive(run_id=order.run_id))
        pulse = Pulse(lambda: self._send(alive), lambda: reporter.say(sampler.sample(work.phase)))
        try:
            return work.run()
        finally:
            pulse.close()
            reporter.close()
            reporter.flush()
            limits.bound_memory(0)

    def _listen(self) -> None:
        try:
            while True:
                order = frames.read(self._pipe, wire.ToWorker)
                match order.WhichOneof("order"):
                    case "run":
                        self._run_id = order.run.run_id
                        self._stop.clear()
                        self._orders.put(order.run)
                    case "cancel" if order.cancel.run_id == self._run_id:
                        self._stop.set()
        except (frames.Broken, OSError):
            # The server is gone: nobody wants this work any more, and the next server will begin it anew.
            limits.end_group()

    def _send(self, message: wire.FromWorker) -> None:
        data = frames.pack(message)
        try:
            with self._sending:
                self._pipe.sendall(data)
        except OSError:
            limits.end_group()


def _load(module: str) -> None:
    try:
        importlib.import_module(module)
    except Exception:  # the run that needs it will say so in its own words
        log.exception("%s could not be loaded ahead", module)
