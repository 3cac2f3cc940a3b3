"""Case and activity by what they look like, whatever they are called: cases repeat, few activities recur, and
activities change inside a case. Pure; called by column detection.
"""

from collections.abc import Mapping, Sequence
from math import log

import polars as pl

#: Rows that the search by content looks at.
ROWS = 20_000


def by_content(
    sample: pl.DataFrame, case: str | None, activity: str | None, free: Sequence[str]
) -> tuple[str | None, str | None]:
    """The pair of columns that behaves most like case and activity."""
    rows = sample.head(ROWS)
    full = [name for name in free if rows[name].null_count() * 20 <= rows.height]
    texts = [name for name in full if rows[name].dtype == pl.String or rows[name].dtype.is_integer()]
    distinct = {name: rows[name].n_unique() for name in [*texts, *(name for name in (case, activity) if name)]}
    cases = [case] if case else [name for name in texts if 1 < distinct[name] <= rows.height * 0.75]
    activities = (
        [activity] if activity else [name for name in texts if 1 < distinct[name] <= max(20, rows.height * 0.2)]
    )
    # The most distinct columns are the likeliest cases, the least distinct the likeliest activities: 12 x 12 pairs are
    # plenty.
    cases = sorted(cases, key=lambda name: -distinct[name])[:12]
    activities = sorted(activities, key=lambda name: distinct[name])[:12]
    rated = [
        (_likeness(rows, one, other, distinct), -number, one, other)
        for number, (one, other) in enumerate((one, other) for one in cases for other in activities if one != other)
    ]
    return max(rated)[2:] if rated and max(rated)[0] > 0 else (case, activity)


def _likeness(rows: pl.DataFrame, case: str, activity: str, distinct: Mapping[str, int]) -> float:
    """How much two columns look like case and activity: 0 (not at all) to about 1."""
    grouped = (
        rows.select(case=pl.col(case), activity=pl.col(activity)).drop_nulls().group_by("case", maintain_order=True)
    )
    cases = grouped.agg(events=pl.len(), kinds=pl.col("activity").n_unique(), first=pl.col("activity").first())
    longer = cases.filter(pl.col("events") > 1)
    if longer.height * 5 < cases.height or not longer.height:
        return 0.0
    # Attributes of a case never change in it; activities mostly do.
    variety = float(longer.select(((pl.col("kinds") - 1) / (pl.col("events") - 1)).mean()).item())
    # Most cases begin alike.
    alike = float(cases["first"].value_counts()["count"].max()) / cases.height  # type: ignore[arg-type]  # a column of counts
    few = 1 - log(max(2, distinct[activity])) / log(max(3, rows.height))
    fine = log(max(2, distinct[case])) / log(max(3, rows.height))
    numeric = rows[activity].dtype.is_integer() or bool(
        rows[activity].drop_nulls().head(100).str.contains(r"^[\d.,\s-]+$").all()
    )
    return variety * (0.3 + alike) * few * fine**2 * (0.3 if numeric else 1.0)
