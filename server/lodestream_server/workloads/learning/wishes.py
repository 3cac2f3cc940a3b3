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
    """`anomalies`: look for unusual cases. `boosting`: train models; without it the baselines serve."""

    anomalies: bool
    boosting: bool
    effort: Effort


def wishes(parameters: Mapping[str, Any]) -> Wishes:
    """`includeAnomalyDetection`, and of `algorithmSettings` useAdvancedML, enableAnomalyDetection and
    performanceOptimization; what is absent is on, and balanced."""
    given = parameters.get("algorithmSettings")
    settings: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    asked = (parameters.get("includeAnomalyDetection"), settings.get("enableAnomalyDetection"))
    word = str(settings.get("performanceOptimization") or "").lower()
    return Wishes(
        anomalies=not any(value is False for value in asked),
        boosting=settings.get("useAdvancedML") is not False,
        effort=EFFORTS.get(word, BALANCED),
    )
