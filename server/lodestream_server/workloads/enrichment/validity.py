"""`validate_activities` and `date_range`: rows that the log should not hold."""

import polars as pl

from lodestream_server.workloads.enrichment.applied import Applied, changes, without
from lodestream_server.workloads.enrichment.faults import fault
from lodestream_server.workloads.enrichment.patterns import pattern_fault
from lodestream_server.workloads.enrichment.rules import DateRange, ValidateActivities
from lodestream_server.workloads.mining.timestamps import ABSENT

#: Words of exports that stand for "nothing".
_NOTHING = tuple(dict.fromkeys([*(word.lower() for word in ABSENT), "unknown", "undefined", "none"]))


def validate(rows: pl.DataFrame, rule: ValidateActivities) -> Applied:
    """Without a list and a pattern, activities are refused that hold no letter and no digit, or a word for nothing."""
    before, corrected = rows, 0
    if rule.correct:
        rows = rows.with_columns(_corrected(rows["activity"], rule.allowed).alias("activity"))
        moved = before["activity"] != rows["activity"]
        corrected, samples = int(moved.sum()), changes(before, rows, "activity", moved)
    else:
        samples = []
    name = pl.col("activity")
    reasons = [pl.lit(None, pl.String)]
    if rule.allowed:
        reasons.append(_because(~name.is_in(rule.allowed), "activity is not in the list"))
    if rule.pattern:
        reasons.append(_because(~name.str.contains(rule.pattern), "activity does not match the pattern"))
    if not rule.allowed and not rule.pattern:
        empty = ~name.str.contains(r"[\pL\pN]") | name.str.strip_chars().str.to_lowercase().is_in(_NOTHING)
        reasons.append(_because(empty, "activity says nothing"))
    left = without(rows, rows.select(_first(reasons)).to_series(), "activitiesRejected")
    counts = {**left.counts, "activitiesCorrected": corrected} if rule.correct else left.counts
    return Applied(left.rows, left.removed, corrected, counts, tuple(samples))


def check_pattern(rule: ValidateActivities, field: str) -> None:
    """Raises BadInput for a pattern that cannot be used."""
    wrong = pattern_fault(rule.pattern)
    if wrong:
        raise fault(f"{field}.pattern", f'"{rule.pattern[:60]}" is no regular expression: {wrong}', "BAD_PATTERN")


def keep(rows: pl.DataFrame, rule: DateRange) -> Applied:
    """Events without a known time stay: whether they lie inside is not known yet."""
    at = pl.col("timestamp")
    found = [pl.lit(None, pl.String)]
    if rule.start:
        found.append(_because(at < rule.start, f"before {rule.start:%Y-%m-%d %H:%M:%S} UTC"))
    if rule.end:
        found.append(_because(at > rule.end, f"after {rule.end:%Y-%m-%d %H:%M:%S} UTC"))
    reasons = rows.select(_first(found)).to_series()
    if rule.whole == "cases":
        case = pl.col("reason").drop_nulls().first().over("case_id")
        reasons = (
            rows.select("case_id", reasons.alias("reason"))
            .select(pl.when(case.is_not_null()).then(pl.lit("an event of the case lies ") + case))
            .to_series()
        )
    return without(rows, reasons, "outsideDateRange")


def _because(condition: pl.Expr, reason: str) -> pl.Expr:
    return pl.when(condition).then(pl.lit(reason))


def _first(reasons: list[pl.Expr]) -> pl.Expr:
    """The first reason that there is, for every row."""
    return pl.when(pl.col("activity").is_not_null()).then(pl.coalesce(reasons))


def _corrected(activities: pl.Series, allowed: tuple[str, ...]) -> pl.Series:
    """Each activity as it is spelled in the list, where case and white space are the only difference."""
    spelled = {_folded_text(name): name for name in reversed(allowed)}
    distinct = activities.unique()
    meant = [spelled.get(_folded_text(name), name) for name in distinct.to_list()]
    known = dict(zip(distinct.to_list(), meant, strict=True))
    known |= {name: name for name in allowed}
    return activities.replace_strict(known, return_dtype=pl.String)


def _folded_text(text: str) -> str:
    return " ".join(text.split()).casefold()
