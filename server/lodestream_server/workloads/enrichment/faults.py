"""What is wrong with a parameter, said so that it can be put right: the field, the fault, and what was probably meant.

Pure; used by everything here that reads parameters.
"""

from collections.abc import Collection
from difflib import get_close_matches

from lodestream_server.workloads.phase import BadInput

#: Known words named in a message.
_NAMED = 30


def fault(field: str, text: str, reason: str = "BAD_PARAMETER") -> BadInput:
    """The error to raise: `details["field"]` is the path as the caller wrote it (`parameters.cleaningRules[1]`)."""
    return BadInput(f"{field} {text}", reason=reason, field=field)


def unknown(given: str, known: Collection[str], kind: str) -> str:
    """ "trimm" is no rule (did you mean "trim"?); known are …"""
    near = nearest(given, known)
    meant = f' (did you mean "{near}"?)' if near else ""
    named = sorted(known)
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return f'"{given[:60]}" is no {kind}{meant}; known are {", ".join(named[:_NAMED])}{more}'


def nearest(given: str, known: Collection[str]) -> str | None:
    """The known word that looks most like it, whatever its case; None when none does."""
    folded = {word.lower(): word for word in sorted(known)}
    found = get_close_matches(given.lower()[:200], folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None
