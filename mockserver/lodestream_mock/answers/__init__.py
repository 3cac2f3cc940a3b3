"""What the mock answers: a function per RPC, registered by the method's name."""

from functools import cache
from importlib import import_module

_NOUNS = (
    "artifacts",
    "batches",
    "datasets",
    "jobs",
    "keys",
    "operations",
    "queue",
    "resources",
    "subscriptions",
    "system",
    "tracking",
    "watching",
    "webhooks",
)


@cache
def load() -> None:
    """Registers every answer."""
    for noun in _NOUNS:
        import_module(f"{__name__}.{noun}")
