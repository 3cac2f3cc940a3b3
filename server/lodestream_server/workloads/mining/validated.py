"""The validated log as discovery, performance and report read it: buckets of whole cases, and activities as small
numbers.

Every bucket is a Parquet file whose rows are sorted by (case, instant, position in the source), and a case lives in one
bucket only. All that is computed per case may therefore be computed bucket by bucket; only aggregates cross from one
bucket to the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lodestream_server.workloads.mining import summary
from lodestream_server.workloads.phase import BadInput, Finished, Json, Phase

#: The two names of the loading phase: jobs have the first, operations the second.
LOADING_PHASES = ("Data Loading", "Data Loading & Validation")

#: Two numbers below 2^32 in one: a directly-follows pair, or a case with an activity.
PAIR = 1 << 32


@dataclass(frozen=True, slots=True)
class Bucket:
    """One file of the validated log, with its place among the files that hold events."""

    number: int
    path: Path
    events: int


@dataclass(frozen=True, slots=True)
class ValidatedLog:
    """The buckets that hold events, the columns they share; what loading wrote (log.json) and said (its results)."""

    buckets: tuple[Bucket, ...]
    columns: tuple[str, ...]
    summary: Json
    loading: Json

    @property
    def events(self) -> int:
        """Rows in all buckets; lifecycle rows and identical rows count."""
        return sum(bucket.events for bucket in self.buckets)

    @property
    def counts(self) -> Json:
        """Record counts of loading: total, valid, invalid, duplicates, duplicatesRemoved …"""
        return dict(self.summary["counts"])

    def has(self, column: str) -> bool:
        """Whether the log carries this column."""
        return column in self.columns


def finished_loading(phase: Phase) -> Finished:
    """The loading phase of this run, under whichever of its two names. Raises KeyError when there is none."""
    for name in LOADING_PHASES:
        try:
            return phase.before(name)
        except KeyError:
            continue
    raise KeyError(f"no loading phase before {phase.name}: looked for {' and '.join(LOADING_PHASES)}")


def open_log(phase: Phase) -> ValidatedLog:
    """The validated log that this run's loading phase left behind. Raises BadInput when it holds no event."""
    loading = finished_loading(phase)
    files = [bucket for bucket in summary.buckets(loading.folder) if bucket.events]
    if not files:
        raise BadInput("The log holds no valid event, so there is nothing to mine.", reason="EMPTY_LOG")
    found = tuple(Bucket(number, file.path, file.events) for number, file in enumerate(files))
    columns = tuple(pl.read_parquet_schema(files[0].path))
    return ValidatedLog(found, columns, summary.LogSummary.load(loading.folder).as_json(), loading.results)


def read(bucket: Bucket, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """The rows of a bucket in the order of the log: by case, then instant, then position in the source."""
    return pl.read_parquet(bucket.path, columns=None if columns is None else list(columns), glob=False)


class Codes:
    """Numbers for texts, the same in every bucket: 0, 1, 2 … in order of first appearance."""

    def __init__(self) -> None:
        self._type = pl.Categorical(pl.Categories.random())
        self._names: dict[int, str] = {}
        # Keeps the categories alive between buckets, or their numbers would start anew.
        self._kept = pl.Series([], dtype=self._type)

    def __len__(self) -> int:
        return len(self._names)

    def encode(self, texts: pl.Series) -> pl.Series:
        """The number of each text, u32, null where the text is null."""
        coded = texts.cast(self._type)
        seen = coded.unique().drop_nulls()
        self._names.update(zip(seen.to_physical().to_list(), seen.cast(pl.String).to_list(), strict=True))
        self._kept = seen if self._kept.is_empty() else self._kept
        return coded.to_physical()

    def table(self, code: str, name: str) -> pl.DataFrame:
        """All numbers and their texts in two columns with these names."""
        return pl.DataFrame(
            {code: list(self._names), name: list(self._names.values())}, schema={code: pl.UInt32, name: pl.String}
        )

    def text(self, code: int) -> str:
        """The text behind a number. Raises KeyError for one that was never given."""
        return self._names[code]


def numbered(frame: pl.DataFrame, activities: Codes) -> pl.DataFrame:
    """The rows of a bucket as numbers: `case` (0, 1 … within the bucket), `activity`, `at` (microseconds since 1970),
    `first` (of its case), and `start` (microseconds, never after `at`; where the log has start timestamps).
    """
    first = frame["case_id"].ne_missing(frame["case_id"].shift(1))
    first = first | (pl.int_range(frame.height, eager=True) == 0)
    numbers = pl.DataFrame(
        {
            "case": first.cast(pl.UInt32).cum_sum() - 1,
            "activity": activities.encode(frame["activity"]),
            "at": frame["timestamp"].cast(pl.Datetime("us", "UTC")).cast(pl.Int64),
            "first": first,
        }
    )
    if "start_timestamp" not in frame.columns:
        return numbers
    start = frame["start_timestamp"].cast(pl.Datetime("us", "UTC")).cast(pl.Int64)
    return numbers.with_columns(start=pl.min_horizontal(start, "at"))
