"""Where cases wait: tables over steps and activities, and the bottlenecks among them."""

import polars as pl

from lodestream_server.workloads.mining import figures
from lodestream_server.workloads.mining.validated import PAIR

#: An activity is called a bottleneck when at least this share of all waiting of the log lies before it.
BOTTLENECK_SHARE = 0.05


def _share(rows: pl.DataFrame) -> pl.Expr:
    """Each row's part of all waiting; 0 when nobody waited at all."""
    total = int(rows["total"].sum())
    return (pl.col("total") / total if total else pl.lit(0.0)).round(6).alias("share")


def flow(steps: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """Steps between instances, the most frequent first: source, target, count, share of all waiting, and its seconds.

    `steps` is keyed by target * 2^32 + source.
    """
    return (
        steps.with_columns(a=(pl.col("key") % PAIR).cast(pl.UInt32), b=(pl.col("key") // PAIR).cast(pl.UInt32))
        .join(names.rename({"activity": "a", "name": "source"}), on="a")
        .join(names.rename({"activity": "b", "name": "target"}), on="b")
        .select(
            "source",
            "target",
            "count",
            _share(steps),
            *figures.in_seconds("total", "mean", "median", "p90", "min", "max"),
        )
        .sort("count", "source", "target", descending=[True, False, False])
    )


def waiting(before: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """Waiting before each activity, the most first: activity, occurrences, share of all waiting, and its seconds."""
    return (
        before.with_columns(activity=pl.col("key").cast(pl.UInt32))
        .join(names, on="activity")
        .select(
            pl.col("name").alias("activity"),
            pl.col("count").alias("occurrences"),
            _share(before),
            *figures.in_seconds("total", "mean", "median", "p90", "max"),
        )
        .sort("totalSeconds", "activity", descending=[True, False])
    )


def bottlenecks(flow: pl.DataFrame, waiting: pl.DataFrame) -> pl.DataFrame:
    """Activities with at least `BOTTLENECK_SHARE` of all waiting before them, the largest first, and the step from
    which most of it comes.
    """
    worst = flow.sort("totalSeconds", descending=True, maintain_order=True).unique(
        "target", keep="first", maintain_order=True
    )
    return (
        waiting.filter((pl.col("share") >= BOTTLENECK_SHARE) & (pl.col("totalSeconds") > 0))
        .join(
            worst.select(activity="target", mostlyAfter="source", after="totalSeconds"),
            on="activity",
            how="left",
            maintain_order="left",
        )
        .with_columns(mostlyAfterShare=(pl.col("after") / pl.col("totalSeconds")).round(6))
        .drop("after")
        .with_row_index("rank", offset=1)
    )
