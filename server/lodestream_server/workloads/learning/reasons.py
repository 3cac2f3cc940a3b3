"""Why a case is unusual: a topic and its figures, the measured one against the usual one.

A figure is a reason when at most `UNCOMMON` of the sample is as far out; the rarest come first, three at most.
The words are elsewhere (reporting/reasons.py), one sentence for each topic in every language.
"""

from typing import Any

import numpy as np
import polars as pl

from lodestream_server.workloads.learning.cases import FEATURES
from lodestream_server.workloads.learning.completions import STEP, Learned
from lodestream_server.workloads.learning.forest import Forest
from lodestream_server.workloads.learning.usual import Usual
from lodestream_server.workloads.mining.spoken import shortened
from lodestream_server.workloads.phase import Json

#: A figure that more cases share is no reason; reasons given per case.
UNCOMMON, MOST_REASONS = 0.05, 3

_PLACES = {name: place for place, name in enumerate(FEATURES)}


class Witness:
    """Knows what is usual and names what is not."""

    def __init__(self, learned: Learned, usual: Usual, forest: Forest) -> None:
        self.forest = forest
        self._names = [shortened(name, 60) for name in learned.names]
        self._expected = usual.activities.filter("expected").select("activity", "share").rows()
        self._shares = usual.activities["share"].to_list()
        self._medians = dict(usual.gaps.select("activity", "median").iter_rows())
        self._variants = dict(learned.variants.select("variant", "cases").iter_rows())
        middle = np.median(forest.sorted_sample, axis=0)
        self._middle = {name: float(middle[place]) for name, place in _PLACES.items()}

    def reasons(self, case: dict[str, Any], rows: pl.DataFrame) -> list[Json]:
        """The case with its figures; `rows` are its own. Each reason, {topic, figures}, once."""
        found: list[tuple[float, int, Json]] = []
        for name, place in _PLACES.items():
            value = case[f"f_{name}"]
            tail = self.forest.tail(place, value)
            if name == "duration" and value < self._middle[name]:
                tail = self.forest.lower_tail(place, value)
            if tail <= UNCOMMON and abs(value - self._middle[name]) > 1e-9:
                found.append((tail, place, getattr(self, f"_{name}")(case, rows)))
        reasons: list[Json] = []
        for _, _, reason in sorted(found, key=lambda one: one[:2]):
            if reason not in reasons:
                reasons.append(reason)
        return reasons[:MOST_REASONS]

    def _duration(self, case: dict[str, Any], rows: pl.DataFrame) -> Json:
        took, usual = (float(np.expm1(value)) for value in (case["f_duration"], self._middle["duration"]))
        return _reason("duration", tookSeconds=took, usualSeconds=usual)

    def _stall(self, case: dict[str, Any], rows: pl.DataFrame) -> Json:
        row = rows.sort("excess", descending=True, nulls_last=True, maintain_order=True).row(0, named=True)
        usual = self._medians.get(row["activity"])
        known = {} if usual is None else {"usualSeconds": usual / 1e6}
        return _reason("stall", activity=self._names[row["activity"]], passedSeconds=(row["gap"] or 0) / 1e6, **known)

    def _surprise(self, case: dict[str, Any], rows: pl.DataFrame) -> Json:
        row = rows.sort("share", maintain_order=True).row(0, named=True)
        last = rows.row(-1, named=True)
        if last["end_share"] is not None and last["end_share"] < row["share"]:
            return _reason("end", activity=self._names[last["activity"]], share=last["end_share"])
        here, before = self._names[row["activity"]], row["step"] // STEP
        if not before:
            return _reason("begin", activity=here, share=row["share"])
        return _reason("step", activity=here, after=self._names[before - 1], share=row["share"])

    def _rareSteps(self, case: dict[str, Any], rows: pl.DataFrame) -> Json:  # noqa: N802 named for its figure
        number = int(case["f_rareSteps"])
        return _reason("rareSteps", number=number) if number > 1 else self._surprise(case, rows)

    def _variant(self, case: dict[str, Any], rows: pl.DataFrame) -> Json:
        return _reason("variant", cases=self._variants[case["variant"]])

    def _repetitions(self, case: dict[str, Any], rows: pl.DataFrame) -> Json:
        again = rows.group_by("activity", maintain_order=True).len().sort("len", descending=True, maintain_order=True)
        activity, times = again.row(0)
        return _reason(
            "repetitions",
            number=round(float(np.expm1(case["f_repetitions"]))),
            activity=self._names[activity],
            times=times,
            usual=round(float(np.expm1(self._middle["repetitions"]))),
        )

    def _missing(self, case: dict[str, Any], rows: pl.DataFrame) -> Json:
        seen = set(rows["activity"].to_list())
        lacking = [(share, self._names[activity]) for activity, share in self._expected if activity not in seen]
        share, name = max(lacking)
        return _reason("missing", activity=name, share=share, more=len(lacking) - 1)

    def _rareActivities(self, case: dict[str, Any], rows: pl.DataFrame) -> Json:  # noqa: N802 named for its figure
        activity = rows.filter("rare")["activity"].max()
        assert isinstance(activity, int)
        return _reason("rareActivity", activity=self._names[activity], share=self._shares[activity])

    def _length(self, case: dict[str, Any], rows: pl.DataFrame) -> Json:
        return _reason("length", number=rows.height, usual=round(float(np.expm1(self._middle["length"]))))

    def _people(self, case: dict[str, Any], rows: pl.DataFrame) -> Json:
        row = rows.filter("stranger").row(0, named=True)
        who = shortened(str(row["resource"]), 40)
        return _reason("person", activity=self._names[row["activity"]], resource=who, share=row["does"])


def _reason(topic: str, **figures: Any) -> Json:
    """Fractions to six digits: what is written is what is said."""
    return {
        "topic": topic,
        "figures": {name: round(value, 6) if isinstance(value, float) else value for name, value in figures.items()},
    }
