"""connexion's resolver: an operationId is the name of an RPC, and one generic handler serves them all.

Only files go through handlers of their own.
"""

from collections.abc import Awaitable, Callable, Mapping

from lodestream.rest.answers import Sendable
from lodestream.rest.asked import Asked
from lodestream.rest.framework import AbstractOperation, Resolution, Resolver
from lodestream.rest.rpcs import Rpc
from lodestream.rest.settings import Shared
from lodestream.rest.unary import Unary

Handler = Callable[[Asked], Awaitable[Sendable]]


class ByName(Resolver):  # type: ignore[misc]  # connexion ships no types
    """Finds the handler of an operation."""

    def __init__(self, rpcs: Mapping[str, Rpc], shared: Shared, own: Mapping[str, Handler]) -> None:
        super().__init__()
        self._rpcs = rpcs
        self._shared = shared
        self._own = own

    def resolve(self, operation: AbstractOperation) -> Resolution:
        """The handler with its operationId. Raises KeyError for an id that is no RPC: the document is not ours."""
        name: str = operation.operation_id
        return Resolution(self._own.get(name) or self._generic(name, operation), name)

    def _generic(self, name: str, operation: AbstractOperation) -> Handler:
        with_body = bool(operation.request_body)
        return Unary(self._rpcs[name], self._shared, with_body=with_body, is_get=operation.method == "get")
