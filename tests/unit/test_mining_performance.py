"""Waiting, work, bottlenecks, rework, resources and throughput are measured, and absent where no log tells them."""

import polars as pl
import pytest
from lodestream_server.workloads.mining.performance import analyse
from lodestream_server.workloads.phase import Cancelled

from tests.unit.mining_world import event, events, world


def by_name(rows, key="activity"):
    """Rows of the results by the name in one of their columns."""
    return {row[key]: row for row in rows}


def test_cycle_times_are_exact(tmp_path):
    """Ten cases of 10, 20 … 100 minutes."""
    cases = {f"c{n}": [("Open", 0), ("Close", 10 * n)] for n in range(1, 11)}
    cycle = world(tmp_path, events(cases)).analyse().results["cycleTimes"]

    assert (cycle["averageSeconds"], cycle["medianSeconds"]) == (3300.0, 3300.0)
    assert (cycle["minSeconds"], cycle["p90Seconds"], cycle["maxSeconds"]) == (600.0, 5460.0, 6000.0)
    assert sum(cycle["distribution"]["cases"]) + cycle["distribution"]["casesBeyond"] == 10


def test_waiting_is_ranked_by_its_share_of_all_waiting(tmp_path):
    """Before Approve lie 90 of 100 minutes, most of them after Check."""
    cases = {
        "c1": [("Apply", 0), ("Check", 4), ("Approve", 54)],
        "c2": [("Apply", 0), ("Check", 6), ("Approve", 46)],
    }
    finished = world(tmp_path, events(cases)).analyse()
    first, second = finished.results["bottlenecks"]

    assert (first["rank"], first["activity"], first["share"]) == (1, "Approve", 0.9)
    assert (first["occurrences"], first["totalSeconds"], first["medianSeconds"]) == (2, 5400.0, 2700.0)
    assert (first["mostlyAfter"], first["mostlyAfterShare"]) == ("Check", 1.0)
    assert (second["activity"], second["share"]) == ("Check", 0.1)
    assert finished.results["waiting"]["averagePerCaseSeconds"] == 3000.0
    assert finished.results["performanceMetrics"]["bottleneckActivities"] == ["Approve", "Check"]
    assert finished.results["performanceMetrics"]["averageCycleTime"] == "50 minutes"


def test_one_timestamp_per_event_measures_no_work(tmp_path):
    """Without starts there are no service times, no efficiency, no utilisation; the results say what waiting means."""
    found = world(tmp_path, [event("c", "A", 0, resource="ann"), event("c", "B", 5, resource="bob")]).analyse().results

    assert found["timing"]["kind"] == "instants"
    assert "includes the work itself" in found["timing"]["waiting"]
    assert "serviceTimes" not in found
    assert "efficiency" not in found["performanceMetrics"]
    assert "utilisation" not in found["resources"]
    assert "utilisation" not in found["resources"]["rows"][0]


def test_start_times_part_waiting_from_work(tmp_path):
    """Check begins 10 minutes after Apply ended and works 30: 10 minutes of waiting, 35 of work, 45 in all."""
    rows = [event("c", "Apply", 5, start=0), event("c", "Check", 45, start=15)]
    found = world(tmp_path, rows).analyse().results

    assert found["timing"]["kind"] == "intervals"
    assert found["waiting"]["totalSeconds"] == 600.0
    assert by_name(found["serviceTimes"])["Check"]["medianSeconds"] == 1800.0
    assert found["cycleTimes"]["medianSeconds"] == 2700.0
    assert found["performanceMetrics"]["efficiency"] == pytest.approx(77.8)


def test_overlapping_work_waits_for_nothing(tmp_path):
    """What starts while something earlier still runs has waited 0, never less; the long work counts until its end."""
    rows = [
        event("c", "Long", 100, start=0),
        event("c", "Short", 20, start=10),
        event("c", "After", 115, start=110),
    ]
    flow = pl.read_parquet(world(tmp_path, rows).analyse().folder / "flow.parquet")

    waits = {(row["source"], row["target"]): row["totalSeconds"] for row in flow.to_dicts()}
    assert waits == {("Long", "Short"): 0.0, ("Short", "After"): 600.0}


def test_a_start_after_its_end_counts_as_no_time(tmp_path):
    """Dirty starts never make negative durations."""
    found = world(tmp_path, [event("c", "A", 5, start=9), event("c", "B", 20, start=None)]).analyse().results

    assert by_name(found["serviceTimes"])["A"]["totalSeconds"] == 0.0
    assert found["waiting"]["totalSeconds"] == 900.0
    assert found["timing"]["instancesWithDuration"] == 1


def test_lifecycle_rows_become_one_piece_of_work(tmp_path):
    """Start and complete of an activity pair up; waiting counts from complete to start, and no self-loop is seen."""
    rows = [
        event("c", "Scan", 0, lifecycle="start"),
        event("c", "Scan", 10, lifecycle="COMPLETE"),
        event("c", "Read", 40, lifecycle="start"),
        event("c", "Read", 45, lifecycle="complete"),
    ]
    finished = world(tmp_path, rows).analyse()
    found = finished.results

    assert (found["timing"]["kind"], found["events"], found["activityInstances"]) == ("lifecycle", 4, 2)
    assert found["waiting"]["totalSeconds"] == 1800.0
    assert by_name(found["serviceTimes"])["Scan"]["totalSeconds"] == 600.0
    assert found["rework"]["repetitions"] == 0
    assert pl.read_parquet(finished.folder / "flow.parquet")["count"].to_list() == [1]


def test_lifecycle_rows_pair_first_in_first_out(tmp_path):
    """Two open starts close in the order in which they opened; a complete without a start stays alone."""
    rows = [
        event("c", "A", 0, lifecycle="complete"),
        event("c", "A", 10, lifecycle="start"),
        event("c", "A", 12, lifecycle="start"),
        event("c", "A", 13, lifecycle="suspend"),
        event("c", "A", 20, lifecycle="complete"),
        event("c", "A", 32, lifecycle="complete"),
        event("c", "A", 40, lifecycle="start"),
    ]
    found = world(tmp_path, rows).analyse().results

    assert found["activityInstances"] == 4
    assert found["timing"]["instancesWithDuration"] == 2
    assert by_name(found["serviceTimes"])["A"]["totalSeconds"] == (10 + 20) * 60.0


def test_a_lifecycle_of_other_words_is_no_clock(tmp_path):
    """States such as accepted and queued bound no work: every row is an event of its own."""
    rows = [event("c", "A", 0, lifecycle="accepted"), event("c", "A", 5, lifecycle="queued")]

    assert world(tmp_path, rows).analyse().results["timing"]["kind"] == "instants"


def test_rework_counts_repetitions_and_self_loops(tmp_path):
    """A A B A: two repetitions of A, one of them immediate, in one of two cases."""
    cases = {"c1": [("A", 0), ("A", 1), ("B", 2), ("A", 5)], "c2": [("A", 0), ("B", 1)]}
    rework = world(tmp_path, events(cases)).analyse().results["rework"]

    assert (rework["casesWithRework"], rework["shareOfCases"]) == (1, 0.5)
    assert (rework["repetitions"], rework["selfLoops"], rework["activitiesRepeated"]) == (2, 1, 1)
    assert rework["activities"] == [
        {"activity": "A", "repetitions": 2, "selfLoops": 1, "cases": 1, "totalSeconds": 240.0}
    ]


def test_utilisation_counts_parallel_work_once(tmp_path):
    """Ann works 0-30 and 10-40 (one stretch of 40) and 50-60 in a window of 60 minutes."""
    rows = [
        event("c1", "A", 30, start=0, resource="ann"),
        event("c2", "A", 40, start=10, resource="ann"),
        event("c3", "A", 60, start=50, resource="ann"),
        event("c3", "B", 65, start=60, resource=None),
    ]
    resources = world(tmp_path, rows).analyse().results["resources"]
    ann = resources["rows"][0]

    assert (ann["busySeconds"], ann["windowSeconds"]) == (3000.0, 3600.0)
    assert ann["utilisation"] == pytest.approx(0.833333)
    assert (ann["cases"], ann["activeDays"], ann["instances"]) == (3, 1, 3)
    assert resources["shareOfWorkWithResource"] == 0.75


def test_nobody_is_busy_for_longer_than_time_has_passed(tmp_path):
    """Ann's first work takes 48 hours; the second begins in its midst and ends four hours after it: 52 hours, not 76.
    Bob's four hours over midnight and his two of the morning after do not touch."""
    hour = 60
    rows = [
        event("c1", "A", 48 * hour, start=0, resource="ann"),
        event("c2", "A", 52 * hour, start=24 * hour, resource="ann"),
        event("c3", "A", 18 * hour, start=14 * hour, resource="bob"),
        event("c4", "A", 26 * hour, start=24 * hour, resource="bob"),
    ]
    resources = world(tmp_path, rows).analyse().results["resources"]
    ann, bob = resources["rows"]

    assert (ann["busySeconds"], ann["windowSeconds"], ann["utilisation"]) == (52 * 3600.0, 52 * 3600.0, 1.0)
    assert (bob["busySeconds"], bob["windowSeconds"], bob["utilisation"]) == (6 * 3600.0, 6 * 3600.0, 1.0)
    assert resources["utilisation"] == 1.0


def test_a_window_that_reaches_into_the_next_days_counts_once(tmp_path):
    """Ann works 10-11 and 23-12, a window of 26 hours; that of the second day, 11-13, begins within it."""
    hour = 60
    rows = [
        event("c1", "A", 3 * hour, start=2 * hour, resource="ann"),
        event("c2", "A", 28 * hour, start=15 * hour, resource="ann"),
        event("c3", "A", 29 * hour, start=27 * hour, resource="ann"),
    ]
    ann = world(tmp_path, rows).analyse().results["resources"]["rows"][0]

    assert (ann["busySeconds"], ann["windowSeconds"]) == (15 * 3600.0, 27 * 3600.0)
    assert ann["utilisation"] == pytest.approx(15 / 27, abs=1e-6)


def test_without_resources_nothing_is_said_about_them(tmp_path):
    """Never faked: the key is absent, also when the column is there but empty."""
    assert "resources" not in world(tmp_path / "a", [event("c", "A", 0)]).analyse().results
    assert "resources" not in world(tmp_path / "b", [event("c", "A", 0, resource=None)]).analyse().results


def test_throughput_is_per_calendar_day(tmp_path):
    """Four cases over two days, one of them open until the third."""
    cases = {f"c{n}": [("A", n), ("B", n + 60)] for n in range(3)} | {"late": [("A", 1440), ("B", 2880)]}
    throughput = world(tmp_path, events(cases)).analyse().results["throughput"]

    assert (throughput["calendarDays"], throughput["daysWithEvents"]) == (3, 3)
    assert throughput["casesStartedPerDay"] == pytest.approx(4 / 3, abs=0.0001)
    assert throughput["busiestDay"] == {"date": "2024-01-01", "events": 6}


def test_equal_timestamps_everywhere_mean_no_waiting_and_no_bottleneck(tmp_path):
    """No division by nothing, no bottleneck out of zeros."""
    cases = {f"c{n}": [("A", 0), ("B", 0)] for n in range(5)}
    found = world(tmp_path, events(cases)).analyse().results

    assert found["bottlenecks"] == []
    assert found["cycleTimes"]["maxSeconds"] == 0.0
    assert "distribution" not in found["cycleTimes"]


def test_single_event_cases_take_no_time(tmp_path):
    """Nothing waits where nothing follows."""
    found = world(tmp_path, [event(f"c{n}", "A", n) for n in range(4)]).analyse().results

    assert found["waiting"] == {"totalSeconds": 0.0, "averagePerCaseSeconds": 0.0, "occurrences": 0, "activities": 0}
    assert found["cycleTimes"]["averageSeconds"] == 0.0


def test_performance_reports_as_documented(tmp_path):
    """The documented stage metrics, and the worst bottleneck as a milestone."""
    loans = world(tmp_path, events({"c": [("A", 0), ("B", 5), ("C", 100)]}))
    loans.discover()
    phase = loans.phase("Performance Analysis")
    phase.run(analyse)

    assert phase.figures == {"waitTimeCalculated": 2, "cycleTimeCalculated": 1, "bottlenecksIdentified": 2}
    assert phase.milestones[0].text == "Largest bottleneck: C"
    assert (phase.done, phase.total) == (3, 3)


def test_performance_stops_when_asked(tmp_path):
    """Cancel points lie between the units of work."""
    phase = world(tmp_path, [event("c", "A", 0)]).phase("Performance Analysis", cancel_after=2)

    with pytest.raises(Cancelled):
        phase.run(analyse)
