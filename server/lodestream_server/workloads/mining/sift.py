"""A batch of source rows becomes rows of the validated log: standard names, timestamps as instants, unusable rows set
aside.

A row without case or activity is rejected here. A row whose timestamp is missing or unparsable stays, with its text in
RAW_TIME: whether it can be inferred is only known when its case is complete.
"""

from dataclasses import dataclass

import polars as pl

from lodestream_server.workloads.mining import timestamps
from lodestream_server.workloads.mining.detect import Roles
from lodestream_server.workloads.mining.rejects import NO_ACTIVITY, NO_CASE
from lodestream_server.workloads.mining.source import POSITION

#: What stood in the time column where it gave no instant; null elsewhere. "" when nothing stood there.
RAW_TIME = "__raw_time"

STANDARD = ("case_id", "activity", "timestamp", "start_timestamp", "resource", "lifecycle", "position")


@dataclass(frozen=True, slots=True)
class Sifted:
    """Rows for the buckets, and rejected rows as they came (with `reason`)."""

    rows: pl.DataFrame
    rejected: pl.DataFrame


def attribute_name(name: str) -> str:
    """The name of an attribute column in the validated log: its own, unless a standard column is called so."""
    return f"{name} (source)" if name in STANDARD else name


def sift(frame: pl.DataFrame, roles: Roles) -> Sifted:
    """Renames, reads the timestamps and sets rows without case or activity aside."""
    reasons = frame.select(
        reason=pl.when(_blank(frame, roles.case))
        .then(pl.lit(NO_CASE))
        .when(_blank(frame, roles.activity))
        .then(pl.lit(NO_ACTIVITY))
    ).to_series()
    rejected = frame.clear().with_columns(reasons.clear())
    if reasons.null_count() < len(reasons):
        rejected = frame.with_columns(reasons).filter(reasons.is_not_null())
        frame = frame.filter(reasons.is_null())
    return Sifted(_standard(frame, roles), rejected)


def _blank(frame: pl.DataFrame, column: str) -> pl.Expr:
    texts = pl.col(column)
    if frame.schema[column] != pl.String:
        return texts.is_null()
    return texts.is_null() | (texts.str.strip_chars() == "")


def _standard(frame: pl.DataFrame, roles: Roles) -> pl.DataFrame:
    instants = timestamps.parse(frame[roles.time], roles.time_format)
    raw = pl.when(instants.is_null()).then(pl.col(roles.time).cast(pl.String).fill_null("")).otherwise(None)
    columns: list[pl.Expr | pl.Series] = [
        pl.col(roles.case).cast(pl.String).alias("case_id"),
        pl.col(roles.activity).cast(pl.String).alias("activity"),
        instants.alias("timestamp"),
        raw.alias(RAW_TIME),
    ]
    if roles.start:
        columns.append(timestamps.parse(frame[roles.start], roles.start_format).alias("start_timestamp"))
    for name, column in (("resource", roles.resource), ("lifecycle", roles.lifecycle)):
        if column:
            columns.append(pl.col(column).cast(pl.String).alias(name))
    used = {*roles.used(), POSITION}
    attributes = [pl.col(name).alias(attribute_name(name)) for name in frame.columns if name not in used]
    return frame.select(*columns, pl.col(POSITION).alias("position"), *attributes)
