"""Lists that fetch their next page by themselves.

Returned by the clients' list methods. Entries come newest first; one that is added while you read does not shift the
pages, because each page continues from the token of the one before.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Generic, TypeVar

PageT = TypeVar("PageT")
ItemT = TypeVar("ItemT")


class Listing(AsyncIterator[ItemT], Generic[PageT, ItemT]):
    """Entries with `async for`; whole answers, with their counts, with `pages()` or `page()`."""

    def __init__(
        self,
        fetch: Callable[[str], Awaitable[PageT]],
        items: Callable[[PageT], Iterable[ItemT]],
        next_token: Callable[[PageT], str],
    ) -> None:
        self._fetch, self._items_of, self._next_token = fetch, items, next_token
        self._items: AsyncIterator[ItemT] | None = None

    def __aiter__(self) -> AsyncIterator[ItemT]:
        return self._all()

    async def __anext__(self) -> ItemT:
        if self._items is None:
            self._items = self._all()
        return await anext(self._items)

    async def page(self, token: str = "") -> PageT:
        """One page: the first, or the one that `token` names."""
        return await self._fetch(token)

    async def pages(self) -> AsyncIterator[PageT]:
        """Every page."""
        token, first = "", True
        while first or token:
            page = await self._fetch(token)
            yield page
            token, first = self._next_token(page), False

    async def _all(self) -> AsyncIterator[ItemT]:
        async for page in self.pages():
            for item in self._items_of(page):
                yield item
