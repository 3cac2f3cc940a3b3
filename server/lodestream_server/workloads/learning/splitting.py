"""Which cases models learn from and which they are judged by: apart in time, so that nothing of the future leaks.

Cases are split at the start of the case at `SHARE` of all starts. Learned from: cases that ended before that instant;
cases that overlap it are left out. Judged by: cases that began at or after it.
"""

from dataclasses import dataclass

import polars as pl

from lodestream_server.workloads.learning.wishes import Effort

SHARE = 0.8

#: Fewer cases on either side make no honest model.
FEWEST_TRAINING, FEWEST_TEST = 50, 20


@dataclass(frozen=True, slots=True)
class Split:
    """`instant`: microseconds since 1970. Every `train_every`-th case of the training cases of a bucket is used, every
    `test_every`-th of the test cases."""

    instant: int
    first: int
    train_cases: int
    test_cases: int
    overlapping: int
    train_every: int
    test_every: int

    @property
    def shortage(self) -> str:
        """Why nothing can be learned; empty when all is well."""
        if self.train_cases >= FEWEST_TRAINING and self.test_cases >= FEWEST_TEST:
            return ""
        return (
            f"{self.train_cases} cases ended before the split and {self.test_cases} began after it; "
            f"{FEWEST_TRAINING} and {FEWEST_TEST} are needed"
        )


def split(spans: pl.DataFrame, effort: Effort) -> Split:
    """`spans`: start, end, events of every case."""
    instant = int(spans["start"].quantile(SHARE, interpolation="nearest") or 0)
    train, test = spans.filter(trains(instant)), spans.filter(judges(instant))
    return Split(
        instant,
        int(spans.select(pl.col("start").min()).item()),
        train.height,
        test.height,
        spans.height - train.height - test.height,
        max(1, -(-int(train["events"].sum()) // effort.train_rows)),
        max(1, -(-int(test["events"].sum()) // effort.test_rows)),
    )


def trains(instant: int) -> pl.Expr:
    """Whether a case may be learned from."""
    return (pl.col("start") < instant) & (pl.col("end") < instant)


def judges(instant: int) -> pl.Expr:
    """Whether a case judges."""
    return pl.col("start") >= instant
