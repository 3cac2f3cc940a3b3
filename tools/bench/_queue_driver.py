"""What all contenders of the queue bench share: how they are driven, and how a task says that it has begun.

Standard library only: the anchors run it with the interpreter of an environment of their own. A client reads commands
from stdin and answers with a line of JSON: `latency N` sends one job after the other, each into a queue at
rest; `rate N S` sends N jobs from S threads and waits until the last has begun. Tasks say that they have begun by a
datagram with the time by the clock that all processes of a machine share.
"""

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

#: The folder of a contender's files, for its worker and its client.
FOLDER = "LODESTREAM_BENCH_FOLDER"
_GIVE_UP_S = 60.0
#: Between two jobs that are timed alone: the slowest has written the end of the first by then.
_REST_S = 0.03

Submit = Callable[[str], object]


def folder() -> Path:
    """Where this contender keeps its files."""
    return Path(os.environ[FOLDER])


def begun(name: str) -> None:
    """Called by a task as its first deed."""
    _ears(str(folder())).send(json.dumps([name, time.monotonic_ns()]).encode())


@cache
def _ears(place: str) -> socket.socket:
    ears = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ears.connect(f"{place}/begun")
    return ears


class Driver:
    """Sends jobs and hears when they begin."""

    def __init__(self, submit: Submit) -> None:
        self._submit = submit
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(folder() / "begun"))
        self._began: dict[str, int] = {}
        self._news = threading.Condition()
        self._rest = threading.Event()
        threading.Thread(target=self._hear, daemon=True).start()

    def latency(self, jobs: int) -> list[float]:
        """Microseconds from the call that submits to the first line of the task, for each job."""
        times = []
        for number in range(jobs):
            name = f"one-{number}-{time.monotonic_ns()}"
            sent = time.monotonic_ns()
            self._submit(name)
            self._await([name])
            times.append((self._began[name] - sent) / 1e3)
            self._rest.wait(_REST_S)
        return times

    def rate(self, jobs: int, submitters: int) -> float:
        """Jobs a second, from the first call to the beginning of the last task."""
        mark = time.monotonic_ns()
        shares = [[f"{mark}-{which}-{n}" for n in range(jobs // submitters)] for which in range(submitters)]
        sent = time.monotonic_ns()
        with ThreadPoolExecutor(submitters) as pool:
            for _ in pool.map(lambda share: [self._submit(name) for name in share], shares):
                pass
        names = [name for share in shares for name in share]
        self._await(names)
        return len(names) / ((max(self._began[name] for name in names) - sent) / 1e9)

    def _hear(self) -> None:
        while True:
            name, when = json.loads(self._socket.recv(4096))
            with self._news:
                self._began.setdefault(name, when)
                self._news.notify_all()

    def _await(self, names: list[str]) -> None:
        with self._news:
            if not self._news.wait_for(lambda: all(map(self._began.__contains__, names)), _GIVE_UP_S):
                lacking = sum(name not in self._began for name in names)
                raise TimeoutError(f"{lacking} of {len(names)} jobs did not begin within {_GIVE_UP_S:g} s")


def obey(submit: Submit) -> None:
    """Does what stdin says, until it ends."""
    driver = Driver(submit)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        command, *numbers = line.split()
        answer = getattr(driver, command)(*map(int, numbers))
        print(json.dumps(answer), flush=True)
