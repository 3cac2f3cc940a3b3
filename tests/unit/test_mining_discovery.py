"""Discovery counts every row, agrees with a count by hand, and says what it found in documented words."""

import hashlib
import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lodestream_server.workloads.mining import complexity
from lodestream_server.workloads.mining.discovery import TOP, discover
from lodestream_server.workloads.mining.summary import LogSummary
from lodestream_server.workloads.phase import BadInput, Cancelled

from tests.unit.mining_world import event, events, world

LOANS = {
    "c1": [("Apply", 0), ("Check", 10), ("Approve", 40)],
    "c2": [("Apply", 5), ("Check", 25), ("Approve", 30)],
    "c3": [("Apply", 7), ("Check", 17), ("Check", 18), ("Reject", 20)],
}


def md5(lines: list[str]) -> str:
    """The fingerprint of these lines, computed the plain way."""
    return hashlib.md5("\n".join(sorted(lines)).encode()).hexdigest()[:8]  # noqa: S324  # a fingerprint, no secret


def test_a_small_process_is_counted_as_by_hand(tmp_path):
    """Cases, events, activities, pairs and variants of three loans."""
    found = world(tmp_path, events(LOANS)).discover().results

    assert (found["cases"], found["events"], found["activitiesDiscovered"]) == (3, 10, 4)
    assert found["processVariants"] == 2
    assert found["uniquePaths"] == 2
    assert found["processModel"] == {
        "activities": 4,
        "transitions": 4,
        "steps": 7,
        "variants": 2,
        "complexity": "Low",
        # Of 13 steps, start and end included, 4 leave Check with 1.5 bits of choice: 2^(4 * 1.5 / 13).
        "effectiveChoices": 1.38,
    }
    assert found["activities"][0] == {"activity": "Check", "events": 4, "cases": 3, "caseShare": 1.0}
    assert found["startActivities"] == [{"activity": "Apply", "cases": 3, "share": 1.0}]
    assert [row["activity"] for row in found["endActivities"]] == ["Approve", "Reject"]


def test_step_times_are_exact_over_all_buckets(tmp_path):
    """Apply to Check took 10, 20 and 10 minutes: the quantiles are those of the three together."""
    steps = world(tmp_path, events(LOANS)).discover().results["transitions"]

    first = next(row for row in steps if (row["source"], row["target"]) == ("Apply", "Check"))
    assert (first["count"], first["cases"], first["caseShare"]) == (3, 3, 1.0)
    assert (first["minSeconds"], first["medianSeconds"], first["maxSeconds"]) == (600.0, 600.0, 1200.0)
    assert first["meanSeconds"] == pytest.approx(800, abs=0.001)
    assert first["p90Seconds"] == pytest.approx(1080)


def test_variants_tell_their_share_and_cycle_time(tmp_path):
    """The most frequent variant comes first, shares add up, and the file holds what the results show."""
    finished = world(tmp_path, events(LOANS)).discover()
    first, second = finished.results["variants"]

    assert first["activities"] == ["Apply", "Check", "Approve"]
    assert (first["variant"], first["cases"], first["share"]) == (1, 2, 0.666667)
    assert (first["meanCycleSeconds"], first["medianCycleSeconds"]) == (1950.0, 1950.0)
    assert (second["length"], second["cumulativeShare"]) == (4, 1.0)
    assert pl.read_parquet(finished.folder / "variants.parquet").to_dicts() == finished.results["variants"]


def test_every_case_is_given_its_variant(tmp_path):
    """The cases of each bucket, in the bucket's order, carry the rank of their variant."""
    finished = world(tmp_path, events(LOANS)).discover()

    cases = pl.concat([pl.read_parquet(path) for path in sorted((finished.folder / "cases").iterdir())])
    assert dict(cases.select("case_id", "variant").iter_rows()) == {"c1": 1, "c2": 1, "c3": 2}


def test_events_at_the_same_instant_keep_the_order_of_the_source(tmp_path):
    """Ties go by position: B before A in the file is B before A in the variant."""
    rows = [event("c", "B", 0), event("c", "A", 0), event("c", "C", 0)]

    assert world(tmp_path, rows).discover().results["variants"][0]["activities"] == ["B", "A", "C"]


def test_a_case_called_na_is_a_case(tmp_path):
    """Ids are text; nothing is taken for missing."""
    rows = [event(case, "A", n) for n, case in enumerate(("NA", "null", "", "NaN"))]

    assert world(tmp_path, rows).discover().results["cases"] == 4


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=4),
        st.lists(st.sampled_from(["a", "b", "c c", "d|e", "ü\t", ""]), min_size=1, max_size=12),
        min_size=1,
        max_size=20,
    )
)
def test_any_log_agrees_with_a_count_in_plain_python(tmp_path_factory, cases):
    """Pairs, variants, coverage and both fingerprints equal those of an obvious implementation."""
    rows = events({case: [(activity, n) for n, activity in enumerate(steps)] for case, steps in cases.items()})
    finished = world(tmp_path_factory.mktemp("any"), rows).discover()
    pairs = Counter(pair for steps in cases.values() for pair in pairwise(steps))
    variants = Counter(tuple(steps) for steps in cases.values())
    covered = Counter(activity for steps in cases.values() for activity in set(steps))
    pair_cases = Counter(pair for steps in cases.values() for pair in set(pairwise(steps)))
    collapsed = {tuple(a for a, b in pairwise([*steps, None]) if a != b) for steps in cases.values()}

    found = finished.results
    assert found["dfgDigest"] == md5([f"{a}\t{b}\t{n}" for (a, b), n in pairs.items()])
    assert found["variantsDigest"] == md5(["|".join(names) + f"\t{n}" for names, n in variants.items()])
    assert {(r["source"], r["target"]): (r["count"], r["cases"]) for r in found["transitions"]} == {
        pair: (n, pair_cases[pair]) for pair, n in pairs.items()
    }
    assert {row["activity"]: row["cases"] for row in found["activities"]} == dict(covered)
    assert (found["processVariants"], found["uniquePaths"]) == (len(variants), len(collapsed))


def test_one_event_is_a_process(tmp_path):
    """One case of one event: no steps, no time, no choice."""
    found = world(tmp_path, [event("c", "Only", 0)]).discover().results

    assert found["processModel"]["transitions"] == 0
    assert found["processModel"]["complexity"] == "Low"
    assert found["transitions"] == []
    assert found["variants"][0]["meanCycleSeconds"] == 0.0


def test_a_hundred_thousand_activities_do_not_blow_up_the_results(tmp_path):
    """Results list the top rows and state the totals; the files hold all."""
    finished = world(tmp_path, [event(f"c{n // 10}", f"activity {n}", n) for n in range(100_000)]).discover()

    assert finished.results["activitiesDiscovered"] == 100_000
    assert len(finished.results["activities"]) == finished.results["rowsListed"] == TOP
    assert len(json.dumps(finished.results)) < 200_000
    assert pl.read_parquet(finished.folder / "activities.parquet").height == 100_000


def test_endless_names_are_cut_in_results_and_whole_in_files(tmp_path):
    """A name of 5,000 characters costs 200 in the results."""
    finished = world(tmp_path, [event("c", "x" * 5_000, 0), event("c", "y", 1)]).discover()

    assert {len(row["activity"]) for row in finished.results["activities"]} == {200, 1}
    assert finished.results["variants"][0]["activities"][0].endswith("…")
    assert max(pl.read_parquet(finished.folder / "activities.parquet")["activity"].str.len_chars()) == 5_000


def test_discovery_reports_as_documented(tmp_path):
    """Records done of total, the documented stage metrics, and the documented milestone."""
    loans = world(tmp_path, events(LOANS))
    phase = loans.phase("Process Discovery")
    phase.run(discover)

    assert (phase.done, phase.total) == (10, 10)
    same = {"processVariants": 2, "uniquePaths": 2}  # as operations call them
    assert phase.figures == {"activitiesDiscovered": 4, "variantsFound": 2, "pathsIdentified": 2, **same}
    milestone = phase.milestones[0]
    assert milestone.text == "Process model discovered"
    assert milestone.details["activitiesFound"] == 4
    assert milestone.details["processComplexity"] == "Low"


@pytest.mark.parametrize("after", [0, 3, 6])
def test_discovery_stops_when_asked(tmp_path, after):
    """Cancel points lie between the units of work."""
    phase = world(tmp_path, events(LOANS)).phase("Process Discovery", cancel_after=after)

    with pytest.raises(Cancelled):
        phase.run(discover)


def test_an_operation_finds_its_loading_phase_under_its_own_name(tmp_path):
    """Jobs say Data Loading, operations Data Loading & Validation."""
    loans = world(tmp_path, events(LOANS))
    loans.earlier = {"Data Loading & Validation": loans.earlier["Data Loading"]}

    assert loans.discover().results["cases"] == 3


def test_a_log_without_events_is_bad_input(tmp_path):
    """Nothing to mine is a fault of the data, not of the server."""
    loans = world(tmp_path, events(LOANS))
    replace(LogSummary.load(loans.earlier["Data Loading"].folder), buckets=[]).save(
        loans.earlier["Data Loading"].folder
    )

    with pytest.raises(BadInput, match="no valid event"):
        loans.discover()


def test_complexity_is_the_number_of_effective_choices():
    """A straight line offers one choice, an even fork two; words go by thresholds."""
    line = pl.DataFrame({"source": ["a"], "target": ["b"], "count": [8]})
    ends = pl.DataFrame({"activity": ["a", "b", "c"], "starts": [8, 0, 0], "ends": [0, 8, 0]})
    fork = pl.DataFrame({"source": ["a", "a"], "target": ["b", "c"], "count": [4, 4]})
    ends_of_fork = pl.DataFrame({"activity": ["a", "b", "c"], "starts": [8, 0, 0], "ends": [0, 4, 4]})

    assert complexity.effective_choices(line, ends) == 1.0
    # One of three places (start, a, b or c) is an even choice: 2^(1/3).
    assert complexity.effective_choices(fork, ends_of_fork) == 1.26
    assert [complexity.word(x) for x in (1.0, 1.5, 2.5, 3.5)] == ["Low", "Medium", "Medium-High", "High"]
