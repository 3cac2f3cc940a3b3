"""Recommendations of an analysis: mining's own, and those that only this closer look can give; each quotes the rows it
comes from."""

from collections.abc import Mapping

import polars as pl

from lodestream_server.workloads.analysis.statistics import SIGNIFICANT
from lodestream_server.workloads.mining.recommendations import Recommendation, recommend
from lodestream_server.workloads.mining.spoken import count, duration, percent, shortened
from lodestream_server.workloads.phase import Json

#: Categories of mining's recommendations that belong to each look.
_CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "performance": ("Process Optimization", "Rework", "Resource Allocation"),
    "bottleneck": ("Process Optimization",),
    "variants": ("Process Standardization", "Rework"),
    "resources": ("Resource Allocation",),
}

_NO_VARIANTS = pl.DataFrame(schema={"cases": pl.Int64, "meanCycleSeconds": pl.Float64})
#: A change of waiting worth a recommendation: a share of the reference's average cycle time.
_WORTH = 0.02
_MOST = 3
#: From this share of cases on a deviation is no exception.
_FREQUENT = 0.02


def advise(analysis: Json, performance: Json, variants: pl.DataFrame | None, counts: Json) -> list[Recommendation]:
    """The most urgent first. `performance` are mining's results for the subject; `variants` its table where it was
    made."""
    looks = analysis["analyses"]
    wanted = {"Data Quality", *(name for look in looks for name in _CATEGORIES.get(look, ()))}
    usual = recommend(performance, _NO_VARIANTS if variants is None else variants, counts)
    found = [item for item in usual if item.category in wanted]
    found += _comparison(analysis.get("comparison"))
    found += _resources(analysis.get("resources"))
    found += _conformance(analysis.get("conformance"))
    order = {"High": 0, "Medium": 1, "Low": 2}
    return sorted(found, key=lambda item: (order[item.priority], -item.saving, item.category == "Data Quality"))


def _name(text: str) -> str:
    return f"'{shortened(text, 60)}'"


def _comparison(compared: Json | None) -> list[Recommendation]:
    if compared is None:
        return []
    average = compared["reference"]["cycleTimes"]["averageSeconds"] or 0.0
    worse = [
        row
        for row in compared["activities"]
        if row["changeSecondsPerCase"] > _WORTH * average and (row["pValue"] is None or row["pValue"] < SIGNIFICANT)
    ]
    return [_slower(row, compared, average) for row in worse[:_MOST]]


def _slower(row: Json, compared: Json, average: float) -> Recommendation:
    change, name = row["changeSecondsPerCase"], _name(row["activity"])
    here, there = (_name(compared[side]["name"]) for side in ("subject", "reference"))
    part = change / average if average else 0.0
    tested = ""
    if row["probabilitySubjectLonger"] is not None:
        tested = (
            f"; a wait of the one is longer than a wait of the other in {percent(row['probabilitySubjectLonger'])} of "
            f"pairs (Mann-Whitney p {_p(row['pValue'])})"
        )
    return Recommendation(
        "Change",
        "High" if part >= 0.1 else "Medium",
        f"Find out what changed before {name}",
        f"Waiting there as in {there} would shorten the average case of {here} by {duration(change)}",
        f"Waiting before {name}: {duration(row['subjectWaitSecondsPerCase'])} per case in {here}, "
        f"{duration(row['referenceWaitSecondsPerCase'])} in {there}; median "
        f"{duration(row['subjectMedianWaitSeconds'])} against {duration(row['referenceMedianWaitSeconds'])}{tested}",
        change,
    )


def _p(value: float | None) -> str:
    return "unknown" if value is None else "below 0.0001" if value < 0.0001 else f"{value:.4f}"


def _resources(found: Json | None) -> list[Recommendation]:
    if found is None:
        return []
    advice = [_conflict(pair, found) for pair in found["segregationOfDuties"]["pairs"] if pair["casesOfOnePerson"]]
    handover = found["handover"]
    slow, quick = handover["medianWaitingSecondsWithHandover"], handover["medianWaitingSecondsWithout"]
    if slow and quick is not None and slow > 2 * quick and handover["handovers"] >= 100:
        advice.append(_handed_over(handover, slow, quick))
    alone = found["activitiesOfOneResource"]
    if alone and found["resources"] >= 3:
        row = alone[0]
        names = ", ".join(_name(item["activity"]) for item in alone[:5])
        advice.append(
            Recommendation(
                "Resource Allocation",
                "Low",
                f"Check who stands in where one resource does nearly all of an activity: {names}",
                "Lower risk when that resource is absent",
                f"{_name(row['mainResource'])} did {percent(row['mainShare'])} of {count(row['instances'])} "
                f"{_name(row['activity'])}; {count(len(alone))} activities hang on one resource",
            )
        )
    return advice


def _conformance(found: Json | None) -> list[Recommendation]:
    """What cases do most often against a model that somebody drew; against a discovered one it is merely rare."""
    if found is None or found["model"]["source"] != "uploaded":
        return []
    return [_deviation(row, found) for row in found["deviations"][:_MOST]]


def _deviation(row: Json, found: Json) -> Recommendation:
    where = f"after {_name(row['after'])}" if row["after"] else "at the start"
    does = "skip" if row["kind"] == "skipped" else "do in addition"
    return Recommendation(
        "Compliance",
        "Medium" if row["shareOfCases"] >= _FREQUENT else "Low",
        f"Find out why cases {does} {_name(row['activity'])} {where}, and correct the process or the model",
        f"{count(row['cases'])} cases to examine; they are listed in deviating-cases.csv",
        f"{count(row['cases'])} of {count(found['cases'])} cases ({percent(row['shareOfCases'])}) deviate so from the "
        f"model {_name(found['model']['name'])}; {count(found['deviatingCases'])} deviate in any way",
    )


def _handed_over(handover: Json, slow: float, quick: float) -> Recommendation:
    most = handover["rows"][0]
    return Recommendation(
        "Resource Allocation",
        "Medium",
        "Look at the handovers with the most waiting; work waits longer when it changes hands",
        "The log cannot tell how much of this waiting is due to the handover and how much to the activities",
        f"{count(handover['handovers'])} of {count(handover['steps'])} steps ({percent(handover['shareOfSteps'])}) "
        f"change the resource and wait {duration(slow)} in the median, the others {duration(quick)}; most often from "
        f"{_name(most['source'])} to {_name(most['target'])} ({count(most['count'])} times)",
    )


def _conflict(pair: Json, found: Json) -> Recommendation:
    named = found["segregationOfDuties"]["named"]
    first, second = _name(pair["first"]), _name(pair["second"])
    who = ", ".join(f"{_name(item['resource'])} ({count(item['cases'])})" for item in pair["resources"][:3])
    why = "which are to be kept apart" if named else "which are usually kept apart"
    return Recommendation(
        "Compliance",
        "High" if named else "Medium",
        f"Look into the cases where one person did both {first} and {second}, {why}",
        f"{count(pair['casesOfOnePerson'])} cases to examine; they are listed in segregation-of-duties.csv",
        f"One person did both in {count(pair['casesOfOnePerson'])} of {count(pair['cases'])} cases with both "
        f"({percent(pair['share'])}): {who}"
        + (f"; chance would make {pair['expectedByChance']:,.0f}" if "expectedByChance" in pair else ""),
    )
