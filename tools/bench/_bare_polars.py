"""The baseline of the mining bench: what a bare polars script needs for load, directly-follows graph and variants.

`python -m tools.bench._bare_polars FILE`. Everything at once in memory, nothing validated, nothing written.
"""

import sys

import polars as pl


def mine(path: str) -> tuple[int, int]:
    """Pairs of the directly-follows graph and number of variants."""
    if path.endswith(".parquet"):
        frame = pl.scan_parquet(path)
    else:
        frame = pl.scan_csv(path, schema_overrides={"case_id": pl.String})
        frame = frame.with_columns(pl.col("timestamp").str.to_datetime(strict=False, time_zone="UTC"))
    log = (
        frame.select("case_id", "activity", "timestamp")
        .drop_nulls()
        .with_columns(pl.col("activity").cast(pl.Categorical))
        .sort("case_id", "timestamp", maintain_order=True)
        .collect()
    )
    follows = (
        log.lazy()
        .with_columns(pl.col("activity").shift(-1).over("case_id").alias("next"))
        .drop_nulls("next")
        .group_by("activity", "next")
        .agg(pl.len())
        .collect()
    )
    variants = (
        log.lazy().group_by("case_id", maintain_order=True).agg("activity").group_by("activity").agg(pl.len()).collect()
    )
    return follows.height, variants.height


if __name__ == "__main__":
    print(*mine(sys.argv[1]))
