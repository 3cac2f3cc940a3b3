"""What is to be added to each event and how the result is to be written: `derivedColumns`, `workingHours`, `timeZone`,
`outputFormat`, `outputOptions`. Pure; errors are BadInput with the path of the field."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from lodestream_server.workloads.enrichment.faults import fault, unknown
from lodestream_server.workloads.enrichment.wishes import Wishes

#: Derived columns in the order of the result, and what they mean; shown in the report.
DERIVED: Mapping[str, str] = {
    "case_duration_seconds": "seconds from the begin of the case to its last event",
    "seconds_since_case_start": "seconds since the begin of the case: its first start where those are known",
    "seconds_since_previous_event": "seconds since the event before it in the case; empty for the first",
    "position_in_case": "place of the event in its case, 1 is the first",
    "events_in_case": "events of the case",
    "remaining_events": "events of the case that are still to come",
    "variant": "rank of the case's variant, 1 is the most frequent; equals by their activities",
    "weekday": "day of the week of the event",
    "in_working_hours": "whether the event lies within the working hours",
    "is_rework": "whether the activity already occurred in the case",
    "concurrent_work": "other work of the same resource under way at that moment; empty without a resource",
}

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

#: Word of `outputFormat` -> file of the result. processed_csv is the documented word of the batch example.
FORMATS: Mapping[str, str] = {
    "csv": "enriched-log.csv",
    "parquet": "enriched-log.parquet",
    "xes": "enriched-log.xes",
    "processed_csv": "processed-log.csv",
}


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """Days as 1 (Monday) to 7, and minutes of the day from `begin` up to, not including, `end`. `end` before `begin`
    is a shift past midnight."""

    days: tuple[int, ...] = (1, 2, 3, 4, 5)
    begin: int = 9 * 60
    end: int = 17 * 60


@dataclass(frozen=True, slots=True)
class Derivation:
    """Which columns to derive, in the order of the result, and the clock on the wall."""

    columns: tuple[str, ...]
    hours: WorkingHours
    zone: str


def derivation(parameters: Mapping[str, Any]) -> Derivation:
    """Nothing said means every derived column; an empty list means none. Raises BadInput."""
    given = parameters.get("derivedColumns")
    if given is None:
        given = list(DERIVED)
    if not isinstance(given, list | tuple) or not all(isinstance(item, str) for item in given):
        raise fault("parameters.derivedColumns", "must be a list of names")
    for number, name in enumerate(given):
        if name not in DERIVED:
            raise fault(f"parameters.derivedColumns[{number}]", unknown(name, DERIVED, "derived column"))
    return Derivation(tuple(name for name in DERIVED if name in given), _hours(parameters), _zone(parameters))


def output_format(parameters: Mapping[str, Any]) -> str:
    """A word of FORMATS; csv when nothing is said. Raises BadInput."""
    given = parameters.get("outputFormat") or "csv"
    word = given.strip().lower() if isinstance(given, str) else ""
    if word not in FORMATS:
        raise fault("parameters.outputFormat", unknown(str(given), FORMATS, "output format"), "UNKNOWN_FORMAT")
    return word


def wants_report(parameters: Mapping[str, Any]) -> bool:
    """Unless `outputOptions.generateReports` is false."""
    options = parameters.get("outputOptions")
    return not (isinstance(options, Mapping) and options.get("generateReports") is False)


def _zone(parameters: Mapping[str, Any]) -> str:
    name = parameters.get("timeZone") or "UTC"
    wrong = fault("parameters.timeZone", f'"{str(name)[:60]}" is no time zone: give one such as Europe/Istanbul or UTC')
    if not isinstance(name, str):
        raise wrong
    try:
        return ZoneInfo(name).key
    except (OSError, ValueError, LookupError) as found:  # names of folders, paths, and names nobody knows
        raise wrong from found


def _hours(parameters: Mapping[str, Any]) -> WorkingHours:
    given = parameters.get("workingHours")
    if given is None:
        return WorkingHours()
    if not isinstance(given, Mapping):
        raise fault("parameters.workingHours", "must be an object with days, from and to")
    wishes, usual = Wishes(given, "parameters.workingHours"), WorkingHours()
    days = tuple(sorted(_day(name, wishes.at("days")) for name in wishes.texts("days"))) or usual.days
    begin = _minute(wishes.text("from", "09:00"), wishes.at("from"))
    end = _minute(wishes.text("to", "17:00"), wishes.at("to"))
    wishes.end()
    if begin == end:
        raise fault("parameters.workingHours.to", "must differ from from; a whole day is 00:00 to 24:00")
    return WorkingHours(days, begin, end)


def _day(name: str, field: str) -> int:
    """A day by its English name or at least the first three letters of it."""
    found = [number for number, day in enumerate(DAYS, 1) if len(name) >= 3 and day.lower().startswith(name.lower())]
    if not found:
        raise fault(field, unknown(name, DAYS, "day"))
    return found[0]


def _minute(text: str, field: str) -> int:
    hour, mark, minute = text.partition(":")
    fits = mark and hour.isdecimal() and minute.isdecimal() and len(minute) == 2 and hour.isascii() and minute.isascii()
    value = int(hour) * 60 + int(minute) if fits and int(minute) < 60 else -1
    if not 0 <= value <= 24 * 60:
        raise fault(field, f'"{text[:20]}" is no time of day: give one such as 08:30, up to 24:00')
    return value
