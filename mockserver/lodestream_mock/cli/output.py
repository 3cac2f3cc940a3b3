"""Where the mock answers by default, and how its commands speak."""

import sys

GRPC = "127.0.0.1:50061"
REST = "127.0.0.1:8061"


def out(text: str) -> None:
    """A line of the answer."""
    sys.stdout.write(f"{text}\n")


def say(*lines: str) -> None:
    """Lines for people, beside the answer."""
    for line in lines:
        sys.stderr.write(f"lodestream mock: {line}\n")
