"""The generated loan-application log: deterministic, realistic where it matters, and true to its own account."""

import csv
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path

import pytest

from lodestream.samples.loan_applications import BOTTLENECK, COLUMNS, write_log
from lodestream.samples.loan_process import MANAGER_LIMIT


def rows_of(path: Path) -> list[dict[str, str]]:
    """The file as the standard library reads it."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def instant(text: str) -> datetime | None:
    """The instant of a text; None for dirt."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def test_the_same_seed_gives_the_same_file_and_another_seed_another(tmp_path: Path):
    """Byte for byte, and the truth with it."""
    one, two, other = (tmp_path / name for name in ("one.csv", "two.csv", "other.csv"))
    assert write_log(one, 300) == write_log(two, 300)
    write_log(other, 300, seed=7)
    assert one.read_bytes() == two.read_bytes()
    assert one.read_bytes() != other.read_bytes()


def test_the_truth_counts_what_a_plain_reader_finds_in_the_file(tmp_path: Path):
    """Rows, cases, identical rows and every kind of dirt, counted here without the project's own readers."""
    truth = write_log(tmp_path / "log.csv", 2_000)
    rows = rows_of(tmp_path / "log.csv")
    times = [row["timestamp"] for row in rows]
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == truth.rows
    assert len({row["case_id"] for row in rows} - {""}) == truth.cases == 2_000
    assert len({row["activity"] for row in rows} - {""}) == truth.activities
    assert sum(n - 1 for n in Counter(tuple(row.values()) for row in rows).values()) == truth.duplicates > 0
    assert times.count("") == truth.missing_timestamps > 0
    assert sum(text != "" and instant(text) is None for text in times) == truth.unparsable_timestamps > 0
    assert [row["activity"] for row in rows].count("") == truth.missing_activities > 0
    assert [row["case_id"] for row in rows].count("") == truth.missing_case_ids > 0
    assert truth.events == truth.rows - truth.invalid


def test_rows_come_in_the_order_of_time_with_cases_interleaved(tmp_path: Path):
    """As a system would export them; rows whose time is dirt stand where they belong."""
    write_log(tmp_path / "log.csv", 500)
    rows = rows_of(tmp_path / "log.csv")
    known = [time for row in rows if (time := instant(row["timestamp"]))]
    assert known == sorted(known)
    assert len({row["case_id"] for row in rows[:40]}) > 5


def test_waiting_before_the_bottleneck_is_the_longest_of_all(tmp_path: Path):
    """Summed over the log, from the end of the step before to the begin of the step."""
    truth = write_log(tmp_path / "log.csv", 3_000)
    waiting: Counter[str] = Counter()
    ends: dict[str, datetime] = {}
    for row in rows_of(tmp_path / "log.csv"):
        end = instant(row["timestamp"])
        if end and row["case_id"] not in truth.anomalous_cases:
            if row["case_id"] in ends:
                waiting[row["activity"]] += int(
                    (datetime.fromisoformat(row["start_timestamp"]) - ends[row["case_id"]]).total_seconds()
                )
            ends[row["case_id"]] = end
    assert waiting.most_common(1)[0][0] == truth.bottleneck == BOTTLENECK
    assert waiting[BOTTLENECK] > 0.25 * waiting.total()


def test_the_injected_anomalies_are_in_the_cases_that_the_truth_names_and_in_no_others(tmp_path: Path):
    """A skipped credit check, a payment before the approval, and cases that take longer than half a year."""
    truth = write_log(tmp_path / "log.csv", 3_000)
    cases: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows_of(tmp_path / "log.csv"):
        if row["case_id"]:
            cases[row["case_id"]].append(row)
    paths = {case: [row["activity"] for row in rows] for case, rows in cases.items()}
    clean = {case for case, path in paths.items() if "" not in path}

    def is_late(case: str) -> bool:
        times = [time for row in cases[case] if (time := instant(row["timestamp"]))]
        return (max(times) - min(times)).days > 180

    def pays_early(path: list[str]) -> bool:
        paid = "Pay Out Loan" in path and "Manager Approval" in path
        return paid and path.index("Pay Out Loan") < path.index("Manager Approval")

    # A row may have lost its case id: then the step is missing, but nobody skipped it.
    skipped = {case for case in clean if "Risk Assessment" in paths[case] and "Credit Check" not in paths[case]}
    named = {kind: set(ids) for kind, ids in truth.anomalies.items()}
    assert {case for case in paths if is_late(case)} == named["absurdly_long"]
    assert {case for case, path in paths.items() if pays_early(path)} == named["paid_before_approval"]
    assert len(skipped - named["skipped_credit_check"]) <= truth.missing_case_ids
    assert all("Credit Check" not in paths[case] for case in named["skipped_credit_check"])
    assert sum(map(len, named.values())) == len(truth.anomalous_cases)


def test_large_loans_go_to_a_manager_and_the_clerks_keep_their_hours(tmp_path: Path):
    """The rules that a process analyst should be able to find in the data."""
    write_log(tmp_path / "log.csv", 500)
    rows = rows_of(tmp_path / "log.csv")
    assert all(int(row["amount"]) > MANAGER_LIMIT for row in rows if row["activity"] == "Manager Approval")
    begins = [datetime.fromisoformat(row["start_timestamp"]) for row in rows if row["role"] == "Clerk"]
    assert all(8 <= begin.hour < 17 and begin.weekday() < 5 for begin in begins)


def test_a_log_without_cases_is_refused(tmp_path: Path):
    """Before anything is written."""
    with pytest.raises(ValueError, match="1 or more"):
        write_log(tmp_path / "log.csv", 0)
    assert not (tmp_path / "log.csv").exists()
