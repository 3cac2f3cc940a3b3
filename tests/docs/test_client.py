"""The page of the Python client tells of everything that the client has, and the two clients have the same."""

import re
from pathlib import Path

import pytest

from lodestream import Client, SyncClient
from lodestream.client import JobHandle, OperationHandle, sync
from lodestream.client.batches import BatchHandle

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "client.md").read_text(encoding="utf-8")
#: Said elsewhere: by `with`, and on the handle itself.
UNTOLD = {"close", "kind", "submitted", "started"}


def names(cls: type) -> set[str]:
    """Its public methods and attributes."""
    return {name for name in dir(cls) if not name.startswith("_")}


@pytest.mark.parametrize("cls", [Client, JobHandle, OperationHandle, BatchHandle])
def test_the_page_names_every_method(cls):
    """A method that is not on the page fails."""
    told = set(re.findall(r"\b[a-z_]+\b", " ".join(re.findall(r"`([^`\n]+)`", PAGE))))
    assert names(cls) - told - UNTOLD == set()


@pytest.mark.parametrize(
    ("cls", "twin"),
    [
        (Client, SyncClient),
        (JobHandle, sync.SyncJobHandle),
        (OperationHandle, sync.SyncOperationHandle),
        (BatchHandle, sync.SyncBatchHandle),
    ],
)
def test_the_blocking_client_has_the_same_names(cls, twin):
    """All but `raw`, whose stubs are for a loop."""
    assert names(cls) - {"raw"} == names(twin)
