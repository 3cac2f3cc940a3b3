"""Amounts as people read them on a terminal, where short matters more than the documented wording. Pure."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.timestamp_pb2 import Timestamp


def seconds(span: "Duration") -> float:
    """The duration in seconds."""
    return float(span.seconds + span.nanos / 1e9)


def span_text(amount_s: float) -> str:
    """ "0.4 s", "12.3 s", "3 min 05 s", "2 h 07 min"."""
    if amount_s < 60:
        return f"{amount_s:.1f} s"
    minutes, rest = divmod(round(amount_s), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes:02d} min"
    return f"{hours // 24:,} d {hours % 24:02d} h"


def rate_text(per_second: float) -> str:
    """ "1,250/s"."""
    return f"{per_second:,.0f}/s"


def of_text(done: int, total: int) -> str:
    """ "12,000 of 30,000", or how far it is when nobody knows the whole."""
    return f"{done:,} of {total:,}" if total else f"{done:,}"


def clock_text(instant: "Timestamp") -> str:
    """ "03:04:05" UTC."""
    return _instant(instant).strftime("%H:%M:%S")


def instant_text(instant: "Timestamp") -> str:
    """ "2026-11-21T03:04:05Z"."""
    return _instant(instant).strftime("%Y-%m-%dT%H:%M:%SZ")


def details_text(details: Mapping[str, Any]) -> str:
    """Free-form facts on one line: "rows=12 file=log.csv"; what is nested as JSON."""
    return " ".join(f"{key}={_plain(value)}" for key, value in details.items())


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value if value and " " not in value else json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _instant(instant: "Timestamp") -> datetime:
    return datetime.fromtimestamp(instant.seconds, UTC)
