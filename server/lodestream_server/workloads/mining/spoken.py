"""Figures as people say them: durations, counts and shares for results, recommendations and the report."""

_MINUTE, _HOUR, _DAY = 60.0, 3_600.0, 86_400.0
_YEAR = 365.25 * _DAY
_UNITS = ((2 * _YEAR, _YEAR, "year"), (2 * _DAY, _DAY, "day"), (_HOUR, _HOUR, "hour"), (_MINUTE, _MINUTE, "minute"))
_SHORT = {"year": "y", "day": "d", "hour": "h", "minute": "min"}


def _in_unit(seconds: float) -> tuple[str, str]:
    for bound, size, unit in _UNITS:
        if seconds >= bound:
            return f"{seconds / size:,.1f}".removesuffix(".0"), unit
    return f"{seconds:.1f}".removesuffix(".0") if seconds < 10 else f"{seconds:.0f}", "second"


def duration(seconds: float | None) -> str:
    """One unit and at most one decimal: "4.2 hours", "1 minute", "0 seconds"; "-" for None."""
    if seconds is None:
        return "-"
    number, unit = _in_unit(seconds)
    return f"{number} {unit}" if number == "1" else f"{number} {unit}s"


def short_duration(seconds: float | None) -> str:
    """The same for tight places: "4.2 h", "31 min", "12 s"."""
    if seconds is None:
        return "-"
    number, unit = _in_unit(seconds)
    return f"{number} {_SHORT.get(unit, 's')}"


def count(number: float) -> str:
    """A whole number with thousands separators."""
    return f"{number:,.0f}"


def short_count(number: float) -> str:
    """At most four characters and a letter: 950, 12.3k, 4.5M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if number >= size:
            scaled = number / (1e3 if letter == "k" else size)
            return f"{scaled:.0f}{letter}" if scaled >= 100 else f"{scaled:.1f}".removesuffix(".0") + letter
    return f"{number:,.0f}"


def percent(share: float | None) -> str:
    """A share of one as a percentage with one decimal: "61.3 %"; what is not quite nothing is "< 0.1 %"."""
    if share is None:
        return "-"
    return "< 0.1 %" if 0 < share < 0.0005 else f"{share * 100:.1f} %"


def shortened(text: str, length: int) -> str:
    """One line of at most `length` characters: line breaks and tabs become spaces, the end becomes an ellipsis."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"
