"""Reports in a folder: mined runs as sources, the phases of report generation one after the other, and readers of the
formats that share no code with their writers."""

import re
import zlib
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from lodestream_server.workloads.phase import EarlierRun, Finished
from lodestream_server.workloads.rehearsal import Rehearsal
from lodestream_server.workloads.reporting.phases import collect, draw, write

from tests.unit.mining_world import events, world

ENDED = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)

LOANS = {
    **{f"c{n}": [("Apply", n), ("Check", n + 10), ("Approve", n + 500)] for n in range(6)},
    "d": [("Apply", 7), ("Check", 17), ("Check", 18), ("Reject", 20)],
}


def mined(folder: Path, rows: list[dict[str, Any]] | None = None, name: str = "Loans in January") -> EarlierRun:
    """A mining run that has completed."""
    log = world(folder, events(LOANS) if rows is None else rows)
    finished, _ = log.report(outputOptions={"exportFormats": ["JSON"]})
    phases = tuple(
        Finished(key, done.results, done.folder)
        for key, done in (log.earlier | {"Report Generation": finished}).items()
    )
    return EarlierRun(f"op-{name}", "operation", "ProcessMiningAnalysis", name, {}, phases, ENDED, ENDED)


def reported(folder: Path, sources: list[EarlierRun], **parameters: Any) -> tuple[Finished, Rehearsal]:
    """Runs the three phases; what the last returned, and its rehearsal with the published files."""
    folder = folder / f"report {len(list(folder.iterdir()))}"
    earlier: dict[str, Finished] = {}
    for name, function in (("Data Collection", collect), ("Visualization", draw), ("Report Generation", write)):
        phase = Rehearsal(
            folder / name,
            parameters=parameters,
            name=name,
            earlier=earlier,
            sources=sources,
            run_name="Monthly report",
        )
        earlier[name] = phase.run(function)
    return earlier["Report Generation"], phase


def files(phase: Rehearsal) -> dict[str, bytes]:
    """The published files by name."""
    return {item.path.name: item.path.read_bytes() for item in phase.artifacts}


class Page(HTMLParser):
    """What an HTML page consists of: its tags with their attributes, and its text."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collects the tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Collects the text."""
        self.text += data


def pdf_objects(content: bytes) -> str:
    """Everything in a PDF that is not a picture or a font, unpacked."""
    parts = [content.decode("latin-1")]
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL):
        try:
            parts.append(zlib.decompress(stream).decode("latin-1"))
        except zlib.error:
            continue
    return "\n".join(parts)


def pdf_pages(content: bytes) -> int:
    """How many pages a PDF has."""
    return len(re.findall(r"/Type\s*/Page\b", pdf_objects(content)))
