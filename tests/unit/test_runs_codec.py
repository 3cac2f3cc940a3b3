"""Event bodies and states survive the way to the disk and back, also between versions of the program."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lodestream_server.runs.bodies import Logged, Progressed, Queued
from lodestream_server.runs.codec import UnknownKind, decode, dump, encode, load
from lodestream_server.runs.state import RunState

from tests.unit.runs_world import BODIES, after, bodies, submitted


@given(st.sampled_from(BODIES).flatmap(bodies))
def test_every_body_reads_back_as_it_was_written(body):
    """Whatever the kind and the values, decoding what was encoded gives an equal body."""
    assert decode(*encode(body)) == body


def test_kinds_are_told_apart():
    """No two kinds of event share a stored name."""
    assert len({body.KIND for body in BODIES}) == len(BODIES) == 25


def test_a_key_from_a_newer_version_is_skipped():
    """An event written with a field that this version does not know can still be read."""
    assert decode("progressed", b'{"phase": "Mining", "done": 3, "from_the_future": {}}') == Progressed("Mining", 3)


def test_a_key_from_before_its_time_takes_its_default():
    """An event written before a field existed reads as if it had the default."""
    assert decode("logged", b'{"level": "INFO", "message": "hello"}') == Logged("INFO", "hello")


def test_a_missing_required_key_is_named():
    """A body that lacks what cannot be guessed is refused with the key's name."""
    with pytest.raises(ValueError, match="message"):
        decode("logged", b'{"level": "INFO"}')


def test_an_unknown_kind_is_refused_by_its_name():
    """A kind of a newer version is not silently dropped."""
    with pytest.raises(UnknownKind, match="teleported"):
        decode("teleported", b"{}")


def test_a_folded_state_reads_back_equal():
    """The state beside the log is the state, not something like it."""
    state = after(submitted(parameters={"a": [1, 2.5, None]}), Queued())
    assert load(RunState, dump(state)) == state
    assert orjson.loads(dump(state))["created"] == "2026-03-01T12:00:00Z"
