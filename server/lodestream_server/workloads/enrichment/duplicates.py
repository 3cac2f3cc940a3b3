"""`remove_duplicates`: rows that repeat another one.

Identical are rows that the file holds twice, in every column of the source: a timestamp that was fixed does not count,
what stood in the file does.
"""

import polars as pl

from lodestream_server.workloads.enrichment.applied import Applied, without
from lodestream_server.workloads.enrichment.rules import RemoveDuplicates
from lodestream_server.workloads.mining.sift import RAW_TIME


def remove(rows: pl.DataFrame, rule: RemoveDuplicates) -> Applied:
    """`rows` of whole cases in the order of the file; `rule.columns` are columns of it."""
    repeated = marked(rows, rule.columns, rule.keep)
    columns = ", ".join(rule.columns)
    which = "an earlier" if rule.keep == "first" else "a later"
    reason = f"same {columns} as {which} row" if columns else f"identical to {which} row"
    reasons = pl.select(pl.when(repeated).then(pl.lit(reason))).to_series()
    return without(rows, reasons, "duplicatesRemoved")


def marked(rows: pl.DataFrame, columns: tuple[str, ...] = (), keep: str = "first") -> pl.Series:
    """Whether each row repeats another one that is kept."""
    compared = columns or tuple(name for name in rows.columns if name != "position")
    kinds = [_compared(name) for name in compared]
    if "timestamp" in compared and RAW_TIME not in compared:
        kinds.append(pl.col(RAW_TIME))
    # A few columns tell most rows apart; only those that remain are compared in full.
    few = tuple(name for name in ("case_id", "timestamp") if name in compared) or compared[:1]
    suspects = rows.select(pl.struct(*(_compared(name) for name in few)).is_duplicated()).to_series()
    again = pl.Series(pl.repeat(False, rows.height, eager=True))
    if not suspects.any():
        return again
    whole = rows.filter(suspects).select(pl.struct(*kinds)).to_series()
    stays = whole.is_first_distinct() if keep == "first" else whole.is_last_distinct()
    places = pl.int_range(rows.height, eager=True).filter(suspects)
    return again.scatter(places.filter(~stays), True)


def _compared(name: str) -> pl.Expr:
    if name != "timestamp":
        return pl.col(name)
    return pl.when(pl.col(RAW_TIME).is_null()).then(pl.col("timestamp")).alias("timestamp")
