"""A document from sources: which sections a type of report has, and what stands on its head."""

from collections.abc import Set
from datetime import datetime

from lodestream_server.workloads.mining.report.fit import clean
from lodestream_server.workloads.phase import Json
from lodestream_server.workloads.reporting.advice import quoted
from lodestream_server.workloads.reporting.compared import Compared
from lodestream_server.workloads.reporting.mined import Mined
from lodestream_server.workloads.reporting.model import Document, Section
from lodestream_server.workloads.reporting.names import name_of
from lodestream_server.workloads.reporting.other import Other, other_sections
from lodestream_server.workloads.reporting.prepared import Prepared
from lodestream_server.workloads.reporting.speech import Speech

REPORT_TYPES = ("executive_summary", "detailed", "comparison")


def compose(sources: list[Json], report_type: str, title: str, speech: Speech, pictures: Set[str]) -> Document:
    """The report; `pictures` are the names of the drawings that exist. A comparison needs two mined sources."""
    ends = [datetime.fromisoformat(source["ended"]) for source in sources if source.get("ended")]
    return Document(
        report_type,
        speech.say(f"type.{report_type}"),
        clean(title),
        " · ".join(dict.fromkeys(name_of(source["name"]) for source in sources if source["name"] not in title)),
        speech.language,
        _facts(sources, speech, max(ends, default=None)),
        tuple(_sections(sources, report_type, speech, pictures)),
        speech.say("footer"),
        max(ends, default=None),
    )


def _sections(sources: list[Json], report_type: str, speech: Speech, pictures: Set[str]) -> list[Section]:
    if report_type == "comparison":
        runs = [Mined(s, speech, n, pictures) for n, s in enumerate(sources, start=1) if s["flavour"] == "mined"]
        return Compared(tuple(runs), speech).sections()
    detailed, found = report_type == "detailed", list[Section]()
    for number, source in enumerate(sources, start=1):
        sections = _of(source, number, detailed, speech, pictures)
        alike = sum(other["flavour"] == source["flavour"] for other in sources) > 1
        found += [_numbered(section, source, number) for section in sections] if alike else sections
    # In a summary the map comes last: it fills a page of its own.
    return found if detailed else sorted(found, key=lambda section: section.key.endswith("map"))


def _of(source: Json, number: int, detailed: bool, speech: Speech, pictures: Set[str]) -> list[Section]:
    match source["flavour"]:
        case "mined":
            mined = Mined(source, speech, number, pictures)
            if not detailed:
                return mined.summary_sections()
            return mined.all_sections() + other_sections(source["others"], speech, number)
        case "prepared":
            return Prepared(source, speech, number).sections(detailed=detailed)
        case _:
            return Other(source, speech, number).sections(detailed=detailed)


def _numbered(section: Section, source: Json, number: int) -> Section:
    return Section(f"{number}-{section.key}", f"{section.title} – {name_of(source['name'], 40)}", section.blocks)


def _facts(sources: list[Json], speech: Speech, ended: datetime | None) -> tuple[tuple[str, str], ...]:
    """What the report is about: data, period, state."""
    data = dict.fromkeys(clean(source["dataset"]) for source in sources if source.get("dataset"))
    facts = [(speech.say("fact.dataset"), ", ".join(data))] if data else []
    mined = [source for source in sources if source["flavour"] == "mined"]
    periods = {name_of(source["name"], 40): text for source in mined if (text := _period(source, speech))}
    if len(set(periods.values())) == 1:
        facts.append((speech.say("fact.period"), next(iter(periods.values()))))
    else:
        facts += [(f"{speech.say('fact.period')} {quoted(name, speech)}", text) for name, text in periods.items()]
    if ended:
        facts.append((speech.say("fact.as_of"), speech.date(ended.date())))
    return tuple(facts)


def _period(source: Json, speech: Speech) -> str:
    """The first and the last day of a log; nothing where they are not known."""
    if not (span := source["loading"].get("timeRange")):
        return ""
    return f"{speech.iso_date(span['startTime'])} – {speech.iso_date(span['endTime'])}"
