"""The caller's likings decide, by weight, then by order."""

import pytest

from lodestream.rest.negotiation import EVENTS, JSON, TEXT, best, language

OFFERED = (JSON, TEXT, EVENTS)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (b"", JSON),
        (b"*/*", JSON),
        (b"application/*", JSON),
        (b"text/event-stream", EVENTS),
        (b"text/*", TEXT),
        (b"text/html, application/xhtml+xml, */*;q=0.8", JSON),
        (b"text/event-stream;q=0.5, application/json", JSON),
        (b"text/event-stream, application/json;q=0.9", EVENTS),
        (b"text/event-stream, application/json", EVENTS),
        (b"APPLICATION/JSON", JSON),
        (b"application/json;q=0, */*", TEXT),
        (b"text/html", None),
        (b"application/json;q=0", None),
        (b"application/json;q=x", None),
        (b",;,", None),
    ],
)
def test_the_best_liked_media_type_is_chosen(accept, chosen):
    """None is a 406."""
    assert best(accept, OFFERED) == chosen


@pytest.mark.parametrize(
    ("header", "spoken"),
    [
        (b"", "en"),
        (b"tr", "tr"),
        (b"tr-TR,tr;q=0.9,en;q=0.8", "tr"),
        (b"en;q=0.5, tr;q=0.9", "tr"),
        (b"de, tr;q=0.5", "en"),
        (b"fr-FR", "en"),
        (b"tr;q=0", "en"),
        (b"*", "en"),
        (b"\xff\xfe", "en"),
    ],
)
def test_turkish_for_who_likes_it_best_and_english_for_all_others(header, spoken):
    """German and French readers get English."""
    assert language(header) == spoken
