"""The documentation as data: its 58 example payloads in English and Turkish, its endpoints, its words, and where each
file comes from.

Read by the mock (which replays the examples) and by tests (which hold the contract to them). The files are kept to the
byte; `manifest()` says for each whether the page shows it ("documented") or we translated it from the Turkish page
("translated"). Every call returns fresh objects.
"""

import json
from functools import lru_cache
from importlib.resources import files
from typing import Any, TypedDict, cast

__all__ = ["Source", "endpoints", "example", "example_bytes", "manifest", "names", "words"]


class Source(TypedDict):
    """Where an example file comes from. `file` is "en/get-job.response.json"; `page` is the title of the source
    page."""

    file: str
    source: str
    page: str
    page_language: str
    status: str
    sha256: str


def names() -> list[str]:
    """The names of the 29 payloads, such as "get-job.response", sorted."""
    return sorted(entry["file"][3:].removesuffix(".json") for entry in manifest() if entry["file"].startswith("en/"))


def example_bytes(name: str, language: str = "en") -> bytes:
    """A payload as the page prints it; `name` is "get-job.response" or "submit-job.request". Raises KeyError for
    unknown ones."""
    if language not in ("en", "tr") or name not in names():
        raise KeyError(f"no documented example {name!r} in {language!r}")
    return _bytes(f"examples/{language}/{name}.json")


def example(name: str, language: str = "en") -> dict[str, Any]:
    """A payload, parsed, its keys in documented order."""
    return cast("dict[str, Any]", json.loads(example_bytes(name, language)))


def endpoints() -> dict[str, Any]:
    """`documented` (22 endpoints with parameters, defaults, limits and example files) and `implied` (2, with the
    reason)."""
    return cast("dict[str, Any]", json.loads(_bytes("endpoints.json")))


def words() -> dict[str, dict[str, str | None]]:
    """Set of words -> canonical word -> its Turkish word, None where no Turkish page shows one."""
    sets = json.loads(_bytes("words.json"))
    return {name: entries for name, entries in sets.items() if not name.startswith("_")}


def manifest() -> list[Source]:
    """One entry per example file: source page, status and SHA-256."""
    return cast("list[Source]", json.loads(_bytes("manifest.json")))


@lru_cache(None)
def _bytes(path: str) -> bytes:
    return files(__name__).joinpath(path).read_bytes()
