"""An analysis of a small log: the phases one after the other, in memory."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lodestream_server.workloads.analysis.analysing import analyse
from lodestream_server.workloads.analysis.loading import load
from lodestream_server.workloads.analysis.preparing import prepare
from lodestream_server.workloads.analysis.reporting import report
from lodestream_server.workloads.phase import DatasetFile, Finished, ResourceFile
from lodestream_server.workloads.rehearsal import Rehearsal

PHASES = {"Data Loading": load, "Data Preparation": prepare, "Analysis": analyse, "Report Generation": report}

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Analysed:
    """What the phases left and said."""

    folder: Path
    finished: dict[str, Finished] = field(default_factory=dict)
    phases: dict[str, Rehearsal] = field(default_factory=dict)

    @property
    def results(self) -> dict[str, Any]:
        """Of the phase Analysis."""
        return self.finished["Analysis"].results

    @property
    def advice(self) -> list[dict[str, Any]]:
        """The recommendations."""
        advice: list[dict[str, Any]] = self.finished["Report Generation"].results["recommendations"]
        return advice

    @property
    def page(self) -> str:
        """The HTML page."""
        return (self.finished["Report Generation"].folder / "analysis.html").read_text("utf-8")


def phase(folder: Path, log: Path, name: str, here: Analysed, others: tuple[Path, ...] = (), **given: Any) -> Rehearsal:
    """A phase of the run, not yet begun; further datasets have their file's name as id, a
    model its path."""
    files = {path.name: DatasetFile(path.name, path.name, path, "csv", path.stat().st_size) for path in (log, *others)}
    options: dict[str, Any] = {"parameters": given, "datasets": files, "run_name": "A look at loans"}
    if model := given.get("modelResourceId"):
        options["resources"] = {model: ResourceFile(model, Path(model).name, "Model", Path(model))}
    return Rehearsal(folder / name, dataset=files[log.name], name=name, earlier=here.finished, **options)


def analysed(
    folder: Path, log: Path, *others: Path, last: str = "Report Generation", done: Analysed | None = None, **given: Any
) -> Analysed:
    """Runs all phases up to this one with these parameters; not those that are `done` already."""
    here = Analysed(folder)
    if done:
        here.finished, here.phases = dict(done.finished), dict(done.phases)
    for name, function in PHASES.items():
        if name in here.finished:
            continue
        here.phases[name] = phase(folder, log, name, here, others, **given)
        here.finished[name] = here.phases[name].run(function)
        if name == last:
            break
    return here


def slower_after(path: Path, days: int = 60, since: int = 40, hours: float = 9) -> Path:
    """A log of one case an hour in which "Check" is waited for an hour, and from day `since` on `hours`."""
    lines = ["case,activity,start,end,resource,region"]
    for number in range(days * 24):
        at = BEGIN + timedelta(hours=number)
        wait = hours if number >= since * 24 else 1.0
        region = ("North", "South")[number % 2]
        for activity, waited, who in (
            ("Enter", 0.0, "Ada"),
            ("Check", wait + (number % 7) / 10, "Bo"),
            ("Pay", 2, "Cy"),
        ):
            at += timedelta(hours=waited)
            done = at + timedelta(minutes=10)
            lines.append(f"c{number:05d},{activity},{at:%Y-%m-%dT%H:%M:%SZ},{done:%Y-%m-%dT%H:%M:%SZ},{who},{region}")
            at = done
    path.write_text("\n".join(lines) + "\n")
    return path


def duties(path: Path, cases: int = 80, broken: tuple[int, ...] = (7, 30)) -> Path:
    """A log in which four people approve and pay, never both in one case but in the broken ones."""
    people = ("Ada", "Bo", "Cy", "Di")
    lines = ["case,activity,time,resource"]
    for number in range(cases):
        at = BEGIN + timedelta(hours=number)
        first = people[number % 4]
        second = first if number in broken else people[(number + 1 + number // 4 % 3) % 4]
        for activity, minutes, who in (("Ask", 0, first), ("Approve", 10, first), ("Pay", 40, second)):
            lines.append(f"c{number},{activity},{at + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ},{who}")
    path.write_text("\n".join(lines) + "\n")
    return path
