"""Eight published event logs, loaded without help: counts as others found them, traps included.

Third-party data, not part of the project: LODESTREAM_EVENTLOGS names its folder.
"""

import os
from pathlib import Path

import pytest

from tests.integration.loading_world import loaded

FOLDER = Path(os.environ.get("LODESTREAM_EVENTLOGS") or Path(__file__).parents[3] / "shared" / "eventlogs")

pytestmark = [
    pytest.mark.eventlogs,
    pytest.mark.skipif(
        not FOLDER.is_dir(), reason="set LODESTREAM_EVENTLOGS to the folder of the published event logs"
    ),
]

#: file -> cases, events, activities, variants, identical rows
KNOWN = {
    "running-example.csv": (6, 42, 8, 6, 0),
    "running-example.xes": (6, 42, 8, 6, 0),
    "receipt.csv": (1_434, 8_577, 27, 116, 0),
    "bpic2013_closed.xes.gz": (1_487, 6_660, 4, 183, 0),
    "helpdesk.xes.gz": (4_580, 21_348, 14, 226, 127),
    "roadtraffic100traces.xes": (100, 390, 10, 10, 0),
    "interval_event_log.csv": (1_266, 8_109, 8, 10, 0),
    "sepsis.csv": (1_050, 15_214, 16, 846, 1),
    "patients.csv": (500, 5_442, 7, 13, 0),
}


def log_of(name: str, folder: Path) -> Path:
    """A link to the log in a folder that may be written to."""
    (folder / name).symlink_to(FOLDER / name)
    return folder / name


@pytest.mark.parametrize("name", KNOWN)
def test_a_published_log_has_the_counts_that_others_found(tmp_path, name):
    """Every record valid, nothing given by hand."""
    log = loaded(log_of(name, tmp_path))
    results, traces = log.results, log.traces()
    variants = len({tuple(trace) for trace in traces.values()})
    found = (results["cases"], results["events"], results["activities"], variants, results["duplicateRecords"])
    assert found == KNOWN[name]
    assert len(traces) == results["cases"]
    assert results["invalidRecords"] == 0


def test_the_case_that_is_called_na_is_a_case(tmp_path):
    """sepsis.csv: text, not a missing value."""
    assert "NA" in loaded(log_of("sepsis.csv", tmp_path)).traces()


def test_mixed_offsets_are_ordered_by_instant_and_said(tmp_path):
    """receipt.csv: summer and winter time in one column."""
    log = loaded(log_of("receipt.csv", tmp_path))
    (warning,) = log.phase.warnings
    assert warning.details["offsets"] == ["+01:00", "+02:00"]
    cases = log.rows.group_by("case_id", maintain_order=True).agg("timestamp")
    assert all(times == sorted(times) for times in cases["timestamp"].to_list())


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("interval_event_log.csv", {"start_timestamp"}),
        ("patients.csv", {"lifecycle", "resource"}),
        ("sepsis.csv", {"lifecycle"}),
        ("bpic2013_closed.xes.gz", {"lifecycle", "resource"}),
    ],
)
def test_start_times_resources_and_lifecycle_are_found_where_there_are_any(tmp_path, name, columns):
    """Beside case, activity and time."""
    found = set(loaded(log_of(name, tmp_path)).rows.columns)
    assert found & {"start_timestamp", "lifecycle", "resource"} == columns
