"""Lodestream: run long process-mining work and follow it live, over gRPC and REST."""

__version__ = "0.1.0"
