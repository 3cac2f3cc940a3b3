"""The published logs as their users would mine them: real server, command line, nothing given but the file.

Third-party data, not part of the project: read from `LODESTREAM_EVENTLOGS`, or from `../shared/eventlogs` beside the
checkout, and skipped where that folder is missing. The counts are those that others published.
"""

import os
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.served import Served, served

FOLDER = Path(os.environ.get("LODESTREAM_EVENTLOGS") or Path(__file__).parents[3] / "shared" / "eventlogs")

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.eventlogs,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="set LODESTREAM_EVENTLOGS to the folder of the published logs"),
]


@dataclass(frozen=True, slots=True)
class Known:
    """Cases, events, activities, variants; where they were published also pairs, their sum and both fingerprints."""

    counts: tuple[int, int, int, int]
    steps: tuple[int, int] | None = None
    digests: tuple[str, str] | None = None


KNOWN = {
    "running-example.csv": Known((6, 42, 8, 6)),
    "running-example.xes": Known((6, 42, 8, 6)),
    "receipt.csv": Known((1_434, 8_577, 27, 116), (99, 7_143), ("27543b42", "e9b9a6b2")),
    "bpic2013_closed.xes.gz": Known((1_487, 6_660, 4, 183)),
    "helpdesk.xes.gz": Known((4_580, 21_348, 14, 226), (55, 16_768), ("72030604", "e9a0afb1")),
    "roadtraffic100traces.xes": Known((100, 390, 10, 10)),
    "interval_event_log.csv": Known((1_266, 8_109, 8, 10)),
    "sepsis.csv": Known((1_050, 15_214, 16, 846), (115, 14_164), ("fc9f86b1", "e7a223e6")),
    "patients.csv": Known((500, 5_442, 7, 13)),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One server for all logs."""
    with served(tmp_path_factory.mktemp("server")) as running:
        yield running


def discovery_of(server: Served, run_id: str) -> dict[str, Any]:
    """The free-form results of the discovery phase, as `lodestream results --json` prints them."""
    results = server.run("results", run_id, "--json").json
    phases = results.get("phaseResults") or [
        {"phaseName": name, "results": of_stage} for name, of_stage in results["stageResults"].items()
    ]
    (found,) = [phase["results"] for phase in phases if phase["phaseName"] == "Process Discovery"]
    return dict(found)


def submitted(server: Served, *words: str) -> str:
    """A run, watched to its end; its id."""
    watched = server.run("submit", "--watch", *words)
    assert watched.code == 0, watched.err
    return watched.out.split()[1]


@pytest.mark.parametrize("file", KNOWN)
def test_a_published_log_is_mined_without_help_as_job_and_as_operation(server, tmp_path, file):
    """Both say what others found, and agree with each other in all that they found."""
    known = KNOWN[file]
    uploaded = server.run("datasets", "upload", FOLDER / file, "--json")
    assert uploaded.code == 0, uploaded.err
    dataset = uploaded.json
    assert tuple(dataset[key] for key in ("cases", "events", "activities", "variants")) == known.counts

    job = submitted(server, "--dataset", dataset["datasetId"])
    operation = submitted(server, "--operation", "--dataset", dataset["datasetId"])
    found = discovery_of(server, operation)
    assert discovery_of(server, job) == found

    model = found["processModel"]
    counted = (found["cases"], found["events"], found["activitiesDiscovered"], found["processVariants"])
    assert counted == known.counts
    assert model["steps"] == found["events"] - found["cases"]
    assert known.steps in (None, (model["transitions"], model["steps"]))
    assert known.digests in (None, (found["dfgDigest"], found["variantsDigest"]))

    downloaded = server.run("results", operation, "--download", tmp_path / "files")
    assert downloaded.code == 0
    ET.parse(tmp_path / "files" / "process-map.svg")
    assert f"{known.counts[1]:,}" in (tmp_path / "files" / "report.html").read_text("utf-8")
