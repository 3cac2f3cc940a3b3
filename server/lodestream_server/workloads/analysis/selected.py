"""The selected cases: the run's own (`subject`) and, in a comparison, those they are compared with (`reference`).

The seam between preparation and analysis. A selection that leaves nothing out is the loaded log itself; any other has
buckets and log.json of its own, in the same form.
"""

from dataclasses import dataclass

from lodestream_server.workloads.mining.summary import LogSummary
from lodestream_server.workloads.mining.validated import ValidatedLog, open_log
from lodestream_server.workloads.phase import Finished, Phase

SUBJECT, REFERENCE = "subject", "reference"
#: The folder, inside the loading phase's, of the dataset that the run's own is compared with.
SECOND = "second"
LOADING, PREPARATION = "Data Loading", "Data Preparation"


@dataclass(frozen=True, slots=True)
class Selected:
    """A selection of cases; `loading` is the loading phase as mining's phases are to see it."""

    key: str
    name: str
    loading: Finished
    events: int
    cases: int

    @property
    def log(self) -> ValidatedLog:
        """The buckets."""
        return opened(self.loading)


@dataclass(frozen=True, slots=True)
class _Behind:
    """All that opening a log asks of a phase."""

    loading: Finished
    name: str = PREPARATION

    def before(self, phase_name: str) -> Finished:
        if phase_name == LOADING:
            return self.loading
        raise KeyError(phase_name)


def opened(loading: Finished) -> ValidatedLog:
    """The log that a loading phase left, wherever that was."""
    return open_log(_Behind(loading))  # type: ignore[arg-type]  # open_log asks for earlier phases only


def selections(phase: Phase) -> list[Selected]:
    """What preparation chose: the subject first."""
    loading, prepared = phase.before(LOADING), phase.before(PREPARATION)
    found = []
    for side in prepared.results["selections"]:
        other = side["ofSecondDataset"]
        loaded = loading.folder / SECOND if other else loading.folder
        folder = prepared.folder / side["key"] if side["copied"] else loaded
        summary = LogSummary.load(folder)
        behind = Finished(LOADING, loading.results["second"] if other else loading.results, folder)
        found.append(Selected(side["key"], side["name"], behind, summary.events, summary.cases))
    return found
