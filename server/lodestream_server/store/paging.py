"""Pages of a list: by number inside a bounded window, or by a token that names the last row seen. Nothing counts or
skips far."""

import base64
import hashlib
from dataclasses import dataclass
from typing import Generic, TypeVar

import orjson

from lodestream.errors import BadPageToken, InvalidField, PageBeyondWindow, Violation

T = TypeVar("T")

#: Rows that page numbers may reach; beyond it the token goes on for ever.
WINDOW = 10_000
#: Documented maximum of pageSize.
LARGEST_PAGE = 100


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page: `page` counts from 1 and excludes `page_token`; neither means the first."""

    page: int | None = None
    page_size: int = 20
    page_token: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items in the list's order; `next_token` is there when more follow."""

    items: tuple[T, ...]
    next_token: str | None = None

    @property
    def has_next(self) -> bool:
        """Whether more follow."""
        return self.next_token is not None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: rows to skip, or the (created, number) of the row before it."""

    skip: int = 0
    before: tuple[int, int] | None = None


def place(request: PageRequest, list_id: str) -> Place:
    """Where to begin. Raises InvalidField, PageBeyondWindow, BadPageToken."""
    if not 1 <= request.page_size <= LARGEST_PAGE:
        raise InvalidField.of(Violation("page_size", f"must be from 1 to {LARGEST_PAGE}"))
    if request.page_token:
        if request.page not in (None, 0):
            raise InvalidField.of(Violation("page_token", "give either page or page_token, not both"))
        return Place(before=_read(request.page_token, list_id))
    page = request.page or 1
    if page < 1:
        raise InvalidField.of(Violation("page", "must be 1 or more"))
    if page * request.page_size > WINDOW:
        raise PageBeyondWindow(
            violations=[Violation("page", f"page x page_size must not exceed {WINDOW}; use page_token")]
        )
    return Place(skip=(page - 1) * request.page_size)


def token(last: tuple[int, int], list_id: str) -> str:
    """The token that continues after this row of this list."""
    body = orjson.dumps([*last, _mark(list_id)])
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def _read(text: str, list_id: str) -> tuple[int, int]:
    try:
        created, number, mark = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, TypeError):  # no JSON, or JSON that is no list of three
        raise BadPageToken from None
    if mark != _mark(list_id) or not all(isinstance(one, int) and abs(one) < 2**63 for one in (created, number)):
        raise BadPageToken
    return created, number


def _mark(list_id: str) -> str:
    # A token of another list or filter would silently show the wrong rows.
    return hashlib.sha256(list_id.encode()).hexdigest()[:12]
