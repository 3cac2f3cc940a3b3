"""What discovery of models works on: counts of a log, never its events.

Read from the files that mining's discovery phase leaves (activities.parquet, dfg.parquet, variants.parquet), so its
size follows from the variety of a log, not from its length.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

#: Events of variants that are read, the most frequent variants first: about 20 MB, and a second of counting.
MOST_EVENTS = 300_000

Step = tuple[str, str]
Variant = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """`activities`: events of each, the most frequent first; `starts` and `ends`: cases that begin and end with it;
    `steps`: how often one directly follows another; `variants`: the most frequent ones with their cases, none
    where the first is longer than MOST_EVENTS; `cases`: of all variants, listed or not.
    """

    activities: Mapping[str, int]
    starts: Mapping[str, int]
    ends: Mapping[str, int]
    steps: Mapping[Step, int]
    variants: tuple[tuple[Variant, int], ...]
    cases: int

    @property
    def listed(self) -> int:
        """Cases of the variants at hand."""
        return sum(cases for _, cases in self.variants)


def behaviour(folder: Path) -> Behaviour:
    """Reads what a discovery phase left in its folder."""
    activities = pl.read_parquet(folder / "activities.parquet", columns=["activity", "events", "starts", "ends"])
    steps = pl.read_parquet(folder / "dfg.parquet", columns=["source", "target", "count"])
    return Behaviour(
        activities={name: events for name, events, _, _ in activities.rows()},
        starts={name: cases for name, _, cases, _ in activities.rows() if cases},
        ends={name: cases for name, _, _, cases in activities.rows() if cases},
        steps={(source, target): count for source, target, count in steps.rows()},
        variants=_variants(folder / "variants.parquet"),
        cases=int(activities["starts"].sum()),
    )


def _variants(file: Path) -> tuple[tuple[Variant, int], ...]:
    lengths = pl.read_parquet(file, columns=["length"])["length"].cast(pl.Int64)
    within = int((lengths.cum_sum() <= MOST_EVENTS).sum())
    rows = pl.read_parquet(file, columns=["activities", "cases"], n_rows=within).rows()
    return tuple((tuple(activities), cases) for activities, cases in rows)
