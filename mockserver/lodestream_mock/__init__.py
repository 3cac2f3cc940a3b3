"""The mock server: the documentation, replayed over gRPC and REST, on a clock that tests move.

Importing this package imports nothing else, so that the pytest plugin costs nothing where it is installed but not used.
"""
