"""What the run's parameters ask of the learning phase, in the documentation's words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Effort:
    """Bounds of training: prefixes (rows) to learn from and to be judged by, and rounds of boosting."""

    name: str
    train_rows: int
    test_rows: int
    rounds: int


BALANCED = Effort("balanced", 30_000, 20_000, 40)
EFFORTS = {
    "high_accuracy": Effort("high_accuracy", 120_000, 60_000, 100),
    "high_throughput": Effort("high_throughput", 10_000, 10_000, 20),
}


@dataclass(frozen=True, slots=True)
class Wishes:
    """`anomalies`: look for unusual cases. `predictions`: of what comes and when. `boosting`: train models for them;
    without it the baselines serve."""

    anomalies: bool
    predictions: bool
    boosting: bool
    effort: Effort


def wishes(parameters: Mapping[str, Any], *, unasked: bool = True) -> Wishes:
    """`includeAnomalyDetection`, `enableML`, and of `algorithmSettings` useAdvancedML, enableAnomalyDetection and
    performanceOptimization. What is absent is as `unasked` says, and balanced; `enableML: false` turns everything off
    that is not asked for by its own name."""
    given = parameters.get("algorithmSettings")
    settings: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    learning = unasked if parameters.get("enableML") is None else parameters["enableML"] is True
    unusual = (parameters.get("includeAnomalyDetection"), settings.get("enableAnomalyDetection"))
    advanced = settings.get("useAdvancedML")
    word = str(settings.get("performanceOptimization") or "").lower()
    return Wishes(
        anomalies=False not in unusual and (learning or True in unusual),
        predictions=learning or advanced is True,
        boosting=advanced is not False,
        effort=EFFORTS.get(word, BALANCED),
    )
