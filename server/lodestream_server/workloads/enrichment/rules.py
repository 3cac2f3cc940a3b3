"""`parameters.cleaningRules` as plain values: which rules, in which order, with which options.

A rule is a word ("remove_duplicates") or an object with options ({"rule": "date_range", "from": "2024-01-01"}); words
are taken in any spelling (removeDuplicates, remove-duplicates). Rules work in the order in which they are given. Pure.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from lodestream_server.workloads.enrichment.faults import fault, unknown
from lodestream_server.workloads.enrichment.wishes import Wishes

#: More are a mistake, and every rule reads the log once more.
MOST_RULES = 50


@dataclass(frozen=True, slots=True)
class RemoveDuplicates:
    """Of rows that are the same in `columns` (all of them when none are named) the first or the last in the file
    stays."""

    name: ClassVar[str] = "remove_duplicates"
    columns: tuple[str, ...] = ()
    keep: str = "first"


@dataclass(frozen=True, slots=True)
class FixTimestamps:
    """Missing, unparsable and out-of-range timestamps get a time from their case; intervals that end before they begin
    are turned round.

    `method`: interpolate, previous or next known time. `edges`: what happens before the first and after the last known
    time of a case: reject, or the nearest time known.
    """

    name: ClassVar[str] = "fix_timestamps"
    method: str = "interpolate"
    edges: str = "reject"
    not_before: datetime | None = None
    not_after: datetime | None = None
    swap_starts: bool = True


@dataclass(frozen=True, slots=True)
class ValidateActivities:
    """Rows whose activity is not in `allowed`, does not match `pattern`, or (with neither) says nothing are removed.

    `correct`: an activity that differs from an allowed one in case and white space only becomes that one.
    """

    name: ClassVar[str] = "validate_activities"
    allowed: tuple[str, ...] = ()
    pattern: str = ""
    correct: bool = False


@dataclass(frozen=True, slots=True)
class TrimWhitespace:
    """White space around texts goes; with `collapse` runs inside become one space. No columns: every text column."""

    name: ClassVar[str] = "trim_whitespace"
    columns: tuple[str, ...] = ()
    collapse: bool = False


@dataclass(frozen=True, slots=True)
class FoldCase:
    """Texts of the columns become lower, upper or title case."""

    name: ClassVar[str] = "fold_case"
    columns: tuple[str, ...] = ("activity",)
    to: str = "lower"


@dataclass(frozen=True, slots=True)
class DateRange:
    """Events outside the range go, both ends belong to it; with `whole` "cases" a case goes when any of its events lies
    outside."""

    name: ClassVar[str] = "date_range"
    start: datetime | None = None
    end: datetime | None = None
    whole: str = "events"


Rule = RemoveDuplicates | FixTimestamps | ValidateActivities | TrimWhitespace | FoldCase | DateRange


def rules_of(parameters: Mapping[str, Any]) -> tuple[Rule, ...]:
    """The rules to apply, in order. Without `cleaningRules` timestamps are fixed, as mining itself does; an empty list
    means none.

    `removeDuplicates`, `checkDuplicates` and `timeWindow` count as rules after them. Raises BadInput.
    """
    given = parameters.get("cleaningRules")
    if given is None:
        given = [FixTimestamps.name]
    if not isinstance(given, list | tuple):
        raise fault("parameters.cleaningRules", "must be a list of rules")
    if len(given) > MOST_RULES:
        raise fault("parameters.cleaningRules", f"must not hold more than {MOST_RULES} rules")
    rules = [_rule(item, f"parameters.cleaningRules[{number}]") for number, item in enumerate(given)]
    flagged = parameters.get("removeDuplicates") or parameters.get("checkDuplicates")
    if flagged and not any(isinstance(rule, RemoveDuplicates) for rule in rules):
        rules.append(RemoveDuplicates())
    window = parameters.get("timeWindow")
    if window:
        rules.append(_time_window(window))
    return tuple(rules)


def _rule(given: object, field: str) -> Rule:
    name: object
    if isinstance(given, str):
        name, wishes = given, Wishes({}, field)
    elif isinstance(given, Mapping):
        key = next((key for key in ("rule", "name", "type") if key in given), "rule")
        name, wishes = given.get(key), Wishes(given, field, also=(key,))
    else:
        raise fault(field, "must be the name of a rule or an object with rule and options")
    if not isinstance(name, str) or not name:
        raise fault(field, f'names no rule: give "rule", one of {", ".join(sorted(_MAKERS))}', "UNKNOWN_RULE")
    known = _spelled(name)
    if known not in _MAKERS:
        raise fault(field, unknown(name, _MAKERS, "cleaning rule"), "UNKNOWN_RULE")
    rule = _MAKERS[known](wishes)
    wishes.end()
    return rule


def _spelled(name: str) -> str:
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    word = re.sub(r"[\s\-_]+", "_", snake).lower()
    return _ALIASES.get(word, word)


def _remove_duplicates(wishes: Wishes) -> Rule:
    return RemoveDuplicates(wishes.texts("columns"), wishes.word("keep", ("first", "last"), "first"))


def _fix_timestamps(wishes: Wishes) -> Rule:
    low, high = wishes.instant("notBefore"), wishes.instant("notAfter", end_of_day=True)
    if low and high and high < low:
        raise fault(wishes.at("notAfter"), "lies before notBefore: swap them")
    return FixTimestamps(
        method=wishes.word("method", ("interpolate", "previous", "next"), "interpolate"),
        edges=wishes.word("edges", ("reject", "nearest"), "reject"),
        not_before=low,
        not_after=high,
        swap_starts=wishes.flag("swapStarts", True),
    )


def _validate_activities(wishes: Wishes) -> Rule:
    allowed, pattern, correct = wishes.texts("allowed"), wishes.text("pattern"), wishes.flag("correct")
    if correct and not allowed:
        raise fault(wishes.at("correct"), "needs allowed, the list of activities to correct to")
    return ValidateActivities(allowed, pattern, correct)


def _trim_whitespace(wishes: Wishes) -> Rule:
    return TrimWhitespace(wishes.texts("columns"), wishes.flag("collapse"))


def _fold_case(wishes: Wishes) -> Rule:
    columns = wishes.texts("columns") or FoldCase().columns
    return FoldCase(columns, wishes.word("to", ("lower", "upper", "title"), "lower"))


def _date_range(wishes: Wishes) -> Rule:
    low = wishes.instant("from", "startDate")
    high = wishes.instant("to", "endDate", end_of_day=True)
    whole = wishes.word("whole", ("events", "cases"), "events")
    if low is None and high is None:
        raise fault(wishes.at("from"), "or to is needed: a date range has at least one end")
    if low and high and high < low:
        raise fault(wishes.at("to"), "lies before from: swap them")
    return DateRange(low, high, whole)


def _time_window(given: object) -> DateRange:
    if not isinstance(given, Mapping):
        raise fault("parameters.timeWindow", "must be an object with startDate and endDate", "BAD_TIME_WINDOW")
    wishes = Wishes(given, "parameters.timeWindow")
    low, high = wishes.instant("startDate"), wishes.instant("endDate", end_of_day=True)
    if low and high and high < low:
        raise fault("parameters.timeWindow.endDate", "lies before startDate: swap them", "BAD_TIME_WINDOW")
    return DateRange(low, high)


_MAKERS: Mapping[str, Callable[[Wishes], Rule]] = {
    RemoveDuplicates.name: _remove_duplicates,
    FixTimestamps.name: _fix_timestamps,
    ValidateActivities.name: _validate_activities,
    TrimWhitespace.name: _trim_whitespace,
    FoldCase.name: _fold_case,
    DateRange.name: _date_range,
}

_ALIASES = {
    "trim": TrimWhitespace.name,
    "trimming": TrimWhitespace.name,
    "case_folding": FoldCase.name,
    "casefold": FoldCase.name,
    "case_fold": FoldCase.name,
    "deduplicate": RemoveDuplicates.name,
}

#: The names of all rules.
RULES = tuple(sorted(_MAKERS))
