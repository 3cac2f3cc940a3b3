"""Single values as the contract types them. What is None stays unset."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from lodestream.v1 import common_pb2
from lodestream_server.runs.bodies import Range
from lodestream_server.runs.rounding import rounded

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NANO: Final = 1_000_000_000


def timestamp(when: datetime | None) -> Timestamp | None:
    """An instant, to the microsecond. Four times as fast as FromDatetime, which every event would pay."""
    if when is None:
        return None
    since = when - _EPOCH
    return Timestamp(seconds=since.days * 86400 + since.seconds, nanos=since.microseconds * 1000)


def instant(stamp: Timestamp) -> datetime:
    """The instant of a checked timestamp, in UTC."""
    return _EPOCH + timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1000)


def duration(seconds: float | None) -> Duration | None:
    """A length of time; never negative."""
    if seconds is None:
        return None
    nanos = max(0, round(seconds * _NANO))
    return Duration(seconds=nanos // _NANO, nanos=nanos % _NANO)


def seconds(value: Duration) -> float:
    """The seconds of a duration."""
    return float(value.seconds) + float(value.nanos) / _NANO


def duration_range(estimate: Range | None) -> common_pb2.DurationRange | None:
    """A span between two lengths, as people are told it."""
    if estimate is None:
        return None
    estimate = rounded(estimate)
    return common_pb2.DurationRange(low=duration(estimate.low_s), high=duration(estimate.high_s))


def struct(values: Mapping[str, Any]) -> Struct:
    """A free-form object."""
    made = Struct()
    made.update(dict(values))
    return made


def struct_or_none(values: Mapping[str, Any] | None) -> Struct | None:
    """A free-form object; None when it is empty."""
    return struct(values) if values else None


def money(usd: float | None) -> Money | None:
    """US dollars, to the hundredth of a cent."""
    if usd is None:
        return None
    units = math.floor(usd)
    return Money(currency_code="USD", units=units, nanos=round((usd - units) * 10_000) * 100_000)


def gigabytes(size_bytes: int | None) -> float | None:
    """Decimal gigabytes with one decimal."""
    return None if size_bytes is None else round(size_bytes / 1e9, 1)


def percent(value: float) -> float:
    """As shown: one decimal."""
    return round(value, 1)
