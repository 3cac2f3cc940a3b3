"""The client: async `Client`, blocking `SyncClient`, and what their calls return.

Everything is loaded when it is first asked for, so that settings and error classes cost no grpc.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lodestream.client.batches import BatchHandle
    from lodestream.client.client import Client
    from lodestream.client.jobs import JobHandle
    from lodestream.client.operations import OperationHandle
    from lodestream.client.paging import Listing
    from lodestream.client.patience import Patience
    from lodestream.client.settings import Settings, load_settings
    from lodestream.client.sync import (
        SyncBatchHandle,
        SyncClient,
        SyncJobHandle,
        SyncListing,
        SyncOperationHandle,
        SyncWatch,
    )
    from lodestream.client.watching import Watch

_HOMES = {
    "BatchHandle": "batches",
    "Client": "client",
    "JobHandle": "jobs",
    "Listing": "paging",
    "OperationHandle": "operations",
    "Patience": "patience",
    "Settings": "settings",
    "SyncBatchHandle": "sync",
    "SyncClient": "sync",
    "SyncJobHandle": "sync",
    "SyncListing": "sync",
    "SyncOperationHandle": "sync",
    "SyncWatch": "sync",
    "Watch": "watching",
    "load_settings": "settings",
}

__all__ = [
    "BatchHandle",
    "Client",
    "JobHandle",
    "Listing",
    "OperationHandle",
    "Patience",
    "Settings",
    "SyncBatchHandle",
    "SyncClient",
    "SyncJobHandle",
    "SyncListing",
    "SyncOperationHandle",
    "SyncWatch",
    "Watch",
    "load_settings",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
