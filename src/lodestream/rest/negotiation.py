"""Which of the offered media types, and which language, a caller likes best (RFC 9110 section 12.5)."""

from functools import lru_cache

from lodestream.wire import Language, language_of

JSON = "application/json"
TEXT = "text/plain"
EVENTS = "text/event-stream"


@lru_cache(1024)
def best(accept: bytes, offered: tuple[str, ...]) -> str | None:
    """The offered media type that an Accept header likes best; None when it takes none of them.

    Among equals the caller's order counts, and for a wildcard the order of the offer. b"" takes anything.
    """
    if not accept.strip():
        return offered[0]
    liked: list[tuple[float, int, int, str]] = []
    for place, (wanted, quality) in enumerate(_weighted(accept)):
        for rank, media in enumerate(offered):
            if wanted in (media, f"{media.split('/', 1)[0]}/*", "*/*"):
                liked.append((-quality, place, rank, media))
    refused = {media for quality, _, _, media in liked if quality == 0}
    exact = {wanted for wanted, quality in _weighted(accept) if quality > 0}
    found = sorted(one for one in liked if one[0] < 0 and (one[3] not in refused or one[3] in exact))
    return found[0][3] if found else None


@lru_cache(1024)
def language(accept_language: bytes) -> Language:
    """English or Turkish: the caller's first choice decides, and every other language gets English."""
    weighted = [one for one in _weighted(accept_language) if one[1] > 0]
    first = max(weighted, key=lambda one: one[1], default=("en", 1.0))
    return language_of(first[0])


def _weighted(header: bytes) -> list[tuple[str, float]]:
    """The choices of a header with their weights, in the caller's order; what cannot be read weighs nothing."""
    choices = []
    for part in header.decode("latin-1").split(","):
        name, *options = (piece.strip().lower() for piece in part.split(";"))
        if name:
            choices.append((name, _quality(options)))
    return choices


def _quality(options: list[str]) -> float:
    for option in options:
        key, _, value = option.partition("=")
        if key.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
