"""The servicers: each method validates nothing (the guard did), calls the engine or a view, and answers with a shape.

A file per service. What the contract has and nobody wrote yet is answered by the guard: UNIMPLEMENTED, NOT_BUILT.
"""

from lodestream_server.services.registry import add_services

__all__ = ["add_services"]
