"""How hard a process is to foresee, as one number and one word.

The number is the *effective choices per step*: stand at any event of the log (or at the start of a case) and ask how
many equally likely continuations the next event has. It is 2 to the power of the conditional entropy H(next | current)
of the directly-follows graph with start and end, weighted by frequency. A straight line gives 1; a step that leads to
two activities equally often gives 2. Rare paths count as little as they occur, so a long tail of exceptions does not
make a process "complex" by itself.
"""

import math
from typing import Literal

import polars as pl

Word = Literal["Low", "Medium", "Medium-High", "High"]

#: Upper bounds of effective choices per step, exclusive. Set by looking at known logs: a helpdesk has 1.6, the receipt
#: of an environmental permit 1.9, the sepsis cases of a hospital 3.8.
THRESHOLDS: tuple[tuple[float, Word], ...] = ((1.5, "Low"), (2.5, "Medium"), (3.5, "Medium-High"))


def effective_choices(edges: pl.DataFrame, activities: pl.DataFrame) -> float:
    """Effective choices per step, at least 1.

    `edges` has source, target and count; `activities` has activity, starts and ends (cases that begin and end with it).
    """
    steps = pl.concat(
        [
            edges.select(here=pl.col("source"), n=pl.col("count").cast(pl.Int64)),
            activities.select(here=pl.col("activity"), n=pl.col("ends").cast(pl.Int64)),
            activities.select(here=pl.lit(None, pl.String), n=pl.col("starts").cast(pl.Int64)),
        ]
    ).filter(pl.col("n") > 0)
    if steps.is_empty():
        return 1.0
    chance = pl.col("n") / pl.col("n").sum().over("here")
    bits = steps.select(-(pl.col("n") * chance.log(2)).sum() / pl.col("n").sum()).item()
    return round(max(1.0, math.pow(2.0, float(bits))), 2)


def word(choices: float) -> Word:
    """Low, Medium, Medium-High or High, as the documented `complexity` says it."""
    return next((name for bound, name in THRESHOLDS if choices < bound), "High")
