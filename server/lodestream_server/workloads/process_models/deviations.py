"""What cases do that the model does not know: moves of alignments, and where in the process they happened; counted over
the log, and told in words for one case."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from lodestream_server.workloads.process_models.alignments import Move

#: Deviations named of one case, and different ones counted; a log with more of them has another model.
NAMED, MOST_COUNTED = 10, 100_000


@dataclass(frozen=True, slots=True, order=True)
class Deviation:
    """`after` is the last activity before it that fitted; empty at the start of a case."""

    kind: Literal["extra", "skipped"]
    activity: str
    after: str

    def said(self) -> str:
        """As a person would say it."""
        where = f"after '{self.after}'" if self.after else "at the start"
        return f"{self.kind} '{self.activity}' {where}"


def deviations_of(moves: Iterable[Move]) -> list[Deviation]:
    """Of one alignment, in order."""
    found, after = [], ""
    for move in moves:
        if move.kind == "together":
            after = move.activity or ""
        elif move.kind != "silent":
            found.append(Deviation(move.kind, move.activity or "", after))
    return found


def told(found: list[Deviation]) -> str:
    """In one line; the first ten by name."""
    named = "; ".join(one.said() for one in found[:NAMED])
    return f"{named}; and {len(found) - NAMED} more" if len(found) > NAMED else named


@dataclass(slots=True)
class Deviations:
    """Counts over a log."""

    occurrences: Counter[Deviation] = field(default_factory=Counter)
    cases: Counter[Deviation] = field(default_factory=Counter)
    #: Occurrences that found no room.
    uncounted: int = 0

    def add(self, found: list[Deviation], cases: int) -> None:
        """The deviations of so many cases."""
        for one, times in Counter(found).items():
            if one not in self.cases and len(self.cases) >= MOST_COUNTED:
                self.uncounted += times * cases
                continue
            self.occurrences[one] += times * cases
            self.cases[one] += cases

    def table(self, cases: int) -> pl.DataFrame:
        """kind, activity, after, cases, shareOfCases, occurrences; the most frequent first."""
        found = sorted(self.cases.items(), key=lambda item: (-item[1], -self.occurrences[item[0]], item[0]))
        rows = [
            (one.kind, one.activity, one.after, count, round(count / cases, 6), self.occurrences[one])
            for one, count in found
        ]
        schema = {
            "kind": pl.String,
            "activity": pl.String,
            "after": pl.String,
            "cases": pl.Int64,
            "shareOfCases": pl.Float64,
            "occurrences": pl.Int64,
        }
        return pl.DataFrame(rows, schema=schema, orient="row")
