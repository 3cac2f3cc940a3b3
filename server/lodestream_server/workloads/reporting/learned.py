"""The section about what a mining run learned: unusual cases with their reasons, and what predictions are worth."""

from dataclasses import dataclass

from lodestream_server.workloads.mining.report.fit import clean
from lodestream_server.workloads.mining.spoken import shortened
from lodestream_server.workloads.phase import Json
from lodestream_server.workloads.reporting.model import Block, Column, Figure, Figures, Paragraph, Table
from lodestream_server.workloads.reporting.reasons import reasons_of
from lodestream_server.workloads.reporting.speech import Speech

#: Cases in the table.
CASES = 10


@dataclass(frozen=True, slots=True)
class Learned:
    """Results of learning (empty without it), and how to talk about them. `number` is the source's."""

    results: Json
    speech: Speech
    number: int

    def blocks(self) -> list[Block | None]:
        """Figures, the most unusual cases, what predictions are worth; nothing of what was not computed."""
        return [self._figures(), *self._cases(), *self._predictions()]

    @property
    def _anomalies(self) -> Json:
        found = self.results.get("anomalies", {})
        return {} if "notComputed" in found else dict(found)

    @property
    def _predicted(self) -> Json:
        found = self.results.get("predictions", {})
        return {} if "notComputed" in found else dict(found)

    def _figures(self) -> Figures | None:
        say, found = self.speech.say, list[Figure]()
        if unusual := self._anomalies:
            found += [
                Figure(say("figure.anomalies"), unusual["detected"], "count"),
                Figure(say("figure.anomalies_high"), unusual["highSeverity"], "count"),
            ]
        if predicted := self._predicted:
            times, paths = predicted["cycleTimePrediction"], predicted["pathPrediction"]
            found += [
                Figure(say("figure.time_error"), times["meanAbsoluteErrorSeconds"], "duration"),
                Figure(say("figure.next_right"), paths["accuracy"], "percent"),
            ]
        return Figures(tuple(found)) if found else None

    def _cases(self) -> list[Block]:
        rows = self._anomalies.get("top") or []
        if not rows:
            return []
        say, speech = self.speech.say, self.speech
        columns = (
            Column(say("column.case")),
            Column(say("column.severity")),
            Column(say("column.duration"), "duration"),
            Column(say("column.events"), "count"),
            Column(say("column.reasons")),
        )
        values = tuple(
            (
                shortened(clean(row["caseId"]), 40),
                say(f"severity.{row['severity']}"),
                row["durationSeconds"],
                row["events"],
                reasons_of(row, speech, 2),
            )
            for row in rows[:CASES]
        )
        table = Table(f"anomalies-{self.number}", say("table.anomalies"), columns, values, self._anomalies["detected"])
        return [Paragraph(say("anomalies_text")), table]

    def _predictions(self) -> list[Block]:
        if not self._predicted:
            return []
        say, speech = self.speech.say, self.speech
        times, paths = self._predicted["cycleTimePrediction"], self._predicted["pathPrediction"]
        off = say(
            "prediction.time_result",
            error=speech.duration(times["meanAbsoluteErrorSeconds"]),
            typical=speech.duration(times["meanRemainingSeconds"]),
        )
        right = say(
            "prediction.next_result",
            share=speech.percent(paths["accuracy"]),
            baseline=speech.percent(paths["baseline"]["accuracy"]),
        )
        rows = tuple(
            (say(f"prediction.{name}"), result, found.get("skill"), say(f"served.{found['served']}"))
            for name, result, found in (("time", off, times), ("next", right, paths))
        )
        columns = (
            Column(say("column.prediction")),
            Column(say("column.result")),
            Column(say("column.skill"), "percent"),
            Column(say("column.served")),
        )
        table = Table(f"predictions-{self.number}", say("table.predictions"), columns, rows, len(rows))
        return [Paragraph(say("predictions_text")), table]
