"""Lodestream: run long process-mining work and follow it live, over gRPC and REST.

`Client` (async) and `SyncClient` are loaded when they are first asked for: importing the package costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lodestream.client import Client, SyncClient

__version__ = "0.1.0"
__all__ = ["Client", "SyncClient", "__version__"]


def __getattr__(name: str) -> Any:
    if name not in ("Client", "SyncClient"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from lodestream import client

    return getattr(client, name)
