"""What an analysis is asked for: `analysisType`, `performanceMetrics`, `segregationOfDuties`, `compareWith`. Errors are
BadInput with the path of the field; words were checked at submission. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lodestream_server.workloads.analysis.filters import Filter, filters_of
from lodestream_server.workloads.enrichment.faults import fault
from lodestream_server.workloads.enrichment.wishes import Wishes

#: What is looked at for each type, in the order of the page; comprehensive adds what the run has the means for.
LOOKS: Mapping[str, tuple[str, ...]] = {
    "comprehensive": ("performance", "bottleneck", "variants", "resources"),
    "performance": ("performance",),
    "bottleneck": ("bottleneck",),
    "conformance": ("conformance",),
    "variants": ("variants",),
    "resources": ("resources",),
    "comparison": ("comparison",),
}

METRICS = ("cycle_time", "waiting_time", "resource_utilization")


@dataclass(frozen=True, slots=True)
class Against:
    """What the run's own cases are compared with; `window` holds the first and the last instant at which its cases
    begin. None: as in the run itself; `halves`: nothing was named, so the later
    half of the cases is compared with the earlier one."""

    name: str = ""
    dataset_id: str | None = None
    window: tuple[datetime | None, datetime | None] | None = None
    filters: tuple[Filter, ...] | None = None

    @property
    def halves(self) -> bool:
        """Whether nothing was named."""
        return self.dataset_id is None and self.window is None and self.filters is None


def analysis_type(parameters: Mapping[str, Any]) -> str:
    """A word of LOOKS; comprehensive when nothing is said."""
    return str(parameters.get("analysisType") or "comprehensive")


def looks_of(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """What is to be looked at, in the order of the page."""
    kind = analysis_type(parameters)
    looks = LOOKS[kind]
    if kind == "comprehensive":
        looks += ("conformance",) if parameters.get("modelResourceId") else ()
        looks += ("comparison",) if parameters.get("compareWith") else ()
    return looks


def metrics_of(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """The performance metrics to give; all when nothing is said."""
    given = parameters.get("performanceMetrics")
    return METRICS if given is None else tuple(word for word in METRICS if word in given)


def against(parameters: Mapping[str, Any]) -> Against | None:
    """What to compare with; None when this run compares nothing. Raises BadInput."""
    if "comparison" not in looks_of(parameters):
        return None
    given = parameters.get("compareWith") or {}
    field = "parameters.compareWith"
    return Against(
        name=str(given.get("name") or ""),
        dataset_id=given.get("datasetId") or None,
        window=_window(given.get("timeWindow"), f"{field}.timeWindow"),
        filters=None if given.get("filters") is None else filters_of(given["filters"], f"{field}.filters"),
    )


def _window(given: Any, field: str) -> tuple[datetime | None, datetime | None] | None:
    if not given:
        return None
    wishes = Wishes(given, field)
    start, end = wishes.instant("startDate"), wishes.instant("endDate", end_of_day=True)
    if start and end and end < start:
        raise fault(wishes.at("endDate"), "lies before startDate: swap them")
    return (start, end) if start or end else None


def pairs_of(parameters: Mapping[str, Any]) -> tuple[tuple[str, str], ...] | None:
    """Pairs of activities that one person must not do in one case; None when none were named. Raises BadInput."""
    given = parameters.get("segregationOfDuties")
    if given is None:
        return None
    field = "parameters.segregationOfDuties"
    if not isinstance(given, list) or not given:
        raise fault(field, "must be a list of pairs of activities")
    for number, pair in enumerate(given):
        fits = isinstance(pair, list) and len(pair) == 2 and all(isinstance(name, str) for name in pair)
        if not fits or pair[0] == pair[1]:
            raise fault(f"{field}[{number}]", "must be a pair of two different activities, as [first, second]")
    return tuple((pair[0], pair[1]) for pair in given)
