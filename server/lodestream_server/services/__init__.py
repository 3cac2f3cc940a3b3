"""The servicers: each method validates nothing (the guard did), calls the engine or a view, and answers with a shape.

A file per service. What the contract has and nobody wrote yet is answered by the guard: UNIMPLEMENTED, NOT_BUILT.
"""

from lodestream_server.services.registry import Services, add_services, make_services

__all__ = ["Services", "add_services", "make_services"]
