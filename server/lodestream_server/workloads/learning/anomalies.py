"""Unusual cases: which, how unusual, and why.

Two passes over the log: one leaves the figures of every case in scratch and gathers the sample for the forest, one
scores every case and words the reasons of those that stand out. Files: anomalies.csv (the anomalies, most unusual
first) and scores.parquet (case_id, score of every case).
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from lodestream_server.workloads.learning.cases import FEATURES, measured
from lodestream_server.workloads.learning.completions import Learned
from lodestream_server.workloads.learning.forest import FEWEST, LEVELS, SAMPLE, Forest, Numbers, grown
from lodestream_server.workloads.learning.meter import Meter
from lodestream_server.workloads.learning.reasons import MOST_REASONS, Witness
from lodestream_server.workloads.learning.usual import Usual
from lodestream_server.workloads.phase import Json
from lodestream_server.workloads.reporting.reasons import in_english

#: Cases named in the results; anomalies.csv has all.
TOP = 20

_COLUMNS = [f"f_{name}" for name in FEATURES]


@dataclass(slots=True)
class Anomalies:
    """What was found: the forest (None when the log is too small), rows of anomalies.csv, the results."""

    forest: Forest | None
    table: pl.DataFrame
    results: Json = field(default_factory=dict)


def find(meter: Meter, learned: Learned, usual: Usual) -> Anomalies:
    """Looks at every case. Too few cases: no anomalies, and the results say why."""
    if learned.cases < FEWEST:
        reason = f"{learned.cases} cases are too few to say what is unusual; {FEWEST} are needed"
        return Anomalies(None, pl.DataFrame(), {"detected": 0, "notComputed": reason})
    forest = grown(meter, _measure(meter, learned, usual))
    table = _score(meter, learned, usual, forest)
    _files(meter, table)
    return Anomalies(forest, table, _results(learned, forest, table))


def _measure(meter: Meter, learned: Learned, usual: Usual) -> Numbers:
    """The sample: every k-th case of each bucket."""
    every = max(1, -(-learned.cases // SAMPLE))
    parts = []
    for bucket in meter.walk("Measuring cases"):
        figures, _ = measured(learned, usual, bucket)
        parts.append(figures.select(_COLUMNS).gather_every(every).to_numpy())
        meter.check()
    return np.concatenate(parts)


def _score(meter: Meter, learned: Learned, usual: Usual, forest: Forest) -> pl.DataFrame:
    witness = Witness(learned, usual, forest)
    scores, found = [], []
    for bucket in meter.walk("Scoring cases"):
        figures, rows = measured(learned, usual, bucket)
        values = figures.select(_COLUMNS).to_numpy()
        scored = figures.with_columns(score=pl.Series(forest.scores(meter, values)))
        scores.append(scored.select("case_id", "score"))
        unusual = scored.filter(pl.col("score") >= min(forest.thresholds.values()))
        found.append(_worded(meter, unusual, rows, witness))
    _save(meter.phase.out, pl.concat(scores))
    table = pl.concat(found, how="vertical_relaxed").sort("score", "case_id", descending=[True, False])
    return table.with_row_index("rank", offset=1)


def _save(folder: Path, scores: pl.DataFrame) -> None:
    scores.write_parquet(folder / "scores.parquet", compression="zstd")


def _worded(meter: Meter, unusual: pl.DataFrame, rows: pl.DataFrame, witness: Witness) -> pl.DataFrame:
    own = rows.filter(pl.col("case").is_in(unusual["case"].to_list()))
    by_case = own.partition_by("case", as_dict=True, maintain_order=True)
    reasons = []
    for number, case in enumerate(unusual.iter_rows(named=True)):
        reasons.append(witness.reasons(case, by_case[(case["case"],)]))
        if number % 50 == 0:
            meter.check()
    return unusual.select(
        "case_id",
        severity=pl.Series([witness.forest.severity(score) for score in unusual["score"]], dtype=pl.String),
        score="score",
        start=_text("start"),
        end=_text("end"),
        duration_seconds=((pl.col("end") - pl.col("start")) / 1e6).round(3),
        events="events",
        variant="variant",
        **{f"reason_{place + 1}": _words(reasons, place) for place in range(MOST_REASONS)},
        reasons=pl.Series([json.dumps(row) for row in reasons], dtype=pl.String),
    )


def _words(reasons: list[list[Json]], place: int) -> pl.Series:
    """The reason at that place of every case, in English; empty where a case has fewer."""
    return pl.Series([in_english(**row[place]) if place < len(row) else "" for row in reasons], dtype=pl.String)


def _text(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Datetime("us", "UTC")).dt.strftime("%Y-%m-%dT%H:%M:%SZ")


def _files(meter: Meter, table: pl.DataFrame) -> None:
    path = meter.phase.out / "anomalies.csv"
    table.drop("reasons").write_csv(path)
    meter.phase.artifact(
        path,
        name=f"Anomaly Detection Results of {meter.phase.run_name}",
        type="Dataset",
        kind="Anomalies",
        description="Unusual cases, most unusual first, with severity, score and the reasons in words",
        records=table.height,
    )


def _results(learned: Learned, forest: Forest, table: pl.DataFrame) -> Json:
    counts = dict(table.group_by("severity").len().iter_rows())
    top = table.head(TOP)
    return {
        "detected": table.height,
        "highSeverity": counts.get("High", 0),
        "mediumSeverity": counts.get("Medium", 0),
        "lowSeverity": counts.get("Low", 0),
        "shareOfCases": round(table.height / learned.cases, 6),
        "casesScored": learned.cases,
        "casesSampled": len(forest.sorted_sample),
        "scoreFrom": {level: forest.thresholds[level] for level, _, _ in LEVELS},
        "top": [
            {
                "caseId": row["case_id"],
                "severity": row["severity"],
                "score": row["score"],
                "durationSeconds": row["duration_seconds"],
                "events": row["events"],
                "reasons": [in_english(**reason) for reason in json.loads(row["reasons"])],
                "reasonFigures": json.loads(row["reasons"]),
            }
            for row in top.iter_rows(named=True)
        ],
        "definitions": {
            "severity": "; ".join(
                f"{level}: score at least {times:g} robust standard deviations above the median and among the highest "
                f"{share:.1%} of the sample"
                for level, times, share in LEVELS
            ),
            "falsePositiveRate": "not stated: nobody labelled the cases of this log",
        },
    }
