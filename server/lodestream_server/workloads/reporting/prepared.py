"""Sections about prepared data: what cleaning found and changed, and which columns were added."""

from dataclasses import dataclass

from lodestream_server.workloads.phase import Json
from lodestream_server.workloads.reporting.model import Block, Column, Figure, Figures, Findings, Section, Table
from lodestream_server.workloads.reporting.names import name_of
from lodestream_server.workloads.reporting.speech import Speech


@dataclass(frozen=True, slots=True)
class Prepared:
    """A source whose data were cleaned and enriched."""

    source: Json
    speech: Speech
    number: int

    def sections(self, *, detailed: bool) -> list[Section]:
        """One section: figures, what the rules did, and in detail the new columns."""
        blocks: list[Block] = [self.figures(), self._findings(), self._rules()]
        if detailed and (columns := self._columns()):
            blocks.append(columns)
        return [Section("preparation", self.speech.say("section.preparation"), tuple(blocks))]

    def figures(self) -> Figures:
        """Records, removals, additions, quality."""
        cleaning, say = self.source["cleaning"], self.speech.say
        before, after = cleaning["before"], cleaning["after"]
        rows = (
            Figure(say("figure.records_before"), before["records"], "count"),
            Figure(say("figure.records_after"), after["records"], "count"),
            Figure(say("figure.removed"), cleaning["recordsRemoved"], "count"),
            Figure(say("figure.cases"), after["cases"], "count"),
            Figure(say("figure.quality_before"), before["dataQualityScore"], "score"),
            Figure(say("figure.quality"), after["dataQualityScore"], "score"),
            Figure(say("figure.columns_added"), self.source["enrichment"].get("columnsAdded", 0), "count"),
        )
        return Figures(rows)

    def _findings(self) -> Findings:
        cleaning, speech = self.source["cleaning"], self.speech
        before, after = cleaning["before"], cleaning["after"]
        said = speech.say(
            "finding.prepared",
            before=speech.number(before["dataQualityScore"]),
            after=speech.number(after["dataQualityScore"]),
            removed=speech.count(cleaning["recordsRemoved"]),
            records=speech.count(before["records"]),
        )
        return Findings((said,))

    def _rules(self) -> Table:
        say = self.speech.say
        cleaning = self.source["cleaning"]
        rows = tuple(
            (self._rule(str(row["rule"])), row["recordsBefore"], row["recordsRemoved"], row["recordsChanged"])
            for row in cleaning["rules"]
        )
        read = cleaning["before"]["records"]
        if rows and (unusable := read - rows[0][1]):  # so that the records removed add up
            rows = ((say("rule.loading"), read, unusable, 0), *rows)
        columns = (
            Column(say("column.rule")),
            Column(say("column.records_in"), "count"),
            Column(say("column.removed"), "count"),
            Column(say("column.changed"), "count"),
        )
        return Table(f"rules-{self.number}", say("table.rules"), columns, rows, len(rows))

    def _rule(self, name: str) -> str:
        return self.speech.texts.get(f"rule.{name}", name_of(name))

    def _type(self, name: str) -> str:
        return self.speech.texts.get(f"type_of.{name}", name_of(name))

    def _columns(self) -> Table | None:
        added = self.source["enrichment"].get("columns") or []
        if not added:
            return None
        say = self.speech.say
        rows = tuple(
            (name_of(row["name"]), self._type(str(row.get("type", ""))), row.get("missing"))
            for row in added
            if isinstance(row, dict)
        )
        columns = (Column(say("column.name")), Column(say("column.type")), Column(say("column.missing"), "count"))
        total = self.source["enrichment"].get("columnsAdded", len(rows))
        return Table(f"columns-{self.number}", say("table.columns"), columns, rows, total)
