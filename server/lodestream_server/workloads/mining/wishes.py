"""Which looks at the process a run's parameters ask for, in the documentation's words. Performance analysis and the
report read them here, so that both leave out the same.

`analysisType` says what is looked at, the flags change single looks. Absent means all. Counting cases, activities,
variants and times is never left out: everything else is measured against them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: analysisType -> the looks that it takes.
TYPES: Mapping[str, frozenset[str]] = {
    "comprehensive": frozenset({"variants", "bottlenecks", "resources"}),
    "performance": frozenset({"bottlenecks", "resources"}),
    "bottleneck": frozenset({"bottlenecks"}),
    "variants": frozenset({"variants"}),
    "resources": frozenset({"resources"}),
}

#: Words of `performanceMetrics` -> keys of the results' performanceMetrics.
METRICS: Mapping[str, tuple[str, ...]] = {
    "cycle_time": ("averageCycleTime", "medianCycleTime", "efficiency"),
    "waiting_time": ("averageWaitingTime", "bottleneckActivities"),
    "resource_utilization": ("resourceUtilization",),
}


@dataclass(frozen=True, slots=True)
class Looks:
    """`advice`: recommend something. `figures`: keys of performanceMetrics to give."""

    variants: bool
    bottlenecks: bool
    resources: bool
    advice: bool
    figures: frozenset[str]

    @property
    def left_out(self) -> list[str]:
        """The looks not taken; part of the results, so that nobody reads "not looked for" as "none found"."""
        taken = {"variants": self.variants, "bottlenecks": self.bottlenecks, "resources": self.resources}
        return [name for name, asked in taken.items() if not asked]


def looks(parameters: Mapping[str, Any]) -> Looks:
    """Reads analysisType, enableVariantAnalysis (includeProcessVariants), enableBottleneckDetection,
    performanceMetrics, and generateOptimizationRecommendations (generateInsights)."""
    usual = TYPES.get(parameters.get("analysisType") or "comprehensive", TYPES["comprehensive"])
    named = parameters.get("performanceMetrics")
    metrics = set(METRICS) if named is None else METRICS.keys() & set(named)

    def on(look: str, *flags: str) -> bool:
        given = [value for flag in flags if isinstance(value := parameters.get(flag), bool)]
        return all(given) if given else look in usual

    return Looks(
        variants=on("variants", "enableVariantAnalysis", "includeProcessVariants"),
        bottlenecks=on("bottlenecks", "enableBottleneckDetection") and "waiting_time" in metrics,
        resources=on("resources") and "resource_utilization" in metrics,
        advice=all(
            parameters.get(name) is not False for name in ("generateOptimizationRecommendations", "generateInsights")
        ),
        figures=frozenset(key for metric in metrics for key in METRICS[metric]),
    )
