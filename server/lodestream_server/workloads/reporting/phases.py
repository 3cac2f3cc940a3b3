"""Report generation as phases: collect what earlier runs found, draw it, write it in each format."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from lodestream_server.workloads.phase import EarlierRun, Json, Phase
from lodestream_server.workloads.reporting import page, pdf, slides, tables, workbook
from lodestream_server.workloads.reporting.composed import compose
from lodestream_server.workloads.reporting.model import Document
from lodestream_server.workloads.reporting.pictures import draw_source
from lodestream_server.workloads.reporting.sources import source_of, tables_of
from lodestream_server.workloads.reporting.speech import Speech, speech_of
from lodestream_server.workloads.reporting.wishes import (
    Wishes,
    language,
    ordered,
    report_type,
    title_of,
    wants_pictures,
    wishes,
)

_SOURCES = "sources.json"


def collect(phase: Phase) -> Json:
    """Results: reportType, language, title, sources [{runId, name, type, cases, events, medianCycleSeconds …}],
    sourcesRead. File: sources.json, what the report is made from. Raises BadInput for a report on nothing."""
    wanted = wishes(phase.parameters)
    for word in wanted.unknown:
        phase.warn(f"Export format {word[:40]} is not available", type="UnknownFormat")
    runs, found = ordered(phase), list[Json]()
    for done, run in enumerate(runs):
        phase.progress(done, len(runs), f"Reading {run.name}")
        found.append(source_of(run))
        phase.log("INFO", f"Read the results of {run.type} '{run.name}'", runId=run.run_id, phases=len(run.phases))
    for source in found:
        if source["flavour"] == "mined" and not source["hasTables"]:
            phase.warn(f"The files of '{source['name']}' are no longer kept: no process map", type="MissingFiles")
    (phase.out / _SOURCES).write_text(json.dumps(found, ensure_ascii=False, allow_nan=False), "utf-8")
    phase.progress(len(runs), len(runs), "Done")
    phase.metrics(sourcesRead=len(runs))
    return {
        "reportType": wanted.report_type,
        "language": wanted.language,
        "title": title_of(wanted.title, phase.run_name, _subjects(found)),
        "sources": [_told(source) for source in found],
        "sourcesRead": len(runs),
    }


def _subjects(found: list[Json]) -> list[str]:
    """The names of the mined runs, which a report is mainly about; of all runs when none is mined."""
    return [s["name"] for s in found if s["flavour"] == "mined"] or [s["name"] for s in found]


def _told(source: Json) -> Json:
    """A source in a few figures."""
    said = {"runId": source["runId"], "name": source["name"], "type": source["runType"]}
    if source["flavour"] == "mined":
        cycle = source["performance"]["cycleTimes"]
        said |= {"cases": source["discovery"]["cases"], "events": source["discovery"]["events"]}
        said |= {"medianCycleSeconds": cycle["medianSeconds"]}
    return said


def draw(phase: Phase) -> Json:
    """Results: picturesDrawn, pictures [file]. Files: the drawings as SVG; none when no visualizations are wanted."""
    found, names = _collected(phase), list[str]()
    if not wants_pictures(phase.parameters) or report_type(phase.parameters) == "comparison":
        phase.log("INFO", "No drawings: charts of this report are drawn from figures")
        return {"picturesDrawn": 0, "pictures": names}
    speech = speech_of(language(phase.parameters))
    for number, (source, run) in enumerate(zip(found, ordered(phase), strict=True), start=1):
        phase.progress(number - 1, len(found), f"Drawing {source['name']}")
        if source["flavour"] != "mined":
            continue
        for name, svg in draw_source(source, _tables(run), number, speech, phase.check).items():
            (phase.out / f"{name}.svg").write_text(svg, "utf-8")
            names.append(f"{name}.svg")
    phase.progress(len(found), len(found), "Done")
    phase.metrics(picturesDrawn=len(names))
    return {"picturesDrawn": len(names), "pictures": names}


def _tables(run: EarlierRun) -> dict[str, pl.DataFrame]:
    phases = {phase.name: phase for phase in run.phases}
    return tables_of(phases["Process Discovery"], phases["Performance Analysis"])


def _collected(phase: Phase) -> list[Json]:
    text = (phase.before("Data Collection").folder / _SOURCES).read_text("utf-8")
    found: list[Json] = json.loads(text)
    return found


def write(phase: Phase) -> Json:
    """Results: reportsCreated, outputs [{kind, file, format}], sections [title], recommendations of the sources."""
    wanted, found = wishes(phase.parameters), _collected(phase)
    folder = phase.before("Visualization").folder
    drawings = {path.stem: path.read_text("utf-8") for path in sorted(folder.glob("*.svg"))}
    speech = speech_of(wanted.language)
    title = phase.before("Data Collection").results["title"]
    document = compose(found, wanted.report_type, title, speech, set(drawings))
    if not wanted.pictures:
        document = document.without_charts()
    outputs = _Files(phase, document, drawings, speech).make(wanted)
    phase.milestone(f"{len(outputs)} reports written", formats=[output["format"] for output in outputs])
    return {
        "outputs": outputs,
        "reportsCreated": len(outputs),
        "sections": [section.title for section in document.sections],
        "recommendations": [item for source in found for item in source.get("recommendations", [])],
    }


@dataclass(frozen=True, slots=True)
class _Files:
    """One document on its way into files."""

    phase: Phase
    document: Document
    drawings: dict[str, str]
    speech: Speech

    def make(self, wanted: Wishes) -> list[Json]:
        """A file for each format, published; what the results say about each."""
        outputs = []
        for done, form in enumerate(wanted.formats):
            self.phase.progress(done, len(wanted.formats), f"Writing {form}")
            name, make = self._writers()[form]
            path = self.phase.out / name
            path.write_bytes(make())
            self.phase.artifact(
                path,
                name=f"{self.document.title[:120]}: {self.document.kind} ({form})",
                type="Report",
                kind="ProcessMiningReport",
                description=", ".join(section.title for section in self.document.sections)[:300],
            )
            outputs.append({"kind": "ProcessMiningReport", "file": name, "format": form, "size": path.stat().st_size})
        self.phase.progress(len(wanted.formats), len(wanted.formats), "Done")
        return outputs

    def _writers(self) -> dict[str, tuple[str, Callable[[], bytes]]]:
        document, drawings, speech, scratch = self.document, self.drawings, self.speech, self.phase.scratch
        return {
            "PDF": ("report.pdf", lambda: pdf.write(document, drawings, speech, scratch)),
            "PowerPoint": ("report.pptx", lambda: slides.write(document, drawings, speech, scratch)),
            "HTML": ("report.html", lambda: page.write(document, drawings, speech).encode()),
            "CSV": ("report-tables.zip", lambda: tables.as_csv(document)),
            "JSON": ("report.json", lambda: tables.as_json(document)),
            "Excel": ("report.xlsx", lambda: workbook.write(document, speech)),
        }
