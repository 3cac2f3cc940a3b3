"""The enriched log as XES 1.0 (IEEE 1849): a trace a case, an event a row, every column an attribute of its type.

Written in whole buckets, built by polars column by column; texts are escaped, and what XML does not allow becomes
U+FFFD. Columns called `case:…` become attributes of the trace, as reading XES makes them; where they differ within a
case they stay attributes of its events, under their whole name.
"""

from collections.abc import Mapping
from typing import BinaryIO
from xml.sax.saxutils import quoteattr

import polars as pl

from lodestream_server.workloads.mining.kinds import native

_STANDARD: Mapping[str, str] = {
    "activity": "concept:name",
    "timestamp": "time:timestamp",
    "resource": "org:resource",
    "lifecycle": "lifecycle:transition",
}
_TAGS: Mapping[str, str] = {
    "string": "string",
    "integer": "int",
    "number": "float",
    "boolean": "boolean",
    "timestamp": "date",
}
_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<log xes.version="1.0" xes.features="" xmlns="http://www.xes-standard.org/">
<extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>
<extension name="Time" prefix="time" uri="http://www.xes-standard.org/time.xesext"/>
<extension name="Organizational" prefix="org" uri="http://www.xes-standard.org/org.xesext"/>
<extension name="Lifecycle" prefix="lifecycle" uri="http://www.xes-standard.org/lifecycle.xesext"/>
<global scope="trace"><string key="concept:name" value=""/></global>
<global scope="event">
<string key="concept:name" value=""/><date key="time:timestamp" value="1970-01-01T00:00:00Z"/>
</global>
<classifier name="Activity" keys="concept:name"/>
"""
_TAIL = "</log>\n"
#: What XML 1.0 does not allow.
_FORBIDDEN = "[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]"
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
_CASE = "case:"
#: Events whose text is joined at a time.
_ROWS = 50_000


def begin(stream: BinaryIO) -> None:
    """The head of the file."""
    stream.write(_HEAD.encode())


def end(stream: BinaryIO) -> None:
    """The tail of the file."""
    stream.write(_TAIL.encode())


def append(frame: pl.DataFrame, stream: BinaryIO) -> None:
    """The rows of a bucket, by case and time."""
    of_case = [name for name in frame.columns if name.startswith(_CASE) and name != f"{_CASE}concept:name"]
    of_event = [name for name in frame.columns if name not in of_case and name != "case_id"]
    first = pl.col("case_id").ne_missing(pl.col("case_id").shift(1)) | (pl.int_range(pl.len()) == 0)
    head = pl.concat_str(
        pl.lit("<trace>"),
        _attribute("case_id", "concept:name", frame.schema["case_id"]),
        *(_of_trace(name, name.removeprefix(_CASE), frame.schema[name], whole=True) for name in of_case),
        pl.lit("\n"),
    )
    events = pl.concat_str(
        pl.lit("<event>"),
        *(_attribute(name, _STANDARD.get(name, name), frame.schema[name]) for name in of_event),
        *(_of_trace(name, name, frame.schema[name], whole=False) for name in of_case),
        pl.lit("</event>\n"),
    )
    last = first.shift(-1, fill_value=True)
    text = frame.select(
        pl.concat_str(
            pl.when(first).then(head).otherwise(pl.lit("")),
            events,
            pl.when(last).then(pl.lit("</trace>\n")).otherwise(pl.lit("")),
        )
    ).to_series()
    for start in range(0, len(text), _ROWS):
        stream.write("".join(text.slice(start, _ROWS).to_list()).encode())


def _attribute(column: str, key: str, kind: pl.DataType) -> pl.Expr:
    """The attribute as XML; nothing where the value is missing."""
    type_ = native(kind)
    opening = f'<{_TAGS[type_]} key={quoteattr(_clean(key))} value="'
    return pl.concat_str(pl.lit(opening), _value(pl.col(column), type_), pl.lit('"/>')).fill_null("")


def _of_trace(column: str, key: str, kind: pl.DataType, *, whole: bool) -> pl.Expr:
    """The attribute where its value is the same through the whole case, or where it is not."""
    same = pl.col(column).eq_missing(pl.col(column).first()).all().over("case_id")
    return pl.when(same == whole).then(_attribute(column, key, kind)).otherwise(pl.lit(""))


def _value(value: pl.Expr, type_: str) -> pl.Expr:
    if type_ == "timestamp":
        return value.cast(pl.Datetime("us", "UTC")).dt.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00")
    text = value.cast(pl.String)
    if type_ != "string":
        return text
    return text.str.replace_all(_FORBIDDEN, "\ufffd").str.replace_many(_ESCAPES)


def _clean(key: str) -> str:
    return "".join("\ufffd" if char < " " else char for char in key)
