"""The examples do what they say, against the real server with its real workloads, as a reader would start them."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from lodestream.samples.loan_applications import Truth, write_log
from tests.support.server import TestServer, running_server
from tools.demo.figures import Figures, figures_of, untruths

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CASES = 200


@pytest.fixture
def truth(tmp_path) -> Truth:
    """What is in the log that the examples get."""
    return write_log(tmp_path / "loans.csv", cases=CASES)


async def run(server: TestServer, folder: Path, *words: str) -> tuple[int, str]:
    """An example's exit code and what it prints."""
    env = os.environ | {"LODESTREAM_TARGET": server.address, "LODESTREAM_TOKEN": server.token}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(EXAMPLES / words[0]), *words[1:]),
        env=env,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


async def test_the_examples_run_from_upload_to_results(tmp_path, truth):
    """Async client, blocking client and bare stubs come to the same end."""
    async with running_server(tmp_path / "data") as server:
        code, told = await run(server, tmp_path, "follow_a_job.py", "loans.csv", "out")
        assert (code, f"{truth.events:,} events in {CASES:,} cases" in told) == (0, True), told
        assert (tmp_path / "out" / "report.html").stat().st_size > 1000
        code, told = await run(server, tmp_path, "run_an_operation.py", "loans.csv")
        assert (code, f"'processVariants': {truth.variants}" in told) == (0, True), told
        code, told = await run(server, tmp_path, "follow_an_operation.py", server.address, server.token, "loans.csv")
        assert (code, told.split()[-1]) == (0, "completed"), told
        (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
        code, told = await run(server, tmp_path, "follow_a_job.py", "bad.csv")
        assert (code, "Traceback" in told) == (1, False), told


def results(truth: Truth) -> dict[str, dict[str, object]]:
    """Results that tell the truth about a log."""
    return {
        "Data Loading": {
            "cases": truth.cases,
            "events": truth.events,
            "activities": truth.activities,
            "dataQualityScore": 99.7,
            "invalidRecords": truth.invalid,
            "duplicateRecords": truth.duplicates,
            "inferredTimestamps": truth.inferable_timestamps,
            "timeRange": {"startTime": truth.first, "endTime": truth.last},
        },
        "Process Discovery": {
            "processVariants": truth.variants,
            "variants": [{"activities": ["a", "b"], "cases": 5, "share": 0.5}],
        },
        "Performance Analysis": {
            "bottlenecks": [{"activity": truth.bottleneck, "share": 0.25}],
            "cycleTimes": {"averageSeconds": 7200, "medianSeconds": 3600},
        },
    }


def test_the_demonstration_notices_every_figure_that_is_not_the_truth(truth):
    """The generated log's truth is compared, not just printed."""
    figures: Figures = figures_of(results(truth))
    assert untruths(figures, truth) == []
    for phase, key in (
        ("Data Loading", "cases"),
        ("Data Loading", "events"),
        ("Data Loading", "activities"),
        ("Data Loading", "invalidRecords"),
        ("Data Loading", "duplicateRecords"),
        ("Data Loading", "inferredTimestamps"),
        ("Process Discovery", "processVariants"),
    ):
        wrong = results(truth)
        wrong[phase][key] = 7_777
        assert len(untruths(figures_of(wrong), truth)) == 1
    wrong = results(truth)
    wrong["Performance Analysis"]["bottlenecks"] = []
    assert untruths(figures_of(wrong), truth) == ["bottleneck is '', and the generated log has 'Manager Approval'"]


def test_the_key_figures_read_well(truth):
    """What the demonstration prints, in the order of reading."""
    lines = figures_of(results(truth)).lines()
    assert lines["Cases"] == "200"
    assert lines["Top variant"] == "5 cases (50.0%): a → b"
    assert lines["Cycle time"] == "2 h 00 min on average, 1 h 00 min median"
    assert lines["Bottleneck"] == "Manager Approval: 25.0% of all waiting"
