"""Spans of virtual time as scenario files write them ("2m15s", "1h", "250ms", "0s"), and instants."""

import re
from datetime import datetime

_SPAN = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?")


def milliseconds(text: str) -> int:
    """A span in milliseconds. Raises ValueError, naming the form, for anything else."""
    match = _SPAN.fullmatch(text)
    if not text or not match:
        raise ValueError(f"{text!r} is not a span of time: write it like 2m15s, 1h, 500ms or 0s")
    hours, minutes, seconds, millis = (int(part or 0) for part in match.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + millis


def span(text: str) -> tuple[int, int]:
    """A range of spans in milliseconds: "45m-60m", or "15m" for equal ends. Raises ValueError."""
    low, _, high = text.partition("-")
    return milliseconds(low), milliseconds(high or low)


def epoch_ms(instant: str) -> int:
    """Milliseconds since 1970 of an ISO 8601 instant with its offset. Raises ValueError."""
    moment = datetime.fromisoformat(instant)
    if moment.tzinfo is None:
        raise ValueError(f"{instant!r} has no offset: end it with Z")
    return round(moment.timestamp() * 1000)
