"""Charts and the map of a mined process, in the report's language. `mined` puts them into sections."""

from collections.abc import Sequence, Set
from dataclasses import dataclass

from lodestream_server.workloads.mining.report import charts
from lodestream_server.workloads.phase import Json
from lodestream_server.workloads.reporting.model import Chart, Picture, Series
from lodestream_server.workloads.reporting.names import name_of
from lodestream_server.workloads.reporting.speech import Speech

#: Bars of the bottleneck chart.
BARS = 8


def bottleneck_chart(rows: Sequence[Json], total: float, number: int, speech: Speech) -> Chart | None:
    """Bars for the first of these activities by their share of all waiting, which took `total` seconds."""
    rows, say = rows[:BARS], speech.say
    if not rows:
        return None
    return Chart(
        f"bottlenecks-{number}",
        say("chart.bottlenecks"),
        "bars",
        tuple(name_of(row["activity"], 60) for row in rows),
        (Series(say("column.waiting_share"), tuple(row["share"] for row in rows)),),
        "percent",
        note=say("chart.bottlenecks_note", total=speech.duration(total)),
        axes=("", say("column.waiting_share")),
    )


@dataclass(frozen=True, slots=True)
class MinedCharts:
    """The charts of a mined source. `pictures` are the names of drawings that exist for it."""

    source: Json
    speech: Speech
    number: int
    pictures: Set[str]

    @property
    def _performance(self) -> Json:
        return dict(self.source["performance"])

    def bottlenecks(self) -> Chart | None:
        """Share of all waiting before each bottleneck."""
        rows, total = self._performance["bottlenecks"], self._performance["waiting"]["totalSeconds"]
        return bottleneck_chart(rows, total, self.number, self.speech)

    def cycle(self) -> Chart | None:
        """How many cases take how long; None when all take no time."""
        cycle, speech = self._performance["cycleTimes"], self.speech
        bars = cycle.get("distribution")
        if not bars:
            return None
        size, unit = charts.axis_unit(bars["barSeconds"] * len(bars["cases"]))
        width = bars["barSeconds"] / size
        wording = speech.wording()
        return Chart(
            self._named("cycle"),
            speech.say("chart.cycle"),
            "columns",
            tuple(speech.number(i * width, 2 if width < 0.25 else 1) for i in range(len(bars["cases"]))),
            (Series(speech.say("column.cases"), tuple(bars["cases"])),),
            "count",
            self._drawn("cycle"),
            speech.say(
                "chart.cycle_note",
                beyond=speech.count(bars["casesBeyond"]),
                longest=speech.duration(cycle["maxSeconds"]),
            ),
            (wording.say("cycle_axis", unit=wording.say(f"unit_{unit}")), speech.say("column.cases")),
        )

    def over_time(self) -> Chart | None:
        """Cases started and finished over time."""
        flow, speech = self.source["overTime"], self.speech
        if not flow:
            return None
        wording = speech.wording()
        series = tuple(Series(wording.say(key), tuple(flow[key])) for key in ("started", "finished"))
        return Chart(
            self._named("time"),
            wording.say(f"cases_per_{flow['grain']}"),
            "lines",
            tuple(speech.short_date(day, flow["grain"]) for day in flow["days"]),
            series,
            "count",
            self._drawn("time"),
            self._time_note(),
            ("", speech.say("column.cases")),
        )

    def _time_note(self) -> str:
        """By which days cases are counted, and how many lie outside the time that is shown."""
        flow, speech = self.source["overTime"], self.speech
        started, finished = flow.get("startedOutside", 0), flow.get("finishedOutside", 0)
        note = speech.say("chart.time_note")
        if not started + finished:
            return note
        outside = speech.say("chart.time_outside", started=speech.count(started), finished=speech.count(finished))
        return f"{note} {outside}"

    def process_map(self, name: str) -> Picture | None:
        """The map of that name; None when it was not drawn."""
        if not self._drawn(name):
            return None
        alt = self.speech.say("map_alt", activities=self.speech.count(self.source["discovery"]["activitiesDiscovered"]))
        return Picture(self._named(name), self.speech.say("section.map"), alt)

    def _named(self, name: str) -> str:
        return f"{name}-{self.number}"

    def _drawn(self, name: str) -> str:
        """The drawing's name if there is one."""
        return self._named(name) if self._named(name) in self.pictures else ""
