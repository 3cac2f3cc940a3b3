"""What a request has to keep is checked on the message, so alike on both doors; defaults are filled in likewise."""

import math
import uuid

import pytest

from lodestream.wire import ContractFault, Problem, Refused, check, checked, proto_path, with_defaults
from lodestream.wire.rules import is_web_address
from tests.unit.wire_world import world

TENANT = "660e8400-e29b-41d4-a716-446655440000"


def request(**values):
    """A request that keeps the contract, but for the values given."""
    return world().Request(**{"tenant_id": TENANT, "must": 1, **values})


def test_a_good_request_has_no_problems():
    """Limits are inclusive, absent is fine where nothing is required."""
    message = request(page=100, share=1.0, job_ids=["a", "b", "c"], callback="https://example.org/x", label="ok")
    message.every.seconds = 60
    message.span.low.seconds = message.span.high.seconds = 5
    message.parameters.update({"a": 1, "b": {"c": []}})
    message.inner.self.score = 10
    assert check(message) == []
    checked(message)


def test_what_is_required_must_be_given_and_not_be_empty():
    """Blank text and the word "unspecified" are given in form only."""
    missing = [
        Problem("/tenantId", "is required", "give it a value"),
        Problem("/must", "is required", "give it a value"),
    ]
    assert check(world().Request()) == missing
    assert check(world().Request(tenant_id="", must=0)) == missing
    assert check(request(tenant_id="  "))[0] == missing[0]


@pytest.mark.parametrize(
    ("values", "pointer", "reason", "fix"),
    [
        ({"tenant_id": "42"}, "/tenantId", "is not a GUID", "8-4-4-4-12"),
        ({"tenant_id": f"{{{TENANT}}}"}, "/tenantId", "is not a GUID", "8-4-4-4-12"),
        ({"tenant_id": f"{TENANT}\n"}, "/tenantId", "is not a GUID", "8-4-4-4-12"),
        ({"page": 0}, "/page", "0 is below the limit", "give 1 to 100"),
        ({"page": 101}, "/page", "101 is above the limit", "give 1 to 100"),
        ({"share": 1.01}, "/share", "1.01 is above the limit", "give 0 to 1"),
        ({"share": math.nan}, "/share", "NaN and infinity", "finite"),
        ({"job_ids": list("abcd")}, "/jobIds", "has 4 entries", "give at most 3 entries"),
        ({"label": "x"}, "/label", "has 1 characters", "give at least 2 characters"),
        ({"callback": "ftp://example.org"}, "/callback", "is not an absolute http or https address", "https://"),
        ({"callback": "https://e.org/" + "x" * 100}, "/callback", "has 114 characters", "at most 100"),
        ({"mood": 99}, "/mood", "99 is not one of the known words", "Good, Bad"),
        ({"moods": [1, 7]}, "/moods/1", "7 is not one of the known words", "Good, Bad"),
        ({"every": {"seconds": 61}}, "/every", "61 seconds is above the limit", "give 1 to 60 seconds"),
        ({"every": {"nanos": 500_000_000}}, "/every", "0.5 seconds is below the limit", "give 1 to 60 seconds"),
        ({"since": {"seconds": 2**60}}, "/since", "is not a possible time", "years 1 to 9999"),
        ({"since": {"nanos": -1}}, "/since", "is not a possible time", "nanoseconds"),
        ({"span": {"low": {"seconds": 9}, "high": {"seconds": 3}}}, "/span", "is not a possible range", "low end"),
        ({"inner": {"score": 11}}, "/inner/score", "11 is above the limit", "at most 10"),
        ({"inner": {"self": {"score": math.inf}}}, "/inner/self/score", "NaN and infinity", "finite"),
        ({"inners": [{}, {"mood": 5}]}, "/inners/1/mood", "5 is not one of", "Good"),
    ],
)
def test_each_rule_names_the_field_the_fault_and_the_fix(values, pointer, reason, fix):
    """One problem each, with the JSON pointer that REST shows."""
    (problem,) = check(request(**values))
    assert problem.pointer == pointer
    assert reason in problem.reason
    assert fix in problem.fix


def test_free_form_objects_keep_their_limits_over_grpc_too():
    """A number that JSON cannot say, too many keys, too many levels."""
    message = request()
    message.parameters.fields["a"].number_value = math.nan
    assert check(message)[0].pointer == "/parameters/a"
    message.parameters.update({"a": 1, "b": 2, "c": 3})
    assert check(message) == [Problem("/parameters", "has 3 keys", "give at most 2 keys")]
    message.parameters.Clear()
    deep = message.parameters
    for _ in range(33):
        deep = deep.fields["x"].struct_value
        deep.SetInParent()
    assert "deeper than 32" in check(message)[0].reason


def test_a_secret_is_never_repeated():
    """Its length may be said, its text not."""
    assert "§" not in str(check(request(label="§")))


def test_all_problems_come_in_field_order_and_are_cut_off_at_twenty():
    """A caller mends a request in one go."""
    message = request(tenant_id="x", page=0, moods=[9] * 50)
    pointers = [p.pointer for p in check(message)]
    assert pointers[:3] == ["/tenantId", "/moods/0", "/moods/1"]
    assert len(pointers) == 20
    with pytest.raises(Refused, match="/tenantId: is not a GUID"):
        checked(message)


@pytest.mark.parametrize(
    ("pointer", "path"),
    [
        ("/tenantId", "tenant_id"),
        ("/inners/2/self/score", "inners[2].self.score"),
        ("/parameters/a~1b/0", "parameters.a/b[0]"),
        ("/nobody/knows", "nobody.knows"),
        ("", ""),
    ],
)
def test_grpc_callers_get_the_field_by_its_proto_name(pointer, path):
    """BadRequest.FieldViolation wants the path that a .proto reader knows."""
    assert proto_path(world().Request, pointer) == path


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org",
        "http://10.0.0.1:8080/a?b=c",
        "https://[::1]/x",
        "https://u:p@host/",
        "https://bücher.example",
    ],
)
def test_absolute_web_addresses_pass(address):
    """Only their form counts; who may be called is decided when dialling."""
    assert is_web_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "/path",
        "example.org",
        "ftp://x",
        "https://",
        "https:///x",
        "https://h:99999",
        "https://[::1",
        "https://a b",
        "https://a\n",
    ],
)
def test_other_addresses_do_not(address):
    """Relative ones, other schemes, no host, impossible ports, blanks."""
    assert not is_web_address(address)


def test_defaults_fill_what_was_left_out():
    """Numbers, words, durations, lists, bare texts; in the same message, and the caller's values stay."""
    message = world().Request(page=7)
    assert with_defaults(message) is message
    assert (message.page, message.mood, message.every.seconds, message.label) == (7, 1, 30, "none yet")
    assert list(message.limits) == [1, 2]
    assert not message.HasField("deep")
    assert not message.HasField("inner")


def test_a_zero_that_was_given_is_not_a_default():
    """Except for an enum's zero and an empty list, which say nothing."""
    message = with_defaults(world().Request(page=0, mood=0, label=""))
    assert (message.page, message.mood, message.label) == (0, 1, "")


def test_defaults_reach_into_the_messages_that_are_set():
    """A part that is given is completed, however deep; one that is not stays absent."""
    message = world().Request()
    message.inner.self.score = 1
    message.inners.add(step=9)
    message.inners.add()
    with_defaults(message)
    assert (message.inner.step, message.inner.self.step) == (3, 3)
    assert [inner.step for inner in message.inners] == [9, 3]
    assert not message.inner.self.HasField("self")


def test_a_default_that_its_field_cannot_hold_is_a_fault_of_the_contract():
    """Found when the message is compiled."""
    from google.protobuf import descriptor_pb2, descriptor_pool
    from google.protobuf.message_factory import GetMessageClass

    from tests.unit.wire_world import F, add, close

    name = f"Bad{uuid.uuid4().hex}"
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", package="lodestream.tests", syntax="proto3")
    file.dependency.append("lodestream/v1/rest.proto")
    message = file.message_type.add(name=name)
    add(message, "page", F.TYPE_INT32, default='"many"')
    close(message)
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    with pytest.raises(ContractFault, match="page: the default does not fit"):
        with_defaults(GetMessageClass(pool.FindMessageTypeByName(f"lodestream.tests.{name}"))())
