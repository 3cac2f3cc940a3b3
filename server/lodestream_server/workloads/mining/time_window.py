"""`parameters.timeWindow`: the span of time whose events are mined. Both ends belong to it; a plain end date means the
whole day. UTC unless an offset is given."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from lodestream_server.workloads.phase import BadInput

_PLAIN_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """From `start` to `end`, both inclusive; None is open."""

    start: datetime | None = None
    end: datetime | None = None

    def __bool__(self) -> bool:
        """Whether anything is cut off."""
        return self.start is not None or self.end is not None

    def holds(self, column: str) -> pl.Expr:
        """Whether the instants of a column lie inside."""
        inside = pl.lit(True)
        if self.start is not None:
            inside = inside & (pl.col(column) >= self.start)
        return inside & (pl.col(column) <= self.end) if self.end is not None else inside


def time_window(parameters: Mapping[str, Any]) -> TimeWindow:
    """The window that the parameters ask for. Raises BadInput for dates that are none, and for an end before the
    start."""
    given = parameters.get("timeWindow") or {}
    if not isinstance(given, Mapping):
        raise BadInput("parameters.timeWindow must be an object with startDate and endDate.", reason="BAD_TIME_WINDOW")
    start = _instant(given.get("startDate"), "startDate")
    end = _instant(given.get("endDate"), "endDate", end_of_day=True)
    if start and end and end < start:
        raise BadInput("parameters.timeWindow.endDate lies before startDate: swap them.", reason="BAD_TIME_WINDOW")
    return TimeWindow(start, end)


def _instant(text: object, field: str, end_of_day: bool = False) -> datetime | None:
    if text is None or text == "":
        return None
    try:
        instant = datetime.fromisoformat(str(text))
    except ValueError as fault:
        raise BadInput(
            f'parameters.timeWindow.{field} "{text}" is no date: give one such as 2024-01-31 or 2024-01-31T12:00:00Z.',
            reason="BAD_TIME_WINDOW",
        ) from fault
    instant = instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    if end_of_day and _PLAIN_DATE.fullmatch(str(text)):
        instant += timedelta(days=1) - timedelta(microseconds=1)
    return instant
