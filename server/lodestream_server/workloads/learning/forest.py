"""The isolation forest and how severe a case is, by where its score lies among those of a sample.

Fitted on at most `SAMPLE` cases evenly spaced through the log, with a fixed seed; every case is scored. The anomaly
score is the forest's own, between 0 and 1: the fewer random cuts separate a case from the rest, the higher.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest  # type: ignore[import-untyped]  # ships no types

from lodestream_server.workloads.learning.meter import Meter
from lodestream_server.workloads.learning.threads import few

SEED = 20_240_101

SAMPLE, TREES, TREE_CASES = 50_000, 150, 256

#: Trees grown, and cases scored, between two cancel points.
TREES_AT_ONCE, CASES_AT_ONCE = 25, 8_000

#: Fewer cases say little about what is usual.
FEWEST = 30

#: Severity: how far above the median score in robust standard deviations (1.4826 * median absolute deviation), and
#: among which share of the highest scores; both must hold.
LEVELS = (("High", 5.0, 0.005), ("Medium", 4.0, 0.02), ("Low", 3.0, 0.05))

#: Figures that do not differ within the sample say nothing; scores closer than this are the same.
_TIE = 1e-6

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Forest:
    """A fitted forest, the columns it uses, the sample (figures, sorted per column) and the scores that part the
    severities."""

    model: Any
    columns: tuple[int, ...]
    sorted_sample: Numbers
    thresholds: dict[str, float]

    def scores(self, meter: Meter, figures: Numbers) -> Numbers:
        """The score of each case; six decimals, so that equal cases stay equal."""
        found = []
        with few():
            for begin in range(0, len(figures), CASES_AT_ONCE):
                found.append(-self.model.score_samples(figures[begin : begin + CASES_AT_ONCE, self.columns]))
                meter.check()
        return np.round(np.concatenate(found), 6) if found else np.empty(0)

    def severity(self, score: float) -> str:
        """High, Medium, Low, or "" for a usual case."""
        return next((level for level, least in self.thresholds.items() if score >= least), "")

    def tail(self, column: int, value: float) -> float:
        """Share of the sample with at least this value in this column, never 0."""
        values = self.sorted_sample[:, column]
        at_least = len(values) - int(np.searchsorted(values, value - _TIE, side="left"))
        return max(at_least, 1) / len(values)

    def lower_tail(self, column: int, value: float) -> float:
        """Share of the sample with at most this value in this column, never 0."""
        values = self.sorted_sample[:, column]
        return max(int(np.searchsorted(values, value + _TIE, side="right")), 1) / len(values)


def grown(meter: Meter, sample: Numbers) -> Forest:
    """Grows the forest step by step. `sample` is a row per case, a column per figure; no NaN."""
    columns = tuple(int(column) for column in np.flatnonzero(np.ptp(sample, axis=0) > _TIE)) or (0,)
    model = IsolationForest(
        n_estimators=0, max_samples=min(TREE_CASES, len(sample)), random_state=SEED, warm_start=True, n_jobs=1
    )
    with few():
        for trees in range(TREES_AT_ONCE, TREES + 1, TREES_AT_ONCE):
            model.set_params(n_estimators=trees)
            model.fit(sample[:, columns])
            meter.say(f"Training the anomaly detection model: {trees} of {TREES} trees")
    forest = Forest(model, columns, np.sort(sample, axis=0), {})
    forest.thresholds.update(_thresholds(forest.scores(meter, sample)))
    return forest


def _thresholds(scores: Numbers) -> dict[str, float]:
    middle = float(np.median(scores))
    spread = 1.4826 * float(np.median(np.abs(scores - middle)))
    return {
        level: round(max(middle + times * spread, float(np.quantile(scores, 1 - share))) + _TIE, 6)
        for level, times, share in LEVELS
    }
