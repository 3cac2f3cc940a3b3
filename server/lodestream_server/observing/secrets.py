"""What must not stand in a log, taken out of it. Pure; called for every line that the server writes.

Secrets are known by their shape, wherever they stand, and by the name they are given as `extra`. What clients choose
themselves (secrets of webhooks) has no shape: nobody logs it, and its name covers it if somebody does.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

REDACTED: Final = "[redacted]"

_NAMES: Final = re.compile(r"authorization|password|secret|token|credential|cookie|api_?key", re.IGNORECASE)
_SHAPES: Final = (
    # An API key keeps its visible beginning: it says whose key it is and opens nothing.
    (re.compile(r"(lode_[\w-]{8})[\w-]{8,}"), r"\1…"),
    (re.compile(r"lodeticket\.[\w.%-]+"), f"lodeticket.{REDACTED}"),
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]+\.[\w-]*"), REDACTED),
    (re.compile(r"\bwhsec_[\w+/=-]+"), f"whsec_{REDACTED}"),
    (re.compile(r"\bxox[a-z]-[\w-]+"), f"xox-{REDACTED}"),
    (re.compile(r"(\bbearer\s+)(?!lode)[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1{REDACTED}"),
    # Credentials in an address, and in its query.
    (re.compile(r"(\w://)[^/\s:@\"]*:[^/\s@\"]+@"), rf"\1{REDACTED}@"),
    (re.compile(r"([?&](?:ticket|token|key|secret|signature)=)[^&\s\"\\]+", re.IGNORECASE), rf"\1{REDACTED}"),
)


def without_secrets(text: str) -> str:
    """The text with every secret in it made unusable."""
    for shape, instead in _SHAPES:
        text = shape.sub(instead, text)
    return text


def harmless(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Extras of a log record without the values whose names say that they are secret."""
    return {name: REDACTED if _NAMES.search(name) and value else value for name, value in extra.items()}
