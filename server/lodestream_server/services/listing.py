"""Pages of a list, as requests ask for them."""

from typing import Protocol

from lodestream_server.store.paging import PageRequest


class Paged(Protocol):
    """A list request with documented paging, defaults applied."""

    page: int
    page_size: int
    page_token: str


def page_request(request: Paged) -> PageRequest:
    """The page asked for. Page 1 is also what the default says, so beside a token it counts as not given."""
    if request.page_token:
        return PageRequest(request.page if request.page > 1 else None, request.page_size, request.page_token)
    return PageRequest(request.page, request.page_size)
