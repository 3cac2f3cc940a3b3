"""What the doctor finds: how bad it is, what it is about, and what to do."""

from dataclasses import dataclass
from typing import Literal

#: "problem": unsafe or broken, and the exit code says so. "warning": works, but somebody should know. "good": as it
#: should be.
Level = Literal["problem", "warning", "good"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `fix` is empty where nothing needs to be done."""

    level: Level
    check: str
    message: str
    fix: str = ""


def problem(check: str, message: str, fix: str) -> Finding:
    """Unsafe or broken."""
    return Finding("problem", check, message, fix)


def warning(check: str, message: str, fix: str) -> Finding:
    """Works, but somebody should know."""
    return Finding("warning", check, message, fix)


def good(check: str, message: str) -> Finding:
    """As it should be."""
    return Finding("good", check, message)
