"""The figures by which cases are compared: one row per case, everything measured from its own events.

`FEATURES` says what each figure is; all are larger the more unusual, except the duration, which may also be too short.
"""

import polars as pl

from lodestream_server.workloads.learning.completions import EDGE, STEP, Learned, completions
from lodestream_server.workloads.learning.usual import RARE_STEP, Usual
from lodestream_server.workloads.mining.validated import Bucket

#: Figure -> what it is, with its unit.
FEATURES = {
    "duration": "ln(1 + seconds from the start of the case to its end)",
    "stall": "largest ln((time before an activity + c) / (90th percentile of that activity + c)); "
    "c is 1 % of the median case, at least a second",
    "missing": "activities of at least 95 % of all cases that this case lacks",
    "surprise": "largest -log2(share of a step among the steps from its activity), start and end included, in bits",
    "rareSteps": "steps taken in fewer than 1 % of the cases' steps from their activity",
    "variant": "-log2(share of cases with exactly this sequence), in bits",
    "repetitions": "ln(1 + activities done again)",
    "rareActivities": "activities that occur in less than 1 % of the cases",
    "length": "ln(1 + completed activities)",
    "people": "activities done by somebody who does less than 1 % of that activity",
}


def measured(learned: Learned, usual: Usual, bucket: Bucket) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The figures of each case of a bucket in the order of its cases (case_id, variant, start, end, events, then
    `FEATURES`), and the rows they were measured on (case, activity, at, gap, step, share, excess …).
    """
    rows = _rows(learned, usual, bucket)
    expected = int(usual.activities["expected"].sum())
    seen = pl.col("activity").filter(pl.col("expected")).n_unique()
    bits = -pl.col("share").log(2)
    end_bits = -pl.col("end_share").log(2)
    figures = rows.group_by("case", maintain_order=True).agg(
        stall=pl.col("excess").max().fill_null(0.0),
        surprise=pl.max_horizontal(bits.max(), end_bits.last()),
        rareSteps=(pl.col("share") < RARE_STEP).sum() + (pl.col("end_share").last() < RARE_STEP).cast(pl.UInt32),
        repetitions=(pl.len() - pl.col("activity").n_unique()).cast(pl.Float64).log1p(),
        missing=(expected - seen.cast(pl.Int64)),
        rareActivities=pl.col("rare").sum(),
        length=pl.len().cast(pl.Float64).log1p(),
        people=pl.col("stranger").sum(),
    )
    shares = learned.variants.select("variant", rarity=-(pl.col("cases") / learned.cases).log(2))
    cases = (
        learned.cases_of(bucket).with_row_index("case").join(shares, on="variant", how="left", maintain_order="left")
    )
    whole = cases.join(figures, on="case", how="left", maintain_order="left").with_columns(
        duration=((pl.col("end") - pl.col("start")).clip(lower_bound=0) / 1e6).log1p()
    )
    numbers = [pl.col("rarity" if name == "variant" else name).cast(pl.Float64).alias(f"f_{name}") for name in FEATURES]
    return whole.select("case", "case_id", "variant", "start", "end", "events", *numbers), rows


def _rows(learned: Learned, usual: Usual, bucket: Bucket) -> pl.DataFrame:
    rows = completions(learned, bucket, ["resource"] if usual.people is not None else [])
    rows = rows.join(usual.steps.select("step", "share"), on="step", how="left", maintain_order="left")
    rows = rows.join(usual.gaps, on="activity", how="left", maintain_order="left")
    rows = rows.join(usual.activities.drop("share"), on="activity", how="left", maintain_order="left")
    leaving = (pl.col("activity").cast(pl.UInt64) + 1) * STEP + EDGE
    ends = usual.steps.select(leaving="step", end_share="share")
    rows = rows.with_columns(leaving=pl.when("last").then(leaving))
    rows = rows.join(ends, on="leaving", how="left", maintain_order="left")
    floor = max(1e6, 0.01 * _median(usual.spans))
    excess = ((pl.col("gap") + floor) / (pl.col("p90") + floor)).log()
    rows = rows.with_columns(excess=excess, stranger=pl.lit(False))
    if usual.people is None:
        return rows
    people = usual.people.rename({"share": "does"})
    rows = rows.join(people, on=["activity", "resource"], how="left", maintain_order="left")
    return rows.with_columns(stranger=(pl.col("does") < RARE_STEP).fill_null(False))


def _median(spans: pl.DataFrame) -> float:
    return float(spans.select((pl.col("end") - pl.col("start")).median()).item() or 0.0)
