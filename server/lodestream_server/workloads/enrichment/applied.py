"""What a rule did to the rows of a bucket: the rows that stay, those that went, and a few changes to show."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from lodestream_server.workloads.mining.sift import RAW_TIME

#: Changes kept of each rule and bucket, and shown of each rule.
SAMPLES = 5
#: Why a row went; a column of removed rows only.
REASON = "__reason"
#: Characters of a value that a sample shows.
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Applied:
    """`counts` are figures of the rule by name; `changed` counts rows that stay with other values; `samples` are
    {record, caseId, activity, column, before, after}."""

    rows: pl.DataFrame
    removed: pl.DataFrame
    changed: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    samples: tuple[Mapping[str, object], ...] = ()


def without(rows: pl.DataFrame, reasons: pl.Series, name: str) -> Applied:
    """Rows without a reason stay; those with one go and are counted under `name`."""
    if reasons.null_count() == len(reasons):
        return Applied(rows, rows.clear().with_columns(pl.lit("").alias(REASON)), counts={name: 0})
    removed = rows.with_columns(reasons.alias(REASON)).filter(reasons.is_not_null())
    return Applied(rows.filter(reasons.is_null()), removed, counts={name: removed.height})


def altered(
    before: pl.DataFrame, after: pl.DataFrame, masks: Mapping[str, pl.Series], counts: Mapping[str, int]
) -> Applied:
    """The rows `after` a rule that changed the columns named in `masks` where these are true. No row goes."""
    if not masks:
        return Applied(after, _nothing(after), counts=counts)
    rows = pl.select(pl.any_horizontal([mask.alias(name) for name, mask in masks.items()])).to_series()
    samples = [sample for name, mask in masks.items() for sample in changes(before, after, name, mask)]
    return Applied(after, _nothing(after), int(rows.sum()), counts, tuple(samples[:SAMPLES]))


def changes(before: pl.DataFrame, after: pl.DataFrame, column: str, mask: pl.Series) -> list[Mapping[str, object]]:
    """The first few changes of a column."""
    old, new = before.filter(mask).head(SAMPLES), after.filter(mask).head(SAMPLES)
    return [
        {**row, "column": column, "before": was, "after": now}
        for row, was, now in zip(_named(old), shown(old[column]), shown(new[column]), strict=True)
    ]


def removals(removed: pl.DataFrame) -> list[Mapping[str, object]]:
    """The first few rows that went, with the reason."""
    head = removed.head(SAMPLES)
    stood = [shown(head["timestamp"]), shown(head[RAW_TIME])]
    times = [raw if at is None else at for at, raw in zip(*stood, strict=True)]
    rows = zip(_named(head), times, head[REASON].to_list(), strict=True)
    return [{**row, "timestamp": at, "reason": reason} for row, at, reason in rows]


def shown(values: pl.Series) -> list[str | None]:
    """Values as texts of bounded length; instants as RFC 3339."""
    if isinstance(values.dtype, pl.Datetime):
        return values.dt.to_string("%Y-%m-%dT%H:%M:%S%.fZ").to_list()
    return values.cast(pl.String).str.slice(0, _SHOWN).to_list()


def _named(rows: pl.DataFrame) -> list[dict[str, object]]:
    cut = [pl.col(name).str.slice(0, _SHOWN) for name in ("case_id", "activity")]
    return rows.select(record="position", caseId=cut[0], activity=cut[1]).to_dicts()


def _nothing(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.clear().with_columns(pl.lit("").alias(REASON))
