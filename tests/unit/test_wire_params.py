"""Path and query parameters become request messages, typed by their fields, and faults name the parameter."""

import pytest

from lodestream.wire import Refused, from_params, from_request, parameters
from tests.unit.wire_world import world

PATH = {"tenantId": "660e8400-e29b-41d4-a716-446655440000"}


def bind(**query):
    """A request from one value per query parameter."""
    return from_params(world().Request, PATH, {name: [text] for name, text in query.items()})


def test_texts_become_the_types_of_their_fields():
    """Numbers, words of both languages, times, durations, ranges."""
    message = bind(
        mood="İyi", page="7", deep="true", since="2024-01-20", every="30", share="0.5", span="8-10 dakika", label="5"
    )
    assert message.tenant_id == PATH["tenantId"]
    assert (message.mood, message.page, message.deep, message.share, message.label) == (1, 7, True, 0.5, "5")
    assert (message.since.seconds, message.every.seconds) == (1_705_708_800, 30)
    assert (message.span.low.seconds, message.span.high.seconds) == (480, 600)


@pytest.mark.parametrize(
    ("texts", "ids"),
    [(["a,b"], ["a", "b"]), (["a", "b"], ["a", "b"]), ([" a , b ", "c"], ["a", "b", "c"]), ([""], []), ([","], [])],
)
def test_lists_come_with_commas_or_repeated_and_may_be_empty(texts, ids):
    """An empty parameter is an empty list."""
    assert list(from_params(world().Request, PATH, {"jobIds": texts}).job_ids) == ids


def test_a_list_without_the_comma_rule_takes_repeated_parameters_only():
    """moods=Good&moods=Bad; a comma would belong to the word."""
    assert list(from_params(world().Request, PATH, {"moods": ["Good", "Bad"]}).moods) == [1, 2]
    with pytest.raises(Refused, match="query parameter moods: 'Good,Bad'"):
        from_params(world().Request, PATH, {"moods": ["Good,Bad"]})


def test_python_and_unescaped_offsets_are_understood():
    """requests writes True; a plus sign that was not escaped arrives as a blank."""
    assert bind(deep="True").deep is True
    assert bind(deep="False").deep is False
    assert bind(since="2024-01-20T03:00:00 03:00").since.seconds == 1_705_708_800


@pytest.mark.parametrize(
    ("query", "name", "reason"),
    [
        ({"page": ["seven"]}, "page", "'seven' is not a whole number"),
        ({"page": ["1.0"]}, "page", "is not a whole number"),
        ({"page": [""]}, "page", "is not a whole number"),
        ({"page": ["1", "2"]}, "page", "is given 2 times"),
        ({"page": ["9999999999"]}, "page", "out of range"),
        ({"page": ["٣"]}, "page", "is not a whole number"),
        ({"share": ["nan"]}, "share", "is not a number"),
        ({"share": ["99999999999999999999"]}, "share", "is not a number"),
        ({"deep": ["yes"]}, "deep", "is neither true nor false"),
        ({"mood": ["Splendid"]}, "mood", "'Splendid' is not one of the known words"),
        ({"since": ["soon"]}, "since", "'soon' is not a time"),
        ({"every": ["30 seconds"]}, "every", "is not a whole number"),
        ({"every": ["-1"]}, "every", "never negative"),
        ({"span": ["later"]}, "span", "is not a range"),
        ({"parameters": ["{}"]}, "parameters", "unknown query parameter"),
        ({"tenantId": ["x"]}, "tenantId", "unknown query parameter"),
        ({"page_size": ["1"]}, "page_size", "unknown query parameter"),
    ],
)
def test_faults_name_the_parameter(query, name, reason):
    """The pointer is the name, the location says where to look."""
    with pytest.raises(Refused) as refused:
        from_params(world().Request, PATH, query)
    (problem,) = refused.value.problems
    assert (problem.pointer, problem.location) == (f"/{name}", "query")
    assert reason in problem.reason


def test_an_unknown_parameter_names_the_nearest_and_the_known_ones():
    """What is in the path is none of them."""
    with pytest.raises(Refused) as refused:
        bind(jobIDs="a", pag="1")
    ids, page = refused.value.problems
    assert ids.fix.startswith("did you mean jobIds? known here: callback, deep, every, jobIds")
    assert "tenantId" not in ids.allowed
    assert page.fix.startswith("did you mean page?")


def test_a_body_fills_everything_but_the_path():
    """And no query parameter beside it."""
    message = from_request(world().Request, PATH, {}, b'{"page": 3, "parameters": {"a": 1}, "inner": {"mood": "Bad"}}')
    assert (message.tenant_id, message.page, message.inner.mood) == (PATH["tenantId"], 3, 2)
    assert from_request(world().Request, PATH, {}, {"page": 3}).page == 3


@pytest.mark.parametrize("body", [None, b"", {}])
def test_a_body_may_be_absent(body):
    """What must be in it is a matter of `check`."""
    assert from_request(world().Request, PATH, {}, body).tenant_id == PATH["tenantId"]


def test_body_and_query_faults_come_together():
    """A body cannot overrule the path, and a query is not read beside a body."""
    with pytest.raises(Refused) as refused:
        from_request(world().Request, PATH, {"page": ["1"]}, b'{"tenantId": "other", "page": "3"}')
    assert [(p.location, p.pointer) for p in refused.value.problems] == [
        ("body", "/tenantId"),
        ("body", "/page"),
        ("query", "/page"),
    ]


def test_parameters_are_all_fields_but_objects():
    """The OpenAPI document lists the same ones."""
    assert list(parameters(world().Request.DESCRIPTOR)) == [
        "tenantId", "jobIds", "moods", "mood", "since", "page", "deep", "every", "share", "callback", "span", "label",
        "limits", "must",
    ]  # fmt: skip
