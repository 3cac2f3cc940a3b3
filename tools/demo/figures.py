"""The key figures of an analysis, and whether they are the truth about a generated log. Pure.

Called by the demonstration with the free-form results of each phase or stage, by name.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from lodestream.cli.texts import span_text
from lodestream.samples.loan_applications import Truth

Results = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Figures:
    """What a reader wants to know first."""

    cases: int
    events: int
    activities: int
    variants: int
    top_variant: str
    top_variant_cases: int
    top_variant_share: float
    bottleneck: str
    bottleneck_share: float
    quality: float
    invalid: int
    duplicates: int
    inferred: int
    cycle_average_s: float
    cycle_median_s: float
    first: str
    last: str

    def lines(self) -> dict[str, str]:
        """Name -> text, in the order of reading."""
        share = f": {self.bottleneck_share:.1%} of all waiting" if self.bottleneck else ""
        return {
            "Cases": f"{self.cases:,}",
            "Events": f"{self.events:,} of {self.activities:,} activities, {self.first[:10]} to {self.last[:10]}",
            "Data quality": f"{self.quality:g} of 100: {self.invalid:,} records rejected, {self.inferred:,} timestamps "
            f"inferred, {self.duplicates:,} identical records",
            "Variants": f"{self.variants:,}",
            "Top variant": f"{self.top_variant_cases:,} cases ({self.top_variant_share:.1%}): {self.top_variant}",
            "Cycle time": f"{span_text(self.cycle_average_s)} on average, {span_text(self.cycle_median_s)} median",
            "Bottleneck": f"{self.bottleneck or 'none'}{share}",
        }


def figures_of(results: Results) -> Figures:
    """The figures out of the results of the mining phases, whatever the name of the loading phase."""
    loading = next(found for name, found in results.items() if name.startswith("Data Loading"))
    discovery, performance = results["Process Discovery"], results["Performance Analysis"]
    top = discovery["variants"][0]
    bottleneck: Mapping[str, Any] = next(iter(performance.get("bottlenecks", [])), {})
    cycle = performance["cycleTimes"]
    span = loading["timeRange"]
    return Figures(
        cases=int(loading["cases"]),
        events=int(loading["events"]),
        activities=int(loading["activities"]),
        variants=int(discovery["processVariants"]),
        top_variant=" → ".join(top["activities"]),
        top_variant_cases=int(top["cases"]),
        top_variant_share=float(top["share"]),
        bottleneck=str(bottleneck.get("activity", "")),
        bottleneck_share=float(bottleneck.get("share", 0.0)),
        quality=float(loading["dataQualityScore"]),
        invalid=int(loading["invalidRecords"]),
        duplicates=int(loading["duplicateRecords"]),
        inferred=int(loading["inferredTimestamps"]),
        cycle_average_s=float(cycle["averageSeconds"]),
        cycle_median_s=float(cycle["medianSeconds"]),
        first=str(span["startTime"]),
        last=str(span["endTime"]),
    )


def untruths(figures: Figures, truth: Truth) -> list[str]:
    """Every figure that is not what was put into the generated log; empty when all is as it should be."""
    expected = {
        "cases": truth.cases,
        "events": truth.events,
        "activities": truth.activities,
        "variants": truth.variants,
        "invalid": truth.invalid,
        "duplicates": truth.duplicates,
        "inferred": truth.inferable_timestamps,
        "bottleneck": truth.bottleneck,
    }
    return [
        f"{name} is {found!r}, and the generated log has {right!r}"
        for name, right in expected.items()
        if (found := getattr(figures, name)) != right
    ]


def unusual_line(unusual: Collection[str], truth: Truth | None) -> str:
    """How many cases were called unusual, and how many of those that were made so are among them."""
    said = f"{len(unusual):,}"
    if not truth:
        return said
    put_in = set(truth.anomalous_cases)
    return f"{said}, {len(put_in.intersection(unusual)):,} of the {len(put_in):,} that were put in among them"
