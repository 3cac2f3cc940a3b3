"""Every built-in type of work on one small log, phase by phase, as the catalogue declares it."""

import importlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lodestream_server.workloads.built_in import BUILT_IN
from lodestream_server.workloads.catalogue import PhaseSpec, WorkloadSpec
from lodestream_server.workloads.declared import notebook
from lodestream_server.workloads.phase import DatasetFile, EarlierRun, Finished, PhaseFunction, ResourceFile
from lodestream_server.workloads.rehearsal import Rehearsal

from lodestream.samples.loan_applications import write_log
from tests.unit.notebook_world import notebook as notebook_of

#: A type that is a job and an operation with the same phases counts once.
SPECS = list(
    {spec.phases: spec for spec in (notebook.JOB if one is notebook.OFF else one for one in BUILT_IN)}.values()
)
NAMES = [f"{spec.type} {spec.kind.value}" for spec in SPECS]

#: Parameters with which a type does all it can.
GIVEN: dict[str, dict[str, Any]] = {
    "ProcessMining": {"includeAnomalyDetection": True, "outputOptions": {"exportFormats": ["CSV", "PARQUET", "PDF"]}},
    "ProcessMiningAnalysis": {"algorithmSettings": {"performanceOptimization": "high_throughput"}},
    "DataEnrichment": {
        "cleaningRules": ["remove_duplicates", "fix_timestamps", "validate_activities"],
        "derivedColumns": ["case_duration_seconds", "is_rework", "concurrent_work"],
        "expressions": {"twice": "amount * 2"},
    },
    "Notebook": {"notebookId": "nb"},
    "ReportGeneration": {"reportType": "detailed", "exportFormats": ["PDF", "PowerPoint", "HTML", "Excel", "CSV"]},
}


def function(spec: PhaseSpec) -> PhaseFunction:
    """The phase function that a spec names."""
    module, _, name = spec.function.partition(":")
    found: PhaseFunction = getattr(importlib.import_module(module), name)
    return found


@dataclass(slots=True)
class Every:
    """What phases may be given: a dataset, a notebook, an earlier run."""

    folder: Path
    dataset: DatasetFile
    notebook: ResourceFile
    sources: list[EarlierRun] = field(default_factory=list)

    def phase(
        self, spec: WorkloadSpec, step: PhaseSpec, folder: Path, done: dict[str, Finished], **options: Any
    ) -> Rehearsal:
        """A phase of that type, not yet begun."""
        given = {**GIVEN.get(spec.type, {}), **options.pop("parameters", {})}
        return Rehearsal(
            folder / step.name,
            dataset=self.dataset,
            parameters=json.loads(json.dumps(given)),
            name=step.name,
            earlier=done,
            datasets={self.dataset.dataset_id: self.dataset},
            resources={"nb": self.notebook},
            sources=self.sources,
            run_name="A run",
            **options,
        )

    def run(self, spec: WorkloadSpec, folder: Path) -> dict[str, tuple[Rehearsal, Finished]]:
        """All phases of a type, one after the other."""
        made: dict[str, tuple[Rehearsal, Finished]] = {}
        for step in spec.phases:
            phase = self.phase(spec, step, folder, {name: one[1] for name, one in made.items()})
            made[step.name] = phase, phase.run(function(step))
        return made


def every(folder: Path) -> Every:
    """The world, with a mined run to report on."""
    log, text = folder / "loans.csv", folder / "nb.ipynb"
    write_log(log, cases=110)
    text.write_text(notebook_of("total = 1", "print(total + 1)"))
    dataset = DatasetFile("loans", "loans.csv", log, "csv", log.stat().st_size)
    here = Every(folder, dataset, ResourceFile("nb", "nb.ipynb", "Notebook", text))
    mining = SPECS[NAMES.index("ProcessMiningAnalysis operation")]
    phases = tuple(finished for _, finished in here.run(mining, folder / "source").values())
    here.sources.append(EarlierRun("op-1", "operation", mining.type, "Loans", {}, phases))
    return here
