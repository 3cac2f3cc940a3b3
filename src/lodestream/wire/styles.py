"""The text styles of rest.proto, bound to the protobuf types they are for: one table, one line per style.

A style on a field of another type is a ContractFault, raised when the message is compiled, so that a test of the
contract finds it. Durations without a style are plain numbers of seconds, so that event frames (which have no
documented form) read well too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from lodestream.v1 import rest_pb2 as rest
from lodestream.wire import amounts, durations, fields, scalars
from lodestream.wire.instants import instant_parts, instant_text
from lodestream.wire.languages import Language
from lodestream.wire.problems import ContractFault, refuse


@dataclass(frozen=True, slots=True)
class Style:
    """How values of one protobuf type are written and read.

    `write(language, value)` gives the JSON value. For message types `read(json, message)` fills a message, for scalars
    `read(json)` returns the value. `proto` is the message's full name or the C++ type of the scalar; `json` is the JSON
    type, as JSON Schema names it.
    """

    proto: str | int
    write: Callable[[Language, Any], Any]
    read: Callable[..., Any]
    json: str = "string"

    def writer(self, language: Language) -> Callable[[Any], Any]:
        """`write` in one language; the form that the encoder calls for every value."""
        return partial(self.write, language)


def style_of(field: FieldDescriptor) -> Style | None:
    """The style of a field; None for those that plain JSON serves."""
    if fields.is_map(field):
        return None
    number = fields.rule(field).text
    if not number:
        return _UNSTYLED.get(fields.kind(field))
    style = STYLES[number]
    if style.proto != (fields.kind(field) or field.cpp_type):
        raise ContractFault(f"{field.full_name}: the text style {rest.Text.Name(number)} does not fit the field's type")
    return style


def nanos(duration: Any) -> int:
    """A Duration in nanoseconds."""
    return int(duration.seconds) * durations.NANOS + int(duration.nanos)


def ends(span: Any) -> tuple[int, int]:
    """The two ends of a DurationRange in whole seconds; an end that is unset equals the other."""
    low = span.low if span.HasField("low") else span.high
    high = span.high if span.HasField("high") else span.low
    return low.seconds, high.seconds


def _set_nanos(duration: Any, total: int) -> None:
    duration.seconds, duration.nanos = divmod(total, durations.NANOS)


def _read_compound(json: Any, duration: Any) -> None:
    duration.seconds = durations.compound_seconds(scalars.text(json))


def _read_decimal(json: Any, duration: Any) -> None:
    _set_nanos(duration, durations.decimal_nanos(scalars.text(json)))


def _read_range(json: Any, span: Any) -> None:
    span.low.seconds, span.high.seconds = durations.range_seconds(scalars.text(json))


def _read_millis(json: Any, duration: Any) -> None:
    _set_nanos(duration, durations.millis_nanos(scalars.text(json)))


_whole = scalars.integer(-amounts.MAX_SAFE, amounts.MAX_SAFE)


def _read_seconds(json: Any, duration: Any) -> None:
    duration.seconds = durations.in_range(_whole(json))


def _read_plain_seconds(json: Any, duration: Any) -> None:
    micros = round(scalars.number(json) * 1_000_000)
    durations.in_range(micros // 1_000_000)
    _set_nanos(duration, micros * 1000)


def _write_money(_: Language, money: Any) -> str:
    if money.currency_code not in ("", "USD"):
        raise refuse("only US dollars have a documented form")
    return amounts.money_text(money.units, money.nanos)


def _read_money(json: Any, money: Any) -> None:
    money.units, money.nanos = amounts.money(scalars.text(json))
    money.currency_code = "USD"


def _read_instant(json: Any, timestamp: Any) -> None:
    timestamp.seconds, timestamp.nanos = instant_parts(scalars.text(json))


def _of_text(read: Callable[[str], Any]) -> Callable[[Any], Any]:
    return lambda json: read(scalars.text(json))


_INT32, _INT64, _DOUBLE = FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_DOUBLE
_SPAN, _MONEY, _RANGE = fields.DURATION, fields.MONEY, fields.RANGE

STYLES: dict[int, Style] = {
    rest.COMPOUND_DURATION: Style(_SPAN, lambda lang, d: durations.compound_text(d.seconds, lang), _read_compound),
    rest.DECIMAL_DURATION: Style(_SPAN, lambda lang, d: durations.decimal_text(nanos(d), lang), _read_decimal),
    rest.DURATION_RANGE: Style(_RANGE, lambda lang, span: durations.range_text(*ends(span), lang), _read_range),
    rest.MILLIS: Style(_SPAN, lambda _, d: durations.millis_text(nanos(d)), _read_millis),
    rest.SECONDS: Style(_SPAN, lambda _, d: durations.not_negative(d.seconds), _read_seconds, "integer"),
    rest.BYTES: Style(_INT64, lambda _, size: amounts.size_text(size), _of_text(amounts.size_bytes)),
    rest.GIGABYTES: Style(
        _INT64,
        lambda _, size: amounts.gigabytes(size),
        lambda json: amounts.gigabytes_bytes(scalars.number(json)),
        "number",
    ),
    rest.PER_SECOND: Style(
        _DOUBLE, lambda lang, rate: amounts.per_second_text(rate, lang), _of_text(amounts.per_second)
    ),
    rest.PER_MINUTE: Style(
        _DOUBLE, lambda lang, rate: amounts.per_minute_text(rate, lang), _of_text(amounts.per_minute)
    ),
    rest.PERCENT_TEXT: Style(_DOUBLE, lambda _, share: amounts.percent_text(share), _of_text(amounts.percent)),
    rest.MONEY: Style(_MONEY, _write_money, _read_money),
    rest.PERCENTILE: Style(
        _INT32, lambda lang, rank: amounts.percentile_text(rank, lang), _of_text(amounts.percentile)
    ),
    rest.MORE_JOBS: Style(_INT32, lambda lang, count: amounts.more_jobs_text(count, lang), _of_text(amounts.more_jobs)),
    rest.DECIMAL_NUMBER: Style(_DOUBLE, lambda _, value: amounts.finite(value), scalars.number, "number"),
}

_UNSTYLED: dict[str, Style] = {
    fields.TIMESTAMP: Style(fields.TIMESTAMP, lambda _, moment: instant_text(moment.seconds), _read_instant),
    _SPAN: Style(
        _SPAN,
        lambda _, d: amounts.plain(durations.not_negative(nanos(d)) / durations.NANOS),
        _read_plain_seconds,
        "number",
    ),
}
