"""A run against earlier ones of its type: only what they show, and nothing of later ones."""

from dataclasses import replace

import pytest
from lodestream_server.runs.benchmarks import Benchmarks, benchmarks
from lodestream_server.runs.bodies import Completed, PhaseCompleted, PhaseStarted, Queued, Range, Started

from tests.unit.runs_world import after, at, submitted


def completed(took_s: float, *, run_id: str = "other", ended_s: float = 1000, loading_s: float = 1.0, **changes):
    """A run that ended then after so long."""
    done = after(
        submitted(),
        Queued(),
        Started(1, "node", 1, "exec"),
        PhaseStarted("Loading", 1),
        PhaseCompleted("Loading", duration_s=loading_s, records=500),
    )
    ended = replace(after(submitted(), Queued(), Started(1, "n", 1, "e"), Completed()), phases=done.phases)
    return replace(ended, run_id=run_id, started=at(ended_s - took_s), ended=at(ended_s), **changes)


def test_without_earlier_runs_there_is_nothing_to_compare_with():
    """The run itself, and those that ended after it, are not earlier."""
    run = completed(10.0, run_id="run")
    assert benchmarks(run, 10.0, []) is None
    assert benchmarks(run, 10.0, [run, completed(5.0, ended_s=1001)]) is None


def test_a_run_has_its_place_among_earlier_ones():
    """Faster than two, like one, slower than one; the mean of their times and of their pace."""
    others = [completed(took, run_id=f"r{took}") for took in (5.0, 10.2, 20.0, 40.0)]
    found = benchmarks(completed(10.0, run_id="run"), 10.0, others)
    assert found is not None
    assert (found.faster, found.similar, found.slower) == (50.0, 25.0, 25.0)
    assert found.mean_s == pytest.approx(18.8)
    assert found.rate == pytest.approx((100 + 500 / 10.2 + 25 + 12.5) / 4)


def test_a_run_of_unknown_length_has_no_place_yet():
    """What earlier ones took is said all the same."""
    found = benchmarks(completed(10.0, run_id="run"), None, [completed(5.0)])
    assert found == Benchmarks(5.0, 100.0, None, None, None, None, 100.0)


def test_estimates_are_held_against_what_came():
    """Right on the middle is 100 %, twice as long is 50 %; runs without an estimate say nothing."""
    others = [
        completed(10.0, run_id="a", estimate=Range(8, 12)),
        completed(20.0, run_id="b", estimate=Range(8, 12)),
        completed(30.0, run_id="c"),
    ]
    found = benchmarks(completed(10.0, run_id="run"), 10.0, others)
    assert found is not None
    assert found.accuracy == 75.0


def test_stages_are_compared_with_those_of_runs_of_the_same_size():
    """Half the time of others is 200 %; another size is no measure."""
    run = completed(10.0, run_id="run", loading_s=2.0, size_bytes=100)
    alike, larger = completed(9.0, loading_s=4.0, size_bytes=150), completed(9.0, loading_s=90.0, size_bytes=1000)
    found = benchmarks(run, 10.0, [alike, larger])
    assert found is not None
    assert found.stage_efficiency == 200.0
    assert benchmarks(run, 10.0, [larger]) == replace(found, stage_efficiency=None)
