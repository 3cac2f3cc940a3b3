"""Times whole processes in turn: wall seconds and peak resident memory, as the operating system accounts them."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process cost: medians over the rounds."""

    seconds: float
    peak_mb: float


def in_turn(contenders: Mapping[str, Sequence[str]], rounds: int) -> dict[str, Cost]:
    """Runs `python …` for each contender, round by round, and gives the medians.

    Raises RuntimeError with the last lines of stderr when one does not exit with 0.
    """
    seen: dict[str, list[Cost]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, arguments in contenders.items():
            seen[name].append(run(name, arguments))
    return {
        name: Cost(
            round(statistics.median(cost.seconds for cost in costs), 2),
            round(statistics.median(cost.peak_mb for cost in costs)),
        )
        for name, costs in seen.items()
    }


def run(name: str, arguments: Sequence[str]) -> Cost:
    """One process from start to end."""
    start = time.perf_counter()
    with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        complaint = process.stderr.read() if process.stderr else b""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{name} ended with {process.returncode}: {complaint.decode(errors='replace')[-2000:]}")
    return Cost(time.perf_counter() - start, usage.ru_maxrss / 1e3)  # Linux counts kibibytes
