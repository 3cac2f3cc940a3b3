"""Two tests that ask for no particular shape of the data: are these times longer than those, and is this share larger
than that one? Pure."""

import math
from dataclasses import dataclass

import polars as pl

#: Below this p-value a difference is called significant; the size of the effect is told beside it.
SIGNIFICANT = 0.01


@dataclass(frozen=True, slots=True)
class Shift:
    """`probability`: that a value of the first sample is larger than one of the second, ties counting half (0.5: no
    difference). `p_value`: two-sided; None where both samples hold one and the same value."""

    u: float
    probability: float
    p_value: float | None


def mann_whitney(first: pl.Series, second: pl.Series) -> Shift | None:
    """The Mann-Whitney U test by its normal approximation with correction for ties and continuity; None when a sample
    is empty."""
    n, m = len(first), len(second)
    if not n or not m:
        return None
    both = pl.concat([first.cast(pl.Float64), second.cast(pl.Float64)])
    u = float(both.rank("average").head(n).sum()) - n * (n + 1) / 2
    ties = both.value_counts()["count"].cast(pl.Float64)
    total = n + m
    spread = n * m / 12 * ((total + 1) - float((ties**3 - ties).sum()) / (total * (total - 1)))
    if spread <= 0:
        return Shift(u, 0.5, None)
    distance = max(0.0, abs(u - n * m / 2) - 0.5) / math.sqrt(spread)
    return Shift(u, u / (n * m), math.erfc(distance / math.sqrt(2)))


def shares_differ(first: int, of_first: int, second: int, of_second: int) -> float | None:
    """The two-sided p-value of the two-proportion z-test; None where it says nothing."""
    if not of_first or not of_second:
        return None
    pooled = (first + second) / (of_first + of_second)
    spread = math.sqrt(pooled * (1 - pooled) * (1 / of_first + 1 / of_second))
    if not spread:
        return None
    return math.erfc(abs(first / of_first - second / of_second) / spread / math.sqrt(2))
