"""Reading an object of options: every value is checked, and what nobody knows is refused with the nearest known name.

Pure. Errors are BadInput with the path of the field.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from lodestream_server.workloads.enrichment.faults import fault, unknown


class Wishes:
    """An object given by the caller; `path` is where it stands. Call `end` when all known options have been asked
    for."""

    def __init__(self, given: Mapping[str, Any], path: str, also: Sequence[str] = ()) -> None:
        self._given = given
        self._path = path
        self._known = set(also)

    def at(self, name: str) -> str:
        """The path of an option."""
        return f"{self._path}.{name}"

    def text(self, name: str, default: str = "") -> str:
        """A text that is not empty; the default when absent."""
        value = self._take(name)
        if value is None:
            return default
        if not isinstance(value, str) or not value:
            raise fault(self.at(name), "must be a text that is not empty")
        return value

    def word(self, name: str, words: Sequence[str], default: str) -> str:
        """One of some words, in any case."""
        value = self.text(name, default)
        if value.lower() not in words:
            raise fault(self.at(name), unknown(value, words, "choice"))
        return value.lower()

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts, or one text; () when absent."""
        value = self._take(name)
        if value is None:
            return ()
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or not items or not all(isinstance(item, str) and item for item in items):
            raise fault(self.at(name), "must be a list of texts with at least one, none of them empty")
        return tuple(dict.fromkeys(items))

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false."""
        value = self._take(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise fault(self.at(name), "must be true or false")
        return value

    def instant(self, *names: str, end_of_day: bool = False) -> datetime | None:
        """A date or an instant under one of these names, UTC unless it has an offset; a plain end date means the whole
        day."""
        for name in names:
            value = self._take(name)
            if value is not None:
                return instant(value, self.at(name), end_of_day)
        return None

    def end(self) -> None:
        """Raises BadInput for options that nobody asked for."""
        for name in self._given:
            if name not in self._known:
                raise fault(self.at(name), f"is unknown: {unknown(name, self._known, 'option')}")

    def _take(self, name: str) -> Any:
        self._known.add(name)
        return self._given.get(name)


def instant(value: object, field: str, end_of_day: bool = False) -> datetime:
    """The instant of a text, in UTC. Raises BadInput for one that is none."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if not isinstance(value, str) or found is None:
        raise fault(field, f'"{str(value)[:60]}" is no date: give one such as 2024-01-31 or 2024-01-31T12:00:00Z')
    found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    plain = "T" not in value and ":" not in value
    return found + timedelta(days=1) - timedelta(microseconds=1) if end_of_day and plain else found
