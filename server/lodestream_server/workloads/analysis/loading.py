"""Data Loading of an analysis: as in mining; a comparison also loads the second dataset, into the folder `second`.

A comparison loads the whole log, because its time windows choose cases by their begin; every other type loads the
events of `timeWindow`, as mining does.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lodestream_server.workloads.analysis.part import Part
from lodestream_server.workloads.analysis.selected import SECOND
from lodestream_server.workloads.analysis.wishes import against, analysis_type
from lodestream_server.workloads.enrichment.faults import fault
from lodestream_server.workloads.mining.loading import start
from lodestream_server.workloads.phase import DatasetFile, Json, Phase


@dataclass(frozen=True, slots=True)
class _Without(Mapping[str, Any]):
    """Parameters as they are, but for some keys."""

    given: Mapping[str, Any]
    hidden: tuple[str, ...]

    def __getitem__(self, key: str) -> Any:
        if key in self.hidden:
            raise KeyError(key)
        return self.given[key]

    def __contains__(self, key: object) -> bool:
        return key not in self.hidden and key in self.given

    def __iter__(self) -> Iterator[str]:
        return (key for key in self.given if key not in self.hidden)

    def __len__(self) -> int:
        return sum(1 for _ in self)


#: A second dataset has columns of its own; those that the run names are of the first.
_COLUMNS = ("caseIdColumn", "activityNameColumn", "activityTimeColumn", "startTimeColumn", "resourceColumn")


def load(phase: Phase) -> Json:
    """Results as in mining; with a second dataset also `second`, its results. Raises as mining does."""
    other = against(phase.parameters)
    hidden = ("timeWindow",) if analysis_type(phase.parameters) == "comparison" else ()
    first = start(_part(phase, phase.dataset, hidden))
    if other is None or other.dataset_id is None:
        first.phase = _part(phase, phase.dataset, hidden, 0, first.source.records, first.source.records)
        return first.run()
    second = start(_part(phase, _named(phase, other.dataset_id), (*hidden, *_COLUMNS), quiet=True))
    count, more = first.source.records, second.source.records
    first.phase = _part(phase, phase.dataset, hidden, 0, count, count + more)
    results = first.run()
    second.phase = _part(phase, second.phase.dataset, second_hidden(hidden), count, more, count + more, quiet=True)
    results["second"] = second.run()
    return results


def second_hidden(hidden: tuple[str, ...]) -> tuple[str, ...]:
    """The parameters that say nothing about the second dataset."""
    return (*hidden, *_COLUMNS)


def _named(phase: Phase, dataset_id: str) -> DatasetFile:
    if dataset_id not in phase.datasets:
        raise fault("parameters.compareWith.datasetId", f'"{dataset_id}" is no dataset of this project')
    return phase.datasets[dataset_id]


def _part(
    phase: Phase,
    dataset: DatasetFile | None,
    hidden: tuple[str, ...],
    begin: int = 0,
    length: int = 0,
    whole: int = 0,
    quiet: bool = False,
) -> Part:
    out, scratch = (phase.out / SECOND, phase.scratch / SECOND) if quiet else (phase.out, phase.scratch)
    return Part(phase, out, scratch, {}, begin, length, whole, quiet, _Without(phase.parameters, hidden), dataset)
