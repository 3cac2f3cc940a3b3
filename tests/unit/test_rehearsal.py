"""The phase in memory keeps the worker's promises and catches workloads that break theirs."""

from pathlib import Path

import pytest
from lodestream_server.workloads.phase import Cancelled, Phase
from lodestream_server.workloads.rehearsal import Rehearsal


def test_it_records_what_a_phase_says(tmp_path: Path):
    """Progress, lines, figures, files and results."""

    def little(phase: Phase) -> dict[str, int]:
        phase.progress(1, 2, "working")
        phase.log("INFO", "a line", rows=1)
        phase.warn("a warning")
        phase.milestone("half way")
        phase.metrics(rows=1)
        (phase.out / "a.txt").write_text("x")
        phase.artifact(phase.out / "a.txt", name="A", type="Report")
        return {"rows": 2}

    phase = Rehearsal(tmp_path)
    finished = phase.run(little)
    assert (finished.results, finished.folder) == ({"rows": 2}, tmp_path / "out")
    assert phase.progressed == [(1, 2, "working")]
    assert [line.text for line in (*phase.logged, *phase.warnings, *phase.milestones)] == [
        "a line",
        "a warning",
        "half way",
    ]
    assert phase.figures == {"rows": 1}
    assert [file.name for file in phase.artifacts] == ["A"]


def test_it_stops_a_phase_at_the_cancel_point_that_was_asked_for(tmp_path: Path):
    """Every method is one."""
    phase = Rehearsal(tmp_path, cancel_after=2)
    phase.check()
    phase.progress(1)
    with pytest.raises(Cancelled):
        phase.log("INFO", "too late")


def test_it_refuses_what_the_worker_would_refuse(tmp_path: Path):
    """Falling progress, files elsewhere, figures that are no JSON."""
    phase = Rehearsal(tmp_path)
    phase.progress(5, 10)
    with pytest.raises(AssertionError, match="fell"):
        phase.progress(4)
    with pytest.raises(AssertionError, match="11 of 10"):
        phase.progress(11)
    with pytest.raises(AssertionError, match="not inside"):
        phase.artifact(tmp_path / "a.txt", name="A", type="Report")
    with pytest.raises(ValueError, match="not JSON"):
        phase.metrics(share=float("nan"))
    with pytest.raises(KeyError):
        phase.before("Data Loading")
