"""What comes next after each activity of a case, against what most often followed that activity."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lodestream_server.workloads.learning import boosting
from lodestream_server.workloads.learning.meter import Meter
from lodestream_server.workloads.learning.prefixes import END
from lodestream_server.workloads.learning.remaining import Trained
from lodestream_server.workloads.phase import Json

WHAT = "next activity"

#: Next activities of a smaller share of the prefixes are one class, "another"; so are those beyond the most frequent.
RARE, MOST_CLASSES = 0.005, 20

#: The merged class; saying "another" is never counted as right.
OTHER = -2


def train(
    meter: Meter, learn: pl.DataFrame, judge: pl.DataFrame, names: list[str], categories: list[int], rounds: int
) -> Trained:
    """`rounds` 0: no boosting, the baseline serves."""
    actual = judge["next"].to_numpy()
    table = _followers(learn)
    guess = judge.select("activity").join(table, on="activity", how="left", maintain_order="left")
    usual = int(learn["next"].value_counts().sort("count", "next", descending=[True, False])["next"][0])
    baseline = float(np.mean(guess["next"].fill_null(usual).to_numpy() == actual))
    content: dict[str, Any] = {"kind": "most frequent follower", "table": table.to_dicts()}
    found: Json = {
        "accuracy": round(baseline, 4),
        "confidence": round(float(guess["share"].fill_null(0.0).mean() or 0.0), 4),  # type: ignore[arg-type]  # of floats
        "served": "baseline",
        "baseline": {"accuracy": round(baseline, 4)},
        "judgedBy": len(actual),
    }
    kept = _kept(learn)
    if rounds and len(kept) > 1:
        model = boosting.classifier(categories)
        target = np.where(np.isin(learn["next"].to_numpy(), kept), learn["next"].to_numpy(), OTHER)
        boosting.fit(meter, model, _matrix(learn, names), target, rounds, WHAT)
        chances = boosting.predicted(meter, model.predict_proba, _matrix(judge, names))
        accuracy = float(np.mean(model.classes_[np.argmax(chances, axis=1)] == actual))
        found["model"] = {"accuracy": round(accuracy, 4)}
        found["classes"] = len(model.classes_)
        found["skill"] = round((accuracy - baseline) / (1 - baseline), 4) if baseline < 1 else 0.0
        if accuracy > baseline:
            found |= {"accuracy": round(accuracy, 4), "served": "model"}
            found["confidence"] = round(float(np.mean(np.max(chances, axis=1))), 4)
            content = {"kind": "boosted trees", "model": model, "classes": {"end": END, "another": OTHER}}
    return Trained(found, content)


def _kept(rows: pl.DataFrame) -> list[int]:
    counts = rows["next"].value_counts().sort("count", "next", descending=[True, False])
    return counts.filter(pl.col("count") >= RARE * rows.height)["next"].head(MOST_CLASSES).to_list()


def _followers(rows: pl.DataFrame) -> pl.DataFrame:
    """activity, next (most frequent; equals: the smaller number), share."""
    counts = rows.group_by("activity", "next").len().sort("activity", "len", "next", descending=[False, True, False])
    shares = counts.with_columns(share=pl.col("len") / pl.col("len").sum().over("activity"))
    return shares.group_by("activity", maintain_order=True).first().select("activity", "next", "share")


def _matrix(rows: pl.DataFrame, names: list[str]) -> NDArray[Any]:
    return rows.select(pl.col(names).cast(pl.Float64)).to_numpy()
