"""Points in time on the wire: out as `2024-01-20T10:30:00Z`, in as RFC 3339 and the shorter forms that the documented
programs send.

Without an offset a time is UTC; a plain date is its midnight in UTC. Fractions are kept when read (nine digits) and cut
off when written.
"""

import re
from datetime import UTC, date, datetime
from functools import lru_cache

from lodestream.wire.problems import clip, refuse

MIN_SECONDS = -62_135_596_800  # 0001-01-01T00:00:00Z, where google.protobuf.Timestamp begins
MAX_SECONDS = 253_402_300_799  # 9999-12-31T23:59:59Z, where it ends
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORMS = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[Tt ](?:[01][0-9]|2[0-3]):[0-9]{2}(?::[0-9]{2}(?:\.([0-9]{1,9}))?)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})?)?"
)
_FRACTION = re.compile(r"\.[0-9]+")


# A time is put together from its day (few of them are in use at once), its minute and its second: a third of the cost
# of formatting a datetime.
_MINUTES = [f"T{minute // 60:02d}:{minute % 60:02d}:" for minute in range(1440)]
_SECONDS = [f"{second:02d}Z" for second in range(60)]


@lru_cache(16_384)  # whoever asks again how a run stands is told most of its times again
def instant_text(seconds: int) -> str:
    """Seconds since the epoch as `YYYY-MM-DDTHH:MM:SSZ`."""
    minutes, second = divmod(seconds, 60)
    day, minute = divmod(minutes, 1440)
    return _day_text(day) + _MINUTES[minute] + _SECONDS[second]


@lru_cache(4096)
def _day_text(day: int) -> str:
    try:
        return date.fromordinal(_EPOCH.toordinal() + day).isoformat()
    except (ValueError, OverflowError):
        raise refuse("the time lies outside the years 1 to 9999") from None


def instant_parts(text: str) -> tuple[int, int]:
    """Seconds since the epoch and nanoseconds of a time."""
    try:
        if (
            len(text) == 20
            and text[19] == "Z"
            and text[4] == text[7] == "-"
            and text[10] == "T"
            and text[13] == text[16] == ":"
        ):
            delta = datetime.fromisoformat(text) - _EPOCH  # the form that nearly everybody sends
            return delta.days * 86_400 + delta.seconds, 0
        return _other_forms(text)
    except (ValueError, OverflowError):
        raise refuse(
            f"{clip(text)} is not a time", "write it like 2024-01-20T10:30:00Z (RFC 3339) or 2024-01-20"
        ) from None


def _other_forms(text: str) -> tuple[int, int]:
    if not (match := _FORMS.fullmatch(text)):
        raise ValueError(text)
    moment = datetime.fromisoformat(_FRACTION.sub("", text).upper())
    delta = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    seconds = delta.days * 86_400 + delta.seconds
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        raise ValueError(text)
    return seconds, int((match[1] or "").ljust(9, "0"))
