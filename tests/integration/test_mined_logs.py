"""Whole logs from the file to the report: published logs against the counts that others found, the loan log against its
own truth.

Published logs are third-party data and not part of the project: they are read from `LODESTREAM_EVENTLOGS`, or from
`../shared/eventlogs` beside the checkout, and skipped where that folder is missing.
"""

import os
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from lodestream_server.workloads.mining.loading import load
from lodestream_server.workloads.mining.modelling import discover_process
from lodestream_server.workloads.mining.performance import analyse
from lodestream_server.workloads.mining.report import report
from lodestream_server.workloads.phase import DatasetFile, Finished
from lodestream_server.workloads.process_models.pnml import read_pnml
from lodestream_server.workloads.rehearsal import Rehearsal

from lodestream.samples.loan_applications import write_log

PHASES = {
    "Data Loading": load,
    "Process Discovery": discover_process,
    "Performance Analysis": analyse,
    "Report Generation": report,
}
LOGS = Path(os.environ.get("LODESTREAM_EVENTLOGS") or Path(__file__).parents[3] / "shared" / "eventlogs")


@dataclass(frozen=True, slots=True)
class Known:
    """Counts of a published log: cases, events, activities, variants; where they were published also pairs, steps and
    fingerprints.
    """

    file: str
    format: str
    counts: tuple[int, int, int, int]
    steps: tuple[int, int] | None = None
    digests: tuple[str, str] | None = None
    kind: str = "instants"


KNOWN = [
    Known("running-example.csv", "csv", (6, 42, 8, 6)),
    Known("running-example.xes", "xes", (6, 42, 8, 6)),
    Known("receipt.csv", "csv", (1_434, 8_577, 27, 116), (99, 7_143), ("27543b42", "e9b9a6b2")),
    Known("bpic2013_closed.xes.gz", "xes.gz", (1_487, 6_660, 4, 183)),
    Known("helpdesk.xes.gz", "xes.gz", (4_580, 21_348, 14, 226), (55, 16_768), ("72030604", "e9a0afb1")),
    Known("roadtraffic100traces.xes", "xes", (100, 390, 10, 10)),
    Known("interval_event_log.csv", "csv", (1_266, 8_109, 8, 10), kind="intervals"),
    Known("sepsis.csv", "csv", (1_050, 15_214, 16, 846), (115, 14_164), ("fc9f86b1", "e7a223e6")),
    Known("patients.csv", "csv", (500, 5_442, 7, 13), kind="lifecycle"),
]


@dataclass(slots=True)
class Mined:
    """What the four phases left."""

    finished: dict[str, Finished]
    last: Rehearsal
    found: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        """The results of discovery at hand."""
        self.found = self.finished["Process Discovery"].results


def mine(folder: Path, file: Path, form: Any) -> Mined:
    """Runs all four phases, nothing given but the file."""
    dataset = DatasetFile("d-1", file.name, file, form, file.stat().st_size)
    finished: dict[str, Finished] = {}
    for name, function in PHASES.items():
        phase = Rehearsal(folder / name, dataset=dataset, name=name, earlier=finished, run_name=f"Mining {file.name}")
        finished[name] = phase.run(function)
    return Mined(finished, phase)


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.file)
def test_a_published_log_is_counted_as_published(tmp_path, known):
    """Without help: cases, events, activities, variants, directly-follows pairs and fingerprints; model, map and report
    are made.
    """
    if not (LOGS / known.file).exists():
        pytest.skip(f"{known.file} is third-party data and not here; LODESTREAM_EVENTLOGS names its folder")
    mined = mine(tmp_path, LOGS / known.file, known.format)

    found, model = mined.found, mined.found["processModel"]
    counted = (found["cases"], found["events"], found["activitiesDiscovered"], found["processVariants"])
    assert counted == known.counts
    assert known.steps in (None, (model["transitions"], model["steps"]))
    assert known.digests in (None, (found["dfgDigest"], found["variantsDigest"]))
    assert mined.finished["Performance Analysis"].results["timing"]["kind"] == known.kind
    ET.parse(mined.last.out / "process-map.svg")
    assert found["discoveredModel"]["replayedShare"] > 0.7
    assert len(read_pnml(mined.finished["Process Discovery"].folder / "process-model.pnml").places) > 2


@pytest.fixture(scope="module")
def loans(tmp_path_factory):
    """The generated loan log, mined, and the truth about it."""
    folder = tmp_path_factory.mktemp("loans")
    truth = write_log(folder / "loans.csv", cases=3_000)
    return truth, mine(folder, folder / "loans.csv", "csv")


def test_the_loan_log_is_counted_as_it_was_written(loans):
    """Cases, events, activities and variants, dirt and duplicates included."""
    truth, mined = loans

    found = mined.found
    assert (found["cases"], found["events"]) == (truth.cases, truth.events)
    assert (found["activitiesDiscovered"], found["processVariants"]) == (truth.activities, truth.variants)


def test_the_bottleneck_of_the_loan_log_is_found_and_recommended_first(loans):
    """What was made slow on purpose leads the bottlenecks and the recommendations."""
    truth, mined = loans

    assert mined.finished["Performance Analysis"].results["bottlenecks"][0]["activity"] == truth.bottleneck
    first = mined.finished["Report Generation"].results["recommendations"][0]
    assert f"'{truth.bottleneck}'" in first["recommendation"]
    assert first["category"] == "Process Optimization"


def test_the_data_quality_of_the_loan_log_is_told_on_the_page(loans):
    """Rejected records reach the page and the recommendations with their number."""
    truth, mined = loans

    advice = mined.finished["Report Generation"].results["recommendations"]
    assert any(f"{truth.invalid:,} of {truth.rows:,} records were rejected" in item["evidence"] for item in advice)
    assert f"{truth.invalid:,}" in (mined.last.out / "report.html").read_text("utf-8")
