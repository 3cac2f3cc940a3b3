"""XES as a stream: events with their traces, whatever the chunks; damage named, entities refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lodestream_server.workloads.mining.xes_parser import LONGEST_HELD, XesParser
from lodestream_server.workloads.phase import BadInput

LOG = """<?xml version="1.0" encoding="UTF-8"?>
<log xes.version="1.0" xmlns="http://www.xes-standard.org/">
  <string key="creator" value="somebody"><string key="deep" value="x"/></string>
  <global scope="trace"><string key="concept:name" value="UNKNOWN"/><string key="kind" value="plain"/></global>
  <global scope="event">
    <string key="concept:name" value="UNKNOWN"/><date key="time:timestamp" value="1970-01-01T00:00:00Z"/>
    <string key="org:group" value="nobody"/>
  </global>
  <trace>
    <string key="concept:name" value="Ünal &amp; Söhne"/>
    <event>
      <string key="concept:name" value="A"/><date key="time:timestamp" value="2024-01-01T00:00:00Z"/>
      <int key="cost" value="5"><string key="currency" value="EUR"/></int>
      <list key="items"><values><string key="item" value="pen"/></values></list>
    </event>
    <event><string value="B" key="concept:name"/><float key="cost" value="5.5"/><string key="empty"/></event>
    <string key="kind" value="late"/>
  </trace>
  <trace/>
</log>""".encode()


def parsed(data: bytes, size: int = 1 << 20) -> XesParser:
    """The parser after a whole document in chunks of some size."""
    parser = XesParser()
    for start in range(0, len(data), size):
        parser.feed(data[start : start + size])
    parser.feed(b"", final=True)
    return parser


def test_events_carry_their_own_attributes_and_share_their_trace():
    """Also an attribute of the trace that stands behind its events; nested values and lists are passed over."""
    parser = parsed(LOG)
    (trace, first), (same, second) = parser.events
    assert trace is same
    assert trace.attributes == {"concept:name": "Ünal & Söhne", "kind": "late"}
    assert first["concept:name"] == "A"
    assert first["cost"] == "5"
    assert "item" not in first
    assert "currency" not in first
    assert second["concept:name"] == "B"
    assert parser.traces == 2


def test_global_defaults_fill_gaps_but_never_invent_a_time_or_a_name():
    """The second event has no group and no time."""
    _, second = parsed(LOG).events[1]
    assert second["org:group"] == "nobody"
    assert "time:timestamp" not in second
    assert parsed(b"<log>" + LOG.split(b'<log xes.version="1.0" xmlns="http://www.xes-standard.org/">')[1]).traces == 2


def test_types_are_those_declared_and_text_where_events_disagree():
    """Cost is an int here and a float there."""
    parser = parsed(LOG)
    assert parser.event_types["time:timestamp"] == "date"
    assert parser.event_types["cost"] == "string"


@given(st.integers(1, 200))
def test_chunks_may_be_cut_anywhere(size):
    """Also inside of tags and of characters."""
    assert parsed(LOG, size).events == parsed(LOG).events


@given(st.integers(1, len(LOG) - 1))
def test_a_file_that_is_cut_off_anywhere_is_refused(length):
    """Nobody mines half a log without being told."""
    with pytest.raises(BadInput) as refused:
        parsed(LOG[:length])
    assert refused.value.reason in ("TRUNCATED", "BAD_XML")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'<!DOCTYPE log [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><log>&b;</log>', "DTD_REFUSED"),
        (b'<!DOCTYPE log SYSTEM "http://example.org/xes.dtd"><log/>', "DTD_REFUSED"),
        (b"<html><body/></html>", "NOT_XES"),
        (b"<log><event/></log>", "EVENTS_WITHOUT_CASE"),
        (b"<log><trace></log>", "BAD_XML"),
        (b"<log>&undefined;</log>", "BAD_XML"),
        (b'<?xml version="1.0" encoding="klingon"?><log/>', "UNKNOWN_ENCODING"),
        (b"", "TRUNCATED"),
    ],
)
def test_what_is_no_event_log_is_refused_with_its_reason(data, reason):
    """Entity bombs before they grow."""
    with pytest.raises(BadInput) as refused:
        parsed(data)
    assert refused.value.reason == reason


def test_a_very_long_trace_does_not_pile_up():
    """Its events can be taken before it ends."""
    parser = XesParser()
    parser.feed(b'<log><trace><string key="concept:name" value="x"/>' + b"<event/>" * LONGEST_HELD)
    assert len(parser.events) == LONGEST_HELD
    assert parser.events[0][0].attributes == {"concept:name": "x"}
