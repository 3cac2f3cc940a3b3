"""Fingerprints by which two tools can see whether they counted the same: equal digests mean equal counts for every
pair, every variant.
"""

import hashlib

import polars as pl

#: Lines hashed at a time, so that a million variants need no second copy of their text.
_LINES = 100_000


def dfg_digest(edges: pl.DataFrame) -> str:
    """First 8 hex digits of the md5 over the sorted lines `source TAB target TAB count` (UTF-8, no newline after the
    last).

    `edges` has the columns source, target, count.
    """
    return _digest(
        edges.select(pl.concat_str("source", "target", pl.col("count").cast(pl.String), separator="\t")).to_series()
    )


def variants_digest(variants: pl.DataFrame) -> str:
    """The same over `first|second|third TAB cases`. `variants` has the columns activities (list of texts) and cases."""
    sequence = pl.col("activities").list.join("|")
    return _digest(
        variants.select(pl.concat_str(sequence, pl.col("cases").cast(pl.String), separator="\t")).to_series()
    )


def _digest(lines: pl.Series) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    ordered = lines.sort()
    for start in range(0, len(ordered), _LINES):
        text = "\n".join(ordered.slice(start, _LINES).to_list())
        digest.update(f"{text}".encode() if start == 0 else f"\n{text}".encode())
    return digest.hexdigest()[:8]
