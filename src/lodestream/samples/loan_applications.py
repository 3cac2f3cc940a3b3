"""A loan-application event log in which everything worth finding is known: paths, bottleneck, anomalies, and every spot
of dirt.

The same seed and number of cases give the same file, byte for byte. Rows come in the order of time, cases interleaved,
as a system would export them; memory holds the open cases only. Used by the demo, by tests that compare what was mined
with the truth, and by benches.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from heapq import heappop, heappush
from pathlib import Path
from random import Random
from typing import Any, TextIO

from lodestream.samples.loan_model import conforms
from lodestream.samples.loan_process import DAY, HOUR, MINUTE, ROLES, STEPS, opening, way

COLUMNS = (
    "case_id",
    "activity",
    "start_timestamp",
    "timestamp",
    "resource",
    "role",
    "amount",
    "channel",
    "region",
    "customer_segment",
)

#: Waiting before it is by far the longest share of all waiting.
BOTTLENECK = "Manager Approval"

#: Monday, 1 January 2024, in seconds since 1970.
_BEGIN = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp())

_CHANNELS = ("Web", "Web", "Web", "Branch", "Branch", "Phone", "Broker")
_REGIONS = ("North", "South", "East", "West", "Zürich", "Île-de-France")
_SEGMENTS = ("Private", "Private", "Private", "Business", "Premium")

#: What unparsable timestamps look like.
_UNPARSABLE = ("not recorded", "2024-13-41T99:00:00Z", "yesterday", "31.02.2024 25:61")

#: Share of cases with one spot of dirt of each kind, and of cases with an anomaly of each kind.
_DIRT = 0.004
_ANOMALY = 0.002

#: What each draw of dirt makes, in the order of `_soiled`.
_KINDS = (
    *("duplicated_event",) * 3,
    *("inferable_timestamp",) * 2,
    *("lost_timestamp",) * 2,
    "missing_activity",
    "missing_case_id",
)


@dataclass(frozen=True, slots=True)
class Truth:
    """What is in the file. `events`, `cases`, `activities` and `variants` are what remains after validation with
    duplicates kept.

    A missing or unparsable timestamp is inferable when its event stands between two events of its case that have one;
    the others are lost.
    """

    rows: int
    cases: int
    events: int
    activities: int
    variants: int
    variants_without_duplicates: int
    duplicates: int
    missing_timestamps: int
    unparsable_timestamps: int
    inferable_timestamps: int
    missing_activities: int
    missing_case_ids: int
    first: str
    last: str
    bottleneck: str = BOTTLENECK
    #: anomaly -> ids of the cases that have it, in order of their start
    anomalies: dict[str, list[str]] = field(default_factory=dict)
    #: kind of dirt -> ids of the cases that have a spot of it, in order of their start
    dirt: dict[str, list[str]] = field(default_factory=dict)
    #: ids of the cases whose events, as they remain after validation with duplicates kept, are no way through the
    #: process; anomalies and dirt make them, though not always
    deviating_cases: list[str] = field(default_factory=list)
    #: the way a case takes, as it was generated -> cases
    paths: dict[str, int] = field(default_factory=dict)

    @property
    def invalid(self) -> int:
        """Rows that validation rejects."""
        lost = self.missing_timestamps + self.unparsable_timestamps - self.inferable_timestamps
        return lost + self.missing_activities + self.missing_case_ids

    @property
    def anomalous_cases(self) -> list[str]:
        """The ids of all cases with an anomaly, sorted."""
        return sorted(case for cases in self.anomalies.values() for case in cases)

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self) | {"invalid": self.invalid, "anomalous_cases": self.anomalous_cases}


def write_log(path: Path, cases: int = 10_000, seed: int = 20_240_101) -> Truth:
    """Writes the log as CSV (UTF-8, commas) and returns the truth about it. About ten rows a case.

    Raises ValueError for fewer than one case, OSError when the file cannot be written.
    """
    if cases < 1:
        raise ValueError("cases must be 1 or more")
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(",".join(COLUMNS) + "\n")
        return _Writer(file, Random(seed)).write(cases)


@dataclass(slots=True)
class _Case:
    """A case being made: its rows as (time of end, fields), in the order of time."""

    case_id: str
    path: str
    rows: list[tuple[int, list[str]]]
    anomaly: str = ""


@dataclass(slots=True)
class _Writer:
    """Makes cases in the order of their start and writes rows as soon as no later case can come before them."""

    file: TextIO
    random: Random
    counts: Counter[str] = field(default_factory=Counter)
    paths: Counter[str] = field(default_factory=Counter)
    anomalies: dict[str, list[str]] = field(default_factory=dict)
    dirt: dict[str, list[str]] = field(default_factory=dict)
    deviating: list[str] = field(default_factory=list)
    activities: set[str] = field(default_factory=set)
    variants: set[tuple[str, ...]] = field(default_factory=set)
    variants_without_duplicates: set[tuple[str, ...]] = field(default_factory=set)
    first: int = 1 << 62
    last: int = 0
    dates: dict[int, str] = field(default_factory=dict)

    def write(self, cases: int) -> Truth:
        waiting: list[tuple[int, int, str]] = []
        start, order = _BEGIN + 7 * HOUR, 0
        for number in range(1, cases + 1):
            start += int(self.random.expovariate(1 / 2_400)) + 1
            while waiting and waiting[0][0] < start:
                self.file.write(heappop(waiting)[2])
            for time, line in self._lines(self._case(number, start)):
                order += 1
                heappush(waiting, (time, order, line))
        while waiting:
            self.file.write(heappop(waiting)[2])
        return self._truth(cases)

    def _truth(self, cases: int) -> Truth:
        counts = self.counts
        return Truth(
            rows=counts["rows"],
            cases=cases,
            events=counts["events"],
            activities=len(self.activities),
            variants=len(self.variants),
            variants_without_duplicates=len(self.variants_without_duplicates),
            duplicates=counts["duplicates"],
            missing_timestamps=counts["missing_timestamps"],
            unparsable_timestamps=counts["unparsable_timestamps"],
            inferable_timestamps=counts["inferable"],
            missing_activities=counts["missing_activities"],
            missing_case_ids=counts["missing_case_ids"],
            first=self._text(self.first),
            last=self._text(self.last),
            anomalies=self.anomalies,
            dirt=self.dirt,
            deviating_cases=self.deviating,
            paths=dict(self.paths.most_common()),
        )

    def _case(self, number: int, start: int) -> _Case:
        random = self.random
        case_id, amount = f"LA-{number:07d}", int(random.lognormvariate(9.6, 0.7) / 100 + 10) * 100
        path, steps = way(random, amount)
        anomaly = self._anomaly(steps)
        if anomaly:
            self.anomalies.setdefault(anomaly, []).append(case_id)
        attributes = [str(amount), random.choice(_CHANNELS), random.choice(_REGIONS), random.choice(_SEGMENTS)]
        stalled = random.randrange(2, len(steps)) if anomaly == "absurdly_long" else -1
        rows, time = [], start
        for place, activity in enumerate(steps):
            role, wait, work = STEPS[activity]
            opens, closes, people = ROLES[role]
            pause = int(wait * MINUTE * (0.4 + random.expovariate(1 / 0.6))) + 1 if wait else 0
            begin = opening(time + pause + (random.randrange(200, 400) * DAY if place == stalled else 0), opens, closes)
            time = begin + int(work * MINUTE * (0.5 + random.random())) + 1
            rows.append(
                (
                    time,
                    [case_id, activity, self._text(begin), self._text(time), random.choice(people), role, *attributes],
                )
            )
        return _Case(case_id, path, rows, anomaly)

    def _anomaly(self, steps: list[str]) -> str:
        """Makes a case anomalous now and then: changes its steps, or says that it is to take absurdly long."""
        draw = self.random.random()
        if draw < _ANOMALY and "Credit Check" in steps:
            steps.remove("Credit Check")
            return "skipped_credit_check"
        if _ANOMALY <= draw < 2 * _ANOMALY:
            return "absurdly_long"
        if 2 * _ANOMALY <= draw < 6 * _ANOMALY and "Pay Out Loan" in steps and "Manager Approval" in steps:
            steps.remove("Pay Out Loan")
            steps.insert(steps.index("Manager Approval"), "Pay Out Loan")
            return "paid_before_approval"
        return ""

    def _lines(self, case: _Case) -> Iterator[tuple[int, str]]:
        """The rows of a case as lines, dirt included; counts them."""
        self.paths[case.path] += 1
        kept = [fields[1] for _, fields in case.rows]
        if case.anomaly:
            rows = case.rows
            self.variants_without_duplicates.add(tuple(kept))
        else:
            rows = self._soiled(case, kept)
        self.counts["rows"] += len(rows)
        self.counts["events"] += len(kept)
        self.activities.update(kept)
        self.variants.add(tuple(kept))
        if not conforms(kept):
            self.deviating.append(case.case_id)
        for time, fields in rows:
            yield time, ",".join(fields) + "\n"
        known = [time for time, fields in rows if fields[3] == self._text(time) and fields[0] and fields[1]]
        self.first = min(self.first, known[0])
        self.last = max(self.last, known[-1])

    def _soiled(self, case: _Case, kept: list[str]) -> list[tuple[int, list[str]]]:
        """Puts at most one spot of dirt into a case; `kept` becomes the activities that survive validation."""
        rows, kind = case.rows, int(self.random.random() / _DIRT)
        if kind < len(_KINDS):
            self.dirt.setdefault(_KINDS[kind], []).append(case.case_id)
        inner = self.random.randrange(1, len(rows) - 1)
        match kind:
            case 0 | 1 | 2:  # the row stands in the file once or twice more
                copies = 1 + (kind == 2)
                self.counts["duplicates"] += copies
                self.variants_without_duplicates.add(tuple(kept))
                kept[inner:inner] = [kept[inner]] * copies
                return rows[:inner] + [rows[inner]] * copies + rows[inner:]
            case 3 | 4:
                self._spoil(rows, inner, 3, "" if kind == 3 else self.random.choice(_UNPARSABLE))
                self.counts["missing_timestamps" if kind == 3 else "unparsable_timestamps"] += 1
                self.counts["inferable"] += 1
            case 5 | 6:  # the last event: nothing comes after it, so its time cannot be inferred
                self._spoil(rows, len(rows) - 1, 3, "" if kind == 5 else self.random.choice(_UNPARSABLE))
                self.counts["missing_timestamps" if kind == 5 else "unparsable_timestamps"] += 1
                kept.pop()
            case 7 | 8:
                self._spoil(rows, inner, 1 if kind == 7 else 0, "")
                self.counts["missing_activities" if kind == 7 else "missing_case_ids"] += 1
                del kept[inner]
        self.variants_without_duplicates.add(tuple(kept))
        return rows

    @staticmethod
    def _spoil(rows: list[tuple[int, list[str]]], place: int, column: int, text: str) -> None:
        rows[place][1][column] = text

    def _text(self, time: int) -> str:
        day, second = divmod(time, DAY)
        date = self.dates.get(day)
        if date is None:
            date = self.dates[day] = datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d")
        return f"{date}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"
