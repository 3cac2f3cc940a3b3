"""Every kind of work on one large log, one after the other, each in a process of its own: seconds, processor seconds,
peak memory, and the longest time between two cancel points.

`python -m tools.bench.kinds [--events N] [--json] [NAME ...]`. Reports are made about the results of the mining
operation. Must: 1.5 GB at most for 5M events.
"""

import argparse
import importlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lodestream_server.runs.states import RunKind
from lodestream_server.workloads.built_in import BUILT_IN
from lodestream_server.workloads.phase import DatasetFile, EarlierRun, Finished
from lodestream_server.workloads.rehearsal import Rehearsal

from tools.bench.mining import write_csv

_OPERATION, _JOB = RunKind.OPERATION, RunKind.JOB
_RULES = ["remove_duplicates", "fix_timestamps", "validate_activities"]
_FORMATS = ["PDF", "PowerPoint", "HTML", "Excel", "CSV", "JSON"]
#: Name -> kind, type and parameters. The report comes after the operation that it is about.
KINDS: dict[str, tuple[RunKind, str, dict[str, Any]]] = {
    "mining": (_JOB, "ProcessMining", {}),
    "mining with anomalies": (_JOB, "ProcessMining", {"includeAnomalyDetection": True}),
    "mining operation": (_OPERATION, "ProcessMiningAnalysis", {}),
    "report, all formats": (_OPERATION, "ReportGeneration", {"reportType": "detailed", "exportFormats": _FORMATS}),
    "enrichment": (_JOB, "DataEnrichment", {"cleaningRules": _RULES}),
    **{
        f"analysis: {word}": (_JOB, "Analysis", {"analysisType": word})
        for word in ("performance", "bottleneck", "variants", "resources", "comparison", "conformance", "comprehensive")
    },
}


@dataclass(slots=True)
class Listening(Rehearsal):
    """A rehearsal that measures how long nobody asks whether to stop."""

    longest_s: float = 0.0
    _asked: float = field(default_factory=time.monotonic)

    def check(self) -> None:
        """See `Phase.check`."""
        now = time.monotonic()
        self.longest_s, self._asked = max(self.longest_s, now - self._asked), now
        # Not super(): a dataclass with slots is made anew, and super() would look for the old one.
        Rehearsal.check(self)


@dataclass(frozen=True, slots=True)
class Row:
    """One run."""

    name: str
    events: int
    seconds: float
    cpu_s: float
    peak_mb: float
    longest_unasked_s: float
    where: str


def run(name: str, folder: Path, events: int) -> Row:
    """One kind of work in this process; its phases stay below `folder`."""
    kind, type_, given = KINDS[name]
    log = folder / "log.csv"
    dataset = DatasetFile("log", "log.csv", log, "csv", log.stat().st_size)
    done: dict[str, Finished] = {}
    began, longest = time.monotonic(), (0.0, "")
    for step in BUILT_IN.find(kind, type_).phases:
        module, _, function = step.function.partition(":")
        work = getattr(importlib.import_module(module), function)
        phase = Listening(
            folder / name / step.name,
            dataset,
            given,
            step.name,
            earlier=done,
            datasets={"log": dataset},
            sources=_sources(folder) if type_ == "ReportGeneration" else (),
        )
        done[step.name] = phase.run(work)
        phase.check()
        longest = max(longest, (phase.longest_s, step.name))
    took = time.monotonic() - began
    (folder / name / "results.json").write_text(json.dumps({key: one.results for key, one in done.items()}), "utf-8")
    mine = resource.getrusage(resource.RUSAGE_SELF)
    cpu = mine.ru_utime + mine.ru_stime
    return Row(
        name, events, round(took, 1), round(cpu, 1), round(mine.ru_maxrss / 1e3), round(longest[0], 2), longest[1]
    )


def _sources(folder: Path) -> list[EarlierRun]:
    mined = folder / "mining operation"
    results = json.loads((mined / "results.json").read_text("utf-8"))
    phases = tuple(Finished(key, value, mined / key / "out") for key, value in results.items())
    return [EarlierRun("op-1", "operation", "ProcessMiningAnalysis", "Mining", {}, phases)]


def main(argv: list[str] | None = None) -> int:
    """Runs the kinds and prints a table; 1 when one needs more than 1.5 GB."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(KINDS), metavar="NAME", help=", ".join(KINDS))
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--in", dest="folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.folder:
        print(json.dumps(asdict(run(arguments.names[0], arguments.folder, arguments.events))))
        return 0
    worst = 0.0
    with tempfile.TemporaryDirectory(prefix="kinds-") as folder:
        write_csv(Path(folder, "log.csv"), arguments.events)
        for name in arguments.names:
            words = [sys.executable, "-m", "tools.bench.kinds", name, "--in", folder, "--events", str(arguments.events)]
            told = subprocess.run(words, stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()[-1]
            row = Row(**json.loads(told))
            worst = max(worst, row.peak_mb)
            line = f"{row.name:<26} {row.seconds:>7.1f} s {row.cpu_s:>7.1f} cpu s {row.peak_mb:>6.0f} MB"
            print(told if arguments.json else f"{line}  {row.longest_unasked_s:>5.2f} s in {row.where}", flush=True)
    return 1 if worst > 1_500 else 0


if __name__ == "__main__":
    raise SystemExit(main())
