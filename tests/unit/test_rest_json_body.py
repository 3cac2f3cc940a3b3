"""JSON that no parser should meet is refused before one does, and ordinary JSON is read as it is."""

import pytest

from lodestream.rest.json_body import MAX_DEPTH, parse
from lodestream.rest.problems import Refusal


def refused(body: bytes) -> str:
    """What is said about a body that cannot be read."""
    with pytest.raises(Refusal) as caught:
        parse(body)
    assert caught.value.reason == "MALFORMED"
    return caught.value.detail


def test_ordinary_json_is_read_exactly():
    """Whole numbers stay whole, fractions stay fractions, brackets inside texts count for nothing."""
    deep_text = "[" * 1000
    assert parse(b'{"a": [1, 2.0, true, null], "b": "%s"}' % deep_text.encode()) == {
        "a": [1, 2.0, True, None],
        "b": deep_text,
    }


def test_duplicate_keys_are_named():
    """Which of the two would have counted is nobody's guess."""
    assert "'a' is given twice" in refused(b'{"a": 1, "b": {"c": 2}, "a": 3}')
    assert "'c' is given twice" in refused(b'[{"c": 1, "c": 1}]')


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 5_000, 100_000])
@pytest.mark.parametrize(("begin", "end"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_deep_nesting_is_refused_at_every_depth(depth, begin, end):
    """Closed or not, lists or objects."""
    assert f"deeper than {MAX_DEPTH}" in refused(begin * depth + b"1" + end * depth)
    assert f"deeper than {MAX_DEPTH}" in refused(begin * depth)


def test_nesting_up_to_the_limit_is_read():
    """The limit itself is allowed, and breadth is not depth."""
    assert parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) is not None
    assert len(parse(b"[" + b",".join([b"[]"] * 1000) + b"]")) == 1000


@pytest.mark.parametrize("number", [b"9" * 5000, b"0." + b"1" * 5000, b"1e" + b"9" * 401])
def test_monstrous_numbers_are_refused(number):
    """5,000 digits take Python milliseconds each, and no double holds them."""
    assert "400 digits" in refused(b'{"a": %s}' % number)


def test_long_runs_of_digits_inside_texts_are_no_numbers():
    """A text is as long as it likes."""
    assert parse(b'{"a": "%s"}' % (b"9" * 5000)) == {"a": "9" * 5000}


@pytest.mark.parametrize(("body", "byte"), [(b'{"a": "\xff"}', 7), (b"\xed\xa0\x80", 0), (b'"\xc3', 1)])
def test_bad_utf8_is_refused_with_its_place(body, byte):
    """The caller finds the byte."""
    assert f"byte {byte} " in refused(body)


@pytest.mark.parametrize("body", [b"NaN", b'{"a": Infinity}', b"[-Infinity]"])
def test_what_only_python_takes_for_json_is_refused(body):
    """NaN and infinity have no JSON form."""
    assert "is not JSON" in refused(body)


@pytest.mark.parametrize("body", [b"{", b'{"a" 1}', b"{'a': 1}", b'{"a": 1,}', b"\xef\xbb\xbf{}", b'{"a": 1} {}'])
def test_broken_json_is_refused_with_line_and_column(body):
    """Whatever is broken."""
    assert "line 1, column" in refused(body)
