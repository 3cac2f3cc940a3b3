"""The ways that cases take: how few of them cover how many cases, and how each differs from the most frequent one."""

from collections import Counter

import polars as pl

from lodestream_server.workloads.mining import figures
from lodestream_server.workloads.phase import Json

#: Rows in the results, activities named of each difference.
TOP, NAMED = 25, 12
_COVER = (0.5, 0.8, 0.9, 0.95)
#: A variant is called slow only with at least so many cases.
ENOUGH = 5


def look(variants: pl.DataFrame, discovery: Json) -> Json:
    """`variants` is discovery's table. Results: variants, cases, mostFrequent, coverage [{share, variants}],
    variantsOfOneCase, rows (the most frequent), slowest (with at least five cases)."""
    cases = int(variants["cases"].sum())
    usual = variants["activities"][0].to_list()
    cumulative = variants["cases"].cum_sum() / cases
    single = int((variants["cases"] == 1).sum())
    slow = variants.filter(pl.col("cases") >= ENOUGH).sort("medianCycleSeconds", "variant", descending=[True, False])
    return {
        "variants": variants.height,
        "cases": cases,
        "paths": discovery["uniquePaths"],
        "mostFrequent": _row(variants.row(0, named=True), usual),
        "coverage": [
            {"shareOfCases": share, "variants": int((cumulative < share - 1e-12).sum()) + 1} for share in _COVER
        ],
        "variantsOfOneCase": single,
        "shareOfCasesInVariantsOfOneCase": round(single / cases, 6),
        "rows": [_row(row, usual) for row in variants.head(TOP).iter_rows(named=True)],
        "slowest": [_row(row, usual) for row in slow.head(10).iter_rows(named=True)],
    }


def _row(row: Json, usual: list[str]) -> Json:
    activities = row["activities"]
    here, there = Counter[str](activities), Counter(usual)
    short = pl.DataFrame({"name": activities[:100]}, schema={"name": pl.String})
    return {
        **{name: row[name] for name in ("variant", "cases", "share", "cumulativeShare", "length")},
        "medianCycleSeconds": row["medianCycleSeconds"],
        "meanCycleSeconds": row["meanCycleSeconds"],
        "activities": [item["name"] for item in figures.listed(short, 100)],
        "more": _counted(here - there),
        "less": _counted(there - here),
        "otherOrder": here == there and activities != usual,
    }


def _counted(difference: Counter[str]) -> list[str]:
    """Activities that occur more often, with how much more where it is more than once."""
    names = [f"{name} × {count}" if count > 1 else name for name, count in sorted(difference.items())]
    return names if len(names) <= NAMED else [*names[:NAMED], f"and {len(names) - NAMED} more"]


def as_csv(variants: pl.DataFrame) -> pl.DataFrame:
    """The table with its activities as one text."""
    return variants.with_columns(pl.col("activities").list.join(" > "))


def curve(variants: pl.DataFrame, points: int = 200) -> list[Json]:
    """share of variants covering a share of cases, thinned out for a drawing."""
    cumulative = (variants["cases"].cum_sum() / int(variants["cases"].sum())).to_list()
    step = max(1, len(cumulative) // points)
    places = sorted({*range(0, len(cumulative), step), len(cumulative) - 1})
    return [{"variants": 0, "share": 0.0}, *({"variants": i + 1, "share": cumulative[i]} for i in places)]
