"""Messages become documented JSON: key order, what stands for the unset, words, numbers, and what is never written."""

import json
import math

import pytest

from lodestream.wire import ContractFault, Refused, to_dict, to_json
from tests.unit.wire_world import world


def test_an_empty_message_prints_what_is_always_there():
    """Zero values, an empty list and object, a null; words and times that are not known stay out. In field order."""
    assert to_json(world().World()) == (
        b'{"name":"","count":0,"ready":false,"endedAt":null,"elapsedTime":"0 seconds","tags":[],"free":{}}'
    )


def test_keys_follow_the_field_numbers_not_the_order_of_setting():
    """What is set falls in line with what is always there."""
    message = world().World(share=0.5)
    message.big_count = 7
    message.at.seconds = 0
    assert list(to_dict(message)) == [
        "name", "count", "bigCount", "share", "ready", "at", "endedAt", "elapsedTime", "tags", "free",
    ]  # fmt: skip


def test_every_kind_of_value_has_its_json():
    """Integral doubles lose their point, decimal numbers keep it, bytes are base64, plain durations are seconds."""
    message = world().World(
        name="Ünal", count=-3, big_count=2**53, share=78.0, ready=True, data=b"\x00\xff", mood=1, plain=1, ratio=2.0
    )
    message.at.seconds, message.at.nanos = 1_705_746_600, 999_999_999
    message.bare.seconds, message.bare.nanos = 1, 500_000_000
    message.elapsed.seconds = 512
    message.tags.extend(["a", ""])
    message.sizes.extend([512, 4 * 10**9])
    message.headers.update({"b": "2", "a": "1"})
    assert json.loads(to_json(message)) == {
        "name": "Ünal",
        "count": -3,
        "bigCount": 9007199254740992,
        "share": 78,
        "ready": True,
        "data": "AP8=",
        "mood": "Good",
        "plain": "MILESTONE",
        "at": "2024-01-20T10:30:00Z",
        "endedAt": None,
        "elapsedTime": "8 minutes 32 seconds",
        "bare": 1.5,
        "tags": ["a", ""],
        "free": {},
        "headers": {"a": "1", "b": "2"},
        "ratio": 2.0,
        "sizes": ["512 B", "4.0 GB"],
    }
    assert b'"share":78,' in to_json(message)
    assert b'"ratio":2.0,' in to_json(message)
    assert b'"headers":{"a":"1","b":"2"}' in to_json(message)


def test_texts_follow_the_language_and_words_only_where_the_answer_is_localized():
    """A Turkish answer has Turkish durations and English words; a tracking page has Turkish words throughout."""
    message = world().World(mood=1)
    message.elapsed.seconds = 512
    assert to_dict(message, "tr")["elapsedTime"] == "8 dakika 32 saniye"
    assert to_dict(message, "tr")["mood"] == "Good"
    told = world().Told(mood=1)
    told.inner.mood = 1
    told.inner.self.mood = 2  # has no Turkish word
    assert to_dict(told, "tr") == {"mood": "İyi", "inner": {"mood": "İyi", "self": {"mood": "Bad"}}}
    assert to_dict(told) == {"mood": "Good", "inner": {"mood": "Good", "self": {"mood": "Bad"}}}


@pytest.mark.parametrize("number", [0, 99])
def test_a_word_nobody_knows_is_absent(number):
    """Value 0 and numbers of a newer build never raise: the key, or the element, stays out."""
    message = world().World(mood=number)
    message.moods.extend([number, 2])
    document = to_dict(message)
    assert "mood" not in document
    assert document["moods"] == ["Bad"]


def test_one_of_several_prints_alone():
    """`always` has no meaning for a member of a oneof."""
    assert to_json(world().Choice(that=0)) == b'{"that":0}'
    assert to_json(world().Choice()) == b"{}"


def test_free_form_objects_have_sorted_keys_and_plain_numbers():
    """The order of a Struct differs from process to process, so ours is the alphabet's."""
    message = world().World()
    message.free.update({"b": 1, "a": [1.5, None, {"z": True, "y": "x"}], "c": 1e300, "d": 2.0**53})
    assert b'"free":{"a":[1.5,null,{"y":"x","z":true}],"b":1,"c":1e' in to_json(message)
    assert [type(number) for number in list(to_dict(message)["free"].values())[1:]] == [int, float, float]


def test_answers_do_not_share_their_lists():
    """A caller may change what to_dict gave it."""
    to_dict(world().World())["tags"].append("mine")
    assert to_dict(world().World())["tags"] == []


def test_what_has_no_json_form_is_refused_with_its_place():
    """NaN in a list of messages, infinity in a free-form object, a negative duration."""
    message = world().World()
    message.inners.add(score=1)
    message.inners.add(score=math.nan)
    with pytest.raises(Refused) as refused:
        to_json(message)
    assert refused.value.problems[0].pointer == "/inners/1/score"

    message = world().World()
    message.free.fields["a/b"].list_value.values.add().number_value = math.inf
    with pytest.raises(Refused) as refused:
        to_json(message)
    assert refused.value.problems[0].pointer == "/free/a~1b/0"

    message = world().World()
    message.elapsed.seconds = -1
    with pytest.raises(Refused, match="/elapsedTime: a duration is never negative"):
        to_json(message)


def test_a_style_that_does_not_fit_its_field_is_a_fault_of_the_contract():
    """Found when the message is compiled, not when the first value comes by."""
    for _ in range(2):  # a compilation that failed leaves nothing behind
        with pytest.raises(ContractFault, match=r"Broken\.size.*BYTES"):
            to_json(world().Broken())


def test_an_unknown_language_is_a_fault_of_the_caller():
    """Negotiation happens before; the wire knows two languages."""
    with pytest.raises(ValueError, match="use one of en, tr"):
        to_json(world().World(), "de")  # type: ignore[arg-type]  # the fault under test
