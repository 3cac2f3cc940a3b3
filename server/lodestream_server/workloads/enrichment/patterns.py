"""Regular expressions of callers: polars reads them (no look-around, no back-references), in time linear in the
text."""

import polars as pl


def pattern_fault(pattern: str) -> str | None:
    """What is wrong with a pattern, in the words of its reader; None when it can be used."""
    try:
        pl.select(pl.lit("").str.contains(pattern))
    except pl.exceptions.PolarsError as wrong:
        lines = [line.strip() for line in str(wrong).splitlines()]
        told = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        return told[0] if told else "it is too large or not understood"
    return None
