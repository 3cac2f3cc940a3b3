"""Data Loading of an analysis: as in mining; a comparison also loads the second dataset, into the folder `second`.

Who compares loads the whole log, because the time windows then choose cases by their begin; everybody else loads the
events of `timeWindow`, as mining does.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lodestream_server.workloads.analysis.part import Part
from lodestream_server.workloads.analysis.selected import SECOND
from lodestream_server.workloads.analysis.wishes import against
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


_WINDOW = ("timeWindow",)
#: A second dataset has columns of its own; those that the run names are of the first.
_COLUMNS = ("caseIdColumn", "activityNameColumn", "activityTimeColumn", "startTimeColumn", "resourceColumn")


def load(phase: Phase) -> Json:
    """Results as in mining; with a second dataset also `second`, its results. Raises as mining does."""
    other = against(phase.parameters)
    first = start(_part(phase, phase.dataset, () if other is None else _WINDOW))
    count = first.source.records
    if other is None or other.dataset_id is None:
        first.phase = _part(phase, phase.dataset, () if other is None else _WINDOW, 0, count, count)
        return first.run()
    file = _named(phase, other.dataset_id)
    second = start(_part(phase, file, _WINDOW + _COLUMNS, second=True))
    more = second.source.records
    first.phase = _part(phase, phase.dataset, _WINDOW, 0, count, count + more)
    results = first.run()
    second.phase = _part(phase, file, _WINDOW + _COLUMNS, count, more, count + more, second=True)
    results["second"] = second.run()
    return results


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
    second: bool = False,
) -> Part:
    out, scratch = (phase.out / SECOND, phase.scratch / SECOND) if second else (phase.out, phase.scratch)
    parameters, about = _Without(phase.parameters, hidden), dataset.name if dataset and second else ""
    return Part(phase, out, scratch, {}, begin, length, whole, second, parameters, dataset, about)
