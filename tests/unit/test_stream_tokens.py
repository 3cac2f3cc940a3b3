"""Resume tokens: honoured where they were made, told apart where they were not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lodestream_server.services.tokens import Stream

from lodestream.v1 import job_pb2

ASK = job_pb2.GetJobRequest(job_id="a")
HERE = Stream.of("store", "Service/Watch", ASK)


@given(st.integers(0, 2**63))
def test_a_token_reads_back(cursor):
    """At its own stream, as text that fits an HTTP header and an address."""
    token = HERE.token(cursor)
    assert HERE.read(token) == cursor
    assert token.isascii()
    assert token.replace("-", "").replace("_", "").isalnum()
    assert len(token) < 60


@pytest.mark.parametrize(
    ("elsewhere", "fault"),
    [
        (Stream.of("another store", "Service/Watch", ASK), "OTHER_STORE"),
        (Stream.of("store", "Service/WatchMore", ASK), "OTHER_REQUEST"),
        (Stream.of("store", "Service/Watch", job_pb2.GetJobRequest(job_id="b")), "OTHER_REQUEST"),
    ],
)
def test_a_token_is_good_for_its_own_stream_alone(elsewhere, fault):
    """Another store, method, run or filter says which."""
    assert HERE.read(elsewhere.token(7)) == fault


def test_a_guid_in_capitals_names_the_same_stream():
    """Tenants and projects are compared without case; ids of runs are not."""
    written, spoken = "3f0c7d5e-2b1a-4c3d-9e8f-0a1b2c3d4e5f", "3F0C7D5E-2B1A-4C3D-9E8F-0A1B2C3D4E5F"
    lower = job_pb2.GetJobRequest(tenant_id=written, project_id=written, job_id="a")
    upper = job_pb2.GetJobRequest(tenant_id=spoken, project_id=spoken, job_id="a")
    assert Stream.of("store", "M", upper).read(Stream.of("store", "M", lower).token(7)) == 7
    assert upper.tenant_id == spoken
    upper.job_id = "A"
    assert Stream.of("store", "M", upper).read(Stream.of("store", "M", lower).token(7)) == "OTHER_REQUEST"


@given(st.data())
def test_a_mangled_token_is_malformed(data):
    """Whatever character changed, and wherever it was cut."""
    token = HERE.token(12345)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("ABCxyz019-_").filter(lambda letter: letter != token[place]))
    changed = token[:place] + other + token[place + 1 :]
    read = HERE.read(changed)
    # The last character carries bits that no byte holds: it may differ and mean the same.
    assert read == "MALFORMED" or (place == len(token) - 1 and read == 12345)
    assert HERE.read(token[:place]) == "MALFORMED"


@given(st.text(max_size=60))
def test_any_text_is_answered(text):
    """No text raises."""
    assert HERE.read(text) == "MALFORMED"
