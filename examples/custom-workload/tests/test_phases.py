"""The phases without a server: `Rehearsal` records what they say, and can ask them to stop."""

from pathlib import Path

import pytest
from lodestream_server.workloads.own import BadInput, Cancelled
from lodestream_server.workloads.phase import DatasetFile
from lodestream_server.workloads.rehearsal import Rehearsal
from top_activities.phases import ROWS_A_LOOK, count, report


def log_of(folder: Path, text: str) -> DatasetFile:
    """An uploaded CSV file."""
    path = folder / "log.csv"
    path.write_text(text)
    return DatasetFile("d", "log.csv", path, "csv", len(text))


def test_the_report_shows_the_most_frequent_activities(tmp_path: Path) -> None:
    """In order, as many as asked for; empty ones are warned of."""
    dataset = log_of(tmp_path, "case,activity\n1,A\n1,B\n2,B\n2,\n")
    given = {"activityColumn": "activity", "top": 1}
    first = Rehearsal(tmp_path / "1", dataset=dataset, parameters=given, name="Counting")
    counted = first.run(count)
    assert counted.results == {"rows": 4, "activities": 2}
    assert [line.text for line in first.warnings] == ["1 rows have no activity"]
    second = Rehearsal(tmp_path / "2", parameters=given, earlier={"Counting": counted})
    assert second.run(report).results == {"top": [{"activity": "B", "rows": 2}]}
    assert "<th>B</th>" in second.artifacts[0].path.read_text()


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    """Together with those that are there."""
    phase = Rehearsal(tmp_path, dataset=log_of(tmp_path, "case,step\n1,A\n"), parameters={"activityColumn": "activity"})
    with pytest.raises(BadInput, match="the file has case, step"):
        phase.run(count)


def test_it_stops_when_it_is_asked_to(tmp_path: Path) -> None:
    """At the next look."""
    dataset = log_of(tmp_path, "activity\n" + "A\n" * ROWS_A_LOOK)
    phase = Rehearsal(tmp_path, dataset=dataset, parameters={"activityColumn": "activity"}, cancel_after=0)
    with pytest.raises(Cancelled):
        phase.run(count)
