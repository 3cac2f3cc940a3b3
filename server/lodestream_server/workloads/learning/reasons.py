"""Why a case is unusual, in words: the measured figure against the usual one.

A figure is a reason when at most `UNCOMMON` of the sample is as far out; the rarest come first, three at most.
"""

from typing import Any

import numpy as np
import polars as pl

from lodestream_server.workloads.learning.cases import FEATURES
from lodestream_server.workloads.learning.completions import STEP, Learned
from lodestream_server.workloads.learning.forest import Forest
from lodestream_server.workloads.learning.usual import Usual
from lodestream_server.workloads.mining.spoken import count, duration, percent, shortened

#: A figure that more cases share is no reason; reasons given per case.
UNCOMMON, MOST_REASONS = 0.05, 3

_PLACES = {name: place for place, name in enumerate(FEATURES)}


class Witness:
    """Knows what is usual and words what is not."""

    def __init__(self, learned: Learned, usual: Usual, forest: Forest) -> None:
        self.forest = forest
        self._names = [f"'{shortened(name, 60)}'" for name in learned.names]
        self._expected = usual.activities.filter("expected").select("activity", "share").rows()
        self._shares = usual.activities["share"].to_list()
        self._medians = dict(usual.gaps.select("activity", "median").iter_rows())
        self._variants = dict(learned.variants.select("variant", "cases").iter_rows())
        middle = np.median(forest.sorted_sample, axis=0)
        self._middle = {name: float(middle[place]) for name, place in _PLACES.items()}

    def reasons(self, case: dict[str, Any], rows: pl.DataFrame) -> list[str]:
        """The case with its figures; `rows` are its own. Each text once."""
        found = []
        for name, place in _PLACES.items():
            value = case[f"f_{name}"]
            tail = self.forest.tail(place, value)
            if name == "duration" and value < self._middle[name]:
                tail = self.forest.lower_tail(place, value)
            if tail <= UNCOMMON and abs(value - self._middle[name]) > 1e-9:
                found.append((tail, place, getattr(self, f"_{name}")(case, rows)))
        texts = dict.fromkeys(text for _, _, text in sorted(found))
        return list(texts)[:MOST_REASONS]

    def _duration(self, case: dict[str, Any], rows: pl.DataFrame) -> str:
        took, usual = (float(np.expm1(value)) for value in (case["f_duration"], self._middle["duration"]))
        return f"took {duration(took)}; the usual case takes {duration(usual)}"

    def _stall(self, case: dict[str, Any], rows: pl.DataFrame) -> str:
        row = rows.sort("excess", descending=True, nulls_last=True, maintain_order=True).row(0, named=True)
        usual = self._medians.get(row["activity"])
        before = f"{duration((row['gap'] or 0) / 1e6)} passed before {self._names[row['activity']]}"
        return before if usual is None else f"{before}; usually {duration(usual / 1e6)}"

    def _surprise(self, case: dict[str, Any], rows: pl.DataFrame) -> str:
        row = rows.sort("share", maintain_order=True).row(0, named=True)
        last = rows.row(-1, named=True)
        if last["end_share"] is not None and last["end_share"] < row["share"]:
            return f"ended with {self._names[last['activity']]}; after it {percent(last['end_share'])} of cases end"
        here, before = self._names[row["activity"]], row["step"] // STEP
        if not before:
            return f"began with {here}, as {percent(row['share'])} of cases do"
        follows = f"{here} came directly after {self._names[before - 1]}"
        return f"{follows}, as in {percent(row['share'])} of the steps from there"

    def _rareSteps(self, case: dict[str, Any], rows: pl.DataFrame) -> str:  # noqa: N802 named for its figure
        number = int(case["f_rareSteps"])
        return (
            f"{number} rare steps (each below 1 % of the steps from its activity); usually none"
            if (number > 1)
            else self._surprise(case, rows)
        )

    def _variant(self, case: dict[str, Any], rows: pl.DataFrame) -> str:
        cases = self._variants[case["variant"]]
        same = "no other case takes" if cases == 1 else f"only {count(cases)} cases take"
        return f"{same} this way through the process"

    def _repetitions(self, case: dict[str, Any], rows: pl.DataFrame) -> str:
        usual = round(float(np.expm1(self._middle["repetitions"])))
        again = rows.group_by("activity", maintain_order=True).len().sort("len", descending=True, maintain_order=True)
        activity, times = again.row(0)
        number = round(float(np.expm1(case["f_repetitions"])))
        return f"{count(number)} activities were repeated ({self._names[activity]} {times} times); usually {usual}"

    def _missing(self, case: dict[str, Any], rows: pl.DataFrame) -> str:
        seen = set(rows["activity"].to_list())
        lacking = [(share, self._names[activity]) for activity, share in self._expected if activity not in seen]
        share, name = max(lacking)
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        verb = "are" if more else "is"
        return f"{name}{more} {verb} missing; {percent(share)} of cases have {name if more else 'it'}"

    def _rareActivities(self, case: dict[str, Any], rows: pl.DataFrame) -> str:  # noqa: N802 named for its figure
        activity = rows.filter("rare")["activity"].max()
        assert isinstance(activity, int)
        return f"{self._names[activity]} occurs in {percent(self._shares[activity])} of cases only"

    def _length(self, case: dict[str, Any], rows: pl.DataFrame) -> str:
        usual = round(float(np.expm1(self._middle["length"])))
        return f"{count(rows.height)} activities; the usual case has {count(usual)}"

    def _people(self, case: dict[str, Any], rows: pl.DataFrame) -> str:
        row = rows.filter("stranger").row(0, named=True)
        who = shortened(str(row["resource"]), 40)
        return f"{self._names[row['activity']]} was done by {who}, who does {percent(row['does'])} of it"
