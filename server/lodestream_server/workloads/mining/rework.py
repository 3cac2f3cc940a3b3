"""Rework: activities that a case goes through again.

An instance is a *repetition* when its activity already occurred in its case; it is a *self-loop* when it immediately
follows the same activity. Counted on activity instances, so the start and complete rows of one piece of work are no
rework.
"""

from dataclasses import dataclass, field

import polars as pl

from lodestream_server.workloads.mining import figures
from lodestream_server.workloads.mining.validated import PAIR
from lodestream_server.workloads.phase import Json

TOP = 20


def repetitions(found: pl.DataFrame) -> pl.Series:
    """Whether each instance repeats an activity of its case, in the order of the instances."""
    return ~(found["case"].cast(pl.UInt64) * PAIR + found["activity"]).is_first_distinct()


@dataclass(slots=True)
class ReworkCount:
    """Adds up repetitions over the buckets."""

    cases: int = 0
    _activities: list[pl.DataFrame] = field(default_factory=list)

    def add(self, found: pl.DataFrame) -> None:
        """Takes over the instances of a bucket (with `before` and `waiting`)."""
        repeated = found.filter(repetitions(found))
        self.cases += repeated["case"].n_unique()
        self._activities.append(
            repeated.group_by("activity").agg(
                repetitions=pl.len().cast(pl.Int64),
                selfLoops=(pl.col("before") == pl.col("activity")).sum().cast(pl.Int64),
                cases=pl.col("case").n_unique().cast(pl.Int64),
                time=(pl.col("waiting").fill_null(0) + pl.col("end") - pl.col("start")).sum(),
            )
        )

    def rows(self, names: pl.DataFrame) -> pl.DataFrame:
        """Per repeated activity, most repetitions first: activity, repetitions, selfLoops, cases, totalSeconds (waiting
        plus work of repetitions).
        """
        return (
            pl.concat(self._activities)
            .group_by("activity")
            .agg(pl.all().sum())
            .join(names, on="activity")
            .select(
                activity="name",
                repetitions="repetitions",
                selfLoops="selfLoops",
                cases="cases",
                totalSeconds=(pl.col("time") / 1e6).round(6),
            )
            .sort("repetitions", "activity", descending=[True, False])
        )


def as_results(rows: pl.DataFrame, cases_with_rework: int, cases: int, instances: int) -> Json:
    """The `rework` part of the results."""
    repeated = int(rows["repetitions"].sum())
    return {
        "casesWithRework": cases_with_rework,
        "shareOfCases": round(cases_with_rework / cases, 6),
        "repetitions": repeated,
        "shareOfActivityInstances": round(repeated / instances, 6) if instances else 0.0,
        "selfLoops": int(rows["selfLoops"].sum()),
        "activitiesRepeated": rows.height,
        "activities": figures.listed(rows, TOP),
    }
