"""Phase functions for tests. Where one waits, it waits for a file that the test makes; `parameters` says which."""

import os
import resource
import signal
import threading
from pathlib import Path
from typing import Any

from lodestream_server.workloads.phase import BadInput, Cancelled, DatasetFile, Phase

Json = dict[str, Any]
#: Between two looks for a file, in a worker process of a test.
_LOOK_S = 0.005


def count(phase: Phase) -> Json:
    """Counts records, says a little, leaves a file, publishes it."""
    total = int(phase.parameters.get("records", 10))
    for done in range(1, total + 1):
        phase.progress(done, total, "counting")
    phase.log("INFO", f"counted {total}", records=total)
    phase.metrics(counted=total)
    path = phase.out / "count.txt"
    path.write_text(str(total))
    phase.artifact(path, name="The count", type="Dataset", kind="Count", records=total)
    return {"counted": total}


def add(phase: Phase) -> Json:
    """Reads what an earlier phase left, and its results."""
    before = phase.before("Count")
    text = (before.folder / "count.txt").read_text()
    phase.milestone("added")
    return {"sum": before.results["counted"] + int(text)}


def wait(phase: Phase) -> Json:
    """Says that it waits by making the file `begun`, then waits for the file `gate`, looking for cancellation."""
    _touch(phase, "begun")
    gate = Path(str(phase.parameters["gate"]))
    looks = 0
    while not gate.exists():
        looks += 1
        phase.progress(looks, activity="waiting")
        threading.Event().wait(_LOOK_S)
    return {"looks": looks}


def deaf(phase: Phase) -> Json:
    """Waits for the gate without ever looking whether it should stop."""
    _touch(phase, "begun")
    gate = Path(str(phase.parameters["gate"]))
    while not gate.exists():
        threading.Event().wait(_LOOK_S)
    return {}


def deaf_and_stubborn(phase: Phase) -> Json:
    """Like `deaf`, and SIGTERM does not reach it."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return deaf(phase)


def bad_input(phase: Phase) -> Json:
    """Refuses its data."""
    raise BadInput("column X is missing; name it in the mapping", reason="MISSING_COLUMN", column="X")


def broken(phase: Phase) -> Json:
    """Has a programming error with a secret in its text."""
    raise RuntimeError("secret /home/somebody/file")


def out_of_memory(phase: Phase) -> Json:
    """Allocates until the limit says no."""
    hoard = []
    while True:
        hoard.append(bytearray(64 * 1024 * 1024))
        phase.check()


def disk_full(phase: Phase) -> Json:
    """Writes beyond what the disk takes."""
    raise OSError(28, "No space left on device")


def vanish(phase: Phase) -> Json:
    """Ends the process as if all were well."""
    phase.log("INFO", "about to vanish")
    os._exit(0)


def killed(phase: Phase) -> Json:
    """Is killed from outside."""
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def crash(phase: Phase) -> Json:
    """Crashes in native code, as far as anybody can tell."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.kill(os.getpid(), signal.SIGSEGV)
    return {}


def freeze(phase: Phase) -> Json:
    """Stops as a whole: no thread of it speaks any more."""
    os.kill(os.getpid(), signal.SIGSTOP)
    return {}


def quits(phase: Phase) -> Json:
    """Says that it was asked to stop, which nobody did."""
    raise Cancelled


def once_deadly(phase: Phase) -> Json:
    """Kills its worker the first time, and works the second time; the file `scar` in the run's folder remembers."""
    scar = phase.out.parent.parent / "scar"
    if not scar.exists():
        scar.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return {"survived": True}


def enrich(phase: Phase) -> Json:
    """Leaves its dataset with every line after the first twice, as a log for whoever comes after."""
    assert phase.dataset is not None
    head, *lines = phase.dataset.path.read_text().splitlines()
    path = phase.out / "enriched.csv"
    path.write_text("\n".join([head, *lines, *lines]) + "\n")
    phase.artifact(path, name="Enriched", type="Dataset", kind="EnrichedDataset", records=2 * len(lines))
    return {"lines": len(lines)}


def lines(phase: Phase) -> Json:
    """Counts the lines of its dataset after the first."""
    assert phase.dataset is not None
    return {"lines": len(phase.dataset.path.read_text().splitlines()) - 1}


def until_mended(phase: Phase) -> Json:
    """Breaks as often as `failures` says, then works; the file `ledger` counts the attempts."""
    ledger = Path(str(phase.parameters["ledger"]))
    attempts = ledger.read_text().split().count(phase.name) if ledger.exists() else 0
    tick(phase)
    if attempts < int(phase.parameters["failures"]):
        raise RuntimeError("not mended yet")
    return {"attempts": attempts + 1}


def hungry(phase: Phase) -> Json:
    """Needs more memory than `enough` bytes allow."""
    if phase.memory_bytes < int(phase.parameters["enough"]):
        raise MemoryError
    return {"memory": phase.memory_bytes}


def tick(phase: Phase) -> Json:
    """A line per phase start in the file `ledger`, so that tests can count how often it was run."""
    with open(str(phase.parameters["ledger"]), "a") as ledger:
        ledger.write(phase.name + "\n")
    return {}


def describe(file: DatasetFile) -> Json:
    """Looks at a dataset: counts lines, and refuses what begins with `bad`."""
    lines = file.path.read_text().splitlines()
    if lines[0] == "bad":
        raise BadInput("the file has no header", reason="NO_HEADER")
    return {"events": len(lines) - 1, "mapping": {"caseIdColumn": "case", "delimiter": ","}}


def _touch(phase: Phase, parameter: str) -> None:
    if (path := phase.parameters.get(parameter)) is not None:
        Path(str(path)).touch()


def look(phase: Phase) -> Json:
    """Tells what it was given; fails while the file `trap` is there."""
    if Path(str(phase.parameters.get("trap", "none"))).exists():
        raise RuntimeError("trapped")
    return {
        "dataset": phase.dataset.dataset_id if phase.dataset else None,
        "datasets": {name: len(one.path.read_text().splitlines()) for name, one in phase.datasets.items()},
        "resources": {name: [one.type, one.path.read_bytes().decode()] for name, one in phase.resources.items()},
        "sources": [
            {
                "run": run.run_id,
                "kind": run.kind,
                "type": run.type,
                "records": run.parameters.get("records"),
                "results": {one.name: one.results for one in run.phases},
                "files": sorted(file.name for one in run.phases for file in one.folder.iterdir()),
                "timed": run.started is not None and run.ended is not None and run.started < run.ended,
            }
            for run in phase.sources
        ],
    }
