"""Documented JSON becomes messages: strictly, in both languages, and every fault comes with its place and its cure."""

import json
import math
from typing import Any

import pytest

from lodestream.wire import Problem, Refused, from_json
from tests.unit.wire_world import world


def problems(document: Any, message_type: Any = None) -> list[Problem]:
    """What is wrong with a document."""
    with pytest.raises(Refused) as refused:
        from_json(document, message_type or world().World)
    return list(refused.value.problems)


def test_every_kind_of_value_is_read():
    """Text and an already parsed document give the same message."""
    document = {
        "name": "Ünal", "count": -3, "bigCount": 2**53, "share": 78, "ready": True, "data": "AP8=", "mood": "İyi",
        "plain": "MILESTONE", "at": "2024-01-20T10:30:00Z", "elapsedTime": "8 dakika 32 saniye", "bare": 1.5,
        "tags": ["a", ""], "moods": ["Good", "Bad"], "inner": {}, "inners": [{"self": {"score": 1}}, {}],
        "free": {"a": [1, None, {}], "b": {"c": "d"}}, "headers": {"a": "1"}, "ratio": 2, "sizes": ["512 B", "4.0 GB"],
    }  # fmt: skip
    message = from_json(document, world().World)
    assert from_json(json.dumps(document), world().World) == message
    assert from_json(memoryview(json.dumps(document).encode()), world().World) == message
    assert (message.name, message.count, message.big_count, message.share) == ("Ünal", -3, 2**53, 78.0)
    assert (message.ready, message.data, message.mood, message.plain) == (True, b"\x00\xff", 1, 1)
    assert (message.at.seconds, message.elapsed.seconds, message.bare.nanos) == (1_705_746_600, 512, 500_000_000)
    assert (list(message.tags), list(message.moods), list(message.sizes)) == (["a", ""], [1, 2], [512, 4 * 10**9])
    assert message.HasField("inner")
    assert len(message.inners) == 2
    assert message.inners[0].self.score == 1
    assert dict(message.headers) == {"a": "1"}
    assert message.ratio == 2.0
    assert message.free["b"]["c"] == "d"


def test_null_means_absent_in_a_field_and_is_kept_in_a_free_form_object():
    """Nothing is set, and nothing is refused; only lists have no room for it."""
    message = from_json({"name": None, "inner": None, "tags": None, "at": None, "free": {"a": None}}, world().World)
    assert [field.name for field, _ in message.ListFields()] == ["free"]
    assert message.free.fields["a"].WhichOneof("kind") == "null_value"
    assert problems({"tags": [None]})[0].pointer == "/tags/0"


@pytest.mark.parametrize(
    ("document", "pointer", "reason"),
    [
        ({"name": 5}, "/name", "must be text, not a whole number"),
        ({"count": "5"}, "/count", "must be a whole number, not text"),
        ({"count": True}, "/count", "must be a whole number, not true or false"),
        ({"count": 2.0}, "/count", "must be a whole number, not a number"),
        ({"count": 2**31}, "/count", "out of range"),
        ({"bigCount": 2**53 + 1}, "/bigCount", "out of range"),
        ({"share": "1"}, "/share", "must be a number, not text"),
        ({"share": True}, "/share", "must be a number, not true or false"),
        ({"share": 2**53 + 1}, "/share", "beyond 2^53"),
        ({"share": math.nan}, "/share", "NaN and infinity"),
        ({"ready": 1}, "/ready", "must be true or false, not a whole number"),
        ({"data": "not base64!"}, "/data", "not base64"),
        ({"data": 5}, "/data", "must be text"),
        ({"mood": "Splendid"}, "/mood", "'Splendid' is not one of the known words"),
        ({"mood": 1}, "/mood", "must be text"),
        ({"mood": ["Good"]}, "/mood", "must be text, not a list"),
        ({"at": "soon"}, "/at", "'soon' is not a time"),
        ({"at": 5}, "/at", "must be text"),
        ({"elapsedTime": 512}, "/elapsedTime", "must be text"),
        ({"bare": -1}, "/bare", "never negative"),
        ({"tags": "abc"}, "/tags", "must be a list, not text"),
        ({"tags": {"0": "a"}}, "/tags", "must be a list, not an object"),
        ({"inner": []}, "/inner", "must be an object, not a list"),
        ({"inners": {}}, "/inners", "must be a list, not an object"),
        ({"inners": [{}, {"mood": "Worse"}]}, "/inners/1/mood", "'Worse'"),
        ({"free": []}, "/free", "must be an object, not a list"),
        ({"free": {"a/b": [{"~": math.inf}]}}, "/free/a~1b/0/~0", "NaN and infinity"),
        ({"free": {"n": -(2**53) - 1}}, "/free/n", "beyond 2^53"),
        ({"free": {"x": b"bytes"}}, "/free/x", "no JSON form"),
        ({"headers": {"a": 1}}, "/headers/a", "must be text"),
        ({"headers": []}, "/headers", "must be an object"),
        ({"name": "\ud800"}, "/name", "surrogate"),
        ({"free": {"a": "\udfff"}}, "/free/a", "surrogate"),
        ({"free": {"\ud800": 1}}, "/free/?", "surrogate"),
        ({"sizes": ["4.0 GB", "much"]}, "/sizes/1", "'much' is not a size"),
        ({"ended_at": None}, "/ended_at", "unknown key"),
        ({1: 2}, "/1", "unknown key"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_pointer(document, pointer, reason):
    """Nothing is bent into shape: no numbers from text, no lists from text, no integers from 2.0."""
    found = problems(document)
    assert [p.pointer for p in found] == [pointer]
    assert reason in found[0].reason


def test_all_faults_come_in_one_go():
    """Also those of different objects and of one list."""
    found = problems({"count": "1", "tags": [1, "a", 2], "inner": {"nope": 1, "score": "x"}, "zzz": 0})
    assert [p.pointer for p in found] == ["/count", "/tags/0", "/tags/2", "/inner/nope", "/inner/score", "/zzz"]


def test_a_flood_of_faults_is_cut_short():
    """An answer does not grow with the size of a broken body."""
    assert len(problems({"tags": [0] * 100_000, "free": {str(n): math.nan for n in range(100)}})) == 20


def test_an_endless_key_is_cut_in_the_answer():
    """Neither the pointer nor the reason grows with what was sent."""
    (found,) = problems({"k" * 1_000_000: 1})
    assert len(found.pointer) < 210
    assert len(found.reason) < 100


def test_an_unknown_key_names_its_neighbour_and_the_known_ones():
    """A slip of the pen costs one look."""
    found = problems({"elapsed": "1 second"}, world().World)
    assert found[0].fix.startswith("did you mean elapsedTime? known here: at, bare, bigCount")
    assert "elapsedTime" in found[0].allowed


def test_an_unknown_word_names_the_known_ones():
    """The documented words, in English, are the answer's `allowed`."""
    assert problems({"mood": "Goood"})[0] == Problem(
        "/mood", "'Goood' is not one of the known words", "did you mean Good? use one of: Good, Bad", ("Good", "Bad")
    )


@pytest.mark.parametrize(
    "text", [b"", b"{", b"nul", b'{"a":NaN}', b'{"a":"\\ud800"}', b"\xff", b"[" * 5000 + b"]" * 5000]
)
def test_what_is_no_json_is_refused(text):
    """So are half surrogates, bad UTF-8, NaN and bottomless nesting."""
    assert problems(text)[0].pointer == ""


def test_the_body_must_be_an_object():
    """A list or null at the top is none."""
    assert problems(b"[]")[0].reason == "must be an object, not a list"
    assert problems(b"null")[0].reason == "must be an object, not null"


def test_an_integer_too_long_for_64_bits_is_no_float():
    """Fast parsers make 1e22 of it; ours looks twice, while real floats of that size pass."""
    for digits in ("12345678901234567890123", "-99999999999999999999", "9" * 5000):
        assert problems(f'{{"free":{{"n":{digits}}}}}'.encode())
        assert problems(f'{{"share":{digits}}}'.encode())
    assert problems({"free": {"n": 10**30}})[0].pointer == "/free/n"
    assert from_json(b'{"free":{"n":1e300}}', world().World).free["n"] == 1e300
    assert from_json({"share": -1e300, "free": {"n": 1.5e20}}, world().World).share == -1e300
    assert problems({"share": 1e300, "free": {"n": math.nan}})[0].pointer == "/free/n"


@pytest.mark.parametrize("wrap", [lambda inside: {"a": inside}, lambda inside: [inside]])
def test_free_form_objects_are_at_most_32_deep(wrap):
    """The object itself is the first level; what is let in also survives the way through bytes."""
    value: Any = 1
    for _ in range(31):
        value = wrap(value)
    message = from_json({"free": {"a": value}}, world().World)
    assert world().World.FromString(message.SerializeToString()) == message
    assert "deeper than 32" in problems({"free": {"a": wrap(value)}})[0].reason


def test_two_members_of_a_oneof_exclude_each_other():
    """Both are named; a null beside one is no rival."""
    assert [p.pointer for p in problems({"this": "a", "that": 1}, world().Choice)] == ["/this", "/that"]
    assert from_json({"this": None, "that": 0, "beside": "b"}, world().Choice).WhichOneof("either") == "that"


def test_types_that_contain_themselves_are_read_to_any_depth():
    """Compilation does not run in circles."""
    document = {"inner": {"self": {"self": {"self": {"mood": "Bad"}}}}}
    assert from_json(document, world().World).inner.self.self.self.mood == 2


def test_a_refusal_reads_like_a_sentence():
    """For logs and for callers that print the exception."""
    with pytest.raises(Refused, match=r"^/count: must be a whole number, not text; /tags: must be a list, not text$"):
        from_json({"count": "1", "tags": ""}, world().World)
