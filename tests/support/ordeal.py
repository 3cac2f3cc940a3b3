"""A run whose watcher is killed again and again, and whose server is killed in the middle of it; and what must be true
afterwards.

Called by the tests that do so a few times and by those that do so a hundred times.
"""

import contextlib
import gzip
import json
import os
import random
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from tests.support.served import COMMAND_S, Served
from tests.support.watcher import entries

TERMINAL = ("completed", "failed", "cancelled", "timed_out")
#: Seconds that a watcher lives, at most. Starting takes about half of that, so some die before they are connected.
LONGEST_LIFE_S = 0.8


def write_xes(path: Path, cases: int) -> None:
    """An event log of ten events a case, in the format that takes longest to read."""
    with gzip.open(path, "wt", compresslevel=1, encoding="utf-8") as file:
        file.write('<?xml version="1.0" encoding="UTF-8"?>\n<log xes.version="1.0">\n')
        for case in range(cases):
            file.write(f'<trace><string key="concept:name" value="case {case}"/>')
            for step in range(10):
                name, day = (case * 7 + step * step) % 9, f"2024-{case % 12 + 1:02}-{step + 1:02}"
                file.write(f'<event><string key="concept:name" value="step {name}"/>')
                file.write(f'<date key="time:timestamp" value="{day}T08:{case % 60:02}:00Z"/></event>')
            file.write("</trace>\n")
        file.write("</log>\n")


@dataclass(slots=True)
class Ordeal:
    """One run and its watchers. `chance` decides how long each lives."""

    server: Served
    run_id: str
    chance: random.Random
    killed: int = 0

    @property
    def ledger(self) -> Path:
        """What the watchers wrote, one after the other."""
        return self.server.folder / f"{self.run_id}.ledger"

    def survive(self, watchers: int, server_deaths: Collection[int]) -> int:
        """Kills up to so many watchers, and the server during the lives that are named; then lets one watch to the end.

        Beside them a `lodestream watch` lives through everything, and is judged at the end. Gives the number of
        watchers killed, which is lower when the run ends before.
        """
        with self.server.begin("watch", self.run_id, "--json") as steady:
            try:
                begun = _first_words(steady)  # one that never was connected gives up when nobody answers
                while self.killed < watchers and self._short_life(self.killed + 1 in server_deaths):
                    self.killed += 1
                self._to_the_end()
                self._judge_the_steady(steady, begun)
            except BaseException:
                steady.kill()
                raise
        return self.killed

    def _short_life(self, server_dies: bool) -> bool:
        """A watcher that is killed; False when it came to the end of the stream before."""
        with self._watcher() as watcher:
            if server_dies:
                self.server.kill()
                self.server.start()
            with contextlib.suppress(subprocess.TimeoutExpired):
                watcher.wait(self.chance.uniform(0.0, LONGEST_LIFE_S))
            watcher.kill()
        return watcher.returncode != 0

    def _to_the_end(self) -> None:
        with self._watcher() as last:
            _, complaint = last.communicate(timeout=COMMAND_S)
        assert last.returncode == 0, complaint.decode()

    def judge(self) -> None:
        """The story is complete: no gap, no repeat, one terminal event, which is the last; the same for everybody."""
        told = entries(self.ledger)
        assert [entry["sequence"] for entry in told] == list(range(1, len(told) + 1))
        assert [entry["kind"] in TERMINAL for entry in told] == [False] * (len(told) - 1) + [True]
        self.ledger.rename(self.ledger.with_suffix(".first"))
        self._to_the_end()
        assert [entry["content"] for entry in entries(self.ledger)] == [entry["content"] for entry in told]

    def _judge_the_steady(self, steady: subprocess.Popen[bytes], begun: bytes) -> None:
        """It never was killed; its connections were, with the server."""
        rest, complaint = steady.communicate(timeout=COMMAND_S)
        assert steady.returncode == 0, complaint.decode()
        assert b"Traceback" not in complaint
        numbers = [json.loads(line)["sequence"] for line in (begun + rest).splitlines()]
        assert numbers == list(range(1, len(entries(self.ledger)) + 1))

    def _watcher(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.support.watcher", self.run_id, str(self.ledger)],
            env=self.server.environment,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )


def _first_words(command: subprocess.Popen[bytes]) -> bytes:
    """What it says first; nothing when it ends without a word. Unbuffered: `communicate` gives the rest."""
    assert command.stdout is not None
    return os.read(command.stdout.fileno(), 1 << 16)
