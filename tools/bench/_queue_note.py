"""The work of the queue bench on our side: one phase, in a module that a worker loads without the server."""

from typing import Any

from lodestream_server.workloads.phase import Phase

from tools.bench import _queue_driver


def note(phase: Phase) -> dict[str, Any]:
    """Says that it has begun."""
    _queue_driver.begun(phase.run_name)
    return {}
