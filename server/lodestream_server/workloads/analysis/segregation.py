"""Segregation of duties: pairs of activities that one person should not both do in a case, and the cases where one did.

The pairs are the caller's; or, when none are named, those that are *in fact* kept apart: one person did both far more
rarely than chance alone would make it (three standard deviations below, and at most half of it), chance being that
whoever does the one is drawn independently of whoever does the other. Pairs that no case breaks need no watching.
"""

import math
from dataclasses import dataclass, field

import polars as pl

from lodestream_server.workloads.enrichment.faults import fault, unknown
from lodestream_server.workloads.mining import figures
from lodestream_server.workloads.mining.validated import Codes
from lodestream_server.workloads.phase import Json

#: When none are named, pairs among the first so many activities that appear are looked at.
_LOOKED_AT = 30
#: A pair must occur in so many cases before anybody may say that it is kept apart.
_FEWEST = 30
_BELOW, _HALF = 3.0, 0.5
#: Rows of a join that are worked on at a time.
_AT_ONCE = 60_000
_LISTED = 20


@dataclass(frozen=True, slots=True)
class Watched:
    """A pair of activity numbers: cases with both, cases where one person did both, and what chance would make."""

    first: int
    second: int
    both: int
    same: int
    expected: float | None


@dataclass(slots=True)
class Duties:
    """Counts over the buckets, settles which pairs to watch, then collects the cases that break them."""

    named: tuple[tuple[str, str], ...] | None
    activities: Codes
    people: Codes
    watched: list[Watched] = field(default_factory=list)
    _both: list[pl.DataFrame] = field(default_factory=list)
    _same: list[pl.DataFrame] = field(default_factory=list)
    _work: list[pl.DataFrame] = field(default_factory=list)
    _found: list[pl.DataFrame] = field(default_factory=list)

    def count(self, found: pl.DataFrame) -> None:
        """The instances of a bucket: case, activity, who."""
        work = self._relevant(found.select("case", "activity", "who").drop_nulls("who").unique())
        self._work.append(work.group_by("activity", "who").agg(n=pl.len().cast(pl.Int64)))
        for part in _slices(work):
            one = part.select("case", "activity").unique()
            self._both.append(_pairs(one, ["case"]).group_by("a", "b").agg(n=pl.len().cast(pl.Int64)))
            same = _pairs(part, ["case", "who"]).unique(["case", "a", "b"])
            self._same.append(same.group_by("a", "b").agg(n=pl.len().cast(pl.Int64)))

    def settle(self) -> None:
        """Chooses the pairs to watch. Raises BadInput for named activities that do not occur."""
        both, same = _added(self._both), _added(self._same)
        if self.named is not None:
            self.watched = [self._named(number, pair, both, same) for number, pair in enumerate(self.named)]
            return
        chances = self._chances()
        for (a, b), n in sorted(both.items(), key=lambda item: (-item[1], item[0])):
            chance, count = chances.get((a, b), 0.0), same.get((a, b), 0)
            expected = chance * n
            spread = math.sqrt(n * chance * (1 - chance))
            if n >= _FEWEST and 0 < count <= min(_HALF * expected, expected - _BELOW * spread):
                self.watched.append(Watched(a, b, n, count, round(expected, 1)))

    def collect(self, found: pl.DataFrame, case_ids: pl.Series) -> None:
        """The cases of a bucket in which one person did both of a watched pair; `case_ids` of the bucket's rows."""
        if not self.watched:
            return
        pairs = pl.DataFrame(
            [(min(w.first, w.second), max(w.first, w.second)) for w in self.watched],
            schema={"a": pl.UInt32, "b": pl.UInt32},
            orient="row",
        )
        chosen = [*pairs["a"], *pairs["b"]]
        work = found.filter(pl.col("activity").is_in(chosen)).select("case", "activity", "who", "row")
        work = work.drop_nulls("who").unique(["case", "activity", "who"], keep="first", maintain_order=True)
        for part in _slices(work):
            rows = _pairs(part, ["case", "who"]).join(pairs, on=["a", "b"], maintain_order="left")
            if rows.height:
                self._found.append(rows.with_columns(caseId=case_ids.gather(rows["row"])).drop("row", "case"))

    def cases(self) -> pl.DataFrame:
        """caseId, first and second activity, resource: a row per person that did both."""
        if not self._found:
            texts = dict.fromkeys(("caseId", "first", "second", "resource"), pl.String)
            return pl.DataFrame(schema=texts)
        names = self.activities.table("code", "name")
        order = pl.DataFrame(
            [(min(w.first, w.second), max(w.first, w.second), w.first, w.second) for w in self.watched],
            schema=dict.fromkeys(("a", "b", "one", "two"), pl.UInt32),
            orient="row",
        )
        return (
            pl.concat(self._found)
            .join(order, on=["a", "b"])
            .join(names.rename({"code": "one", "name": "first"}), on="one")
            .join(names.rename({"code": "two", "name": "second"}), on="two")
            .join(self.people.table("who", "resource"), on="who")
            .select("caseId", "first", "second", "resource")
            .sort("first", "second", "caseId", "resource")
        )

    def results(self) -> Json:
        """named (by the caller), pairs [{first, second, cases, casesOfOnePerson, share, expectedByChance, resources}],
        examples."""
        rows = self.cases()
        return {
            "named": self.named is not None,
            "pairs": [self._entry(pair, rows) for pair in self.watched],
            "casesInConflict": rows["caseId"].n_unique(),
            "examples": figures.listed(rows, _LISTED),
        }

    def _entry(self, pair: Watched, rows: pl.DataFrame) -> Json:
        first, second = self.activities.text(pair.first), self.activities.text(pair.second)
        own = rows.filter((pl.col("first") == first) & (pl.col("second") == second))
        counts = own["resource"].value_counts(sort=True).sort("count", "resource", descending=[True, False])
        entry: Json = {
            "first": first,
            "second": second,
            "cases": pair.both,
            "casesOfOnePerson": pair.same,
            "share": round(pair.same / pair.both, 6) if pair.both else 0.0,
            "resources": [{"resource": name, "cases": n} for name, n in counts.head(5).iter_rows()],
        }
        return entry if pair.expected is None else entry | {"expectedByChance": pair.expected}

    def _relevant(self, work: pl.DataFrame) -> pl.DataFrame:
        if self.named is not None:
            wanted = {name for pair in self.named for name in pair}
            table = self.activities.table("activity", "name")
            codes = table.filter(pl.col("name").is_in(list(wanted)))["activity"].to_list()
            return work.filter(pl.col("activity").is_in(codes))
        return work.filter(pl.col("activity") < _LOOKED_AT)

    def _named(
        self, number: int, pair: tuple[str, str], both: dict[tuple[int, int], int], same: dict[tuple[int, int], int]
    ) -> Watched:
        codes = {name: code for code, name in self.activities.table("code", "name").iter_rows()}
        for place, name in enumerate(pair):
            if name not in codes:
                path = f"parameters.segregationOfDuties[{number}][{place}]"
                raise fault(path, unknown(name, codes, "activity of this log"), "UNKNOWN_ACTIVITY")
        first, second = codes[pair[0]], codes[pair[1]]
        key = (min(first, second), max(first, second))
        return Watched(first, second, both.get(key, 0), same.get(key, 0), None)

    def _chances(self) -> dict[tuple[int, int], float]:
        """For each pair, how often one person would do both if people were drawn independently."""
        work = pl.concat(self._work).group_by("activity", "who").agg(pl.col("n").sum())
        part = work.with_columns(p=pl.col("n") / pl.col("n").sum().over("activity"))
        pairs = part.join(part, on="who", suffix="_b").filter(pl.col("activity") < pl.col("activity_b"))
        chance = pairs.group_by("activity", "activity_b").agg(p=(pl.col("p") * pl.col("p_b")).sum())
        return {(a, b): p for a, b, p in chance.iter_rows()}


def _slices(work: pl.DataFrame) -> list[pl.DataFrame]:
    """Parts of whole cases, small enough that their pairs fit into memory."""
    ordered = work.sort("case", maintain_order=True)
    chunk = ordered.select(pl.int_range(pl.len()) // _AT_ONCE).to_series()
    # A case belongs to the part in which it begins.
    begins = pl.DataFrame({"case": ordered["case"], "chunk": chunk}).group_by("case").agg(pl.col("chunk").min())
    return ordered.join(begins, on="case", maintain_order="left").partition_by("chunk", include_key=False)


def _pairs(work: pl.DataFrame, on: list[str]) -> pl.DataFrame:
    """Pairs of activities (a < b) that agree in `on`; further columns are those of the first."""
    other = work.select(*on, b="activity")
    pairs = work.rename({"activity": "a"}).join(other, on=on, maintain_order="left")
    return pairs.filter(pl.col("a") < pl.col("b"))


def _added(parts: list[pl.DataFrame]) -> dict[tuple[int, int], int]:
    total = pl.concat(parts).group_by("a", "b").agg(pl.col("n").sum())
    return {(a, b): n for a, b, n in total.iter_rows()}
