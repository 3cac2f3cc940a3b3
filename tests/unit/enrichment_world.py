"""Small logs on their way through enrichment: a CSV in view, phases run one after the other."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from lodestream_server.workloads.enrichment.cleaning import clean
from lodestream_server.workloads.enrichment.enriching import enrich
from lodestream_server.workloads.enrichment.loading import load
from lodestream_server.workloads.enrichment.output import write
from lodestream_server.workloads.mining.summary import buckets
from lodestream_server.workloads.phase import DatasetFile, Finished
from lodestream_server.workloads.rehearsal import Rehearsal

PHASES = {"Data Loading": load, "Data Cleaning": clean, "Data Enrichment": enrich, "Output Generation": write}


@dataclass(slots=True)
class World:
    """A dataset and what the phases made of it."""

    folder: Path
    dataset: DatasetFile
    parameters: dict[str, Any]
    finished: dict[str, Finished] = field(default_factory=dict)
    phases: dict[str, Rehearsal] = field(default_factory=dict)

    def phase(self, name: str, **options: Any) -> Rehearsal:
        """A fresh phase after those that have finished."""
        options = {"parameters": self.parameters, "run_name": "Loans in January", **options}
        return Rehearsal(self.folder / name, dataset=self.dataset, name=name, earlier=self.finished, **options)

    def run(self, last: str) -> Finished:
        """Runs all phases up to this one."""
        for name, function in PHASES.items():
            if name not in self.finished:
                self.phases[name] = self.phase(name)
                self.finished[name] = self.phases[name].run(function)
            if name == last:
                break
        return self.finished[last]

    def rows(self, last: str) -> pl.DataFrame:
        """The events as that phase left them, in the order of the file."""
        folder = self.run(last).folder
        paths = [bucket.path.name for bucket in buckets(self.finished["Data Cleaning"].folder)]
        return pl.concat([pl.read_parquet(folder / "log" / name, glob=False) for name in paths]).sort("position")

    @property
    def rules(self) -> dict[str, dict[str, Any]]:
        """What cleaning booked, by rule."""
        return {rule["rule"]: rule for rule in self.run("Data Cleaning").results["rules"]}


def world(folder: Path, text: str, **parameters: Any) -> World:
    """A CSV with these lines. `case,activity,time` are found by their names."""
    path = folder / "log.csv"
    path.write_text(text, "utf-8")
    return World(folder, DatasetFile("d-1", "loans.csv", path, "csv", path.stat().st_size), parameters)


def cleaned(folder: Path, text: str, *rules: Any, **parameters: Any) -> tuple[list[tuple[Any, ...]], World]:
    """The events that are left as (case, activity, time), in the order of the file, and the world."""
    here = world(folder, text, cleaningRules=list(rules), **parameters)
    times = pl.col("timestamp").dt.strftime("%d %H:%M")
    return here.rows("Data Cleaning").select("case_id", "activity", times).rows(), here
