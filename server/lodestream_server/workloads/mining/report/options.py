"""What a run wants to have made: read from its parameters `outputOptions` and `outputFormat`.

Nothing said means everything that is usual: report, map, and the tables as CSV and Parquet.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Formats that exports can have. PDF is the report and the process map, each a file.
KNOWN = ("CSV", "PARQUET", "JSON", "PDF", "HTML", "SVG")
_USUAL = frozenset({"CSV", "PARQUET"})
_DATA = frozenset({"CSV", "PARQUET", "JSON"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which files to make; `unknown` are formats asked for that do not exist here."""

    html: bool
    map: bool
    formats: frozenset[str]
    unknown: tuple[str, ...] = ()


def wanted(parameters: Mapping[str, Any]) -> Wanted:
    """`exportFormats` names formats in any case; words of `outputFormat` that are formats count (`processed_csv`)."""
    options = parameters.get("outputOptions") or {}
    asked = [str(item).strip().upper() for item in options.get("exportFormats") or []]
    words = re.split(r"[^A-Za-z]+", str(parameters.get("outputFormat") or ""))
    named = {*asked, *(word.upper() for word in words if word.upper() in KNOWN)}
    formats = frozenset(named & set(KNOWN))
    return Wanted(
        html=options.get("generateReports") is not False or "HTML" in formats,
        # A PDF without a report is the map alone.
        map=options.get("createVisualizations") is not False or "SVG" in formats,
        formats=formats if formats & (_DATA | {"PDF"}) else formats | _USUAL,
        unknown=tuple(item for item in dict.fromkeys(asked) if item not in KNOWN),
    )
