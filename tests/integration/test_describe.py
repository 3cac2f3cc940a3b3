"""What is said about a dataset at upload: what a run will find."""

import json

import pytest
from lodestream_server.workloads.mining.describe import describe
from lodestream_server.workloads.phase import BadInput

from lodestream.samples.loan_applications import write_log
from tests.integration.loading_world import dataset


def test_the_description_is_the_truth_about_the_log(tmp_path):
    """Counts, range, columns with types, mapping, and what a person should know; JSON throughout; nothing left
    behind."""
    truth = write_log(tmp_path / "loan.csv", 1_000)
    described = describe(dataset(tmp_path / "loan.csv"))
    assert json.loads(json.dumps(described)) == described
    assert (described["cases"], described["events"]) == (truth.cases, truth.events)
    assert (described["activities"], described["variants"]) == (truth.activities, truth.variants)
    assert described["timeRange"]["startTime"].replace("+00:00", "Z") == truth.first
    assert described["size"] == (tmp_path / "loan.csv").stat().st_size
    assert described["mapping"] == {
        "caseIdColumn": "case_id",
        "activityNameColumn": "activity",
        "activityTimeColumn": "timestamp",
        "startTimeColumn": "start_timestamp",
        "resourceColumn": "resource",
        "timestampFormat": "iso8601",
        "delimiter": ",",
        "encoding": "utf-8",
    }
    types = {column["name"]: column["type"] for column in described["columns"]}
    assert types["timestamp"] == types["start_timestamp"] == "timestamp"
    assert (types["case_id"], types["amount"]) == ("string", "integer")
    assert any("inferred" in note for note in described["notes"])
    assert [file.name for file in tmp_path.iterdir()] == ["loan.csv"]


def test_the_mapping_it_finds_gives_the_same_description_when_given(tmp_path):
    """A dataset is described once and mined many times."""
    write_log(tmp_path / "loan.csv", 50)
    first = describe(dataset(tmp_path / "loan.csv"))
    assert describe(dataset(tmp_path / "loan.csv", **first["mapping"])) == first


def test_a_file_that_no_run_could_use_is_refused_and_leaves_nothing_behind(tmp_path):
    """At upload rather than an hour later."""
    (tmp_path / "log.csv").write_text("a,b\n1,2\n")
    with pytest.raises(BadInput, match="caseIdColumn"):
        describe(dataset(tmp_path / "log.csv"))
    assert [file.name for file in tmp_path.iterdir()] == ["log.csv"]
