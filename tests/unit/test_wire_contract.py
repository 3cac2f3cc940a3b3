"""The real contract against the documentation: every payload makes the round trip, every message compiles."""

import json
import math
import random
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor as F
from hypothesis import given, settings
from hypothesis import strategies as st

from lodestream import documented
from lodestream.v1 import rest_pb2
from lodestream.wire import Refused, check, fields, from_json, to_dict, to_json, with_defaults, words
from lodestream.wire.check import checker
from lodestream.wire.freeform import MAX_DEPTH
from tests.unit.contract_methods import all_types, message_type, methods, rest_types, walk

STRUCT = "google.protobuf.Struct"


class Literal(str):
    """A number as it was written."""

    __slots__ = ()


def tokens(document: bytes, descriptor: Any) -> Any:
    """The document with numbers as written and keys in order; below free-form objects and maps the keys are sorted."""
    parsed = json.loads(document, parse_int=Literal, parse_float=Literal)
    return ordered(parsed, descriptor)


def ordered(value: Any, descriptor: Any) -> Any:
    """Objects as lists of pairs, so that their order counts; the type of each leaf counts as well."""
    if isinstance(value, list):
        return [ordered(item, descriptor) for item in value]
    if not isinstance(value, dict):
        return type(value).__name__, value
    free = descriptor is None or descriptor.full_name == STRUCT or descriptor.GetOptions().map_entry
    inner = {} if free else {field.json_name: field.message_type for field in descriptor.fields}
    return [(key, ordered(item, inner.get(key))) for key, item in (sorted(value.items()) if free else value.items())]


@pytest.mark.parametrize("language", ["en", "tr"])
@pytest.mark.parametrize("name", documented.names())
def test_a_documented_payload_makes_the_round_trip(name, language):
    """JSON -> message -> bytes -> message -> JSON: the same document, number literals and key order."""
    kind = message_type(name)
    raw = documented.example_bytes(name, language)
    sent = from_json(raw, kind).SerializeToString(deterministic=True)
    written = to_json(kind.FromString(sent), language)
    assert json.loads(written) == json.loads(raw)
    assert tokens(written, kind.DESCRIPTOR) == tokens(raw, kind.DESCRIPTOR)


@pytest.mark.parametrize("language", ["en", "tr"])
@pytest.mark.parametrize("name", [name for name in documented.names() if name.endswith(".request")])
def test_a_documented_request_lacks_nothing_but_what_stands_in_its_path(name, language):
    """With the ids of the path, every documented request keeps the rules of the contract."""
    request = from_json(documented.example_bytes(name, language), message_type(name))
    for field in request.DESCRIPTOR.fields:
        if field.name in ("tenant_id", "project_id", "operation_id", "job_id"):
            setattr(request, field.name, "660e8400-e29b-41d4-a716-446655440000")
    assert check(with_defaults(request)) == []


@pytest.mark.parametrize("name", [name for name in documented.names() if name.endswith(".response")])
def test_both_languages_say_the_same(name):
    """A Turkish payload read and written in English differs from the English page in free text only, never in a key."""

    def shape(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shape(item) for key, item in value.items()}
        return [shape(item) for item in value] if isinstance(value, list) else type(value)

    turkish = from_json(documented.example_bytes(name, "tr"), message_type(name))
    english = from_json(documented.example_bytes(name, "en"), message_type(name))
    assert shape(to_dict(turkish)) == shape(to_dict(english))


def test_every_documented_endpoint_has_its_method():
    """22 operations, each answered by one method."""
    named = [name for m in methods() if (name := m.GetOptions().Extensions[rest_pb2.documented_as])]
    assert sorted(named) == sorted(endpoint["id"] for endpoint in documented.endpoints()["documented"])


@pytest.mark.parametrize("kind", all_types(), ids=lambda kind: kind.DESCRIPTOR.name)
def test_every_message_of_the_contract_compiles(kind):
    """Styles fit their fields, defaults fit theirs; an empty message is written and read in both languages."""
    checker(kind.DESCRIPTOR)
    with_defaults(kind())
    for language in ("en", "tr"):
        document = to_json(kind(), language)
        assert to_json(from_json(document, kind), language) == document


@pytest.mark.parametrize("kind", rest_types(), ids=lambda kind: kind.DESCRIPTOR.name)
def test_every_word_over_rest_is_declared(kind):
    """An enum value without the `word` option would show its proto name to REST clients."""
    for descriptor in walk(kind.DESCRIPTOR):
        for field in descriptor.fields:
            for value in field.enum_type.values if field.enum_type else ():
                assert value.number == 0 or value.GetOptions().Extensions[rest_pb2.word].en, value.name


# Kinds of things in answers, open-ended and never read back: the contract carries them as text.
OPEN_SETS = {"dependency node", "dependency edge", "output kind"}


def test_where_a_type_may_be_custom_its_name_stands_beside_it():
    """Else nobody knows which one is meant. Pipelines are of documented types, the queue filters by all own ones."""
    types, without = ("lodestream.v1.JobType", "lodestream.v1.OperationType"), set()
    for root in all_types():
        for kind in walk(root.DESCRIPTOR):
            named = [one for one in kind.fields if one.enum_type and one.enum_type.full_name in types]
            if any(not one.is_repeated for one in named) and "custom_type" not in kind.fields_by_name:
                without.add(kind.name)
    assert without == {"RegisterResourceRequest", "Resource", "GetQueueRequest"}


def test_documented_words_belong_to_enums_in_both_languages():
    """Every word that a page shows, with its Turkish twin where there is one, stands on an enum value."""
    used = {descriptor for kind in all_types() for descriptor in walk(kind.DESCRIPTOR)}
    enums = {field.enum_type for descriptor in used for field in descriptor.fields if field.enum_type}
    pairs = {(en, words(enum, "tr")[number]) for enum in enums for number, en in words(enum, "en").items()}
    english = {en for en, _ in pairs}
    for name, entries in documented.words().items():
        for en, tr in ({} if name in OPEN_SETS else entries).items():
            assert (en, tr) in pairs if tr else en in english, f"{name}: {en}"


def free_forms(descriptor: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of fields that lead to free-form objects, each type entered once on a path."""
    found = []
    for field in descriptor.fields:
        if fields.kind(field) == STRUCT:
            found.append((*path, field))
        elif (
            field.message_type and not fields.is_map(field) and field.message_type not in [f.message_type for f in path]
        ):
            found += free_forms(field.message_type, (*path, field))
    return found


@pytest.mark.parametrize("kind", all_types(), ids=lambda kind: kind.DESCRIPTOR.name)
def test_free_form_objects_of_full_depth_survive_where_they_stand(kind):
    """Protobuf gives up at 100 nested messages: 32 levels have to pass at the deepest place of every message."""
    for path in free_forms(kind.DESCRIPTOR):
        message = kind()
        target: Any = message
        for field in path:
            target = getattr(target, field.name)
            target = target.add() if field.is_repeated else target
        value: dict[str, Any] = {}
        for _ in range(MAX_DEPTH - 1):
            value = {"x": value}
        target.update(value)
        back = kind.FromString(message.SerializeToString())
        assert to_json(back) == to_json(message)


def filled(descriptor: Any, dice: random.Random, depth: int = 0) -> Any:
    """A message with random values that the wire can say, some fields left out."""
    message = fields.fresh(descriptor)
    for field in descriptor.fields:
        if dice.random() < 0.25 or (field.message_type and depth > 4):
            continue
        if fields.is_map(field):
            getattr(message, field.name)["key"] = "value"
        elif field.is_repeated:
            for _ in range(dice.randrange(3)):
                value = single(field, dice, depth)
                getattr(message, field.name).append(value)
        elif field.message_type:
            getattr(message, field.name).CopyFrom(single(field, dice, depth))
        else:
            setattr(message, field.name, single(field, dice, depth))
    return message


def single(field: Any, dice: random.Random, depth: int) -> Any:
    """One random value of a field."""
    match fields.kind(field):
        case "google.protobuf.Struct":
            struct = fields.fresh(field.message_type)
            struct.update({"n": dice.uniform(-1e6, 1e6), "l": [1, None, True, "ş"], "o": {"k": dice.randrange(10**6)}})  # type: ignore[attr-defined]
            return struct
        case "google.protobuf.Duration":
            return field.message_type._concrete_class(seconds=dice.randrange(10**6), nanos=dice.randrange(10**9))
        case "google.protobuf.Timestamp":
            return field.message_type._concrete_class(seconds=dice.randrange(2**32), nanos=dice.randrange(10**9))
        case "lodestream.v1.DurationRange":
            low = dice.randrange(10**5)
            return field.message_type._concrete_class(
                low={"seconds": low}, high={"seconds": low + dice.randrange(10**5)}
            )
        case "google.type.Money":
            return field.message_type._concrete_class(
                currency_code="USD", units=dice.randrange(99), nanos=dice.randrange(10**9)
            )
        case "":
            pass
        case _:
            return filled(field.message_type, dice, depth + 1)
    if field.enum_type:
        # Value 0 has no word; a list of nothing else would come back as no list.
        return dice.choice([value.number for value in field.enum_type.values if value.number or not field.is_repeated])
    if field.cpp_type in fields.DECIMALS:
        return dice.choice([0.0, 78.0, 94.7, dice.uniform(0, 1e6)])
    if field.cpp_type == F.CPPTYPE_BOOL:
        return dice.random() < 0.5
    if field.type == F.TYPE_BYTES:
        return dice.randbytes(5)
    return 'Çağrı "1"\n' if field.cpp_type == F.CPPTYPE_STRING else dice.choice([0, 1, dice.randrange(2**31)])


@settings(max_examples=150)
@given(st.sampled_from(rest_types()), st.randoms(use_true_random=False), st.sampled_from(["en", "tr"]))
def test_what_any_message_says_is_read_back(kind, dice, language):
    """Whatever a servicer sets: writing, reading and writing again gives the same bytes, and nothing raises."""
    message = filled(kind.DESCRIPTOR, dice)
    document = to_json(message, language)
    assert to_json(from_json(document, kind), language) == document


@settings(max_examples=100)
@given(
    st.sampled_from(rest_types()),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    ),
    st.data(),
)
def test_any_json_gives_a_message_or_a_refusal(kind, value, data):
    """No other exception, whatever stands under whatever key, and every pointer leads to something that was sent."""
    keys = [field.json_name for field in kind.DESCRIPTOR.fields]
    document = {data.draw(st.sampled_from(keys)): value} if keys else {"key": value}
    try:
        message = from_json(document, kind)
    except Refused as refused:
        for problem in refused.problems:
            assert resolves(document, problem.pointer), problem
    else:
        assert isinstance(check(message), list)


def resolves(document: Any, pointer: str) -> bool:
    """True when an RFC 6901 pointer leads to a value of the document."""
    for token in (part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]):
        try:
            document = document[int(token) if isinstance(document, list) else token]
        except (KeyError, IndexError, TypeError, ValueError):
            return False
    return True


def test_a_message_with_nan_never_reaches_the_wire():
    """Whichever double of the get-operation answer it sits in."""
    kind = message_type("get-operation.response")
    message = from_json(documented.example_bytes("get-operation.response"), kind)
    message.progress.percentage = math.nan
    with pytest.raises(Refused, match="/progress/percentage"):
        to_json(message)
