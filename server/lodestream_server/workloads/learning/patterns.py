"""Frequent and rare patterns, out of discovery's variants.

A pattern is a run of 2 to `LONGEST` activities that follow each other directly; its support is the cases that contain
it at least once. Counted over the `VARIANTS` most frequent variants and their first `ACTIVITIES` activities; the
results say which share of the cases that is.
"""

from collections import Counter
from collections.abc import Callable

import polars as pl

from lodestream_server.workloads.mining.spoken import shortened
from lodestream_server.workloads.phase import Json

LONGEST, VARIANTS, ACTIVITIES = 5, 5_000, 100

#: Support from which a pattern is frequent, and below which a step between common activities is rare.
FREQUENT, RARE, COMMON = 0.2, 0.005, 0.05

#: Patterns of each kind in the results.
TOP = 25

#: A variant is a critical path when it has at least this share of all cycle time, and this many times its share of
#: the cases.
TIME_SHARE, TIMES = 0.01, 1.5

Pattern = tuple[str, ...]


def patterns(variants: pl.DataFrame, activities: pl.DataFrame, check: Callable[[], None]) -> Json:
    """Results: counts under the documented words, and the rows behind them."""
    all_cases = int(variants["cases"].sum())
    looked = variants.head(VARIANTS)
    support = _support(looked, check)
    frequent = _closed({pattern: n for pattern, n in support.items() if n >= FREQUENT * all_cases}, check)
    common = set(activities.filter(pl.col("cases") >= COMMON * all_cases)["activity"].to_list())
    rare = {
        pattern: n
        for pattern, n in support.items()
        if len(pattern) == 2 and n < RARE * all_cases and common.issuperset(pattern)
    }
    critical = _critical(variants)
    return {
        "frequentPatterns": len(frequent),
        "rarePatterns": len(rare),
        "criticalPaths": critical.height,
        "frequent": _listed(sorted(frequent.items(), key=lambda item: (-item[1], -len(item[0]), item[0])), all_cases),
        "rare": _listed(sorted(rare.items(), key=lambda item: (item[1], item[0])), all_cases),
        "critical": _paths(critical),
        "shareOfCasesLookedAt": round(int(looked["cases"].sum()) / all_cases, 6),
        "definitions": DEFINITIONS,
    }


def _support(variants: pl.DataFrame, check: Callable[[], None]) -> Counter[Pattern]:
    found: Counter[Pattern] = Counter()
    for number, (cases, activities) in enumerate(variants.select("cases", "activities").iter_rows()):
        way = activities[:ACTIVITIES]
        runs = {tuple(way[i : i + n]) for n in range(2, LONGEST + 1) for i in range(len(way) - n + 1)}
        for run in runs:
            found[run] += cases
        if number % 100 == 0:
            check()
    return found


def _closed(found: dict[Pattern, int], check: Callable[[], None]) -> dict[Pattern, int]:
    """Without those that a longer one of the same support contains."""
    covered = set()
    for pattern, cases in found.items():
        for part in (pattern[1:], pattern[:-1]):
            if found.get(part) == cases:
                covered.add(part)
    check()
    return {pattern: cases for pattern, cases in found.items() if pattern not in covered}


def _critical(variants: pl.DataFrame) -> pl.DataFrame:
    time = pl.col("cases") * pl.col("meanCycleSeconds")
    shares = variants.with_columns(timeShare=(time / time.sum()).fill_nan(0.0))
    slow = (pl.col("timeShare") >= TIME_SHARE) & (pl.col("timeShare") >= TIMES * pl.col("share"))
    return shares.filter(slow).sort("timeShare", "variant", descending=[True, False])


def _listed(rows: list[tuple[Pattern, int]], cases: int) -> list[Json]:
    return [
        {"activities": [shortened(name, 200) for name in pattern], "cases": n, "share": round(n / cases, 6)}
        for pattern, n in rows[:TOP]
    ]


def _paths(critical: pl.DataFrame) -> list[Json]:
    return [
        {
            "variant": row["variant"],
            "cases": row["cases"],
            "shareOfCases": row["share"],
            "shareOfTime": round(row["timeShare"], 6),
            "meanCycleSeconds": row["meanCycleSeconds"],
            "activities": [shortened(name, 200) for name in row["activities"][:ACTIVITIES]],
        }
        for row in critical.head(TOP).iter_rows(named=True)
    ]


DEFINITIONS = {
    "frequentPatterns": f"runs of 2 to {LONGEST} activities in direct succession, contained in at least {FREQUENT:.0%} "
    "of the cases and in no longer run of the same cases",
    "rarePatterns": f"steps in less than {RARE:.1%} of the cases between activities that each occur in at least "
    f"{COMMON:.0%} of them",
    "criticalPaths": f"variants with at least {TIME_SHARE:.0%} of all cycle time and {TIMES:g} times their share "
    "of cases",
}
