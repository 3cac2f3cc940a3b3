"""Which column plays which part: first what the caller says, then well-known names that the content bears out, then the
content alone.

By content: the time is a column that reads as timestamps; case and activity are the pair in which cases repeat, few
activities recur, and activities change inside a case. Pure; works on the sample that a reader took.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from lodestream_server.workloads.mining import column_names, timestamps
from lodestream_server.workloads.mining.likeness import by_content
from lodestream_server.workloads.mining.source import POSITION
from lodestream_server.workloads.phase import BadInput

#: A column is taken for timestamps when this share of its sample reads as such; half is enough under a name that speaks
#: of time.
TIMES = 0.8

#: Names of columns shown in an error message.
NAMES_SHOWN = 30

FIELDS = {
    "case": "caseIdColumn",
    "activity": "activityNameColumn",
    "time": "activityTimeColumn",
    "start": "startTimeColumn",
    "resource": "resourceColumn",
}


@dataclass(frozen=True, slots=True)
class Roles:
    """The columns in use, under their names in the file. `ambiguous`: day and month of the timestamps could be the
    other way round."""

    case: str
    activity: str
    time: str
    time_format: str
    start: str | None = None
    start_format: str = timestamps.ISO
    resource: str | None = None
    lifecycle: str | None = None
    ambiguous: bool = False

    def mapping(self) -> dict[str, str]:
        """As the caller would have given them; formats included."""
        named = {field: getattr(self, role) for role, field in FIELDS.items()}
        return {key: value for key, value in named.items() if value} | {"timestampFormat": self.time_format}

    def used(self) -> dict[str, str]:
        """Column in the file -> column of the validated log."""
        pairs = [
            (self.case, "case_id"),
            (self.activity, "activity"),
            (self.time, "timestamp"),
            (self.start, "start_timestamp"),
            (self.resource, "resource"),
            (self.lifecycle, "lifecycle"),
        ]
        return {column: name for column, name in pairs if column}


def roles(sample: pl.DataFrame, mapping: Mapping[str, str]) -> Roles:
    """The parts of the columns of a sample. Raises BadInput when a given column is missing or a needed one is not
    found."""
    sample = sample.drop(POSITION, strict=False)
    given = {role: mapping[field] for role, field in FIELDS.items() if mapping.get(field)}
    for role, column in given.items():
        if column not in sample.columns:
            raise BadInput(
                f'The column "{column}" given as {FIELDS[role]} is not in the file. {_listed(sample.columns)}',
                reason="MISSING_COLUMN",
                column=column,
            )
    # One column may play two parts only when the caller says so.
    free = [name for name in sample.columns if name not in given.values()]
    times = _times(sample, [*free, *(given[r] for r in ("time", "start") if r in given)])
    time, start = _time_columns(sample, given, free, times)
    free = [name for name in free if name not in (time, start)]
    case = given.get("case") or _named(
        sample,
        [name for name in free if not _numbers_rows(sample, name)],
        column_names.CASE,
        column_names.AROUND_CASE,
    )
    free = [name for name in free if name != case]
    # A column known as "resource" is none of case and activity, whatever its content looks like.
    resource = given.get("resource") or _named(sample, free, column_names.RESOURCE, column_names.AROUND_RESOURCE)
    free = [name for name in free if name != resource]
    lifecycle = _lifecycle(sample, free)
    free = [name for name in free if name != lifecycle]
    activity = given.get("activity") or _named(sample, free, column_names.ACTIVITY, column_names.AROUND_ACTIVITY)
    if case is None or activity is None:
        case, activity = by_content(sample, case, activity, [name for name in free if name not in times])
    missing = [FIELDS[role] for role, found in (("case", case), ("activity", activity), ("time", time)) if not found]
    if missing or case is None or activity is None or time is None:
        raise BadInput(
            f"No column could be taken for {_spoken(missing)}: give {', '.join(missing)} at upload. "
            f"{_listed(sample.columns)}",
            reason="MISSING_COLUMN",
            missing=missing,
        )
    time_format, ambiguous = _format(time, times, mapping, sample)
    start_format = times[start].pattern if start and start in times else time_format
    return Roles(case, activity, time, time_format, start, start_format, resource, lifecycle, ambiguous)


def _times(sample: pl.DataFrame, names: Sequence[str]) -> dict[str, timestamps.Detected]:
    """The columns that read as timestamps. Bare numbers count only under a name that speaks of time."""
    found = {}
    for name in dict.fromkeys(names):
        column = sample[name]
        if column.dtype.is_temporal() and column.dtype not in (pl.Time, pl.Duration):
            found[name] = timestamps.Detected(timestamps.ISO, 1.0)
        elif column.dtype.is_numeric():
            unit = timestamps.epoch_unit(column.drop_nulls())
            if unit and _speaks_of_time(name):
                found[name] = timestamps.Detected(unit, 1.0)
        elif column.dtype == pl.String:
            detected = timestamps.detect(column)
            named = _speaks_of_time(name)
            if detected and (named or (detected.share >= TIMES and not _bare(detected.pattern))):
                found[name] = detected
    return found


def _bare(pattern: str) -> bool:
    return pattern in timestamps.EPOCHS or pattern in ("%Y%m%d", "%Y%m%d%H%M%S", "%Y%m%d%H%M")


def _speaks_of_time(name: str) -> bool:
    return (
        column_names.rank(name, column_names.TIME) is not None
        or column_names.rank(name, column_names.START) is not None
    )


def _time_columns(
    sample: pl.DataFrame, given: Mapping[str, str], free: Sequence[str], times: Mapping[str, timestamps.Detected]
) -> tuple[str | None, str | None]:
    """The columns that say when an activity ended (or happened) and when it began."""
    # Attributes of the case hold one time per case, not per event.
    candidates = [name for name in free if name in times and not _is_of_case(name)]
    start = given.get("start") or _best(candidates, column_names.START)
    time = given.get("time") or _best([name for name in candidates if name != start], column_names.TIME)
    if time is None:
        others = [name for name in candidates if name != start]
        others = others or [name for name in free if name in times and name != start]
        time = max(others, key=lambda name: sample[name].n_unique(), default=None)
        if time and not start:
            time, start = _by_order(sample, time, others, times)
    if time is None and "start" not in given:
        time, start = start, None
    if time is None:
        # Nothing parses, but a column is called a timestamp: it is taken, so that the message can speak of its values.
        time = _best([name for name in free if not _is_of_case(name)], column_names.TIME)
    return time, start


def _by_order(
    sample: pl.DataFrame, time: str, others: Sequence[str], times: Mapping[str, timestamps.Detected]
) -> tuple[str, str | None]:
    """A second time of nearly as many values that never comes after the first (or never before it) makes a pair of end
    and start."""
    here = timestamps.parse(sample[time], times[time].pattern)
    for name in others:
        if name == time or sample[name].n_unique() * 2 < sample[time].n_unique():
            continue
        there = timestamps.parse(sample[name], times[name].pattern)
        if (there <= here).all() and not (there == here).all():
            return time, name
        if (there >= here).all() and not (there == here).all():
            return name, time
    return time, None


def _best(names: Sequence[str], known: Sequence[str], affixes: column_names.Affixes | None = None) -> str | None:
    """The name that stands first in a list of known ones; of equals, the first in the file."""
    places = [(column_names.rank(name, known, affixes), number, name) for number, name in enumerate(names)]
    ranked = [(place, number, name) for place, number, name in places if place is not None]
    return min(ranked)[2] if ranked else None


def _named(
    sample: pl.DataFrame, names: Sequence[str], known: Sequence[str], affixes: column_names.Affixes
) -> str | None:
    """The column with the best name. One that has the same value everywhere is taken only if no other has a known
    name."""
    own = [name for name in names if not _is_of_case(name) or column_names.plain(name) == "caseconceptname"]
    filled = [name for name in own if sample[name].null_count() < sample.height and not sample[name].dtype.is_float()]
    changing = [name for name in filled if sample[name].n_unique() > 1]
    return _best(changing, known, affixes) or _best(filled, known, affixes)


def _is_of_case(name: str) -> bool:
    return name.lower().startswith("case:")


def _numbers_rows(sample: pl.DataFrame, name: str) -> bool:
    """A column called "id" may number the rows instead of the cases."""
    return column_names.plain(name) == "id" and sample[name].n_unique() == sample.height > 1


def _lifecycle(sample: pl.DataFrame, names: Sequence[str]) -> str | None:
    """The column whose values are steps of the standard lifecycle; without a name that says so, all of them must be."""
    name = _best(names, column_names.LIFECYCLE)
    if name and (name == "lifecycle:transition" or _transitions(sample[name]) >= 0.5):
        return name
    return next((name for name in names if _transitions(sample[name]) == 1.0), None)


def _transitions(column: pl.Series) -> float:
    """The share of the values that are steps of the standard lifecycle."""
    if column.dtype != pl.String:
        return 0.0
    values = column.drop_nulls().unique().head(100).str.to_lowercase()
    return int(values.is_in(list(column_names.TRANSITIONS)).sum()) / len(values) if len(values) else 0.0


def _format(
    time: str, times: Mapping[str, timestamps.Detected], mapping: Mapping[str, str], sample: pl.DataFrame
) -> tuple[str, bool]:
    given = mapping.get("timestampFormat")
    if given and mapping.get("activityTimeColumn", time) == time:
        if timestamps.parse(sample[time], given).is_null().all():
            raise _unreadable(time, sample[time], f' as "{given}"')
        return given, False
    column = sample[time]
    detected = times.get(time) or (timestamps.detect(column) if column.dtype == pl.String else None)
    if detected:
        return detected.pattern, detected.ambiguous
    if timestamps.parse(column, timestamps.ISO).is_null().all():
        raise _unreadable(time, column)
    return timestamps.ISO, False


def _unreadable(name: str, column: pl.Series, how: str = "") -> BadInput:
    values = column.drop_nulls().cast(pl.String).unique(maintain_order=True).head(3)
    shown = ", ".join(f'"{value[:40]}"' for value in values) or "nothing at all"
    return BadInput(
        f'The timestamps in column "{name}" cannot be read{how}; it holds {shown}. Give timestampFormat in strftime '
        "words at "
        "upload, or another column as activityTimeColumn.",
        reason="UNREADABLE_TIMESTAMPS",
        column=name,
    )


def _spoken(missing: Sequence[str]) -> str:
    words = {"caseIdColumn": "the case", "activityNameColumn": "the activity", "activityTimeColumn": "the timestamp"}
    return ", ".join(words[field] for field in missing)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f'"{name}"' for name in names[:NAMES_SHOWN])
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return f"Columns in the file: {shown}{more}."
