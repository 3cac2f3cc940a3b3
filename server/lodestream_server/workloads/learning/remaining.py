"""How long a case will still take after each of its activities, against what simple averages would say."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lodestream_server.workloads.learning import boosting
from lodestream_server.workloads.learning.meter import Meter
from lodestream_server.workloads.mining.spoken import duration
from lodestream_server.workloads.phase import Json

WHAT = "remaining time"

#: Later positions share an average; a pair of activity and position seen less often takes that of its activity.
POSITIONS, FEWEST = 20, 10


@dataclass(frozen=True, slots=True)
class Trained:
    """What serves: a model or a table, and how good it was found to be."""

    results: Json
    content: dict[str, Any]


def train(
    meter: Meter, learn: pl.DataFrame, judge: pl.DataFrame, names: list[str], categories: list[int], rounds: int
) -> Trained:
    """`rounds` 0: no boosting, the better baseline serves."""
    actual = judge["remaining"].to_numpy()
    tables = {kind: _table(learn, kind) for kind in ("mean", "median")}
    errors = {kind: _mae(_looked_up(judge, table), actual) for kind, table in tables.items()}
    served = min(errors, key=lambda kind: (errors[kind], kind))
    content: dict[str, Any] = {"kind": f"{served} per activity and position", "table": tables[served].to_dicts()}
    model_error = None
    if rounds:
        model = boosting.regressor(categories)
        # The logarithm tames the long tail; medians survive it.
        boosting.fit(meter, model, _matrix(learn, names), np.log1p(learn["remaining"].to_numpy()), rounds, WHAT)
        guess = np.expm1(np.clip(boosting.predicted(meter, model.predict, _matrix(judge, names)), 0, 40))
        model_error = _mae(guess, actual)
        if model_error < errors[served]:
            content = {"kind": "boosted trees", "model": model, "target": "ln(1 + seconds remaining)"}
    return Trained(_results(errors, model_error, served, actual), content)


def _results(errors: dict[str, float], model: float | None, baseline: str, actual: NDArray[Any]) -> Json:
    best = errors[baseline]
    wins = model is not None and model < best
    error = model if model is not None and wins else best
    typical = float(np.mean(actual))
    found: Json = {
        "accuracy": round(max(0.0, 1 - error / typical), 4) if typical > 0 else 0.0,
        "meanAbsoluteError": duration(error),
        "meanAbsoluteErrorSeconds": round(error, 3),
        "served": "model" if wins else "baseline",
        "baselines": {
            f"{kind}PerActivityAndPosition": {"meanAbsoluteErrorSeconds": round(value, 3)}
            for kind, value in errors.items()
        },
        "meanRemainingSeconds": round(typical, 3),
        "judgedBy": len(actual),
    }
    if model is not None:
        found["model"] = {"meanAbsoluteErrorSeconds": round(model, 3)}
        found["skill"] = round(1 - model / best, 4) if best > 0 else 0.0
    return found


def _mae(guess: NDArray[Any], actual: NDArray[Any]) -> float:
    return float(np.mean(np.abs(guess - actual)))


def _matrix(rows: pl.DataFrame, names: list[str]) -> NDArray[Any]:
    return rows.select(pl.col(names).cast(pl.Float64)).to_numpy()


def _table(rows: pl.DataFrame, kind: str) -> pl.DataFrame:
    """activity, position (0: any), seconds; the row of activity -1 is for activities never seen."""
    value = pl.col("remaining").mean() if kind == "mean" else pl.col("remaining").median()
    place = pl.col("position").clip(upper_bound=POSITIONS).cast(pl.Int64)
    fine = rows.group_by("activity", position=place).agg(seconds=value, rows=pl.len())
    coarse = rows.group_by("activity").agg(seconds=value).with_columns(position=pl.lit(0, pl.Int64))
    whole = rows.select(activity=pl.lit(-1, pl.Int64), position=pl.lit(0, pl.Int64), seconds=value).head(1)
    order = ["activity", "position", "seconds"]
    parts = [fine.filter(pl.col("rows") >= FEWEST).select(order), coarse.select(order), whole.select(order)]
    return pl.concat(parts).sort("activity", "position")


def _looked_up(rows: pl.DataFrame, table: pl.DataFrame) -> NDArray[Any]:
    keys = rows.select("activity", position=pl.col("position").clip(upper_bound=POSITIONS).cast(pl.Int64))
    any_place = table.filter(pl.col("position") == 0).select("activity", any="seconds")
    whole = table.filter(pl.col("activity") == -1)["seconds"].item()
    found = keys.join(table, on=["activity", "position"], how="left", maintain_order="left")
    found = found.join(any_place, on="activity", how="left", maintain_order="left")
    return found.select(pl.coalesce("seconds", "any").fill_null(whole)).to_series().to_numpy()
