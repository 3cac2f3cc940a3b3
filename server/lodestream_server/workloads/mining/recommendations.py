"""Recommendations, each computed from measured rows that it quotes.

What an improvement could bring is a bound, not a promise: the saving if exactly the stated share of the measured time
disappeared and nothing else changed. Rules are few and visible; a log that gives no reason for a recommendation gets
none.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl

from lodestream_server.workloads.mining.spoken import count, duration, percent, shortened
from lodestream_server.workloads.phase import Json

Priority = Literal["High", "Medium", "Low"]

#: At most so many bottlenecks and repeated activities are recommended for; the tables hold the rest.
_BOTTLENECKS, _REPEATED = 3, 2

#: Saving as a share of the average cycle time from which a recommendation is High or Medium.
_HIGH, _MEDIUM = 0.10, 0.03

#: From here on worth mentioning: repetitions per activity instance, cases in variants of their own, work done by one
#: resource.
_REWORK_SHARE, _SINGLE_SHARE, _ONE_RESOURCE = 0.02, 0.2, 0.4


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One piece of advice; `saving` is the bound on the average case in seconds (0 where time is not the point).

    `topic` and `figures` say the same without words, for reports in other languages.
    """

    category: str
    priority: Priority
    recommendation: str
    expected: str
    evidence: str
    saving: float = 0.0
    topic: str = ""
    figures: Json = field(default_factory=dict)

    def as_json(self) -> Json:
        """In documented words: category, priority, recommendation, expectedImprovement; evidence, topic, figures."""
        return {
            "category": self.category,
            "priority": self.priority,
            "recommendation": self.recommendation,
            "expectedImprovement": self.expected,
            "evidence": self.evidence,
            "topic": self.topic,
            "figures": self.figures,
        }


def recommend(performance: Json, variants: pl.DataFrame, counts: Json) -> list[Recommendation]:
    """The most urgent first. `variants` is discovery's table, `counts` are the record counts of loading."""
    found = [
        *_bottlenecks(performance),
        *_rework(performance),
        *_variants(performance, variants),
        *_resources(performance),
        *_data_quality(performance, counts),
    ]
    order = {"High": 0, "Medium": 1, "Low": 2}
    return sorted(found, key=lambda item: (order[item.priority], -item.saving))


def _name(text: str) -> str:
    return f"'{shortened(text, 60)}'"


def _saving(seconds: float, performance: Json) -> tuple[Priority, str]:
    """Priority of a saving per average case, and how to say it."""
    average = performance["cycleTimes"]["averageSeconds"] or 0.0
    part = seconds / average if average else 0.0
    priority: Priority = "High" if part >= _HIGH else "Medium" if part >= _MEDIUM else "Low"
    return priority, f"shorten the average case by up to {duration(seconds)} ({percent(part)} of {duration(average)})"


def _figures(saving: float, performance: Json, **figures: Any) -> Json:
    return {"savingSeconds": saving, "averageSeconds": performance["cycleTimes"]["averageSeconds"] or 0.0, **figures}


def _bottlenecks(performance: Json) -> list[Recommendation]:
    return [_bottleneck(row, performance) for row in performance["bottlenecks"][:_BOTTLENECKS]]


def _bottleneck(row: Json, performance: Json) -> Recommendation:
    saving = row["totalSeconds"] / 2 / performance["cases"]
    priority, bound = _saving(saving, performance)
    name = _name(row["activity"])
    return Recommendation(
        "Process Optimization",
        priority,
        f"Focus on reducing wait times before {name}"
        + (f", above all after {_name(row['mostlyAfter'])}" if row["mostlyAfter"] else ""),
        f"Halving this waiting would {bound}",
        f"Waiting before {name} is {percent(row['share'])} of all waiting: mean {duration(row['meanSeconds'])}, "
        f"median {duration(row['medianSeconds'])}, 90 % within {duration(row['p90Seconds'])}, "
        f"over {count(row['occurrences'])} occurrences; "
        f"{percent(row['mostlyAfterShare'])} of it after {_name(row['mostlyAfter'])}",
        saving,
        "bottleneck",
        _figures(saving, performance, **row),
    )


def _rework(performance: Json) -> list[Recommendation]:
    rework = performance["rework"]
    rows = [
        row for row in rework["activities"] if row["repetitions"] >= _REWORK_SHARE * performance["activityInstances"]
    ]
    return [_repeated(row, rework, performance) for row in rows[:_REPEATED]]


def _repeated(row: Json, rework: Json, performance: Json) -> Recommendation:
    saving = row["totalSeconds"] / 2 / performance["cases"]
    priority, bound = _saving(saving, performance)
    name = _name(row["activity"])
    return Recommendation(
        "Rework",
        "Medium" if priority == "High" else priority,
        f"Find out why {name} is done again",
        f"Avoiding half of these repetitions, with the waiting before them, would {bound}",
        f"{name} is repeated {count(row['repetitions'])} times in {count(row['cases'])} of "
        f"{count(performance['cases'])} cases, {count(row['selfLoops'])} times directly; "
        f"repetitions take {duration(row['totalSeconds'])} in all, waiting included. "
        f"{percent(rework['shareOfCases'])} of all cases repeat some activity",
        saving,
        "rework",
        _figures(saving, performance, allCases=performance["cases"], shareOfCases=rework["shareOfCases"], **row),
    )


def _variants(performance: Json, variants: pl.DataFrame) -> list[Recommendation]:
    single = variants.filter(pl.col("cases") == 1)
    cases = int(variants["cases"].sum())
    if cases < 2 or single.height < _SINGLE_SHARE * cases:
        return []
    common = variants.filter(pl.col("cases") > 1)
    figures: Json = {"single": single.height, "variants": variants.height, "share": single.height / cases}
    evidence = (
        f"{count(single.height)} of {count(variants.height)} variants occur once; "
        f"together they are {percent(single.height / cases)} of all cases"
    )
    if common.is_empty():
        return [
            _standardise(
                "Every case takes a way of its own, so no common way can be named as the standard",
                evidence,
                0.0,
                performance,
                figures,
            )
        ]
    usual = float((common["meanCycleSeconds"] * common["cases"]).sum()) / float(common["cases"].sum())
    alone = float(str(single["meanCycleSeconds"].mean()))
    evidence += f"; their average cycle time is {duration(alone)}, that of the other cases {duration(usual)}"
    saving = max(0.0, alone - usual) * single.height / cases
    figures |= {"aloneSeconds": alone, "usualSeconds": usual}
    return [_standardise("", evidence, saving, performance, figures)]


def _standardise(instead: str, evidence: str, saving: float, performance: Json, figures: Json) -> Recommendation:
    priority, bound = _saving(saving, performance)
    expected = instead or (
        f"If these cases took as long as the others, it would {bound}"
        if saving > 0
        else "Fewer exceptions to handle; these cases are not slower"
    )
    limited: Priority = "Medium" if priority == "High" else priority
    return Recommendation(
        "Process Standardization",
        limited,
        "Review the variants that occur only once",
        expected,
        evidence,
        saving,
        "variants",
        _figures(saving, performance, **figures),
    )


def _resources(performance: Json) -> list[Recommendation]:
    resources = performance.get("resources")
    if not resources or resources["resources"] < 3:
        return []
    row: dict[str, Any] = resources["rows"][0]
    if row["share"] < _ONE_RESOURCE:
        return []
    name = _name(row["resource"])
    return [
        Recommendation(
            "Resource Allocation",
            "Medium",
            f"Check whether the process should depend on {name} this much",
            f"Lower risk when {name} is absent; the log cannot tell how much faster another distribution would be",
            f"{name} did {percent(row['share'])} of the work of {count(resources['resources'])} resources: "
            f"{count(row['instances'])} activities in {count(row['cases'])} cases on {count(row['activeDays'])} days",
            topic="resource",
            figures={**row, "resources": resources["resources"]},
        )
    ]


def _data_quality(performance: Json, counts: Json) -> list[Recommendation]:
    found = []
    total, invalid = counts.get("total", 0), counts.get("invalid", 0)
    if total and invalid:
        found.append(
            Recommendation(
                "Data Quality",
                "High" if invalid / total >= 0.05 else "Medium" if invalid / total >= 0.005 else "Low",
                "Repair the records that could not be used; the rejected records are listed with their reasons",
                f"{count(invalid)} more records would enter the analysis ({percent(invalid / total)} of all)",
                f"{count(invalid)} of {count(total)} records were rejected while loading",
                topic="rejected",
                figures={"records": invalid, "total": total},
            )
        )
    if duplicates := counts.get("duplicates", 0) - counts.get("duplicatesRemoved", 0):
        found.append(
            Recommendation(
                "Data Quality",
                "Low",
                "Check whether identical records are real events, or remove them with removeDuplicates",
                f"Counts of activities and steps change by at most {count(duplicates)}",
                f"{count(duplicates)} of {count(total)} records are identical to an earlier one "
                "and counted as events of their own",
                topic="identical",
                figures={"records": duplicates, "total": total},
            )
        )
    if performance["timing"]["kind"] == "instants":
        found.append(
            Recommendation(
                "Data Quality",
                "Low",
                "Record the start of activities as well",
                "Waiting and working could be told apart; utilisation and efficiency could be measured",
                f"All {count(performance['events'])} events carry one timestamp, "
                "so the waiting before an activity includes its work",
                topic="starts",
                figures={"events": performance["events"]},
            )
        )
    return found
