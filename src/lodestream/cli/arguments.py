"""Texts of the command line -> values. What cannot be read is a Usage error that shows how to write it. Pure."""

import re
from datetime import UTC, datetime, timedelta

from lodestream.cli.failing import Usage

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(s|sec|m|min|h|d)?")
_UNITS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, None: 1}


def span(text: str, option: str) -> timedelta:
    """ "90", "90s", "30m", "2h", "1d"; a bare number is seconds."""
    found = _SPAN.fullmatch(text.strip().lower())
    if not found or float(found[1]) == 0:
        raise Usage(f"{option} {text!r}: write it like 90s, 30m or 2h")
    return timedelta(seconds=float(found[1]) * _UNITS[found[2]])


def instant(text: str, option: str) -> datetime:
    """RFC 3339, with or without an offset (UTC then), or a date alone."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Usage(f"{option} {text!r}: write it like 2026-01-31 or 2026-01-31T22:00:00Z") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
